//! Room that is kept for the way back. On a full disk nothing can be written, not even that somebody goes back to the
//! release before; so a file of some size is kept, and removed at that moment.

use super::folder::Folder;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file's name, in the state folder.
const FILE: &str = "reserve";
/// More than a rollback writes: its journal, its logs, the files of a service that starts.
const SIZE: u64 = 8 << 20;
/// What has to stay free beside it: it takes nobody's last room.
const MARGIN: u64 = 32 << 20;

/// Where it is kept.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// Keeps the room, if there is enough for everybody else. Says whether it is new.
pub fn keep(state_dir: &Path) -> io::Result<bool> {
    let path = path(state_dir);
    let is_there = fs::symlink_metadata(&path).is_ok_and(|meta| meta.blocks() * 512 >= SIZE);
    if is_there || free(state_dir)? < SIZE + MARGIN {
        return Ok(false);
    }
    super::files::remove_if_there(&path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let filled = match fallocate(&file, FallocateFlags::empty(), 0, SIZE) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(&file),
        other => other.map_err(io::Error::from),
    };
    if filled.is_err() {
        super::files::remove_if_there(&path)?;
    }
    filled.map(|()| true)
}

/// Gives the room up if the disk has less than it. Says whether it did.
pub fn give_up(state_dir: &Path) -> io::Result<bool> {
    let path = path(state_dir);
    if !path.exists() || free(state_dir)? >= SIZE {
        return Ok(false);
    }
    fs::remove_file(&path)?;
    Ok(true)
}

fn free(state_dir: &Path) -> io::Result<u64> {
    let free = Folder::open(state_dir).and_then(|folder| folder.free());
    free.map(|free| free.bytes).map_err(io::Error::other)
}

/// What a file system cannot make smaller than it is.
fn fill(mut file: &File) -> io::Result<()> {
    let mut noise = File::open("/dev/urandom")?.take(SIZE);
    io::copy(&mut noise, &mut file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_really_there_and_kept_while_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        assert!(keep(dir.path()).unwrap());
        let meta = fs::metadata(path(dir.path())).unwrap();
        assert!(meta.blocks() * 512 >= SIZE);
        assert!(!keep(dir.path()).unwrap());
        assert!(!give_up(dir.path()).unwrap());
        let half = OpenOptions::new().write(true).open(path(dir.path()));
        half.unwrap().set_len(100).unwrap();
        assert!(
            keep(dir.path()).unwrap(),
            "one that was left half is made whole"
        );
        fill(&File::create(path(dir.path())).unwrap()).unwrap();
        assert!(!keep(dir.path()).unwrap());
    }
}
