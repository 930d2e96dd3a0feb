use crate::system::files::{AtPath, FileError, create_dir, remove_if_there};
use crate::system::stamps::{NO_BOOT, TICK, boot, nanos, now, sum};
use git2::Oid;
use rustix::fs::Stat;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What a tracked path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An ordinary file.
    File,
    /// A file that may be executed.
    Program,
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// Another repository's commit: an empty folder.
    Module,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::File,
        Kind::Program,
        Kind::Link,
        Kind::Folder,
        Kind::Module,
    ];

    /// The permission bits of a file of this kind.
    pub(super) fn permissions(self) -> u32 {
        if self == Kind::Program { 0o755 } else { 0o644 }
    }

    /// Whether there is content of its own to write.
    pub(super) fn has_content(self) -> bool {
        matches!(self, Kind::File | Kind::Program | Kind::Link)
    }
}

/// What the system said about a file right after it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: i64,
    changed: i64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Stamp {
        Stamp {
            size: stat.st_size.try_into().unwrap_or(0),
            modified: nanos(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        }
    }
}

/// One tracked path. Its folder's entries follow it directly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) id: Oid,
    /// How many of the entries that follow are below this folder.
    pub(super) below: u32,
    pub(super) stamp: Stamp,
    start: u32,
    length: u32,
}

/// Everything that was checked out: a folder before what is in it, the names in one folder in byte order.
#[derive(Debug)]
pub(super) struct Index {
    /// The tree that the entries are of.
    pub(super) tree: Option<Oid>,
    /// Grows with every checkout into this slot.
    pub(super) number: u64,
    pub(super) entries: Vec<Entry>,
    paths: Vec<u8>,
    /// Whether the machine has not been started anew since: only then do file contents surely reach as far as their
    /// stamps do.
    same_boot: bool,
    /// When it was written. A file changed at that very moment could be changed again without a new stamp.
    written: i64,
}

const MAGIC: &[u8; 16] = b"teal checkout 1\n";
/// Kind, id, entries below, path length, and the four numbers of a stamp.
const RECORD: usize = 1 + 20 + 4 + 4 + 32;
const HEADER: usize = 16 + 36 + 8 + 8 + 1 + 20 + 4;

impl Index {
    /// The index of an empty slot.
    pub(super) fn nothing() -> Index {
        Index {
            tree: None,
            number: 0,
            entries: Vec::new(),
            paths: Vec::new(),
            same_boot: true,
            written: i64::MAX,
        }
    }

    /// The path of an entry, relative to the slot.
    pub(super) fn path(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.paths
            .get(start..start + entry.length as usize)
            .unwrap_or_default()
    }

    /// Adds an entry after all others and says where it is.
    pub(super) fn push(&mut self, kind: Kind, id: Oid, stamp: Stamp, path: &[u8]) -> usize {
        self.entries.push(Entry {
            kind,
            id,
            below: 0,
            stamp,
            start: self.paths.len() as u32,
            length: path.len() as u32,
        });
        self.paths.extend_from_slice(path);
        self.entries.len() - 1
    }

    /// How many bytes all paths have.
    pub(super) fn path_bytes(&self) -> usize {
        self.paths.len()
    }

    /// Whether a file that looks as it did can be trusted to be as it was.
    pub(super) fn trusts(&self, stamp: &Stamp) -> bool {
        let settled = |time: i64| time.saturating_add(TICK) < self.written;
        self.same_boot && settled(stamp.changed) && settled(stamp.modified)
    }

    /// How many files and links there are.
    pub(super) fn files(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.kind.has_content())
            .count()
    }

    /// Reads the index; a missing, torn or foreign one is nothing.
    pub(super) fn load(file: &Path) -> Result<Option<Index>, FileError> {
        match fs::read(file) {
            Ok(bytes) => Ok(decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", file),
        }
    }

    /// Replaces the index file in one move. It is not synced: after a power cut an older index or a torn one is found,
    /// and both are recognised (by the intents, by the sum, by the boot).
    pub(super) fn save(&self, file: &Path) -> Result<(), FileError> {
        if let Some(parent) = file.parent() {
            create_dir(parent, 0o700)?;
        }
        let fresh = file.with_extension("new");
        fs::write(&fresh, encode(self, &boot())).at("write", &fresh)?;
        fs::rename(&fresh, file).at("write", file)
    }
}

#[cfg(test)]
impl Index {
    /// Makes the index say that the machine was started since.
    pub(super) fn distrust(&mut self) {
        self.same_boot = false;
    }

    /// Makes the index say that it was written long after the files.
    pub(super) fn settle(&mut self) {
        self.written += 10 * TICK;
    }

    /// Saves the index with the time that it says, not the present one.
    pub(super) fn save_as_written(&self, file: &Path) {
        fs::write(file, encode_at(self, &boot(), self.written)).unwrap();
    }
}

/// Rewrites an index for a copy of the slot it was made for: the same paths, but every file is to be compared by content.
pub(in crate::release) fn for_a_copy(index: &[u8]) -> Option<Vec<u8>> {
    let mut index = decode(index)?;
    index.number = 0;
    for entry in &mut index.entries {
        entry.stamp = Stamp::default();
    }
    Some(encode(&index, &[b'-'; 36]))
}

/// Removes the index and the intents, durably.
pub(super) fn remove(file: &Path) -> Result<(), FileError> {
    remove_if_there(file).at("remove", file)?;
    super::intent::remove(file)?;
    match file.parent().map(File::open) {
        Some(Ok(parent)) => parent.sync_all().at("sync", file),
        _ => Ok(()),
    }
}

fn encode(index: &Index, boot: &[u8; 36]) -> Vec<u8> {
    encode_at(index, boot, now())
}

fn encode_at(index: &Index, boot: &[u8; 36], written: i64) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(HEADER + index.entries.len() * RECORD + index.paths.len() + 8);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(boot);
    bytes.extend_from_slice(&written.to_le_bytes());
    bytes.extend_from_slice(&index.number.to_le_bytes());
    bytes.push(u8::from(index.tree.is_some()));
    bytes.extend_from_slice(index.tree.unwrap_or(Oid::ZERO_SHA1).as_bytes());
    bytes.extend_from_slice(&(index.entries.len() as u32).to_le_bytes());
    for entry in &index.entries {
        bytes.push(entry.kind as u8);
        bytes.extend_from_slice(entry.id.as_bytes());
        bytes.extend_from_slice(&entry.below.to_le_bytes());
        bytes.extend_from_slice(&entry.length.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.size.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.modified.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.changed.to_le_bytes());
        bytes.extend_from_slice(&entry.stamp.inode.to_le_bytes());
    }
    for entry in &index.entries {
        bytes.extend_from_slice(index.path(entry));
    }
    let sum = sum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Index> {
    let (content, told) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
    if sum(content).to_le_bytes() != *told || content.get(..16)? != MAGIC {
        return None;
    }
    let mut rest = Reader(&content[16..]);
    let same_boot = rest.take(36)? == boot() && boot() != NO_BOOT;
    let written = i64::from_le_bytes(rest.array()?);
    let number = u64::from_le_bytes(rest.array()?);
    let has_tree = rest.take(1)? == [1];
    let tree = Oid::from_bytes(rest.take(20)?).ok()?;
    let count = u32::from_le_bytes(rest.array()?) as usize;
    let mut entries = Vec::with_capacity(count.min(content.len() / RECORD));
    let mut start = 0_u32;
    for _ in 0..count {
        let kind = *Kind::ALL.get(usize::from(rest.take(1)?[0]))?;
        let id = Oid::from_bytes(rest.take(20)?).ok()?;
        let below = u32::from_le_bytes(rest.array()?);
        let length = u32::from_le_bytes(rest.array()?);
        let stamp = Stamp {
            size: u64::from_le_bytes(rest.array()?),
            modified: i64::from_le_bytes(rest.array()?),
            changed: i64::from_le_bytes(rest.array()?),
            inode: u64::from_le_bytes(rest.array()?),
        };
        entries.push(Entry {
            kind,
            id,
            below,
            stamp,
            start,
            length,
        });
        start = start.checked_add(length)?;
    }
    (rest.0.len() == start as usize).then(|| Index {
        tree: has_tree.then_some(tree),
        number,
        entries,
        paths: rest.0.to_vec(),
        same_boot,
        written,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Index {
        let mut index = Index::nothing();
        let id = Oid::from_str("00112233445566778899aabbccddeeff00112233").unwrap();
        index.tree = Some(id);
        index.number = 9;
        let stamp = Stamp {
            size: 1,
            modified: -2,
            changed: 3,
            inode: u64::MAX,
        };
        index.push(Kind::Folder, id, Stamp::default(), b"d");
        index.push(Kind::Program, id, stamp, b"d/\xff\n");
        index.entries[0].below = 1;
        index
    }

    #[test]
    fn what_was_written_is_read_back() {
        let index = sample();
        let back = decode(&encode(&index, &boot())).unwrap();
        assert_eq!((back.tree, back.number), (index.tree, 9));
        assert_eq!(back.path(&back.entries[1]), b"d/\xff\n");
        assert_eq!(back.entries[1].stamp, index.entries[1].stamp);
        assert!(back.trusts(&Stamp::default()));
        assert!(!back.trusts(&Stamp {
            changed: now(),
            ..Stamp::default()
        }));
    }

    #[test]
    fn a_torn_or_altered_index_is_no_index() {
        let bytes = encode(&sample(), &boot());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x40;
            assert!(decode(&altered).is_none(), "{at}");
        }
    }

    #[test]
    fn an_index_for_a_copy_trusts_no_file() {
        let copy = decode(&for_a_copy(&encode(&sample(), &boot())).unwrap()).unwrap();
        assert!(!copy.trusts(&Stamp::default()));
        assert_eq!((copy.entries.len(), copy.number), (2, 0));
    }
}
