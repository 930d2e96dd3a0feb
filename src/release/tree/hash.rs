use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use crate::system::sparse;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
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
    let read = match sparse::has_holes(&file) {
        Ok(true) => read_around_holes(&file, &mut hasher),
        Ok(false) => read_all(&mut file, &mut hasher).map(drop),
        Err(error) => Err(error),
    };
    read.at("read", &folder.path().join(name))?;
    Ok(Some(hasher.finalize().into()))
}

/// Reads to the end; how much that was.
fn read_all(from: &mut impl Read, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut all = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                all += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The same bytes, without reading the zeros of the holes.
fn read_around_holes(file: &File, hasher: &mut Sha256) -> io::Result<()> {
    let mut at = 0;
    while let Some(data) = sparse::next_data(file, at)? {
        sparse::zeros(data.start - at).for_each(|zeros| hasher.update(zeros));
        at = data.start + read_all(&mut file.take(data.end - data.start), hasher)?;
        if at < data.end {
            // It was cut meanwhile.
            return Ok(());
        }
    }
    let left = sparse::length(file)?.saturating_sub(at);
    sparse::zeros(left).for_each(|zeros| hasher.update(zeros));
    Ok(())
}

/// The SHA-256 of a link's text.
pub(in crate::release) fn hash_of_text(text: &OsStr) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn holes_are_hashed_as_the_zeros_that_they_are() {
        let dir = tempfile::tempdir().unwrap();
        sparse::testing::write(&dir.path().join("holes"), (40 << 20) + 17).unwrap();
        let bytes = fs::read(dir.path().join("holes")).unwrap();
        fs::write(dir.path().join("none"), &bytes).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let hash = |name: &str| hash_of(&folder, OsStr::new(name)).unwrap();
        assert_eq!(hash("holes"), hash("none"));
        assert_eq!(hash("holes"), Some(Sha256::digest(&bytes).into()));
        assert_eq!(hash("missing"), None);
    }
}
