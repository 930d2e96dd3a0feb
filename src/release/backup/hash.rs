use super::record::{Kind, Record, Records};
use super::{Backup, BackupError};
use crate::system::files::{AtPath, FileError, write_atomic};
use crate::system::folder::Folder;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Reads every file of a backup whose hash is not known yet and notes it, so that [`super::verify`] can tell damage
/// later. Meant to run when nobody waits. Files shared with an earlier backup bring their hashes along.
pub fn hash_files(backup: &Backup) -> Result<(), BackupError> {
    let Some(mut records) = Records::load(&backup.files())? else {
        return Err(BackupError::Damaged {
            name: backup.name.clone(),
            what: "its list of files is missing or torn".to_owned(),
        });
    };
    let release = Folder::open(&backup.release())?;
    let mut read = 0;
    for record in &mut records.list {
        if record.kind == Kind::File && record.hash.is_none() {
            record.hash = hash_of(&release, record)?;
            read += 1;
        }
    }
    if read > 0 {
        write_atomic(&backup.files(), &records.encode(), 0o644)?;
    }
    Ok(())
}

/// The hash of what is at the record's path now; nothing when there is no file.
pub(super) fn hash_of(release: &Folder, record: &Record) -> Result<Option<[u8; 32]>, FileError> {
    let path = Path::new(OsStr::from_bytes(&record.path));
    let parent = path.parent().unwrap_or(Path::new(""));
    let Some(folder) = release.beneath(parent)? else {
        return Ok(None);
    };
    let Some(file) = folder.open_file(path.file_name().unwrap_or_default())? else {
        return Ok(None);
    };
    Ok(Some(hash(file).at("read", &release.path().join(path))?))
}

fn hash(mut file: File) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
