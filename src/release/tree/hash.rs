use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

/// The SHA-256 of a file; nothing when there is no file of that name.
pub(in crate::release) fn hash_of(
    folder: &Folder,
    name: &OsStr,
) -> Result<Option<[u8; 32]>, FileError> {
    let Some(mut file) = folder.open_file(name)? else {
        return Ok(None);
    };
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer);
        match read.at("read", &folder.path().join(name))? {
            0 => return Ok(Some(hasher.finalize().into())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The SHA-256 of a link's text.
pub(in crate::release) fn hash_of_text(text: &OsStr) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
