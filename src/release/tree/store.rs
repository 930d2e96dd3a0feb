use super::listing::Listing;
use crate::system::clock;
use crate::system::files::{AtPath, FileError, create_dir};
use crate::system::folder::{EntryKind, Folder};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The sealed files of one environment.
#[derive(Debug, Clone)]
pub(in crate::release) struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in this folder, which is made when something is sealed.
    pub(in crate::release) fn new(dir: PathBuf) -> Store {
        Store { dir }
    }

    pub(in crate::release) fn open(&self) -> Result<Folder, FileError> {
        create_dir(&self.dir, 0o755)?;
        Folder::open(&self.dir)
    }

    /// Whether there is a holder of that name.
    pub(in crate::release) fn has(&self, holder: &str) -> Result<bool, FileError> {
        self.dir.join(holder).try_exists().at("look at", &self.dir)
    }

    /// Whether everything that the listing leans on is here.
    pub(in crate::release) fn has_all(&self, listing: &Listing) -> Result<bool, FileError> {
        for holder in &listing.holders {
            if !self.has(holder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A name for a holder that no backup has.
    pub(in crate::release) fn free_name(&self) -> Result<String, FileError> {
        let first = format!("deps-{}", clock::stamp(clock::now_ms()));
        let mut name = first.clone();
        let mut number = 2;
        while self.has(&name)? {
            name = format!("{first}-{number}");
            number += 1;
        }
        Ok(name)
    }

    /// Where a listed folder is in the store.
    pub(in crate::release) fn place(listing: &Listing, folder: usize) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let holder = Path::new(listing.holder(folder));
        match listing.path(folder) {
            b"" => holder.to_owned(),
            path => holder.join(OsStr::from_bytes(path)),
        }
    }

    /// Removes every sealed file that none of these listings has. Nothing may be sealed meanwhile.
    pub(in crate::release) fn sweep(&self, listings: &[Listing]) -> Result<(), FileError> {
        if !self.dir.try_exists().at("look at", &self.dir)? {
            return Ok(());
        }
        let mut wanted: HashMap<&str, HashSet<&[u8]>> = HashMap::new();
        for (holder, path) in listings.iter().flat_map(Listing::held) {
            wanted.entry(holder).or_default().insert(path);
        }
        let store = self.open()?;
        for holder in store.entries()? {
            match holder.name.to_str().and_then(|name| wanted.get(name)) {
                Some(paths) => sift(&store.folder(&holder.name)?, &mut Vec::new(), paths)?,
                None => {
                    store.remove(&holder.name)?;
                }
            }
        }
        Ok(())
    }
}

/// Removes the files of every folder that is not wanted, and the folder itself if nothing is left in it.
fn sift(folder: &Folder, path: &mut Vec<u8>, wanted: &HashSet<&[u8]>) -> Result<(), FileError> {
    use std::os::unix::ffi::OsStrExt;
    let kept = wanted.contains(path.as_slice());
    for entry in folder.entries()? {
        if entry.kind != EntryKind::Folder {
            if !kept {
                folder.remove(&entry.name)?;
            }
            continue;
        }
        let length = path.len();
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(entry.name.as_bytes());
        sift(&folder.folder(&entry.name)?, path, wanted)?;
        if !wanted.contains(path.as_slice()) {
            folder.remove_if_empty(&entry.name)?;
        }
        path.truncate(length);
    }
    Ok(())
}
