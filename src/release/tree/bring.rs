use super::fill::copy_file;
use super::hash::{hash_of, hash_of_text};
use super::listing::Listing;
use super::look::{Mark, look, stat_at, stat_of};
use super::node::{Kind, Node, Stamp};
use super::store::Store;
use crate::release::walk::{Cursor, bytes, share_out, shown, split};
use crate::system::copy::Copier;
use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use crate::system::stamps;
use rustix::fs::{Mode, fchmod, fstat};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came of bringing a sealed folder into a slot.
pub(in crate::release) struct Brought {
    /// What is there now, with the stamps of the slot's files.
    pub(in crate::release) listing: Listing,
    /// How many files were copied.
    pub(in crate::release) copied: usize,
    /// Whether everything was as it was listed, so that nothing new is known of the slot.
    pub(in crate::release) untouched: bool,
    /// The first sealed file that is not what was sealed, if there is one.
    pub(in crate::release) damaged: Option<String>,
}

/// Below this many files a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 16;

/// Makes a folder of a slot equal a sealed one, at the same path, and touches only what differs. `have` is what is known
/// about the slot's files; what is not known is compared by content. Every file is a copy of its own. `spare_caches`: names
/// directly in the folder that begin with a dot stay, wanted or not. Told to
/// stop, it ends early, and what it did not get to counts as damaged.
pub(in crate::release) fn bring(
    store: &Store,
    want: &Listing,
    top: usize,
    slot: &Folder,
    have: &Listing,
    spare_caches: bool,
    stop: &AtomicBool,
) -> Result<Brought, FileError> {
    let old = have
        .find(want.path(top))
        .filter(|at| have.nodes[*at].kind == Kind::Folder);
    let mut marks = vec![Mark::Suspect; have.nodes.len()];
    if let Some(old) = old {
        marks[have.range(old)].copy_from_slice(&look(slot, have, old, &[])?);
    }
    let store = store.open()?;
    let mut walk = Walk {
        want,
        have,
        marks,
        place: Cursor::new(slot),
        sealed: Cursor::new(&store),
        listing: Listing::beside(want),
        copies: Vec::new(),
        folders: Vec::new(),
        spared: spare_caches.then_some(top),
        began: stamps::now(),
    };
    walk.folder(top, old)?;
    let Walk {
        mut listing,
        copies,
        folders,
        ..
    } = walk;
    let copier = Copier::default();
    let done = share_out(&copies, WORTH_A_THREAD, |part| {
        copy_all(&store, slot, want, part, &copier, stop)
    })?;
    let mut damaged = None;
    for (copy, stamp) in copies.iter().zip(done) {
        match stamp {
            Some(stamp) => listing.nodes[copy.to].stamp = stamp,
            None => damaged = damaged.or_else(|| Some(shown(want.path(copy.from)))),
        }
    }
    let untouched = folders.is_empty() && listing.nodes[0].stamp != Stamp::UNKNOWN;
    let mut cursor = Cursor::new(slot);
    for at in folders {
        let stat = stat_at(&mut cursor, slot, listing.path(at))?;
        listing.nodes[at].stamp = stat.map_or(Stamp::UNKNOWN, |stat| Stamp::of(&stat));
    }
    // Nobody else writes to the slot, so only what was written at this very moment is left open.
    let now = stamps::now();
    for node in &mut listing.nodes {
        node.stamp = node.stamp.settled(now);
    }
    Ok(Brought {
        listing,
        copied: copies.len(),
        untouched,
        damaged,
    })
}

/// One file to be copied: its place among the wanted, and among what is there then.
struct Copying {
    from: usize,
    to: usize,
    parent: usize,
}

struct Walk<'a> {
    want: &'a Listing,
    have: &'a Listing,
    marks: Vec<Mark>,
    place: Cursor<'a>,
    sealed: Cursor<'a>,
    listing: Listing,
    copies: Vec<Copying>,
    /// The folders that were looked into: their stamps are new in the end.
    folders: Vec<usize>,
    /// The folder in which unwanted names with a leading dot stay.
    spared: Option<usize>,
    began: i64,
}

impl Walk<'_> {
    fn folder(&mut self, want: usize, have: Option<usize>) -> Result<(), FileError> {
        if let Some(have) = have.filter(|have| self.is_there(want, *have)) {
            self.keep(want, have);
            return Ok(());
        }
        let path = self.want.path(want);
        let place = self.listing.push(self.want.nodes[want], path);
        let folder = self.place.make(path)?.again()?;
        let mode = self.want.nodes[want].mode;
        if stat_of(&folder)?.st_mode & 0o7777 != mode {
            fchmod(folder.fd(), Mode::from_raw_mode(mode))
                .map_err(io::Error::from)
                .at("set the mode of", folder.path())?;
        }
        if self.remove_what_is_not_wanted(&folder, want, have)? {
            self.listing.nodes[place].stamp = Stamp::UNKNOWN;
        } else {
            self.folders.push(place);
        }
        let olds: Vec<usize> = have.map_or(Vec::new(), |have| self.have.children(have).collect());
        let mut olds = olds.into_iter().peekable();
        for child in self.want.children(want) {
            let name = self.want.name(child);
            while olds.next_if(|at| self.have.name(*at) < name).is_some() {}
            let old = olds
                .next_if(|at| self.have.name(*at) == name)
                .filter(|at| self.have.nodes[*at].kind == self.want.nodes[child].kind);
            match self.want.nodes[child].kind {
                Kind::Folder => self.folder(child, old)?,
                Kind::File => self.file(&folder, want, child, old)?,
                Kind::Link => self.link(&folder, want, child, old)?,
            }
        }
        self.listing.close(place);
        Ok(())
    }

    /// Whether a folder and all below it are what is wanted, as far as stamps tell.
    fn is_there(&self, want: usize, have: usize) -> bool {
        let (wanted, there) = (self.want.range(want), self.have.range(have));
        wanted.len() == there.len()
            && self.marks[there.clone()]
                .iter()
                .all(|mark| *mark == Mark::Same)
            && wanted.zip(there).all(|(want, have)| {
                let (wanted, there) = (&self.want.nodes[want], &self.have.nodes[have]);
                wanted.is_like(there)
                    && wanted.below == there.below
                    && self.want.path(want) == self.have.path(have)
            })
    }

    fn keep(&mut self, want: usize, have: usize) {
        let first = self.listing.nodes.len();
        self.listing.take(self.want, want);
        for (at, old) in self.have.range(have).enumerate() {
            self.listing.nodes[first + at].stamp = self.have.nodes[old].stamp;
        }
    }

    /// Says whether anything stayed that is not listed.
    fn remove_what_is_not_wanted(
        &self,
        folder: &Folder,
        want: usize,
        have: Option<usize>,
    ) -> Result<bool, FileError> {
        let wanted: HashSet<&[u8]> = self
            .want
            .children(want)
            .map(|child| self.want.name(child))
            .collect();
        let names: Vec<OsString> = match have.filter(|have| self.marks[*have] == Mark::Same) {
            Some(have) => self
                .have
                .children(have)
                .map(|child| OsStr::from_bytes(self.have.name(child)).to_owned())
                .collect(),
            None => folder
                .entries()?
                .into_iter()
                .map(|entry| entry.name)
                .collect(),
        };
        let spared = self.spared == Some(want);
        let mut left = false;
        for name in names
            .iter()
            .filter(|name| !wanted.contains(name.as_bytes()))
        {
            if spared && name.as_bytes().starts_with(b".") {
                left = true;
            } else {
                folder.remove(name)?;
            }
        }
        Ok(left)
    }

    fn file(
        &mut self,
        folder: &Folder,
        parent: usize,
        want: usize,
        old: Option<usize>,
    ) -> Result<(), FileError> {
        let wanted = self.want.nodes[want];
        let mut node = wanted;
        let name = OsStr::from_bytes(self.want.name(want));
        let known = old.filter(|old| self.marks[*old] == Mark::Same);
        node.stamp = match known {
            Some(old) if self.have.nodes[old].is_like(&wanted) => self.have.nodes[old].stamp,
            // It is known to be another file, or nothing is known about it.
            Some(_) => Stamp::UNKNOWN,
            None => self.compared(folder, name, &wanted)?,
        };
        let is_right = node.stamp != Stamp::UNKNOWN;
        let to = self.listing.push(node, self.want.path(want));
        if !is_right {
            self.copies.push(Copying {
                from: want,
                to,
                parent,
            });
        }
        Ok(())
    }

    /// The stamp of a file whose content is what is wanted; none if it is not, or might change unseen.
    fn compared(&self, folder: &Folder, name: &OsStr, want: &Node) -> Result<Stamp, FileError> {
        let Some(stat) = folder.stat(name)? else {
            return Ok(Stamp::UNKNOWN);
        };
        let found = Node::of(&stat);
        let right = stat.st_mode & 0o7777 == want.mode
            && found.looks_like(want)
            && hash_of(folder, name)? == Some(want.hash);
        Ok(match right {
            true => found.stamp.settled(self.began),
            false => Stamp::UNKNOWN,
        })
    }

    fn link(
        &mut self,
        folder: &Folder,
        parent: usize,
        want: usize,
        old: Option<usize>,
    ) -> Result<(), FileError> {
        let mut node = self.want.nodes[want];
        let name = OsStr::from_bytes(self.want.name(want));
        let known = old.filter(|old| {
            self.marks[*old] == Mark::Same && self.have.nodes[*old].hash == node.hash
        });
        node.stamp = match known {
            Some(old) => self.have.nodes[old].stamp,
            None => {
                let held = Store::place(self.want, parent);
                let missing = || io::Error::from(io::ErrorKind::NotFound);
                let sealed = self.sealed.find(bytes(&held))?;
                let sealed = sealed.ok_or_else(missing).at("read", &held)?;
                let text = sealed.read_link(name)?;
                // A link whose text was altered is told by whoever verifies the backup.
                node.hash = hash_of_text(&text);
                folder.link_to(&text, name)?;
                folder
                    .stat(name)?
                    .map_or(Stamp::UNKNOWN, |stat| Stamp::of(&stat))
            }
        };
        self.listing.push(node, self.want.path(want));
        Ok(())
    }
}

/// Copies sealed files into the slot; gives their stamps there, and none for one that is not what was sealed.
fn copy_all(
    store: &Folder,
    slot: &Folder,
    want: &Listing,
    part: &[Copying],
    copier: &Copier,
    stop: &AtomicBool,
) -> Result<Vec<Option<Stamp>>, FileError> {
    let (mut from, mut to) = (Cursor::new(store), Cursor::new(slot));
    let mut stamps = Vec::with_capacity(part.len());
    for copy in part {
        let (parent, name) = split(want.path(copy.from));
        let held = Store::place(want, copy.parent);
        let source = match from.find(bytes(&held))? {
            Some(folder) if !stop.load(Ordering::Relaxed) => folder.open_file(name)?,
            _ => None,
        };
        let Some(source) = source else {
            stamps.push(None);
            continue;
        };
        let folder = to.make(parent)?;
        let (stat, file) = copy_file(&source, folder, name, copier)?;
        let after = fstat(&file).map_err(io::Error::from);
        let after = after.at("look at", &folder.path().join(name))?;
        let right = Node::of(&stat).looks_like(&want.nodes[copy.from]);
        stamps.push(right.then(|| Stamp::of(&after)));
    }
    Ok(stamps)
}
