use crate::system::files::{AtPath, FileError};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// What a path of a sealed release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Link,
    Folder,
}

/// What was known about a path when it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) size: u64,
    /// When the content was last changed, in nanoseconds since the epoch.
    pub(super) modified: i64,
    /// The slot's file that it was copied from: when the system saw it changed last, and its inode.
    pub(super) source: (i64, u64),
    /// The SHA-256 of a file's content or a link's text, once somebody has read it.
    pub(super) hash: Option<[u8; 32]>,
}

/// Everything in a sealed release, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    /// When sealing began, in nanoseconds since the epoch, by the clock that stamps files.
    pub(super) sealed: i64,
    pub(super) list: Vec<Record>,
}

const TITLE: &[u8] = b"teal files 1 ";
/// The system's clock for stamps may stand still for this long between its ticks, in nanoseconds.
const TICK: i64 = 20_000_000;

impl Records {
    /// Whether a slot's file with this stamp is surely the one that was sealed. A file changed at the very moment of
    /// sealing could have been changed again without a new stamp.
    pub(super) fn trusts(&self, source: (i64, u64)) -> bool {
        source.0.saturating_add(TICK) < self.sealed
    }

    /// Reads the list; a missing one is nothing, and so is one that is not whole.
    pub(super) fn load(file: &Path) -> Result<Option<Records>, FileError> {
        match fs::read(file) {
            Ok(bytes) => Ok(decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", file),
        }
    }

    /// The list as text: a line for each path, the path last.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.list.len() * 160);
        bytes.extend_from_slice(TITLE);
        bytes.extend_from_slice(format!("{} {}\n", self.sealed, self.list.len()).as_bytes());
        let mut line = String::new();
        for record in &self.list {
            line.clear();
            let kind = match record.kind {
                Kind::File => 'F',
                Kind::Link => 'L',
                Kind::Folder => 'D',
            };
            let hash = record.hash.map_or_else(|| "-".to_owned(), hex::encode);
            // Writing to a String cannot fail.
            let _ = write!(
                line,
                "{kind} {:o} {} {} {} {} {hash} ",
                record.mode, record.size, record.modified, record.source.0, record.source.1
            );
            bytes.extend_from_slice(line.as_bytes());
            escape(&record.path, &mut bytes);
            bytes.push(b'\n');
        }
        bytes
    }
}

fn decode(bytes: &[u8]) -> Option<Records> {
    let mut lines = bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
    let title = std::str::from_utf8(lines.next()?.strip_prefix(TITLE)?).ok()?;
    let (sealed, count) = title.split_once(' ')?;
    let list: Vec<Record> = lines.map(decode_line).collect::<Option<_>>()?;
    (list.len() == count.parse::<usize>().ok()?).then_some(Records {
        sealed: sealed.parse().ok()?,
        list,
    })
}

fn decode_line(line: &[u8]) -> Option<Record> {
    let mut words = line.splitn(8, |byte| *byte == b' ');
    let kind = match words.next()? {
        b"F" => Kind::File,
        b"L" => Kind::Link,
        b"D" => Kind::Folder,
        _ => return None,
    };
    let mut text = || std::str::from_utf8(words.next()?).ok();
    let mode = u32::from_str_radix(text()?, 8).ok()?;
    let size = text()?.parse().ok()?;
    let modified = text()?.parse().ok()?;
    let source = (text()?.parse().ok()?, text()?.parse().ok()?);
    let hash = match text()? {
        "-" => None,
        digits => Some(hex::decode(digits).ok()?.try_into().ok()?),
    };
    Some(Record {
        path: unescape(words.next()?)?,
        kind,
        mode,
        size,
        modified,
        source,
        hash,
    })
}

/// A path may contain a line feed; the list must not.
fn escape(path: &[u8], to: &mut Vec<u8>) {
    for byte in path {
        match byte {
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\\' => to.extend_from_slice(b"\\\\"),
            other => to.push(*other),
        }
    }
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        path.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'\\' => b'\\',
                _ => return None,
            },
            other => *other,
        });
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_list_and_a_torn_list_is_none() {
        let record = |path: &[u8], kind, hash| Record {
            path: path.to_vec(),
            kind,
            mode: 0o755,
            size: 7,
            modified: -1,
            source: (5, u64::MAX),
            hash,
        };
        let records = Records {
            sealed: 99,
            list: vec![
                record(b"a b\n\\n\xff ", Kind::File, Some([7; 32])),
                record(b"d", Kind::Folder, None),
                record(b"l", Kind::Link, None),
            ],
        };
        let bytes = records.encode();
        assert_eq!(decode(&bytes), Some(records));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
    }
}
