use crate::system::folder::EntryKind;
use crate::system::stamps::{TICK, nanos};
use rustix::fs::Stat;
use std::collections::HashSet;
use std::ops::Range;

/// What a path of a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::release) enum Kind {
    File,
    Link,
    Folder,
}

/// What the system said about a path of a slot when it was last known to be as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::release) struct Stamp {
    pub(super) changed: i64,
    pub(super) inode: u64,
}

impl Stamp {
    /// Of a path that nothing is known about: no file has it.
    pub(super) const UNKNOWN: Stamp = Stamp {
        changed: i64::MAX,
        inode: 0,
    };

    pub(super) fn of(stat: &Stat) -> Stamp {
        Stamp {
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        }
    }

    /// The stamp, if a change after `looked` would surely show in it.
    pub(super) fn settled(self, looked: i64) -> Stamp {
        match self.changed.saturating_add(TICK) < looked {
            true => self,
            false => Stamp::UNKNOWN,
        }
    }
}

/// One path of a release. What is inside a folder follows it directly, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::release) struct Node {
    pub(in crate::release) kind: Kind,
    /// Permission bits.
    pub(in crate::release) mode: u32,
    pub(in crate::release) size: u64,
    /// When a file's content was last changed, in nanoseconds since the epoch.
    pub(in crate::release) modified: i64,
    /// The SHA-256 of a file's content or a link's text.
    pub(in crate::release) hash: [u8; 32],
    pub(super) stamp: Stamp,
    /// Of a folder: in which of the listing's holders its files are.
    pub(super) holder: u32,
    /// Of a folder: how many of the nodes that follow are below it.
    pub(super) below: u32,
    pub(super) start: u32,
    pub(super) length: u32,
}

impl Node {
    /// What the system says about a path, its content left open.
    pub(super) fn of(stat: &Stat) -> Node {
        let kind = match EntryKind::of_mode(stat.st_mode) {
            EntryKind::Folder => Kind::Folder,
            EntryKind::Link => Kind::Link,
            _ => Kind::File,
        };
        let is_file = kind == Kind::File;
        Node {
            kind,
            mode: match kind {
                Kind::File => stat.st_mode & 0o777,
                // Whoever removes the copy one day must be able to enter it.
                Kind::Folder => stat.st_mode & 0o777 | 0o700,
                Kind::Link => 0o777,
            },
            size: match is_file {
                true => stat.st_size.try_into().unwrap_or(0),
                false => 0,
            },
            modified: match is_file {
                true => nanos(stat.st_mtime, stat.st_mtime_nsec as i64),
                false => 0,
            },
            hash: [0; 32],
            stamp: Stamp::of(stat),
            holder: 0,
            below: 0,
            start: 0,
            length: 0,
        }
    }

    /// Whether the two look the same, contents left open.
    pub(super) fn looks_like(&self, other: &Node) -> bool {
        (self.kind, self.mode, self.size, self.modified)
            == (other.kind, other.mode, other.size, other.modified)
    }

    /// Whether the two are the same, bar what is below a folder.
    pub(super) fn is_like(&self, other: &Node) -> bool {
        self.looks_like(other) && self.hash == other.hash
    }
}

/// Everything in a release, or in a folder of it: a folder before what is in it, the names of one folder in byte order.
/// The first node is the folder itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::release) struct Listing {
    pub(super) nodes: Vec<Node>,
    paths: Vec<u8>,
    /// The folders of the store that hold sealed files.
    pub(super) holders: Vec<String>,
}

impl Listing {
    /// An empty listing with the same holders as another.
    pub(super) fn beside(other: &Listing) -> Listing {
        Listing {
            holders: other.holders.clone(),
            ..Listing::default()
        }
    }

    /// Adds a node after all others.
    pub(super) fn push(&mut self, node: Node, path: &[u8]) -> usize {
        self.nodes.push(Node {
            start: self.paths.len() as u32,
            length: path.len() as u32,
            below: 0,
            ..node
        });
        self.paths.extend_from_slice(path);
        self.nodes.len() - 1
    }

    /// Says that everything pushed after this folder is below it.
    pub(super) fn close(&mut self, folder: usize) {
        self.nodes[folder].below = (self.nodes.len() - folder - 1) as u32;
    }

    /// Adds a copy of another listing's node and all below it.
    pub(super) fn take(&mut self, other: &Listing, at: usize) {
        let taken = &other.nodes[other.range(at)];
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else {
            return;
        };
        // The paths lie one behind the other, in the order of their nodes.
        let paths = first.start as usize..(last.start + last.length) as usize;
        let shift = |node: &Node| Node {
            start: node.start - first.start + self.paths.len() as u32,
            ..*node
        };
        self.nodes.extend(taken.iter().map(shift));
        self.paths.extend_from_slice(&other.paths[paths]);
    }

    /// How many bytes all paths have.
    pub(super) fn path_bytes(&self) -> usize {
        self.paths.len()
    }

    /// Makes room for so many more nodes and bytes of paths.
    pub(super) fn reserve(&mut self, nodes: usize, paths: usize) {
        self.nodes.reserve(nodes);
        self.paths.reserve(paths);
    }

    pub(in crate::release) fn path(&self, at: usize) -> &[u8] {
        let node = &self.nodes[at];
        let start = node.start as usize;
        self.paths
            .get(start..start + node.length as usize)
            .unwrap_or_default()
    }

    /// The last part of a path.
    pub(in crate::release) fn name(&self, at: usize) -> &[u8] {
        let path = self.path(at);
        match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => &path[slash + 1..],
            None => path,
        }
    }

    /// A node and all below it.
    pub(super) fn range(&self, at: usize) -> Range<usize> {
        at..at + 1 + self.nodes[at].below as usize
    }

    /// What is directly inside a folder.
    pub(in crate::release) fn children(&self, folder: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.range(folder).end;
        let mut next = folder + 1;
        std::iter::from_fn(move || {
            let at = next;
            (at < end).then(|| {
                next = self.range(at).end;
                at
            })
        })
    }

    /// The node at a path, if it is listed.
    pub(in crate::release) fn find(&self, path: &[u8]) -> Option<usize> {
        let mut at = (!self.nodes.is_empty()).then_some(0)?;
        let below = match self.path(0) {
            b"" => path,
            top => path
                .strip_prefix(top)?
                .strip_prefix(b"/")
                .or((path == top).then_some(b"".as_slice()))?,
        };
        for part in below
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
        {
            at = self.children(at).find(|child| self.name(*child) == part)?;
        }
        Some(at)
    }

    /// What is at a place.
    pub(in crate::release) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// All folders.
    pub(in crate::release) fn folders(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|at| self.nodes[*at].kind == Kind::Folder)
    }

    /// All files and links.
    pub(in crate::release) fn contents(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.kind != Kind::Folder)
    }

    /// Every folder of the store that holds something of this, by holder and path.
    pub(in crate::release) fn held(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.folders().map(|at| (self.holder(at), self.path(at)))
    }

    /// Which folder of the store holds a folder's files.
    pub(super) fn holder(&self, folder: usize) -> &str {
        let number = self.nodes[folder].holder as usize;
        self.holders.get(number).map_or("", String::as_str)
    }

    /// The number of a holder, which is added when it is new.
    pub(super) fn holder_number(&mut self, name: &str) -> u32 {
        let known = self.holders.iter().position(|holder| holder == name);
        let number = known.unwrap_or_else(|| {
            self.holders.push(name.to_owned());
            self.holders.len() - 1
        });
        number as u32
    }

    /// Drops the names of holders that hold nothing of this.
    pub(super) fn drop_idle_holders(&mut self) {
        let mut used = Vec::new();
        for node in &mut self.nodes {
            if node.kind != Kind::Folder {
                continue;
            }
            let known = used.iter().position(|number| *number == node.holder);
            let number = known.unwrap_or_else(|| {
                used.push(node.holder);
                used.len() - 1
            });
            node.holder = number as u32;
        }
        let name = |number: u32| {
            self.holders
                .get(number as usize)
                .cloned()
                .unwrap_or_default()
        };
        self.holders = used.into_iter().map(name).collect();
    }

    /// Forgets what the system said about the files: each is to be compared by content.
    pub(in crate::release) fn distrust(&mut self) {
        for node in &mut self.nodes {
            node.stamp = Stamp::UNKNOWN;
        }
    }

    /// This listing without some of its files.
    pub(super) fn without(&self, gone: &[usize]) -> Listing {
        let mut left = Listing::beside(self);
        let mut open: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.nodes.len() {
            while let Some((end, place)) = open.last().copied()
                && end <= at
            {
                left.close(place);
                open.pop();
            }
            if gone.binary_search(&at).is_err() {
                let place = left.push(self.nodes[at], self.path(at));
                if self.nodes[at].kind == Kind::Folder {
                    open.push((self.range(at).end, place));
                }
            }
        }
        for (_, place) in open.into_iter().rev() {
            left.close(place);
        }
        left
    }

    /// This listing with a part of it replaced, or left out.
    pub(in crate::release) fn with(&self, path: &[u8], part: Option<&Listing>) -> Listing {
        let mut grafted = Listing::beside(self);
        let mut part = part.cloned();
        if let Some(part) = &mut part {
            let numbers: Vec<u32> = part
                .holders
                .iter()
                .map(|name| grafted.holder_number(name))
                .collect();
            for node in &mut part.nodes {
                node.holder = numbers.get(node.holder as usize).copied().unwrap_or(0);
            }
        }
        let top = (!self.nodes.is_empty()).then_some(0);
        graft(&mut grafted, self, top, 0, path, part.as_ref());
        grafted.drop_idle_holders();
        grafted
    }
}

/// How large the files of these listings are, each content counted once.
pub(in crate::release) fn distinct_bytes<'a>(listings: impl Iterator<Item = &'a Listing>) -> u64 {
    let mut seen = HashSet::new();
    listings
        .flat_map(Listing::contents)
        .filter(|node| node.kind == Kind::File && seen.insert((node.hash, node.size)))
        .map(|node| node.size)
        .sum()
}

/// Copies a folder of `old` whose path is the first `done` bytes of `path`, with `part` in the place that `path` names.
fn graft(
    into: &mut Listing,
    old: &Listing,
    at: Option<usize>,
    done: usize,
    path: &[u8],
    part: Option<&Listing>,
) {
    if done == path.len() {
        if let Some(part) = part {
            into.take(part, 0);
        }
        return;
    }
    let unknown = Node {
        kind: Kind::Folder,
        mode: 0,
        size: 0,
        modified: 0,
        hash: [0; 32],
        stamp: Stamp::UNKNOWN,
        holder: 0,
        below: 0,
        start: 0,
        length: 0,
    };
    let folder = at.filter(|at| old.nodes[*at].kind == Kind::Folder);
    let mut own = folder.map_or(unknown, |at| old.nodes[at]);
    // What is in the folder is not as it was listed any more.
    own.stamp = Stamp::UNKNOWN;
    let place = into.push(own, &path[..done]);
    let start = if done == 0 { 0 } else { done + 1 };
    let end = path[start..]
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(path.len(), |slash| start + slash);
    let name = &path[start..end];
    let children: Vec<usize> = folder.map_or(Vec::new(), |at| old.children(at).collect());
    for child in children.iter().filter(|child| old.name(**child) < name) {
        into.take(old, *child);
    }
    let there = children.iter().find(|child| old.name(**child) == name);
    graft(into, old, there.copied(), end, path, part);
    for child in children.iter().filter(|child| old.name(**child) > name) {
        into.take(old, *child);
    }
    into.close(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Node {
        Node {
            kind: Kind::File,
            mode: 0o644,
            size: 1,
            modified: 2,
            hash: [3; 32],
            stamp: Stamp {
                changed: 4,
                inode: 5,
            },
            holder: 0,
            below: 0,
            start: 0,
            length: 0,
        }
    }

    fn folder() -> Node {
        Node {
            kind: Kind::Folder,
            ..file()
        }
    }

    fn paths(listing: &Listing) -> Vec<String> {
        let path = |at| String::from_utf8(listing.path(at).to_vec()).unwrap();
        (0..listing.nodes.len()).map(path).collect()
    }

    fn sample() -> Listing {
        let mut listing = Listing {
            holders: vec!["one".to_owned()],
            ..Listing::default()
        };
        listing.push(folder(), b"");
        listing.push(file(), b"a");
        let b = listing.push(folder(), b"b");
        listing.push(file(), b"b/x");
        listing.close(b);
        listing.push(file(), b"c");
        listing.close(0);
        listing
    }

    #[test]
    fn a_part_is_put_in_its_place() {
        let mut part = Listing {
            holders: vec!["two".to_owned()],
            ..Listing::default()
        };
        part.push(folder(), b"b/d");
        part.push(file(), b"b/d/y");
        part.close(0);
        let grafted = sample().with(b"b/d", Some(&part));
        assert_eq!(paths(&grafted), ["", "a", "b", "b/d", "b/d/y", "b/x", "c"]);
        assert_eq!(grafted.nodes[0].below, 6);
        let at = grafted.find(b"b/d").unwrap();
        assert_eq!((grafted.holder(at), grafted.holder(0)), ("two", "one"));
        assert_eq!(
            grafted.nodes[grafted.find(b"b").unwrap()].stamp,
            Stamp::UNKNOWN
        );
        let without = grafted.without(&[4, 5]);
        assert_eq!(paths(&without), ["", "a", "b", "b/d", "c"]);
        assert_eq!(
            without.nodes.iter().map(|n| n.below).collect::<Vec<_>>(),
            [4, 0, 1, 0, 0]
        );
        let gone = grafted.with(b"b/d", None);
        assert_eq!(paths(&gone), paths(&sample()));
        let fresh = Listing::default().with(b"b/d", Some(&part));
        assert_eq!(paths(&fresh), ["", "b", "b/d", "b/d/y"]);
        assert_eq!(part.find(b"b/d/y"), Some(1));
        assert_eq!(part.find(b"b/e"), None);
    }

    #[test]
    fn children_and_paths_are_found() {
        let listing = sample();
        assert_eq!(listing.children(0).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(listing.find(b"b/x"), Some(3));
        assert_eq!(listing.find(b"b/y"), None);
        assert_eq!(listing.find(b""), Some(0));
    }
}
