//! What the steps of a deployment printed, as numbered lines.

use super::ansi::Painter;
use crate::domain::{DeploymentId, Step};
use crate::pipeline::Tools;
use crate::report::Tamer;
use crate::web::api::WITH_LOG;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// At most so many lines of a step are on a page; the newest ones.
const MOST_LINES: usize = 3000;
/// No more than so much of a log is read for a page.
const MOST_BYTES: u64 = 8 << 20;
/// No line is longer on a page.
const LONGEST: usize = 4000;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from one.
    pub number: usize,
    /// What it says, as HTML that is safe to show.
    pub html: String,
    /// What it says.
    text: String,
}

/// The log of one step.
pub(super) struct StepLog {
    /// The step.
    pub step: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
    /// How many lines before these are not shown.
    pub hidden: usize,
}

/// Follows the log of one step: what was written since the last look.
pub(super) struct Tail {
    step: &'static str,
    path: PathBuf,
    at: u64,
    tamer: Tamer,
    painter: Painter,
    rest: Vec<u8>,
    number: usize,
}

impl Tail {
    /// The logs of a deployment, each from its beginning.
    pub fn all(tools: &Tools, id: DeploymentId) -> Vec<Tail> {
        let dir = tools.logs(id);
        WITH_LOG
            .into_iter()
            .map(|step: Step| Tail {
                step: step.as_str(),
                path: dir.join(format!("{step}.log")),
                at: 0,
                tamer: Tamer::default(),
                painter: Painter::default(),
                rest: Vec::new(),
                number: 0,
            })
            .collect()
    }

    /// Whose it is.
    pub fn step(&self) -> &'static str {
        self.step
    }

    /// The whole lines that are new; with `last`, also one that is not ended yet. A log that is not there has none.
    pub fn look(&mut self, last: bool) -> Vec<Line> {
        // What cannot be read now is read at the next look.
        let fresh = self.read().unwrap_or_default();
        let tame = self.tamer.tame(&fresh);
        self.rest.extend_from_slice(&tame);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(self.line(&line[..end]));
        }
        if last && !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            lines.push(self.line(&line));
        }
        lines
    }

    fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut fresh = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut fresh)?;
        self.at += fresh.len() as u64;
        Ok(fresh)
    }

    fn line(&mut self, bytes: &[u8]) -> Line {
        self.number += 1;
        let text = String::from_utf8_lossy(bytes);
        let mut short: String = text.chars().take(LONGEST).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        Line {
            number: self.number,
            html: self.painter.line(&short),
            text: short,
        }
    }
}

/// The logs of a deployment's steps; with words, only the lines that contain them in whatever case.
pub(super) fn read(tools: &Tools, id: DeploymentId, words: &str) -> Vec<StepLog> {
    let words = words.trim().to_lowercase();
    Tail::all(tools, id)
        .into_iter()
        .map(|mut tail| {
            let mut lines = tail.look(true);
            lines.retain(|line| words.is_empty() || line.text.to_lowercase().contains(&words));
            let hidden = lines.len().saturating_sub(MOST_LINES);
            StepLog {
                step: tail.step(),
                lines: lines.split_off(hidden),
                hidden,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(path: PathBuf) -> Tail {
        Tail {
            step: "build",
            path,
            at: 0,
            tamer: Tamer::default(),
            painter: Painter::default(),
            rest: Vec::new(),
            number: 0,
        }
    }

    #[test]
    fn a_log_is_followed_by_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("build.log");
        let mut tail = tail(path.clone());
        assert_eq!(tail.look(true), []);
        std::fs::write(&path, "one\ntw").unwrap();
        let html = |lines: Vec<Line>| lines.into_iter().map(|l| l.html).collect::<Vec<_>>();
        assert_eq!(html(tail.look(false)), ["one"]);
        std::fs::write(&path, "one\ntwo <i>\nthree").unwrap();
        assert_eq!(html(tail.look(false)), ["two &lt;i&gt;"]);
        let last = tail.look(true);
        assert_eq!((last[0].number, last[0].html.as_str()), (3, "three"));
    }
}
