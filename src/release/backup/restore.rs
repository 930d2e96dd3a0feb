use super::{Backup, BackupError, INDEX, Shelf};
use crate::release::checkout::{BUILD_HASH, forget};
use crate::release::tree::{Listing, Store, bring};
use crate::release::walk::bytes;
use crate::system::files::{AtPath, create_dir, write_atomic};
use crate::system::folder::Folder;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Nobody asks these to stop.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Makes a slot equal a sealed release: what is right already stays, every other file is a copy of its own, and nothing
/// else remains. The slot's `.build-hash` comes last.
pub fn restore(
    backup: &Backup,
    slot: &Path,
    index_file: &Path,
    ledger: &Path,
) -> Result<(), BackupError> {
    let build_hash = OsStr::new(BUILD_HASH);
    forget(index_file)?;
    let folder = Folder::open(slot)?;
    folder.remove(build_hash)?;
    let sealed = backup.listing()?;
    let want = sealed.with(BUILD_HASH.as_bytes(), None);
    let known = Listing::remembered(ledger)?.unwrap_or_default();
    let store = backup.store();
    let brought = bring(&store, &want, 0, &folder, &known, false, &NEVER)?;
    backup.whole(brought.damaged)?;
    brought.listing.remember(ledger)?;
    let index = backup.path.join(INDEX);
    match fs::read(&index) {
        Ok(content) => {
            if let Some(parent) = index_file.parent() {
                create_dir(parent, 0o700)?;
            }
            write_atomic(index_file, &content, 0o600)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).at("read", &index).map_err(BackupError::from),
    }
    let held = store.open()?.beneath(&Store::place(&sealed, 0))?;
    if let Some(held) = held
        && let Some(mut hash) = held.open_file(build_hash)?
    {
        let mut copy = folder.create_file(build_hash, 0o644)?;
        io::copy(&mut hash, &mut copy).at("write", &slot.join(BUILD_HASH))?;
    }
    Ok(())
}

/// What marks a folder that holds absolute paths to itself: Python's virtual environments.
pub(super) const FIXED: &str = "pyvenv.cfg";

/// Whether a sealed release has all of these folders (below `dir`, the app's folder) and each of them can move.
pub fn can_lend(backup: &Backup, dir: &str, folders: &[String]) -> Result<bool, BackupError> {
    let sealed = backup.listing()?;
    let movable = |folder: &String| {
        let path = below(dir, folder);
        let fixed = path.join(FIXED);
        sealed.find(bytes(&path)).is_some() && sealed.find(bytes(&fixed)).is_none()
    };
    Ok(!folders.is_empty() && folders.iter().all(movable))
}

/// Makes these folders of a slot equal those of a sealed release, and touches only what differs; says how many files were
/// copied. `ledger` is what is remembered of the slot's files, `shelf` the slot's own.
pub fn lend(
    backup: &Backup,
    dir: &str,
    folders: &[String],
    slot: &Path,
    shelf: &Shelf,
    ledger: &Path,
) -> Result<usize, BackupError> {
    let sealed = backup.listing()?;
    let slot = Folder::open(slot)?;
    let mut known = Listing::remembered(ledger)?.unwrap_or_default();
    let own = backup.path.parent() == Some(shelf.dir());
    let (mut copied, mut is_new) = (0, false);
    for folder in folders {
        let path = below(dir, folder);
        let Some(at) = sealed.find(bytes(&path)) else {
            continue;
        };
        let brought = bring(&backup.store(), &sealed, at, &slot, &known, false, &NEVER)?;
        backup.whole(brought.damaged)?;
        copied += brought.copied;
        // What another environment has sealed is not sealed here.
        if !brought.untouched {
            known = known.with(bytes(&path), own.then_some(&brought.listing));
            is_new = true;
        }
    }
    if is_new {
        known.remember(ledger)?;
    }
    Ok(copied)
}

pub(super) fn below(dir: &str, folder: &str) -> PathBuf {
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    match dir {
        "." => PathBuf::from(clean(folder)),
        dir => Path::new(&clean(dir)).join(clean(folder)),
    }
}
