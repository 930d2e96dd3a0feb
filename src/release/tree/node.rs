//! One path of a release, and what the system said about it.

use crate::system::folder::EntryKind;
use crate::system::stamps::{TICK, nanos};
use rustix::fs::Stat;

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
