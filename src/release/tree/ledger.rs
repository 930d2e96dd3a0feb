//! What a slot's files were like when they were last known to equal something sealed. It is kept outside the slot, so that
//! the next sealing reads only what changed. It is a memory, never a truth: every file is looked at again.

use super::listing::Listing;
use super::node::{Kind, Node, Stamp};
use crate::system::files::{AtPath, FileError, create_dir, write_atomic};
use crate::system::stamps::{NO_BOOT, boot, sum};
use std::fs;
use std::io;
use std::path::Path;

const MAGIC: &[u8; 16] = b"teal ledger 1\n\0\0";
/// A node bar its path: kind, mode, size and time, the two numbers of a stamp, hash, holder, nodes below, path length.
const RECORD: usize = 1 + 4 + 8 + 8 + 16 + 32 + 4 + 4 + 4;

impl Listing {
    /// Reads a ledger; a missing, torn or foreign one is nothing, and so is one from before the machine was started anew:
    /// then no stamp counts.
    pub(in crate::release) fn remembered(file: &Path) -> Result<Option<Listing>, FileError> {
        let found = read(file)?;
        Ok(found.and_then(|(listing, same_boot)| same_boot.then_some(listing)))
    }

    /// Writes the ledger. It is not synced: a torn one is recognised, and after a power cut none counts.
    pub(in crate::release) fn remember(&self, file: &Path) -> Result<(), FileError> {
        if let Some(parent) = file.parent() {
            create_dir(parent, 0o700)?;
        }
        let fresh = file.with_extension("new");
        fs::write(&fresh, encode(self)).at("write", &fresh)?;
        fs::rename(&fresh, file).at("write", file)
    }

    /// Reads what [`Listing::pack`] wrote, without stamps; a missing or torn one is nothing.
    pub(in crate::release) fn unpacked(file: &Path) -> Result<Option<Listing>, FileError> {
        Ok(read(file)?.map(|(mut listing, _)| {
            listing.distrust();
            listing
        }))
    }

    /// Writes the listing durably, for as long as it is needed.
    pub(in crate::release) fn pack(&self, file: &Path) -> Result<(), FileError> {
        write_atomic(file, &encode(self), 0o644)
    }
}

/// The listing in a file, and whether the machine still runs that it was written on.
fn read(file: &Path) -> Result<Option<(Listing, bool)>, FileError> {
    match fs::read(file) {
        Ok(bytes) => Ok(decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("read", file),
    }
}

fn encode(listing: &Listing) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128 + listing.nodes.len() * RECORD + listing.path_bytes());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&boot());
    put(&mut bytes, listing.holders.len() as u32);
    for holder in &listing.holders {
        put(&mut bytes, holder.len() as u32);
        bytes.extend_from_slice(holder.as_bytes());
    }
    put(&mut bytes, listing.nodes.len() as u32);
    for (at, node) in listing.nodes.iter().enumerate() {
        bytes.push(node.kind as u8);
        put(&mut bytes, node.mode);
        bytes.extend_from_slice(&node.size.to_le_bytes());
        bytes.extend_from_slice(&node.modified.to_le_bytes());
        bytes.extend_from_slice(&node.stamp.changed.to_le_bytes());
        bytes.extend_from_slice(&node.stamp.inode.to_le_bytes());
        bytes.extend_from_slice(&node.hash);
        put(&mut bytes, node.holder);
        put(&mut bytes, node.below);
        let path = listing.path(at);
        put(&mut bytes, path.len() as u32);
        bytes.extend_from_slice(path);
    }
    let sum = sum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn decode(bytes: &[u8]) -> Option<(Listing, bool)> {
    let (content, told) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
    if sum(content).to_le_bytes() != *told {
        return None;
    }
    let mut rest = Reader(content);
    if rest.take(16)? != MAGIC {
        return None;
    }
    let same_boot = rest.take(36)? == boot() && boot() != NO_BOOT;
    let mut listing = Listing::default();
    for _ in 0..rest.number()? {
        let length = rest.number()? as usize;
        let name = std::str::from_utf8(rest.take(length)?).ok()?;
        listing.holders.push(name.to_owned());
    }
    let count = rest.number()? as usize;
    let paths = rest.0.len().checked_sub(count.checked_mul(RECORD)?)?;
    listing.reserve(count, paths);
    for _ in 0..count {
        let (node, path) = rest.node()?;
        let at = listing.push(node, path);
        listing.nodes[at].below = node.below;
    }
    (rest.0.is_empty() && is_sound(&listing)).then_some((listing, same_boot))
}

/// Whether folders end where the folder around them does, so that nobody reads beyond the end.
fn is_sound(listing: &Listing) -> bool {
    let mut ends = vec![listing.nodes.len()];
    (0..listing.nodes.len()).all(|at| {
        while ends.last().is_some_and(|end| *end <= at) {
            ends.pop();
        }
        let end = listing.range(at).end;
        let fits = ends.last().is_some_and(|around| end <= *around);
        ends.push(end);
        fits
    })
}

/// Takes bytes from the front, and nothing when there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    fn node(&mut self) -> Option<(Node, &'a [u8])> {
        let kind = match self.take(1)?[0] {
            0 => Kind::File,
            1 => Kind::Link,
            2 => Kind::Folder,
            _ => return None,
        };
        let node = Node {
            kind,
            mode: self.number()?,
            size: u64::from_le_bytes(self.array()?),
            modified: i64::from_le_bytes(self.array()?),
            stamp: Stamp {
                changed: i64::from_le_bytes(self.array()?),
                inode: u64::from_le_bytes(self.array()?),
            },
            hash: self.array()?,
            holder: self.number()?,
            below: self.number()?,
            start: 0,
            length: 0,
        };
        let length = self.number()? as usize;
        Some((node, self.take(length)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read_back_and_a_torn_one_is_none() {
        let stat = rustix::fs::stat("/").unwrap();
        let mut listing = Listing::default();
        listing.holder_number("backup-1");
        listing.push(Node::of(&stat), b"");
        listing.push(Node::of(&stat), b"a\n\xff");
        listing.close(0);
        let bytes = encode(&listing);
        assert_eq!(decode(&bytes), Some((listing, true)));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x40;
            assert_eq!(decode(&altered), None, "{at}");
        }
    }
}
