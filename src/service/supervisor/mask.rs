//! Takes secrets out of a stream of output, however it is cut into pieces: as they are, in base64 (alone or inside a longer
//! text) and URL-encoded, also where line breaks were put into them.

use std::fmt::Write as _;

/// Values shorter than this would take half of a log with them, and are no secrets.
const SHORTEST: usize = 5;
const COVER: &[u8] = b"***";

/// Replaces secrets in what passes through it.
pub(super) struct Mask {
    patterns: Vec<Vec<u8>>,
    starts: [bool; 256],
    held: Vec<u8>,
}

/// What the bytes at one place are.
enum Found {
    Nothing,
    /// A secret of this many bytes.
    Secret(usize),
    /// Perhaps the beginning of one; more bytes will tell.
    Undecided,
}

impl Mask {
    pub fn new(values: &[String]) -> Mask {
        let mut patterns: Vec<Vec<u8>> = values.iter().flat_map(|value| forms(value)).collect();
        // The longest first, so that a secret that begins like another is covered whole.
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        patterns.dedup();
        let mut starts = [false; 256];
        for pattern in &patterns {
            if let Some(first) = pattern.first() {
                starts[usize::from(*first)] = true;
            }
        }
        Mask {
            patterns,
            starts,
            held: Vec::new(),
        }
    }

    /// What may be shown of the stream after these bytes; the beginning of a possible secret is held back.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.patterns.is_empty() {
            return bytes.to_vec();
        }
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        let (shown, rest) = self.cover(&input, false);
        self.held = input.split_off(rest);
        shown
    }

    /// What was held back, when nothing follows any more.
    pub fn finish(&mut self) -> Vec<u8> {
        let input = std::mem::take(&mut self.held);
        self.cover(&input, true).0
    }

    fn cover(&self, input: &[u8], last: bool) -> (Vec<u8>, usize) {
        let mut shown = Vec::with_capacity(input.len());
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            if !self.starts[usize::from(*byte)] {
                shown.push(*byte);
                at += 1;
                continue;
            }
            match self.look(&input[at..]) {
                Found::Secret(length) => {
                    shown.extend_from_slice(COVER);
                    at += length;
                }
                Found::Undecided if !last => break,
                Found::Undecided | Found::Nothing => {
                    shown.push(*byte);
                    at += 1;
                }
            }
        }
        (shown, at)
    }

    fn look(&self, input: &[u8]) -> Found {
        let mut undecided = false;
        for pattern in &self.patterns {
            match compare(pattern, input) {
                // A longer pattern that may yet match has precedence.
                Found::Secret(length) if !undecided => return Found::Secret(length),
                Found::Undecided => undecided = true,
                Found::Secret(_) | Found::Nothing => {}
            }
        }
        if undecided {
            Found::Undecided
        } else {
            Found::Nothing
        }
    }
}

/// Compares the pattern with the beginning of the input, passing over line breaks inside of it.
fn compare(pattern: &[u8], input: &[u8]) -> Found {
    /// A secret is not spread over more line breaks in a row than this.
    const BREAKS: usize = 4;
    let mut wanted = pattern.iter();
    let mut next = wanted.next();
    let mut breaks = 0;
    for (at, byte) in input.iter().enumerate() {
        match next {
            None => return Found::Secret(at),
            Some(expected) if expected == byte => {
                next = wanted.next();
                breaks = 0;
            }
            Some(_) if at > 0 && breaks < BREAKS && matches!(byte, b'\n' | b'\r') => breaks += 1,
            Some(_) => return Found::Nothing,
        }
    }
    match next {
        None => Found::Secret(input.len()),
        Some(_) => Found::Undecided,
    }
}

/// All the ways in which a secret may be written.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let whole: String = value
        .trim()
        .chars()
        .filter(|c| !matches!(c, '\n' | '\r'))
        .collect();
    if whole.len() < SHORTEST {
        return found;
    }
    found.extend(url_encoded(value.trim()));
    found.extend(base64_inside(value.trim().as_bytes()));
    found.push(whole.into_bytes());
    // The lines of a key file are as secret as the file, and appear indented or quoted one by one.
    if value.trim().contains('\n') {
        let lines = value.lines().map(str::trim);
        let telling = lines.filter(|line| line.len() >= 16 && !line.starts_with("-----"));
        found.extend(telling.map(|line| line.as_bytes().to_vec()));
    }
    found.retain(|form| form.len() >= SHORTEST);
    found
}

/// Percent-encoded with capital and small digits, with and without what some encoders leave as it is.
fn url_encoded(value: &str) -> Vec<Vec<u8>> {
    let encode = |keep: &str, space: &str, capital: bool| {
        let mut text = String::new();
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte) {
                text.push(char::from(byte));
            } else if byte == b' ' && !space.is_empty() {
                text.push_str(space);
            } else if capital {
                let _ = write!(text, "%{byte:02X}");
            } else {
                let _ = write!(text, "%{byte:02x}");
            }
        }
        text.into_bytes()
    };
    let keeps = [
        ("-_.~", ""),
        ("-_.!~*'()", ""),
        ("*-._", "+"),
        ("-_.~/", ""),
    ];
    let mut all = Vec::new();
    for (keep, space) in keeps {
        for capital in [true, false] {
            all.push(encode(keep, space, capital));
        }
    }
    all
}

/// The part of the base64 text that the value alone decides, for each of the three ways in which it can lie in it.
fn base64_inside(value: &[u8]) -> Vec<Vec<u8>> {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut all = Vec::new();
    for alphabet in [STANDARD, URL] {
        for lead in 0..3_usize {
            let mut bytes = vec![0; lead];
            bytes.extend_from_slice(value);
            let mut sextets = Vec::new();
            for bit in (0..bytes.len() * 8).step_by(6) {
                // A sextet is decided by the value when all of its bits lie in it.
                if bit >= lead * 8 && bit + 6 <= bytes.len() * 8 {
                    sextets.push(alphabet[sextet(&bytes, bit)]);
                }
            }
            all.push(sextets);
        }
    }
    all.retain(|form| form.len() > SHORTEST);
    all
}

fn sextet(bytes: &[u8], bit: usize) -> usize {
    let high = u16::from(bytes.get(bit / 8).copied().unwrap_or(0));
    let low = u16::from(bytes.get(bit / 8 + 1).copied().unwrap_or(0));
    usize::from(((high << 8 | low) >> (10 - bit % 8)) & 0x3f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, pieces: &[&str]) -> String {
        let mut mask = Mask::new(&[secret.to_owned()]);
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(mask.pass(piece.as_bytes()));
        }
        out.extend(mask.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_covered_wherever_it_is_cut() {
        let text = "say hunter2secret twice: hunter2secret!";
        for cut in 0..text.len() {
            let said = masked("hunter2secret", &[&text[..cut], &text[cut..]]);
            assert_eq!(said, "say *** twice: ***!");
        }
        let bytewise: Vec<&str> = text.split_inclusive(|_| true).collect();
        assert_eq!(masked("hunter2secret", &bytewise), "say *** twice: ***!");
    }

    #[test]
    fn base64_is_covered_alone_and_inside_a_longer_text() {
        // base64 of "pass-w0rd!pass", of "user:pass-w0rd!pass" and of "ab:pass-w0rd!pass"
        for text in [
            "cGFzcy13MHJkIXBhc3M=",
            "dXNlcjpwYXNzLXcwcmQhcGFzcw==",
            "YWI6cGFzcy13MHJkIXBhc3M=",
        ] {
            let said = masked("pass-w0rd!pass", &[text]);
            assert!(said.contains("***"), "{said}");
            assert!(said.len() < 14, "{said}");
        }
    }

    #[test]
    fn url_encoding_is_covered() {
        assert_eq!(masked("a b/c+d&e", &["x=a%20b%2Fc%2Bd%26e;"]), "x=***;");
        assert_eq!(masked("a b/c+d&e", &["x=a+b%2Fc%2Bd%26e;"]), "x=***;");
        assert_eq!(masked("a b/c+d&e", &["x=a%20b%2fc%2bd%26e;"]), "x=***;");
    }

    #[test]
    fn line_breaks_inside_a_secret_do_not_uncover_it() {
        assert_eq!(
            masked("hunter2secret", &["a hunter2", "\nsec\r\nret b"]),
            "a *** b"
        );
        assert_eq!(masked("one\ntwo\nthree", &["one\ntwo\nthree\n"]), "***\n");
    }

    #[test]
    fn what_only_begins_like_a_secret_is_shown() {
        assert_eq!(masked("hunter2secret", &["hunter", "2sec"]), "hunter2sec");
        assert_eq!(masked("hunter2secret", &["hhhunter2secret"]), "hh***");
        assert_eq!(masked("abc", &["abc"]), "abc");
    }
}
