//! The terminal while something moves on it: a page of its own, no echo, and everything as it was afterwards.

use console::measure_text_width;
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// What somebody pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `q`, or Escape.
    Quit,
    /// Up, or `k`.
    Up,
    /// Down, or `j`.
    Down,
}

/// A terminal that shows a page. Dropped, it shows what it did before.
pub(super) struct Page {
    before: Option<Termios>,
}

impl Page {
    /// Begins.
    pub fn open() -> io::Result<Page> {
        let before = quiet().ok();
        let mut out = io::stdout();
        // The other screen, no cursor, no wrapping: a line that is too long must not push the others down.
        out.write_all(b"\x1b[?1049h\x1b[?25l\x1b[?7l")?;
        out.flush()?;
        Ok(Page { before })
    }

    /// Shows these lines in one go: each is written over the one that was there, and nothing is cleared before.
    pub fn show(&self, lines: &[String], columns: usize) -> io::Result<()> {
        let mut text = String::from("\x1b[?2026h\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            // Behind the last column the cursor stays on it, and would clear it.
            if measure_text_width(line) < columns {
                text.push_str("\x1b[K");
            }
        }
        text.push_str("\x1b[J\x1b[?2026l");
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let mut out = io::stdout();
        // Nobody is left to be told when the terminal is gone.
        let _ = out.write_all(b"\x1b[?7h\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, before);
        }
    }
}

/// Keys come one by one and are not shown; Ctrl-C still interrupts, and Ctrl-Z does not leave the page behind.
fn quiet() -> nix::Result<Termios> {
    let before = termios::tcgetattr(io::stdin())?;
    let mut quiet = before.clone();
    quiet
        .local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    quiet.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
    termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &quiet)?;
    Ok(before)
}

/// What is pressed from now on. The thread ends with the process, which it keeps from nothing.
pub(super) fn keys() -> mpsc::UnboundedReceiver<Key> {
    let (tell, keys) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut pressed = [0; 64];
        while let Ok(count @ 1..) = io::stdin().read(&mut pressed) {
            for key in read(&pressed[..count]) {
                if tell.send(key).is_err() {
                    return;
                }
            }
        }
    });
    keys
}

/// The keys in what a terminal sent. A lone Escape is a key; with more behind it, it is an arrow or none of ours.
fn read(bytes: &[u8]) -> Vec<Key> {
    match bytes {
        b"\x1b" => vec![Key::Quit],
        b"\x1b[A" | b"\x1bOA" => vec![Key::Up],
        b"\x1b[B" | b"\x1bOB" => vec![Key::Down],
        [0x1b, ..] => Vec::new(),
        typed => typed
            .iter()
            .filter_map(|byte| match byte {
                b'q' | b'Q' => Some(Key::Quit),
                b'k' => Some(Key::Up),
                b'j' => Some(Key::Down),
                _ => None,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_letters_and_a_lone_escape_are_keys() {
        assert_eq!(read(b"q"), [Key::Quit]);
        assert_eq!(read(b"\x1b"), [Key::Quit]);
        assert_eq!(read(b"\x1b[B"), [Key::Down]);
        assert_eq!(read(b"jjk"), [Key::Down, Key::Down, Key::Up]);
        assert_eq!(read(b"\x1b[6~"), []);
    }
}
