//! What an installation made, as it was before anything was built on it. It is sealed once for each key, and put back
//! before the next build: neither a build nor a running app that wrote into it reaches the builds that follow.

use super::restore::{FIXED, below};
use super::seal::before;
use super::{BackupError, PutBack, Shelf};
use crate::domain::Step;
use crate::release::tree::{Draft, Listing, bring};
use crate::release::walk::{both, bytes};
use crate::system::files::{AtPath, create_dir, write_atomic};
use crate::system::folder::Folder;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder with a list for each installed folder of each key.
const INSTALLED: &str = ".installed";

/// The file that is written last: without it the others are not read.
const WHOLE: &str = "whole";

/// How many installations that no backup was built on are remembered.
const SPARE: usize = 2;

/// What an installation made, looked at and about to be copied.
pub struct Installed {
    shelf: Shelf,
    slot: Folder,
    ledger: PathBuf,
    key: String,
    known: Listing,
    drafts: Vec<(Vec<u8>, Draft)>,
    movable: bool,
}

/// Looks at the folders (below `dir`, the app's folder) that an installation with this key just filled. Nothing may write
/// to them until this returns.
pub fn look_at_installed(
    shelf: &Shelf,
    slot: &Path,
    ledger: &Path,
    key: &str,
    (dir, folders): (&str, &[String]),
) -> Result<Installed, BackupError> {
    let slot = Folder::open(slot)?;
    let known = before(shelf, ledger)?;
    let (mut drafts, mut movable) = (Vec::new(), true);
    for folder in folders {
        let path = below(dir, folder);
        if let Some(found) = slot.beneath(&path)? {
            movable &= found.stat(OsStr::new(FIXED))?.is_none();
            let path = bytes(&path).to_vec();
            let draft = Draft::of(&slot, &path, known.clone(), &[])?;
            drafts.push((path, draft));
        }
    }
    Ok(Installed {
        shelf: shelf.clone(),
        slot,
        ledger: ledger.to_owned(),
        key: key.to_owned(),
        known,
        drafts,
        movable,
    })
}

impl Installed {
    /// Seals it, so that sealing the release has less to do. It may be written to meanwhile: what changed is sealed again
    /// with the release, and then this is not remembered as installed.
    pub fn seal(self, stop: &AtomicBool) -> Result<(), BackupError> {
        let store = self.shelf.store();
        let mut known = self.known;
        let (mut lists, mut altered) = (Vec::new(), false);
        for (path, draft) in self.drafts {
            let filling = draft.copy(&self.slot, &store, &store.free_name()?, stop)?;
            altered |= filling.altered;
            let listing = filling.finish()?;
            known = known.with(&path, Some(&listing));
            lists.push(listing);
        }
        store.open()?.sync_file_system()?;
        known.remember(&self.ledger)?;
        if self.movable && !altered {
            write_lists(&self.shelf.installed(&self.key), &lists)?;
        }
        Ok(())
    }
}

fn write_lists(dir: &Path, lists: &[Listing]) -> Result<(), BackupError> {
    create_dir(dir, 0o755)?;
    for (number, listing) in lists.iter().enumerate() {
        listing.pack(&dir.join(number.to_string()))?;
    }
    write_atomic(&dir.join(WHOLE), lists.len().to_string().as_bytes(), 0o644)?;
    Ok(())
}

/// Makes the slot's installed folders equal what the installation with this key made, and touches only what differs. Names
/// with a leading dot that it did not make are caches of the tools and stay. Gives nothing when that installation is not
/// sealed on this shelf, or when it was told to stop.
pub fn put_back_installed(
    from: &Shelf,
    key: &str,
    slot: &Path,
    shelf: &Shelf,
    ledger: &Path,
    stop: &AtomicBool,
) -> Result<Option<PutBack>, BackupError> {
    let (known, lists) = both(|| Listing::remembered(ledger), || from.installed_lists(key));
    let Some(lists) = lists? else {
        return Ok(None);
    };
    let place = Folder::open(slot)?;
    let mut known = known?.unwrap_or_default();
    let (mut put, mut is_new) = (PutBack::default(), false);
    for listing in &lists {
        let path = listing.path(0).to_vec();
        let brought = bring(&from.store(), listing, 0, &place, &known, true, stop)?;
        if let Some(what) = brought.damaged {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // The next deployment installs anew instead.
            Folder::open(&from.installed(key))?.remove(OsStr::new(WHOLE))?;
            return Err(BackupError::Damaged {
                name: "of what was installed".to_owned(),
                what: format!("`{what}` is not what was sealed"),
            });
        }
        put.copied += brought.copied;
        put.folders.push(PathBuf::from(OsStr::from_bytes(&path)));
        if !brought.untouched {
            let own = from.dir() == shelf.dir();
            known = known.with(&path, own.then_some(&brought.listing));
            is_new = true;
        }
    }
    if is_new {
        known.remember(ledger)?;
    }
    Ok(Some(put))
}

impl Shelf {
    fn installed(&self, key: &str) -> PathBuf {
        self.dir().join(INSTALLED).join(key)
    }

    /// Whether what an installation with this key made is sealed here.
    pub fn has_installed(&self, key: &str) -> bool {
        self.installed(key).join(WHOLE).exists()
    }

    pub(super) fn installed_lists(&self, key: &str) -> Result<Option<Vec<Listing>>, BackupError> {
        let dir = self.installed(key);
        let count = crate::system::files::read_if_there(&dir.join(WHOLE))?;
        let Some(count) = count.and_then(|text| text.trim().parse::<usize>().ok()) else {
            return Ok(None);
        };
        let mut lists = Vec::new();
        for number in 0..count {
            match Listing::unpacked(&dir.join(number.to_string()))? {
                Some(listing) => lists.push(listing),
                None => return Ok(None),
            }
        }
        Ok(Some(lists))
    }

    /// Forgets the installations that no backup was built on, bar the newest; gives the lists of all others.
    pub(super) fn sweep_installed(&self) -> Result<Vec<Listing>, BackupError> {
        let dir = self.dir().join(INSTALLED);
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let used: BTreeSet<String> = self
            .list()?
            .into_iter()
            .filter_map(|backup| backup.manifest.about.keys.get(&Step::Deps).cloned())
            .collect();
        let mut spare = Vec::new();
        let mut kept = Vec::new();
        for entry in Folder::open(&dir)?.entries()? {
            let key = entry.name.to_string_lossy().into_owned();
            if used.contains(&key) {
                kept.push(key);
                continue;
            }
            let written =
                fs::symlink_metadata(dir.join(&entry.name)).and_then(|found| found.modified());
            spare.push((written.at("look at", &dir)?, key));
        }
        spare.sort();
        let doomed = spare.len().saturating_sub(SPARE);
        for (_, key) in spare.drain(..doomed) {
            Folder::open(&dir)?.remove(OsStr::new(&key))?;
        }
        kept.extend(spare.into_iter().map(|(_, key)| key));
        let mut lists = Vec::new();
        for key in kept {
            lists.extend(self.installed_lists(&key)?.unwrap_or_default());
        }
        Ok(lists)
    }
}
