use super::hash::{hash_of, hash_of_text};
use super::listing::Listing;
use super::look::{Mark, look, stat_of};
use super::node::{Kind, Node, Stamp};
use crate::release::walk::{Cursor, share_out, shown, split};
use crate::system::files::FileError;
use crate::system::folder::{EntryKind, Folder};
use crate::system::stamps;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a sealing will hold, worked out from the slot's files as they are and what was sealed before.
pub(in crate::release) struct Draft {
    /// What is there now. The hashes of what has to be copied are filled in with the copies.
    pub(super) listing: Listing,
    /// What was sealed before.
    pub(super) before: Listing,
    /// For each node, the one of the same path that was sealed before.
    pub(super) base: Vec<Option<usize>>,
    /// For each node, whether it is what was sealed before; of a folder: all that is in it, too.
    pub(super) same: Vec<bool>,
    /// The texts of the links that were read.
    pub(super) texts: HashMap<usize, OsString>,
    /// What people should know.
    pub(in crate::release) notes: Vec<String>,
    /// When the look began: a change after it shows in the stamps.
    pub(super) began: i64,
}

impl Draft {
    /// Looks at the slot's folder `top` (the slot itself: an empty path) and compares it with what was sealed before. What
    /// is in the folders of `seen` was looked at when `before` was written, and nothing has run in the slot since.
    pub(in crate::release) fn of(
        slot: &Folder,
        top: &[u8],
        before: Listing,
        seen: &[PathBuf],
    ) -> Result<Draft, FileError> {
        let began = stamps::now();
        let old = before
            .find(top)
            .filter(|at| before.nodes[*at].kind == Kind::Folder);
        let mut marks = vec![Mark::Suspect; before.nodes.len()];
        if let Some(old) = old {
            marks[before.range(old)].copy_from_slice(&look(slot, &before, old, seen)?);
        }
        let mut changes = vec![0_usize; before.nodes.len() + 1];
        for (at, mark) in marks.iter().enumerate() {
            changes[at + 1] = changes[at] + usize::from(*mark != Mark::Same);
        }
        let mut walk = Walk {
            draft: Draft {
                listing: Listing::beside(&before),
                before,
                base: Vec::new(),
                same: Vec::new(),
                texts: HashMap::new(),
                notes: Vec::new(),
                began,
            },
            marks,
            changes,
            path: top.to_vec(),
            unsure: Vec::new(),
        };
        let folder = walk.enter(slot, top)?;
        walk.folder(&folder, old)?;
        let Walk {
            mut draft, unsure, ..
        } = walk;
        draft.compare(slot, &unsure)?;
        draft.find_whole_folders();
        Ok(draft)
    }

    /// Whether nothing at all changed.
    pub(in crate::release) fn is_same(&self) -> bool {
        self.same.first() == Some(&true)
    }

    /// Compares files by content that only look as they did.
    fn compare(&mut self, slot: &Folder, unsure: &[usize]) -> Result<(), FileError> {
        let listing = &self.listing;
        let hashes = share_out(unsure, 32, |part| {
            let mut cursor = Cursor::new(slot);
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
        for (at, hash) in unsure.iter().zip(hashes) {
            let before = self.base[*at].map(|old| self.before.nodes[old].hash);
            self.same[*at] = hash.is_some() && hash == before;
            self.listing.nodes[*at].hash = hash.unwrap_or_default();
        }
        Ok(())
    }

    /// A folder is as it was sealed if it has the same names in it, and all of them are.
    fn find_whole_folders(&mut self) {
        for at in (0..self.listing.nodes.len()).rev() {
            if self.listing.nodes[at].kind != Kind::Folder || self.same[at] {
                continue;
            }
            let Some(old) = self.base[at] else { continue };
            let (now, then) = (self.listing.nodes[at], self.before.nodes[old]);
            self.same[at] = now.is_like(&then)
                && now.below == then.below
                && self.listing.children(at).all(|child| self.same[child]);
            if self.same[at] {
                self.listing.nodes[at].holder = then.holder;
            }
        }
    }
}

struct Walk {
    draft: Draft,
    marks: Vec<Mark>,
    /// How many nodes before each one are not as they were.
    changes: Vec<usize>,
    path: Vec<u8>,
    /// The files that look as they did, but whose stamps are new.
    unsure: Vec<usize>,
}

impl Walk {
    fn enter(&self, slot: &Folder, top: &[u8]) -> Result<Folder, FileError> {
        match Cursor::new(slot).find(top)? {
            Some(folder) => folder.again(),
            None => slot.folder(OsStr::from_bytes(top)),
        }
    }

    fn folder(&mut self, folder: &Folder, old: Option<usize>) -> Result<(), FileError> {
        let stat = stat_of(folder)?;
        let place = self.push(Node::of(&stat), old, false);
        let olds: Vec<usize> =
            old.map_or(Vec::new(), |old| self.draft.before.children(old).collect());
        let mut olds = olds.into_iter().peekable();
        for (name, kind) in self.names(folder, old)? {
            // Both are in byte order.
            let sorts_before = |at: &usize| self.draft.before.name(*at) < name.as_bytes();
            while olds.next_if(sorts_before).is_some() {}
            let is_it = |at: &usize| self.draft.before.name(*at) == name.as_bytes();
            let old = olds.next_if(is_it);
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.as_bytes());
            self.name(folder, &name, kind, old)?;
            self.path.truncate(length);
        }
        self.draft.listing.close(place);
        Ok(())
    }

    /// What is in a folder, by name. One whose stamp is the same has the same names in it.
    fn names(
        &self,
        folder: &Folder,
        old: Option<usize>,
    ) -> Result<Vec<(OsString, EntryKind)>, FileError> {
        let before = &self.draft.before;
        if let Some(old) = old.filter(|old| self.marks[*old] == Mark::Same) {
            let kind = |at: usize| match before.nodes[at].kind {
                Kind::File => EntryKind::File,
                Kind::Link => EntryKind::Link,
                Kind::Folder => EntryKind::Folder,
            };
            let named = |at| (OsStr::from_bytes(before.name(at)).to_owned(), kind(at));
            return Ok(before.children(old).map(named).collect());
        }
        let mut entries = folder.entries()?;
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(entries
            .into_iter()
            .map(|entry| (entry.name, entry.kind))
            .collect())
    }

    fn name(
        &mut self,
        folder: &Folder,
        name: &OsStr,
        kind: EntryKind,
        old: Option<usize>,
    ) -> Result<(), FileError> {
        if let Some(old) = old.filter(|old| self.untouched(*old)) {
            self.take(old);
            return Ok(());
        }
        match kind {
            EntryKind::Folder => {
                let old = old.filter(|old| self.draft.before.nodes[*old].kind == Kind::Folder);
                self.folder(&folder.folder(name)?, old)
            }
            EntryKind::File => self.file(folder, name, old),
            EntryKind::Link => self.link(folder, name, old),
            EntryKind::Special => {
                self.draft.notes.push(format!(
                    "`{}` is a device, FIFO or socket: left out",
                    shown(&self.path)
                ));
                Ok(())
            }
        }
    }

    fn untouched(&self, old: usize) -> bool {
        let range = self.draft.before.range(old);
        self.changes[range.end] == self.changes[range.start]
    }

    /// Takes over a path, and all below it, as it was sealed.
    fn take(&mut self, old: usize) {
        let range = self.draft.before.range(old);
        self.draft.listing.take(&self.draft.before, old);
        self.draft.base.extend(range.clone().map(Some));
        self.draft.same.extend(range.map(|_| true));
    }

    fn file(&mut self, folder: &Folder, name: &OsStr, old: Option<usize>) -> Result<(), FileError> {
        let Some(stat) = folder.stat(name)? else {
            return Ok(());
        };
        if stat.st_mode & 0o7000 != 0 {
            self.draft.notes.push(format!(
                "`{}` lost its set-user-id, set-group-id or sticky bit",
                shown(&self.path)
            ));
        }
        let node = Node::of(&stat);
        let old = old.filter(|old| self.draft.before.nodes[*old].looks_like(&node));
        let place = self.push(node, old, false);
        if old.is_some() {
            self.unsure.push(place);
        }
        Ok(())
    }

    fn link(&mut self, folder: &Folder, name: &OsStr, old: Option<usize>) -> Result<(), FileError> {
        let Some(stat) = folder.stat(name)? else {
            return Ok(());
        };
        let text = folder.read_link(name)?;
        let mut node = Node::of(&stat);
        node.hash = hash_of_text(&text);
        let old = old.filter(|old| self.draft.before.nodes[*old].is_like(&node));
        let place = self.push(node, old, old.is_some());
        self.draft.texts.insert(place, text);
        Ok(())
    }

    fn push(&mut self, mut node: Node, old: Option<usize>, same: bool) -> usize {
        node.stamp = Stamp::settled(node.stamp, self.draft.began);
        self.draft.base.push(old);
        self.draft.same.push(same);
        self.draft.listing.push(node, &self.path)
    }
}
