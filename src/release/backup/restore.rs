use super::{Backup, BackupError, INDEX, MANIFEST, PutBack, Shelf, lean};
use crate::release::checkout::{BUILD_HASH, forget};
use crate::release::tree::{Listing, Store, bring};
use crate::release::walk::bytes;
use crate::system::files::{AtPath, create_dir, write_atomic};
use crate::system::folder::Folder;
use std::ffi::OsStr;
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
    if let Some(index) = lean::read(&backup.path, INDEX)? {
        if let Some(parent) = index_file.parent() {
            create_dir(parent, 0o700)?;
        }
        write_atomic(index_file, &index, 0o600)?;
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

/// A sealed release whose folders can be copied into a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lender {
    /// The release.
    pub backup: Backup,
    listing: Listing,
}

impl Lender {
    /// The sealed release, if it has all of these folders (below `dir`, the app's folder) and each of them can move.
    pub fn of(
        backup: Backup,
        dir: &str,
        folders: &[String],
    ) -> Result<Option<Lender>, BackupError> {
        let listing = backup.listing()?;
        let movable = |folder: &String| {
            let path = below(dir, folder);
            let fixed = path.join(FIXED);
            listing.find(bytes(&path)).is_some() && listing.find(bytes(&fixed)).is_none()
        };
        let can_lend = !folders.is_empty() && folders.iter().all(movable);
        Ok(can_lend.then_some(Lender { backup, listing }))
    }

    /// Whether it is still on its shelf.
    pub fn is_there(&self) -> bool {
        self.backup.path.join(MANIFEST).exists()
    }
}

/// Makes these folders of a slot equal those of a sealed release, and touches only what differs. `ledger` is what is
/// remembered of the slot's files, `shelf` the slot's own.
pub fn lend(
    lender: &Lender,
    dir: &str,
    folders: &[String],
    slot: &Path,
    shelf: &Shelf,
    ledger: &Path,
) -> Result<PutBack, BackupError> {
    let (backup, sealed) = (&lender.backup, &lender.listing);
    let slot = Folder::open(slot)?;
    let mut known = Listing::remembered(ledger)?.unwrap_or_default();
    let own = backup.path.parent() == Some(shelf.dir());
    let (mut put, mut is_new) = (PutBack::default(), false);
    for folder in folders {
        let path = below(dir, folder);
        let Some(at) = sealed.find(bytes(&path)) else {
            continue;
        };
        let brought = bring(&backup.store(), sealed, at, &slot, &known, false, &NEVER)?;
        backup.whole(brought.damaged)?;
        put.copied += brought.copied;
        // What another environment has sealed is not sealed here.
        if !brought.untouched {
            known = known.with(bytes(&path), own.then_some(&brought.listing));
            is_new = true;
        }
        put.folders.push(path);
    }
    if is_new {
        known.remember(ledger)?;
    }
    Ok(put)
}

pub(super) fn below(dir: &str, folder: &str) -> PathBuf {
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    match dir {
        "." => PathBuf::from(clean(folder)),
        dir => Path::new(&clean(dir)).join(clean(folder)),
    }
}
