use super::node::{Kind, Node, Stamp};
use std::collections::HashSet;
use std::ops::Range;

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

#[cfg(test)]
pub(super) mod tests {
    use super::super::node::Stamp;
    use super::*;

    pub fn file() -> Node {
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

    pub fn folder() -> Node {
        Node {
            kind: Kind::Folder,
            ..file()
        }
    }

    pub fn sample() -> Listing {
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
    fn children_and_paths_are_found() {
        let listing = sample();
        assert_eq!(listing.children(0).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(listing.find(b"b/x"), Some(3));
        assert_eq!(listing.find(b"b/y"), None);
        assert_eq!(listing.find(b""), Some(0));
    }
}
