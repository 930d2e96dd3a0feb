//! The list of a sealed release as text, a line for each path: kind, permissions, size, time, SHA-256, path.

use super::listing::Listing;
use super::node::{Kind, Node, Stamp};
use std::borrow::Cow;
use std::fmt::Write;

const TITLE: &[u8] = b"teal files 2 ";
/// The shortest line of a list: a folder at the top.
const SHORTEST: usize = 7;

impl Listing {
    /// Reads the list of a sealed release; one that is not whole is nothing.
    pub(in crate::release) fn of_text(bytes: &[u8]) -> Option<Listing> {
        let mut lines = bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let title = std::str::from_utf8(lines.next()?.strip_prefix(TITLE)?).ok()?;
        let (holders, nodes) = title.split_once(' ')?;
        let nodes: usize = nodes.parse().ok()?;
        let mut listing = Listing::default();
        listing.reserve(nodes.min(bytes.len() / SHORTEST), bytes.len() / 2);
        for _ in 0..holders.parse::<usize>().ok()? {
            let name = std::str::from_utf8(lines.next()?).ok()?;
            listing.holders.push(name.to_owned());
        }
        let mut open: Vec<usize> = Vec::new();
        for line in lines {
            let (node, path) = decode_line(line)?;
            while let Some(folder) = open.last()
                && !is_below(&path, listing.path(*folder))
            {
                listing.close(open.pop()?);
            }
            let at = listing.push(node, &path);
            if node.kind == Kind::Folder {
                open.push(at);
            }
        }
        while let Some(folder) = open.pop() {
            listing.close(folder);
        }
        (listing.nodes.len() == nodes && !listing.nodes.is_empty()).then_some(listing)
    }

    /// The list as text.
    pub(in crate::release) fn text(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.nodes.len() * 150);
        bytes.extend_from_slice(TITLE);
        bytes
            .extend_from_slice(format!("{} {}\n", self.holders.len(), self.nodes.len()).as_bytes());
        for holder in &self.holders {
            bytes.extend_from_slice(format!("{holder}\n").as_bytes());
        }
        let mut line = String::new();
        for (at, node) in self.nodes.iter().enumerate() {
            line.clear();
            // Writing to a String cannot fail.
            let _ = match node.kind {
                Kind::Folder => write!(line, "D {:o} {} ", node.mode, node.holder),
                Kind::Link => write!(line, "L {} ", hex::encode(node.hash)),
                Kind::File => write!(
                    line,
                    "F {:o} {} {} {} ",
                    node.mode,
                    node.size,
                    node.modified,
                    hex::encode(node.hash)
                ),
            };
            bytes.extend_from_slice(line.as_bytes());
            escape(self.path(at), &mut bytes);
            bytes.push(b'\n');
        }
        bytes
    }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with(b"/"))
}

fn decode_line(line: &[u8]) -> Option<(Node, Cow<'_, [u8]>)> {
    let (kind, rest) = match line.split_at_checked(2)? {
        (b"F ", rest) => (Kind::File, rest),
        (b"L ", rest) => (Kind::Link, rest),
        (b"D ", rest) => (Kind::Folder, rest),
        _ => return None,
    };
    let words = match kind {
        Kind::File => 5,
        Kind::Link => 2,
        Kind::Folder => 3,
    };
    let mut words = rest.splitn(words, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(words.next()?).ok();
    let mut node = Node {
        kind,
        mode: 0o777,
        size: 0,
        modified: 0,
        hash: [0; 32],
        stamp: Stamp::UNKNOWN,
        holder: 0,
        below: 0,
        start: 0,
        length: 0,
    };
    if kind != Kind::Link {
        node.mode = u32::from_str_radix(text()?, 8).ok()?;
    }
    match kind {
        Kind::Folder => node.holder = text()?.parse().ok()?,
        Kind::Link => node.hash = unhex(words.next()?)?,
        Kind::File => {
            node.size = text()?.parse().ok()?;
            node.modified = text()?.parse().ok()?;
            node.hash = unhex(words.next()?)?;
        }
    }
    Some((node, unescape(words.next()?)?))
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

fn unescape(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
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
    Some(Cow::Owned(path))
}

/// A hash from its hexadecimal digits. There are tens of thousands of them in a list, so each digit is looked up.
fn unhex(digits: &[u8]) -> Option<[u8; 32]> {
    const NONE: u8 = 0xff;
    const VALUES: [u8; 256] = {
        let mut values = [NONE; 256];
        let mut value = 0;
        while value < 16 {
            values[b"0123456789abcdef"[value] as usize] = value as u8;
            value += 1;
        }
        values
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    let mut wrong = 0;
    let hash = pairs.map(|pair| {
        let (high, low) = (VALUES[pair[0] as usize], VALUES[pair[1] as usize]);
        wrong |= (high | low) & 0xf0;
        high << 4 | low
    });
    (wrong == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_list_and_a_torn_list_is_none() {
        let node = |kind, mode| Node {
            kind,
            mode,
            size: if kind == Kind::File { 7 } else { 0 },
            modified: if kind == Kind::File { -1 } else { 0 },
            hash: if kind == Kind::Folder {
                [0; 32]
            } else {
                [7; 32]
            },
            stamp: Stamp::UNKNOWN,
            holder: 0,
            below: 0,
            start: 0,
            length: 0,
        };
        let mut listing = Listing::default();
        listing.holder_number("backup-20261123-101500");
        listing.push(node(Kind::Folder, 0o755), b"");
        let d = listing.push(node(Kind::Folder, 0o700), b"a b\n\\n\xff ");
        listing.push(node(Kind::File, 0o644), b"a b\n\\n\xff /f");
        listing.close(d);
        listing.push(node(Kind::File, 0o755), b"a b\n\\n\xff x");
        listing.push(node(Kind::Link, 0o777), b"l");
        listing.close(0);
        let bytes = listing.text();
        assert_eq!(Listing::of_text(&bytes), Some(listing));
        for length in 0..bytes.len() {
            assert_eq!(Listing::of_text(&bytes[..length]), None, "{length}");
        }
    }
}
