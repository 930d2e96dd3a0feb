use super::shelf::SEALING;
use super::{About, Backup, BackupError, FILES, INDEX, Manifest, RELEASE, Shelf, VERSION, lean};
use crate::release::checkout::for_a_copy;
use crate::release::tree::{Draft, Filling, Listing};
use crate::system::files::{AtPath, FileError, remove_if_there};
use crate::system::folder::Folder;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A release that is being sealed. Its slot may be written to again: what differs from earlier sealings is copied, and
/// what does not is sealed already.
pub struct Sealing {
    shelf: Shelf,
    name: String,
    ledger: PathBuf,
    filling: Filling,
}

/// Begins to seal the release in `slot` as it is now. Nothing may write to it until this returns; the rest can be done
/// beside other work. `ledger` is what is remembered of the slot's files. The folders of `seen` were put back or lent, and
/// nothing has run in the slot since: what was found of them then is not looked for again.
pub fn begin(
    shelf: &Shelf,
    slot: &Path,
    ledger: &Path,
    created_ms: i64,
    seen: &[PathBuf],
) -> Result<Sealing, BackupError> {
    let name = shelf.free_name(created_ms)?;
    let before = before(shelf, ledger)?;
    let slot = Folder::open(slot)?;
    let draft = Draft::of(&slot, b"", before, seen)?;
    let filling = draft.copy(&slot, &shelf.store(), &name, &AtomicBool::new(false))?;
    Ok(Sealing {
        shelf: shelf.clone(),
        name,
        ledger: ledger.to_owned(),
        filling,
    })
}

/// Seals the release in `slot` from beginning to end. `index_file` is the slot's checkout index, so that a restored release
/// can be updated incrementally again.
pub fn seal(
    shelf: &Shelf,
    slot: &Path,
    ledger: &Path,
    index_file: &Path,
    about: About,
) -> Result<Backup, BackupError> {
    begin(shelf, slot, ledger, about.created_ms, &[])?.finish(about, index_file)
}

/// What a sealing is compared with: what is remembered of the slot's files, or else the newest backup.
pub(super) fn before(shelf: &Shelf, ledger: &Path) -> Result<Listing, BackupError> {
    if let Some(known) = Listing::remembered(ledger)?
        && shelf.store().has_all(&known)?
    {
        return Ok(known);
    }
    let newest = shelf.list()?.pop();
    let newest = newest.map(|backup| backup.whole_listing());
    Ok(newest.transpose()?.flatten().unwrap_or_default())
}

impl Sealing {
    /// The name that the backup will have.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Completes the backup. It becomes visible in one move, complete and on the disk, and so is the release in its slot
    /// then.
    pub fn finish(self, about: About, index_file: &Path) -> Result<Backup, BackupError> {
        let (shelf, ledger, name) = (self.shelf.clone(), self.ledger.clone(), self.name.clone());
        let folder = shelf.open()?;
        let unfinished = format!("{SEALING}{name}");
        let made = self.fill(&folder, OsStr::new(&unfinished), about, index_file);
        let made = made.and_then(|(mut backup, listing)| {
            folder.take(&folder, OsStr::new(&unfinished), OsStr::new(&name))?;
            folder.sync()?;
            backup.path = shelf.dir().join(&name);
            listing.remember(&ledger)?;
            Ok(backup)
        });
        if made.is_err() {
            // The first error is the one to tell. What could not be removed now is swept later, and what was remembered
            // may be the reason.
            let _ = folder.remove(OsStr::new(&unfinished));
            let _ = remove_if_there(&ledger);
        }
        made
    }

    fn fill(
        self,
        folder: &Folder,
        unfinished: &OsStr,
        about: About,
        index_file: &Path,
    ) -> Result<(Backup, Listing), BackupError> {
        let (copied_bytes, notes) = (self.filling.copied_bytes, self.filling.notes().to_vec());
        let listing = self.filling.finish()?;
        folder.remove(unfinished)?;
        let place = folder.make_folder(unfinished)?;
        let manifest = Manifest {
            version: VERSION,
            about,
            served: false,
            files: listing.contents().count() as u64,
            bytes: listing.contents().map(|node| node.size).sum(),
            copied_bytes,
            notes,
        };
        let earlier = self.shelf.likest(manifest.about.color)?;
        let earlier = earlier.as_ref().map(|backup| backup.path.as_path());
        lean::write(&place, FILES, &listing.text(), earlier)?;
        if let Some(index) = copied_index(index_file)? {
            lean::write(&place, INDEX, &index, earlier)?;
        }
        place.link_to(self.shelf.way(&listing).as_os_str(), OsStr::new(RELEASE))?;
        let backup = Backup {
            name: self.name,
            path: place.path().to_owned(),
            manifest,
        };
        // Everything in one go, instead of a sync for each of thousands of files.
        place.sync_file_system()?;
        backup.save_manifest()?;
        Ok((backup, listing))
    }
}

fn copied_index(file: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(file) {
        Ok(index) => Ok(for_a_copy(&index)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("read", file),
    }
}
