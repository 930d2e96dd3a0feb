//! Watches where a client's requests begin and end, beside the HTTP library and without keeping them. The library mends
//! a request that has both a length and a transfer coding, and does not say so; here it is noticed, so that it can be
//! refused.

use memchr::memchr;

/// As much of a line as is looked at: the names and the numbers that matter are shorter.
const LOOKED_AT: usize = 64;

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    line: Line,
    length: Option<u64>,
    chunked: bool,
    ambiguous: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Before or in the first line of a request.
    #[default]
    Target,
    /// In the other lines of its head.
    Head,
    /// So many bytes of its body are to come.
    Body(u64),
    /// In the line that says how long the next chunk is.
    ChunkSize,
    /// So many bytes of a chunk, and the line end after it, are to come.
    Chunk(u64),
    /// After the last chunk.
    Trailers,
    /// The library will refuse this, or it is no HTTP any more.
    Lost,
}

/// The beginning of a line that came in pieces.
#[derive(Debug)]
struct Line {
    bytes: [u8; LOOKED_AT],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            bytes: [0; LOOKED_AT],
            length: 0,
        }
    }
}

impl Line {
    fn add(&mut self, piece: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let fits = piece.len().min(room.len());
        room[..fits].copy_from_slice(&piece[..fits]);
        self.length += fits;
    }

    fn take(&mut self) -> ([u8; LOOKED_AT], usize) {
        (self.bytes, std::mem::take(&mut self.length))
    }
}

impl Framing {
    /// Whether a request came that has both a length and a transfer coding.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Whether a request has begun and not ended.
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Target) || self.line.length > 0
    }

    /// Follows what came next.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Lost => return,
                State::Body(left) => self.skip(bytes, left, State::Body, State::Target),
                State::Chunk(left) => self.skip(bytes, left, State::Chunk, State::ChunkSize),
                _ => self.follow_line(bytes),
            };
        }
    }

    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        more: impl Fn(u64) -> State,
        after: State,
    ) -> &'a [u8] {
        let skipped = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.state = match left - skipped as u64 {
            0 => after,
            left => more(left),
        };
        &bytes[skipped..]
    }

    fn follow_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.line.add(bytes);
            return &[];
        };
        if self.line.length == 0 {
            self.end_of_line(&bytes[..end]);
        } else {
            self.line.add(&bytes[..end]);
            let (line, length) = self.line.take();
            self.end_of_line(&line[..length]);
        }
        &bytes[end + 1..]
    }

    fn end_of_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.state = match self.state {
            State::Target if line.is_empty() => State::Target,
            State::Target => State::Head,
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => self.header(line),
            State::ChunkSize => match chunk_size(line) {
                None => State::Lost,
                Some(0) => State::Trailers,
                Some(size) => State::Chunk(size.saturating_add(2)),
            },
            State::Trailers if line.is_empty() => State::Target,
            other => other,
        };
    }

    fn header(&mut self, line: &[u8]) -> State {
        let Some((name, value)) = split_at_colon(line) else {
            return State::Head;
        };
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).map(str::trim);
            match digits.ok().and_then(|digits| digits.parse().ok()) {
                Some(length) => self.length = Some(length),
                // Not a number: the library refuses it. The coding beside it still has to be noticed.
                None => self.length = Some(0),
            }
        }
        State::Head
    }

    fn end_of_head(&mut self) -> State {
        let length = self.length.take();
        match (std::mem::take(&mut self.chunked), length) {
            (true, Some(_)) => {
                self.ambiguous = true;
                State::Lost
            }
            (true, None) => State::ChunkSize,
            (false, Some(length)) if length > 0 => State::Body(length),
            (false, _) => State::Target,
        }
    }
}

fn split_at_colon(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes are found ambiguous, whatever pieces they come in.
    fn ambiguous(bytes: &str) -> bool {
        let in_pieces_of = |size: usize| {
            let mut framing = Framing::default();
            bytes
                .as_bytes()
                .chunks(size)
                .for_each(|piece| framing.follow(piece));
            framing.is_ambiguous()
        };
        let whole = in_pieces_of(bytes.len());
        for size in [1, 2, 3, 7, 16] {
            assert_eq!(in_pieces_of(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn a_length_beside_a_coding_is_noticed_in_any_order() {
        assert!(ambiguous(
            "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        assert!(ambiguous(
            "POST / HTTP/1.1\r\ntransfer-encoding: x\r\nA: b\r\nCONTENT-LENGTH: 4\r\n\r\n"
        ));
        assert!(ambiguous(
            "\r\nPOST / HTTP/1.1\nContent-Length:4\nTransfer-Encoding:chunked\n\n"
        ));
        assert!(ambiguous(
            "POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
    }

    #[test]
    fn what_a_body_says_is_no_header() {
        let lines = "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(lines.len(), 49);
        assert!(!ambiguous(&format!(
            "POST / HTTP/1.1\r\nContent-Length: 49\r\n\r\n{lines}"
        )));
        let chunked = format!("31;x=y\r\n{lines}\r\n0\r\nTrailer: x\r\n\r\n");
        assert!(!ambiguous(&format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
        )));
    }

    #[test]
    fn the_request_after_a_body_is_looked_at_again() {
        let second = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(ambiguous(&format!(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n{second}"
        )));
        assert!(ambiguous(&format!(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc{second}"
        )));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert!(ambiguous(&format!("{chunked}{second}")));
        assert!(!ambiguous(&format!(
            "{chunked}{chunked}GET / HTTP/1.1\r\n\r\n"
        )));
    }
}
