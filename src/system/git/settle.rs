//! What was pushed, made to outlast a power cut.

use super::{GitError, Repo};
use crate::system::files::{AtPath, FileError};
use crate::system::stamps::{TICK, nanos, now};
use git2::Reference;
use rustix::fs::{Stat, fstat};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the folders of objects were like whose names are all on the disk. A new name in a folder changes its stamp, so one
/// that still has this stamp need not be synced again: a repository has hundreds of them, and a push fills a handful.
static SYNCED: Mutex<Option<HashMap<PathBuf, Stamp>>> = Mutex::new(None);

/// Where git keeps what a push brings until it is checked; what stays of it is moved to the other folders.
const INCOMING: &str = "tmp_objdir";

/// What the system says about a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: i64,
}

impl Stamp {
    fn of(stat: &Stat) -> Stamp {
        Stamp {
            inode: stat.st_ino,
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

impl Repo {
    /// Makes what was pushed outlast a power cut: git syncs files, but not the folders that it moves them to.
    pub fn settle<'a>(&self, refs: impl Iterator<Item = &'a str>) -> Result<(), GitError> {
        let objects = self.path.join("objects");
        for entry in std::fs::read_dir(&objects).at("read", &objects)?.flatten() {
            let is_incoming = entry.file_name().to_string_lossy().starts_with(INCOMING);
            if !is_incoming && entry.path().is_dir() {
                sync_names(entry.path())?;
            }
        }
        sync_names(objects)?;
        for name in refs.filter(|name| Reference::is_valid_name(name)) {
            for part in Path::new(name).ancestors().skip(1) {
                let folder = self.path.join(part);
                if folder.is_dir() {
                    let synced = File::open(&folder).and_then(|folder| folder.sync_all());
                    synced.at("sync", &folder)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes the names in a folder to the disk, unless they are there already. Says whether they had to be written.
fn sync_names(folder: PathBuf) -> Result<bool, FileError> {
    let looked = now();
    let opened = File::open(&folder).at("open", &folder)?;
    let stat = fstat(&opened).map_err(io::Error::from);
    let stamp = Stamp::of(&stat.at("look at", &folder)?);
    let mut synced = SYNCED.lock().unwrap_or_else(PoisonError::into_inner);
    if synced.get_or_insert_default().get(&folder) == Some(&stamp) {
        return Ok(false);
    }
    drop(synced);
    opened.sync_all().at("sync", &folder)?;
    // A name that is added within the same tick would not show.
    if stamp.changed.saturating_add(TICK) < looked {
        let mut synced = SYNCED.lock().unwrap_or_else(PoisonError::into_inner);
        synced.get_or_insert_default().insert(folder, stamp);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};

    #[test]
    fn a_folder_is_synced_again_after_each_new_name_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("objects");
        fs::create_dir(&folder).unwrap();
        for name in ["one", "two"] {
            fs::write(folder.join(name), "").unwrap();
            assert!(sync_names(folder.clone()).unwrap(), "{name}");
            let until = Instant::now() + Duration::from_secs(20);
            // Right after the change nothing can be told yet.
            while sync_names(folder.clone()).unwrap() {
                assert!(Instant::now() < until);
            }
            assert!(!sync_names(folder.clone()).unwrap());
        }
        fs::rename(folder.join("one"), folder.join("three")).unwrap();
        assert!(sync_names(folder.clone()).unwrap());
        let other = dir.path().join("other");
        fs::rename(&folder, &other).unwrap();
        fs::create_dir(&folder).unwrap();
        assert!(sync_names(folder).unwrap());
    }
}
