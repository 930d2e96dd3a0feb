use super::hash::hash_of;
use super::record::{Kind, Record, Records};
use super::{Backup, BackupError};
use crate::release::checkout::shown;
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// One path of a backup that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path, as it may be shown.
    pub path: String,
    /// What is wrong with it: "missing", "its content differs".
    pub what: &'static str,
}

/// What a look through a whole backup found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many files and links were compared by content.
    pub compared: usize,
    /// How many files have no known hash yet, and were compared by size and mode only.
    pub unhashed: usize,
    /// Everything that is not as it was sealed.
    pub differences: Vec<Difference>,
}

/// Compares a backup, byte for byte, with what was sealed.
pub fn verify(backup: &Backup) -> Result<Verified, BackupError> {
    let Some(records) = Records::load(&backup.files())? else {
        return Err(BackupError::Damaged {
            name: backup.name.clone(),
            what: "its list of files is missing or torn".to_owned(),
        });
    };
    let release = Folder::open(&backup.release())?;
    let mut verified = Verified::default();
    let mut wanted: BTreeMap<&[u8], &Record> = records
        .list
        .iter()
        .map(|record| (record.path.as_slice(), record))
        .collect();
    let mut folders = vec![(release.again()?, Vec::new())];
    while let Some((folder, above)) = folders.pop() {
        for entry in folder.entries()? {
            let mut path: Vec<u8> = above.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name.as_bytes());
            let what = match wanted.remove(path.as_slice()) {
                None => Some("was not sealed"),
                Some(record) => compare(&release, &folder, &entry.name, record, &mut verified)?,
            };
            verified
                .differences
                .extend(what.map(|what| difference(&path, what)));
            if entry.kind == EntryKind::Folder {
                folders.push((folder.folder(&entry.name)?, path));
            }
        }
    }
    let missing = wanted.keys().map(|path| difference(path, "is missing"));
    verified.differences.extend(missing);
    verified.differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(verified)
}

fn difference(path: &[u8], what: &'static str) -> Difference {
    Difference {
        path: shown(path),
        what,
    }
}

fn compare(
    release: &Folder,
    folder: &Folder,
    name: &OsStr,
    record: &Record,
    verified: &mut Verified,
) -> Result<Option<&'static str>, FileError> {
    let Some(stat) = folder.stat(name)? else {
        return Ok(Some("is missing"));
    };
    let kind = match EntryKind::of_mode(stat.st_mode) {
        EntryKind::File => Kind::File,
        EntryKind::Folder => Kind::Folder,
        EntryKind::Link => Kind::Link,
        EntryKind::Special => return Ok(Some("is a device, FIFO or socket now")),
    };
    if kind != record.kind {
        return Ok(Some("is of another kind now"));
    }
    if kind == Kind::Link {
        verified.compared += 1;
        let text = folder.read_link(name)?;
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        return Ok((record.hash != Some(hash)).then_some("leads elsewhere now"));
    }
    if stat.st_mode & 0o7777 != record.mode {
        return Ok(Some("has other permissions now"));
    }
    if kind == Kind::Folder {
        return Ok(None);
    }
    if u64::try_from(stat.st_size).ok() != Some(record.size) {
        return Ok(Some("has another size now"));
    }
    match record.hash {
        Some(hash) => {
            verified.compared += 1;
            Ok((hash_of(release, record)? != Some(hash)).then_some("has other content now"))
        }
        None => {
            verified.unhashed += 1;
            Ok(None)
        }
    }
}
