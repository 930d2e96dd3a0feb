use super::draft::Draft;
use super::hash::hash_of;
use super::listing::Listing;
use super::node::{Kind, Node, Stamp};
use super::store::Store;
use crate::release::walk::{Cursor, bytes, share_out, split};
use crate::system::copy::Copier;
use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use rustix::fs::{Mode, Stat, Timespec, Timestamps, fchmod, fstat, futimens};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A sealing under way: from here on the slot is not needed any more.
pub(in crate::release) struct Filling {
    draft: Draft,
    store: Store,
    holder: String,
    /// The files that were copied for it.
    fresh: Vec<usize>,
    /// Those that were gone before they could be copied.
    vanished: Vec<usize>,
    /// Whether something wrote to a file between the look and its copy.
    pub(in crate::release) altered: bool,
    /// How many bytes really had to be copied.
    pub(in crate::release) copied_bytes: u64,
}

/// Below this many files a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 16;

impl Draft {
    /// Copies out of the slot what no earlier sealing has, into a holder of that name. Ends early, with everything that
    /// is left as gone, when it is told to stop.
    pub(in crate::release) fn copy(
        mut self,
        slot: &Folder,
        store: &Store,
        holder: &str,
        stop: &AtomicBool,
    ) -> Result<Filling, FileError> {
        let own = self.listing.holder_number(holder);
        let changed: Vec<usize> = (0..self.same.len()).filter(|at| !self.same[*at]).collect();
        for at in &changed {
            if self.listing.nodes[*at].kind == Kind::Folder {
                self.listing.nodes[*at].holder = own;
            }
        }
        let fresh: Vec<usize> = changed
            .iter()
            .copied()
            .filter(|at| self.listing.nodes[*at].kind == Kind::File)
            .collect();
        let (mut vanished, mut copied_bytes, mut altered) = (Vec::new(), 0, false);
        if !changed.is_empty() {
            let place = store.open()?.make_folder(OsStr::new(holder))?;
            let mut cursor = Cursor::new(&place);
            for at in &changed {
                if self.listing.nodes[*at].kind == Kind::Folder {
                    cursor.make(self.listing.path(*at))?;
                }
            }
            let copier = Copier::default();
            let listing = &self.listing;
            let copies = share_out(&fresh, WORTH_A_THREAD, |part| {
                copy_all(slot, &place, listing, part, &copier, stop)
            })?;
            for (at, copy) in fresh.iter().zip(copies) {
                match copy {
                    Some(stat) => altered |= !self.settle(*at, &stat),
                    None => {
                        altered = true;
                        vanished.push(*at);
                    }
                }
                if !copier.shares() {
                    copied_bytes += self.listing.nodes[*at].size;
                }
            }
        }
        Ok(Filling {
            draft: self,
            store: store.clone(),
            holder: holder.to_owned(),
            fresh,
            vanished,
            altered,
            copied_bytes,
        })
    }

    /// Notes what a file was like when its copy was begun; says whether it was still what the look saw.
    fn settle(&mut self, at: usize, stat: &Stat) -> bool {
        let (found, node) = (Node::of(stat), &mut self.listing.nodes[at]);
        let known = node.stamp == Stamp::UNKNOWN || node.stamp == found.stamp;
        let same = known && node.looks_like(&found);
        (node.mode, node.size, node.modified) = (found.mode, found.size, found.modified);
        node.stamp = found.stamp.settled(self.began);
        same
    }
}

fn copy_all(
    slot: &Folder,
    place: &Folder,
    listing: &Listing,
    part: &[usize],
    copier: &Copier,
    stop: &AtomicBool,
) -> Result<Vec<Option<Stat>>, FileError> {
    let (mut from, mut to) = (Cursor::new(slot), Cursor::new(place));
    let mut copies = Vec::with_capacity(part.len());
    for at in part {
        let (parent, name) = split(listing.path(*at));
        let source = match from.find(parent)? {
            Some(folder) if !stop.load(Ordering::Relaxed) => folder.open_file(name)?,
            _ => None,
        };
        copies.push(match source {
            Some(source) => Some(copy_file(&source, to.make(parent)?, name, copier)?.0),
            None => None,
        });
    }
    Ok(copies)
}

/// Copies a file with its permissions and the time of its content; gives what the system said about the original before
/// the first byte was read, and the copy.
pub(super) fn copy_file(
    source: &File,
    to: &Folder,
    name: &OsStr,
    copier: &Copier,
) -> Result<(Stat, File), FileError> {
    let path = || to.path().join(name);
    let stat = fstat(source)
        .map_err(io::Error::from)
        .at("look at", &path())?;
    let mode = stat.st_mode & 0o777;
    let copy = to.create_file(name, mode)?;
    copier.copy(source, &copy).at("write", &path())?;
    finish(&copy, &stat, mode).at("write", &path())?;
    Ok((stat, copy))
}

/// Gives the copy the original's permissions (the umask may have taken some) and the time of its content.
fn finish(copy: &File, stat: &Stat, mode: u32) -> io::Result<()> {
    fchmod(copy, Mode::from_raw_mode(mode))?;
    let time = Timespec {
        tv_sec: stat.st_mtime,
        tv_nsec: stat.st_mtime_nsec as _,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(futimens(copy, &times)?)
}

impl Filling {
    /// What people should know.
    pub(in crate::release) fn notes(&self) -> &[String] {
        &self.draft.notes
    }

    /// Links what did not change to where it is sealed, and reads the copies for their hashes. Gives what was sealed, with
    /// the stamps of the slot's files.
    pub(in crate::release) fn finish(mut self) -> Result<Listing, FileError> {
        if self.draft.is_same() {
            self.draft.listing.drop_idle_holders();
            return Ok(self.draft.listing);
        }
        let store = self.store.open()?;
        let place = store.folder(OsStr::new(&self.holder))?;
        self.hash_copies(&place)?;
        let (mut own, mut old) = (Cursor::new(&place), Cursor::new(&store));
        for at in 0..self.draft.listing.nodes.len() {
            if self.draft.listing.nodes[at].kind == Kind::Folder && !self.draft.same[at] {
                self.complete(own.make(self.draft.listing.path(at))?, at, &mut old)?;
            }
        }
        let mut listing = match self.vanished.is_empty() {
            true => self.draft.listing,
            false => self.draft.listing.without(&self.vanished),
        };
        listing.drop_idle_holders();
        Ok(listing)
    }

    fn hash_copies(&mut self, place: &Folder) -> Result<(), FileError> {
        let listing = &self.draft.listing;
        let hashes = share_out(&self.fresh, WORTH_A_THREAD, |part| {
            let mut cursor = Cursor::new(place);
            part.iter()
                .map(|at| {
                    let (parent, name) = split(listing.path(*at));
                    match cursor.find(parent)? {
                        Some(folder) => hash_of(folder, name),
                        None => Ok(None),
                    }
                })
                .collect::<Result<Vec<_>, FileError>>()
        })?;
        for (at, hash) in self.fresh.iter().zip(hashes) {
            self.draft.listing.nodes[*at].hash = hash.unwrap_or_default();
        }
        Ok(())
    }

    /// Adds to a folder of the holder everything that was not copied.
    fn complete(&self, own: &Folder, folder: usize, old: &mut Cursor<'_>) -> Result<(), FileError> {
        let (listing, before) = (&self.draft.listing, &self.draft.before);
        let mode = listing.nodes[folder].mode;
        if mode != 0o755 {
            fchmod(own.fd(), Mode::from_raw_mode(mode))
                .map_err(io::Error::from)
                .at("set the mode of", own.path())?;
        }
        let was = self.draft.base[folder].map(|was| Store::place(before, was));
        for child in listing.children(folder) {
            let name = OsStr::from_bytes(listing.name(child));
            match listing.nodes[child].kind {
                Kind::Folder if self.draft.same[child] => {
                    own.link_to(way(listing, child).as_os_str(), name)?;
                }
                Kind::File if self.draft.same[child] => {
                    let was = was.as_deref().unwrap_or(Path::new(""));
                    second_name(old, was, own, name)?;
                }
                Kind::Link => match self.draft.texts.get(&child) {
                    Some(text) => own.link_to(text, name)?,
                    None => {
                        let was = was.as_deref().unwrap_or(Path::new(""));
                        if let Some(held) = old.find(bytes(was))? {
                            own.link_to(&held.read_link(name)?, name)?;
                        }
                    }
                },
                _ => {}
            }
        }
        Ok(())
    }
}

/// Gives a sealed file a second name. A file can have only so many of them; then it is copied.
fn second_name(
    old: &mut Cursor<'_>,
    was: &Path,
    own: &Folder,
    name: &OsStr,
) -> Result<(), FileError> {
    let missing = || Err(io::Error::from(io::ErrorKind::NotFound)).at("share", &was.join(name));
    let Some(held) = old.find(bytes(was))? else {
        return missing();
    };
    if own.hard_link(held, name, name).is_ok() {
        return Ok(());
    }
    match held.open_file(name)? {
        Some(file) => copy_file(&file, own, name, &Copier::default()).map(|_| ()),
        None => missing(),
    }
}

/// The text of the link that leads from a folder's name in one holder to the folder that holds it.
fn way(listing: &Listing, folder: usize) -> PathBuf {
    let depth = listing
        .path(folder)
        .iter()
        .filter(|byte| **byte == b'/')
        .count();
    let up: PathBuf = std::iter::repeat_n("..", depth + 1).collect();
    up.join(Store::place(listing, folder))
}

/// Whether this is the text of the link to where a listed folder is held.
pub(in crate::release) fn is_way(listing: &Listing, folder: usize, text: &OsStr) -> bool {
    text == way(listing, folder).as_os_str()
}
