use super::listing::Listing;
use super::node::{Kind, Node, Stamp};
use crate::release::walk::{Cursor, bytes, share_out, split};
use crate::system::files::{AtPath, FileError};
use crate::system::folder::Folder;
use rustix::fs::{Stat, fstat};
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// What became of a listed path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It is as it was listed; of a folder: it has the same names in it.
    Same,
    /// Only a closer look can tell.
    Suspect,
    /// It is not there, or of another kind.
    Gone,
}

/// Below this many paths a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 2000;

/// Looks at every listed path of a slot, in the order of the list. What is in a folder of `seen` and was known for sure
/// when it was looked at is not looked at again.
pub(super) fn look(
    slot: &Folder,
    listing: &Listing,
    at: usize,
    seen: &[PathBuf],
) -> Result<Vec<Mark>, FileError> {
    let all = listing.range(at);
    let seen: Vec<Range<usize>> = seen
        .iter()
        .filter_map(|path| listing.find(bytes(path)))
        .map(|folder| listing.range(folder))
        .collect();
    let is_sure = |at: &usize| {
        listing.nodes[*at].stamp != Stamp::UNKNOWN && seen.iter().any(|range| range.contains(at))
    };
    let left: Vec<usize> = all.clone().filter(|at| !is_sure(at)).collect();
    let found = share_out(&left, WORTH_A_THREAD, |part| {
        let mut cursor = Cursor::new(slot);
        part.iter()
            .map(|at| mark(&mut cursor, slot, listing, *at))
            .collect()
    })?;
    let mut marks = vec![Mark::Same; all.len()];
    for (at, mark) in left.into_iter().zip(found) {
        marks[at - all.start] = mark;
    }
    Ok(marks)
}

fn mark(
    cursor: &mut Cursor<'_>,
    slot: &Folder,
    listing: &Listing,
    at: usize,
) -> Result<Mark, FileError> {
    let stat = stat_at(cursor, slot, listing.path(at))?;
    Ok(stat.map_or(Mark::Gone, |stat| judge(&listing.nodes[at], &stat)))
}

fn judge(listed: &Node, stat: &Stat) -> Mark {
    let found = Node::of(stat);
    match (found.kind == listed.kind, listed.kind) {
        (false, _) => Mark::Gone,
        _ if listed.stamp == Stamp::UNKNOWN || found.stamp != listed.stamp => Mark::Suspect,
        (_, Kind::File) if !found.looks_like(listed) => Mark::Suspect,
        _ => Mark::Same,
    }
}

/// What the system says about an open folder.
pub(super) fn stat_of(folder: &Folder) -> Result<Stat, FileError> {
    fstat(folder.fd())
        .map_err(io::Error::from)
        .at("look at", folder.path())
}

/// What the system says about a path below a folder; nothing when it is not there.
pub(super) fn stat_at(
    cursor: &mut Cursor<'_>,
    top: &Folder,
    path: &[u8],
) -> Result<Option<Stat>, FileError> {
    let (parent, name): (&[u8], &OsStr) = split(path);
    if name.is_empty() {
        return stat_of(top).map(Some);
    }
    match cursor.find(parent)? {
        Some(folder) => folder.stat(name),
        None => Ok(None),
    }
}

/// Whether every file of a slot is known by a stamp that counts.
#[cfg(test)]
pub(in crate::release) fn all_settled(slot: &Folder, listing: &Listing) -> bool {
    look(slot, listing, 0, &[])
        .unwrap()
        .iter()
        .all(|mark| *mark == Mark::Same)
}
