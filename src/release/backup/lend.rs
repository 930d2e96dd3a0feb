use super::tree::copy_tree;
use super::{Backup, BackupError};
use crate::system::folder::Folder;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What marks a folder that holds absolute paths to itself: Python's virtual environments.
const FIXED: &str = "pyvenv.cfg";

/// Whether a sealed release has all of these folders (below `dir`, the app's folder) and each of them can move.
pub fn can_lend(backup: &Backup, dir: &str, folders: &[String]) -> Result<bool, BackupError> {
    let release = Folder::open(&backup.release())?;
    for folder in folders {
        let Some(found) = release.beneath(&below(dir, folder))? else {
            return Ok(false);
        };
        if found.stat(OsStr::new(FIXED))?.is_some() {
            return Ok(false);
        }
    }
    Ok(!folders.is_empty())
}

/// Puts copies of these folders of a sealed release in the place of what the slot has there.
pub fn lend(
    backup: &Backup,
    dir: &str,
    folders: &[String],
    slot: &Path,
) -> Result<(), BackupError> {
    let (release, slot) = (Folder::open(&backup.release())?, Folder::open(slot)?);
    for folder in folders {
        let path = below(dir, folder);
        let (Some(from), Some(name)) = (release.beneath(&path)?, path.file_name()) else {
            continue;
        };
        let parent = slot.make_beneath(path.parent().unwrap_or(Path::new("")))?;
        parent.remove(name)?;
        copy_tree(&from, &parent.make_folder(name)?, &[], None)?;
    }
    Ok(())
}

fn below(dir: &str, folder: &str) -> PathBuf {
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    match dir {
        "." => PathBuf::from(clean(folder)),
        dir => Path::new(&clean(dir)).join(clean(folder)),
    }
}
