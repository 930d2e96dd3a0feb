use super::nothing_to_run::NothingToRun;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be used. The text is complete: it names the file, the place and what to write instead, and
/// never repeats the value of a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// None of the usual places has a file.
    #[error("there is no teal.toml: looked for {}; name one with `--config`, or let `teal init` write one", list(.looked))]
    NotFound {
        /// The places that were tried, in order.
        looked: Vec<PathBuf>,
    },
    /// The file itself cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{0}")]
    Mistake(Box<Mistake>),
    /// The repository does not tell how the app is started.
    #[error("{0}")]
    NothingToRun(Box<NothingToRun>),
    /// The ports that an environment needs are not free for it.
    #[error("{0}")]
    Ports(String),
}

/// Something wrong at one place of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
    /// The line as it may be shown: without control characters and without values that may be secrets.
    pub excerpt: String,
    /// The column of `excerpt` that is pointed at; another one than `column` when the line is cut before it.
    pub caret: usize,
    /// How many characters of `excerpt` are pointed at.
    pub width: usize,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string().len();
        let file = self.file.display();
        writeln!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{} | {}", self.line, self.excerpt)?;
        let indent = self.caret.saturating_sub(1);
        write!(
            f,
            "{:gutter$} | {:indent$}{}",
            "",
            "",
            "^".repeat(self.width)
        )?;
        match &self.help {
            Some(help) => write!(f, " {help}"),
            None => Ok(()),
        }
    }
}

impl Mistake {
    /// What is wrong at a byte range of the text. With `hide`, nothing behind the range's end is shown.
    pub(super) fn new(file: &Path, text: &str, at: Range<usize>, message: String) -> Self {
        let start = floor_char(text, at.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let column = text[line_start..start].chars().count() + 1;
        let end = floor_char(text, at.end).clamp(start, line_end);
        let mut mistake = Mistake {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column,
            message,
            help: None,
            excerpt: String::new(),
            caret: column,
            width: text[start..end].chars().count().max(1),
        };
        let line = if inside_multiline_string(&text[..line_start]) {
            "…"
        } else {
            text[line_start..line_end].trim_end()
        };
        mistake.show(&without_secrets(line));
        mistake
    }

    /// Cuts the shown line behind what is meant, because what follows may be a secret.
    pub(super) fn hide_rest(mut self) -> Self {
        let kept = self.caret - 1 + self.width;
        if self.excerpt.chars().count() > kept {
            let start: String = self.excerpt.chars().take(kept).collect();
            self.excerpt = format!("{start} …");
        }
        self
    }

    /// Cuts the shown line behind the key's `=`, because an unknown key may have been meant as the name of a secret.
    pub(super) fn hide_value(mut self) -> Self {
        let start: String = self.excerpt.chars().take(self.caret - 1).collect();
        if let Some(equals) = self.excerpt[start.len()..].find('=') {
            self.excerpt.truncate(start.len() + equals + 1);
            self.excerpt.push_str(" …");
        }
        self
    }

    /// Keeps a line that fits a terminal: control characters replaced, the caret inside.
    fn show(&mut self, line: &str) {
        const WIDEST: usize = 140;
        let clean: Vec<char> = line.chars().map(harmless).collect();
        let shown = clean.len().min(WIDEST);
        self.excerpt = clean[..shown].iter().collect();
        if clean.len() > WIDEST {
            self.excerpt.push('…');
        }
        let last = self.excerpt.chars().count().max(1);
        // One column behind the line is where something is missing; farther behind, the line was cut.
        if self.caret > last + 1 {
            self.caret = last;
        }
        self.width = self.width.min((last + 1).saturating_sub(self.caret).max(1));
    }
}

/// The largest index up to `at` that is a character boundary of the text.
fn floor_char(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Whether the text ends within `"""…"""` or `'''…'''`. A line in there may be the middle of a secret.
fn inside_multiline_string(before: &str) -> bool {
    before.matches("\"\"\"").count() % 2 == 1 || before.matches("'''").count() % 2 == 1
}

/// The line without what stands behind a key that names a secret.
fn without_secrets(line: &str) -> String {
    const WORDS: [&str; 4] = ["secret", "token", "password", "key"];
    let lower = line.to_ascii_lowercase();
    let first = WORDS.iter().filter_map(|word| lower.find(word)).min();
    let value = first.and_then(|word| line[word..].find('=').map(|equals| word + equals + 1));
    match value {
        Some(value) => format!("{} …", &line[..value]),
        None => line.to_owned(),
    }
}

/// The text as it may be shown: one line, nothing that moves the cursor or turns the writing, 80 characters at most.
pub(super) fn shown(text: &str) -> String {
    let mut line: String = text.chars().take(80).map(harmless).collect();
    if text.chars().count() > 80 {
        line.push('…');
    }
    line
}

/// The character, or a replacement for one that would change how the rest of the line is displayed.
pub(super) fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}
