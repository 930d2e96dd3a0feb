//! Where commands print: stdout, with colours where somebody looks and plain lines where a program reads.

use super::failure::{CliError, Code};
use super::paint::Paint;
use super::table::{Table, hung};
use crate::report::{Line, Tone};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Where a command prints.
pub(super) struct Screen {
    /// Whether a program wants JSON.
    pub json: bool,
    paint: Paint,
    errors: Paint,
    is_terminal: bool,
    columns: Option<usize>,
    out: Box<dyn Write>,
    trouble: Option<io::Error>,
}

impl Screen {
    /// The screen of this process.
    pub fn of_process(json: bool) -> Screen {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colours = !set("NO_COLOR") && !is_dumb;
        let is_terminal = io::stdout().is_terminal() && !is_dumb;
        let size = console::Term::stdout().size_checked();
        Screen {
            json,
            paint: Paint {
                colour: colours && is_terminal && !json,
            },
            errors: Paint {
                colour: colours && io::stderr().is_terminal(),
            },
            is_terminal,
            columns: size
                .map(|(_, columns)| usize::from(columns))
                .filter(|_| is_terminal),
            out: Box::new(io::stdout()),
            trouble: None,
        }
    }

    /// Whether somebody looks, so that a line may move.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal && !self.json
    }

    /// Whether nobody reads any more.
    pub fn is_gone(&self) -> bool {
        self.trouble.is_some()
    }

    /// What kept a part of the output from arriving. A reader that had enough (`teal history | head`) is no trouble.
    pub fn trouble(&mut self) -> Option<io::Error> {
        self.trouble
            .take()
            .filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.trouble.is_none() {
            let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
            self.trouble = written.err();
        }
    }

    /// Prints a line.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.bytes(format!("{}\n", text.as_ref()).as_bytes());
    }

    /// Prints a line in its tone, on as many lines as the terminal needs for it.
    pub fn line(&mut self, line: &Line) {
        for part in hung(&line.text, self.columns) {
            let painted = self.paint.apply(line.tone, &part);
            self.say(painted);
        }
    }

    /// The text in its tone, to be part of a line.
    pub fn painted(&self, tone: Tone, text: &str) -> String {
        self.paint.apply(tone, text)
    }

    /// How tones look here.
    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// How wide the terminal is; nothing where nobody looks.
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Prints a table, as wide as the terminal; where nobody looks nothing is cut.
    pub fn table(&mut self, table: &Table) {
        for line in table.render(self.columns, self.paint) {
            self.say(line);
        }
    }

    /// Prints a JSON document on several lines.
    pub fn document(&mut self, value: &impl Serialize) -> Result<Code, CliError> {
        let text = serde_json::to_string_pretty(value);
        self.say(text.map_err(|error| CliError::local("cannot write JSON", error.into()))?);
        Ok(Code::Done)
    }

    /// Prints one line of a stream of JSON documents.
    pub fn record(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value);
        self.say(text.map_err(|error| CliError::local("cannot write JSON", error.into()))?);
        Ok(())
    }

    /// Says on stderr what went wrong.
    pub fn fail(&self, error: &CliError) {
        let text = if self.json {
            let record = serde_json::json!({
                "error": error.to_string(),
                "next": error.next(),
                "code": error.code() as u8,
            });
            record.to_string()
        } else {
            failure(error, self.errors)
        };
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Says something on stderr that belongs to no output.
    pub fn aside(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", self.errors.apply(Tone::Quiet, text));
    }
}

/// The error as people read it. A mistake in a configuration is complete as it is.
fn failure(error: &CliError, paint: Paint) -> String {
    let next = error
        .next()
        .map_or_else(String::new, |next| format!("\n  next: {next}"));
    match error {
        CliError::Config(error) => error.to_string(),
        error => format!("{} {error}{next}", paint.apply(Tone::Bad, "error:")),
    }
}

#[cfg(test)]
pub(super) use testing::{Paper, said};

#[cfg(test)]
mod testing {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// The error as it stands on stderr.
    pub fn said(error: &CliError) -> String {
        failure(error, Paint::default())
    }

    /// What was printed, to look at.
    #[derive(Clone, Default)]
    pub struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        /// A screen that prints here, as if piped.
        pub fn screen(&self, json: bool) -> Screen {
            Screen {
                json,
                paint: Paint::default(),
                errors: Paint::default(),
                is_terminal: false,
                columns: None,
                out: Box::new(self.clone()),
                trouble: None,
            }
        }

        /// All of it.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn tones_are_colours_only_where_there_are_colours() {
        let paint = |colour| Paint { colour };
        assert_eq!(paint(true).apply(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(paint(true).apply(Tone::Plain, "x"), "x");
        assert_eq!(paint(false).apply(Tone::Bad, "x"), "x");
    }
}
