//! The last lines of a command's output, fit for a terminal, a page or a message.

use std::collections::VecDeque;

const LINES: usize = 20;
const WIDTH: usize = 300;
/// Bytes of one line that are looked at; what follows could not be shown anyway.
const LONGEST: usize = 16 * 1024;

/// How many lines of the first error are kept when the last lines do not reach back to it.
const HEAD: usize = 8;

/// Keeps the last lines of what passes.
#[derive(Default)]
pub(in crate::service) struct Tail {
    lines: VecDeque<String>,
    open: Vec<u8>,
    first_error: Option<FirstError>,
    /// How many lines like each of `lines` were dropped for it; kept when likes are folded.
    folded: Option<VecDeque<usize>>,
    count: usize,
}

/// Where the first error begins, and how it reads. Package managers and compilers name the cause there, and go on with
/// pages of advice.
#[derive(Default)]
struct FirstError {
    at: usize,
    lines: Vec<String>,
}

impl Tail {
    /// Keeps the beginning of the first error too.
    pub fn with_first_error() -> Tail {
        Tail {
            first_error: Some(FirstError::default()),
            ..Tail::default()
        }
    }

    /// Keeps one of the lines that differ in their numbers only, so that a service's entries about probes do not push out
    /// what it said before them.
    pub fn folding() -> Tail {
        Tail {
            folded: Some(VecDeque::new()),
            ..Tail::default()
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.open.len());
            let ends = piece.ends_with(b"\n");
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.close();
            }
        }
    }

    pub fn finish(mut self) -> Vec<String> {
        self.close();
        let folded = self.folded.unwrap_or_default().into_iter();
        let more = folded.chain(std::iter::repeat(0));
        let with_likes = |(line, more): (String, usize)| match more {
            0 => line,
            more => format!("{line} ({more} more like it)"),
        };
        let mut last: Vec<String> = self.lines.into_iter().zip(more).map(with_likes).collect();
        let Some(first) = self.first_error.filter(|first| !first.lines.is_empty()) else {
            return last;
        };
        if first.at >= self.count - last.len() {
            return last;
        }
        // The last lines are often advice: the cause and the end share the room.
        let room = LINES - first.lines.len() - 1;
        let from = self.count - room.min(last.len());
        let gap = from.saturating_sub(first.at + first.lines.len());
        last.drain(..last.len().saturating_sub(room));
        let gap = (gap > 0).then(|| format!("… {gap} lines left out"));
        first.lines.into_iter().chain(gap).chain(last).collect()
    }

    fn close(&mut self) {
        let line = readable(&self.open);
        self.open.clear();
        if line.trim().is_empty() {
            return;
        }
        if let Some(first) = &mut self.first_error {
            first.see(self.count, &line);
        }
        self.count += 1;
        if let Some(folded) = &mut self.folded {
            let like = self.lines.iter().position(|kept| alike(kept, &line));
            let more = like.and_then(|at| {
                self.lines.remove(at);
                folded.remove(at)
            });
            folded.push_back(more.map_or(0, |more| more + 1));
            if folded.len() > LINES {
                folded.pop_front();
            }
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// Whether two lines say the same but for their numbers. Short ones are not compared: a closing brace is like any other.
fn alike(one: &str, other: &str) -> bool {
    const SHORT: usize = 24;
    let words =
        |text: &'_ str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    one.len() >= SHORT && other.len() >= SHORT && words(one) == words(other)
}

impl FirstError {
    fn see(&mut self, number: usize, line: &str) {
        match self.lines.len() {
            0 if tells_an_error(line) => self.at = number,
            0 | HEAD.. => return,
            _ => {}
        }
        self.lines.push(line.to_owned());
    }
}

/// Whether a line reads like the beginning of an error, in the words of the tools that builds run.
fn tells_an_error(line: &str) -> bool {
    let line = line.trim_start();
    let begins = [
        "npm error code",
        "npm ERR! code",
        "error",
        "Error",
        "ERROR",
        "ERR_",
        "fatal:",
        "Traceback",
        "panic:",
        "FAIL",
        "✘",
        "✗",
    ];
    let contains = [
        ": error",
        " - error ",
        "Error: ",
        " ERR! ",
        "' panicked at",
        " ERROR ",
    ];
    begins.iter().any(|word| line.starts_with(word))
        || contains.iter().any(|word| line.contains(word))
}

/// One line without colours, cursor movements, control characters and marks that turn the writing direction. Of a line
/// that was overwritten in place (a progress bar) the last state is kept.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut clean = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => clean.push(' '),
            c if c.is_control() || turns_direction(c) => {}
            c => clean.push(c),
        }
    }
    let mut cut: String = clean.chars().take(WIDTH).collect();
    if cut.len() < clean.len() {
        cut.push('…');
    }
    cut
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // A control sequence goes on to its final letter.
        Some('[') => {
            chars.find(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        // A command to the terminal goes on to BEL or to ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let mut before = ' ';
            chars.find(|c| {
                let ends = *c == '\u{7}' || (before == '\u{1b}' && *c == '\\');
                before = *c;
                ends
            });
        }
        // Two-letter forms name a character set.
        Some('(' | ')' | '*' | '+' | '#') => {
            chars.next();
        }
        _ => {}
    }
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_bars_and_foreign_bytes_become_text() {
        assert_eq!(readable(b"\x1b[31merror\x1b[0m: x"), "error: x");
        assert_eq!(readable(b"10 %\r20 %\r30 %\r"), "30 %");
        assert_eq!(readable(b"\x1b]0;title\x07ok\x08\x00"), "ok");
        assert_eq!(readable(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(readable("a\u{202e}b".as_bytes()), "ab");
    }

    #[test]
    fn the_last_lines_are_kept_and_cut() {
        let mut tail = Tail::default();
        for n in 0..100 {
            tail.push(format!("line {n}\n\n").as_bytes());
        }
        tail.push(&[b'x'; 1000]);
        let lines = tail.finish();
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[0], "line 81");
        assert_eq!(lines[19].chars().count(), 301);
    }

    #[test]
    fn the_first_error_is_kept_when_pages_of_advice_follow() {
        let mut tail = Tail::with_first_error();
        tail.push(b"npm warn deprecated\nnpm error code EUSAGE\nnpm error\nnpm error Missing: a from lock file\n");
        for n in 0..100 {
            tail.push(format!("npm error   --advice {n}\n").as_bytes());
        }
        let lines = tail.finish();
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[0], "npm error code EUSAGE");
        assert_eq!(lines[2], "npm error Missing: a from lock file");
        assert_eq!(lines[8], "… 84 lines left out");
        assert_eq!(lines[9], "npm error   --advice 89");
        assert_eq!(lines[19], "npm error   --advice 99");
    }

    #[test]
    fn an_error_among_the_last_lines_is_told_once() {
        let mut tail = Tail::with_first_error();
        tail.push(b"> build\nsrc/a.ts:9:7 - error TS2322: no\nFound 1 error.\n");
        let lines = tail.finish();
        assert_eq!(
            lines,
            [
                "> build",
                "src/a.ts:9:7 - error TS2322: no",
                "Found 1 error."
            ]
        );

        let mut tail = Tail::with_first_error();
        tail.push(b"error: no\n");
        for n in 0..22 {
            tail.push(format!("line {n}\n").as_bytes());
        }
        let lines = tail.finish();
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[..2], ["error: no", "line 0"]);
        assert_eq!(lines[8..10], ["… 4 lines left out", "line 11"]);
    }

    #[test]
    fn lines_about_probes_leave_room_for_what_was_said_before() {
        let mut tail = Tail::folding();
        tail.push(b"2026-11-23T06:35:09.100Z cannot reach the database\n");
        for n in 10..60 {
            tail.push(format!("2026-11-23T06:35:{n}.000Z \"GET /health\" 500\n}}\n").as_bytes());
        }
        let lines = tail.finish();
        assert_eq!(
            lines[lines.len() - 2],
            "2026-11-23T06:35:59.000Z \"GET /health\" 500 (49 more like it)"
        );
        assert!(lines.len() <= 20);
        let mut tail = Tail::folding();
        tail.push(b"2026-11-23T06:35:09.100Z cannot reach the database\n");
        for n in 10..60 {
            tail.push(format!("2026-11-23T06:35:{n}.000Z \"GET /health\" 500\n").as_bytes());
        }
        assert_eq!(
            tail.finish(),
            [
                "2026-11-23T06:35:09.100Z cannot reach the database",
                "2026-11-23T06:35:59.000Z \"GET /health\" 500 (49 more like it)"
            ]
        );
    }
}
