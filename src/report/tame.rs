//! What strangers wrote (subjects, refs, a service's output) on its way to a terminal: nothing of it may move the
//! cursor, write to the clipboard or change the title. Colours may pass.

/// A stranger's words on one line, without control characters, at most so many characters long.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).map(harmless).collect();
    if text.chars().count() > most {
        line.push('…');
    }
    line
}

/// The character, or a replacement for one that would change how the rest of the line is displayed.
fn harmless(c: char) -> char {
    match c {
        '\t' | '\n' => ' ',
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Tames a stream of output in pieces of any size.
#[derive(Debug, Default)]
pub struct Tamer {
    state: State,
    is_coloured: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    /// Behind a carriage return, which is a new line unless one follows.
    Return,
    /// Behind `ESC`.
    Escape,
    /// Behind `ESC [`, with its parameters.
    Sequence(Vec<u8>),
    /// Within a sequence that is no colour, until its final byte.
    Private,
    /// Within a string for the terminal (title, clipboard), until it ends.
    Hidden,
    /// Within such a string, behind an `ESC`.
    HiddenEscape,
    /// Behind the first byte of a two-byte character that may be a control character.
    C1,
}

impl Tamer {
    /// The part of this piece that may be shown.
    pub fn tame(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(piece.len());
        for byte in piece {
            self.take(*byte, &mut shown);
        }
        shown
    }

    /// What has to follow the last piece.
    pub fn end(self) -> &'static [u8] {
        if self.is_coloured { b"\x1b[0m" } else { b"" }
    }

    fn take(&mut self, byte: u8, shown: &mut Vec<u8>) {
        self.state = match (std::mem::take(&mut self.state), byte) {
            (State::Return, b'\n') => {
                shown.push(b'\n');
                State::Text
            }
            (State::Return, byte) => {
                shown.push(b'\n');
                plain(byte, shown)
            }
            (State::Text, byte) => plain(byte, shown),
            (State::Escape, b'[') => State::Sequence(Vec::new()),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Hidden,
            // `ESC` with intermediate bytes goes on until its final byte.
            (State::Escape, 0x20..=0x2f) => State::Escape,
            (State::Escape, b'\n') => plain(b'\n', shown),
            (State::Escape, _) => State::Text,
            (State::Sequence(parameters), byte) => self.sequence(parameters, byte, shown),
            (State::Private, 0x20..=0x3f) => State::Private,
            (State::Private, b'\n' | 0x1b) => plain(byte, shown),
            (State::Private, _) => State::Text,
            // A string that does not end with its line was none.
            (State::Hidden | State::HiddenEscape, b'\n') => plain(b'\n', shown),
            (State::Hidden, 0x07) | (State::HiddenEscape, b'\\') => State::Text,
            (State::Hidden, 0x1b) => State::HiddenEscape,
            (State::Hidden | State::HiddenEscape, _) => State::Hidden,
            (State::C1, 0x80..=0x9f) => State::Text,
            (State::C1, byte) => {
                shown.push(0xc2);
                plain(byte, shown)
            }
        };
    }

    fn sequence(&mut self, mut parameters: Vec<u8>, byte: u8, shown: &mut Vec<u8>) -> State {
        match byte {
            b'0'..=b'9' | b';' | b':' if parameters.len() < 40 => {
                parameters.push(byte);
                State::Sequence(parameters)
            }
            b'm' => {
                shown.extend_from_slice(b"\x1b[");
                shown.extend_from_slice(&parameters);
                shown.push(b'm');
                self.is_coloured = true;
                State::Text
            }
            // Private parameters and intermediate bytes (`ESC [ ? 1049 h`) are swallowed up to the final byte; an `m`
            // behind them (`ESC [ > 4 ; 2 m`) is no colour.
            0x20..=0x3f => State::Private,
            b'\n' | 0x1b => plain(byte, shown),
            _ => State::Text,
        }
    }
}

fn plain(byte: u8, shown: &mut Vec<u8>) -> State {
    match byte {
        b'\r' => return State::Return,
        0x1b => return State::Escape,
        0xc2 => return State::C1,
        b'\n' | b'\t' | 0x20..=0x7e | 0x80.. => shown.push(byte),
        // The other control characters show nothing and may ring.
        _ => {}
    }
    State::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tamed(text: &str) -> String {
        let mut whole = Tamer::default();
        let at_once = whole.tame(text.as_bytes());
        let mut pieces = Tamer::default();
        let one_by_one: Vec<u8> = text.bytes().flat_map(|byte| pieces.tame(&[byte])).collect();
        assert_eq!(at_once, one_by_one);
        String::from_utf8(at_once).unwrap()
    }

    #[test]
    fn colours_pass_and_nothing_else_does() {
        for (raw, shown) in [
            ("a\x1b[31mred\x1b[0m", "a\x1b[31mred\x1b[0m"),
            ("a\x1b[2J\x1b[1;1Hb", "ab"),
            ("a\x1b[?1049hb", "ab"),
            ("a\x1b[>4;2mb", "ab"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]52;c;aGk=\x1b\\b", "ab"),
            ("a\x1bPq\x1b\\b", "ab"),
            ("a\x1b(0b", "ab"),
            ("a\u{9b}2Jb", "a2Jb"),
            ("10 %\r20 %\r\nend", "10 %\n20 %\nend"),
            ("ä é ° 漢\ttab\x07\x08", "ä é ° 漢\ttab"),
            ("a\x1b]never ends\nb", "a\nb"),
        ] {
            assert_eq!(tamed(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn a_subject_stays_on_its_line() {
        assert_eq!(one_line("a\nb\x1b[31mc", 80), "a b\u{fffd}[31mc");
        assert_eq!(one_line("abcdef", 3), "abc…");
    }
}
