use super::error::harmless;
use super::{OnSwitch, Process, Recipe};
use std::fmt::Write;

/// The order in which a deployment meets the values.
const ORDER: &[&str] = &[
    "dir",
    "path",
    "build.install",
    "build.lockfiles",
    "build.deps",
    "build.build",
    "build.outputs",
    "build.test",
    "build.ignore",
    "build.env",
    "migrate.command",
    "migrate.inputs",
    "migrate.backup",
    "run.web",
    "run.",
    "run.shared",
    "run.before",
    "run.after",
    "health.path",
    "health.expect",
    "health.timeout",
    "timeouts.install",
    "timeouts.build",
    "timeouts.test",
    "timeouts.migrate",
    "timeouts.hooks",
];

/// A longer value does not push the origins of the others to the right.
const WIDEST: usize = 56;

impl Recipe {
    /// The table that `teal plan` prints: key, value and where it came from, then what people should know.
    pub fn explain(&self) -> String {
        let mut rows: Vec<(usize, &str, String, String)> = self
            .origins
            .iter()
            .map(|(key, origin)| {
                (
                    rank(key),
                    key.as_str(),
                    clean(&origin.value),
                    clean(&origin.from),
                )
            })
            .collect();
        rows.sort();
        let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
        let keys = widest(&mut rows.iter().map(|row| row.1.chars().count()));
        let fitting = rows.iter().map(|row| row.2.chars().count());
        let values = widest(&mut fitting.filter(|width| *width <= WIDEST));
        let mut text = String::new();
        for (_, key, value, from) in &rows {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{key:keys$}  {value:values$}  {from}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {}", clean(warning));
        }
        text
    }
}

impl Process {
    /// The process in one line, for people.
    pub(super) fn text(&self) -> String {
        let mut text = self.command.clone();
        match self.on_switch {
            OnSwitch::Overlap => {}
            OnSwitch::Handover => text.push_str(" (handover)"),
            OnSwitch::Exclusive => text.push_str(" (exclusive)"),
        }
        if self.count > 1 {
            let _ = write!(text, " ×{}", self.count);
        }
        text
    }
}

fn rank(key: &str) -> usize {
    let place = |word: &str| ORDER.iter().position(|other| *other == word);
    let group = || place(&format!("{}.", key.split('.').next()?));
    place(key).or_else(group).unwrap_or(ORDER.len())
}

/// One line, with nothing in it that moves the cursor; a command of several lines shows where they end.
fn clean(text: &str) -> String {
    if text.is_empty() {
        return "–".to_owned();
    }
    text.replace('\n', " ⏎ ").chars().map(harmless).collect()
}
