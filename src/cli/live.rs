//! The one line that moves: what runs now, and for how long. It exists on terminals only.

use super::screen::Screen;
use crate::report::{Line, duration};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(100);

/// The line that moves, if there is one.
#[derive(Default)]
pub(super) struct Live {
    bar: Option<ProgressBar>,
}

impl Live {
    /// Shows what runs, since so long.
    pub fn begin(&mut self, screen: &Screen, what: &str, since: Duration) {
        self.end();
        // The template is known to be right; were it not, nothing would move and all lines would still stand.
        let style = ProgressStyle::with_template("{spinner} {msg:<9} {took:>8}");
        if let (true, Ok(style)) = (screen.is_terminal(), style) {
            let style = style.with_key("took", took);
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout())
                .with_style(style)
                .with_message(what.to_owned())
                .with_elapsed(since);
            bar.enable_steady_tick(TICK);
            self.bar = Some(bar);
        }
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Prints a line that stays, above the one that moves.
    pub fn say(&self, screen: &mut Screen, line: &Line) {
        match &self.bar {
            Some(bar) => bar.suspend(|| screen.line(line)),
            None => screen.line(line),
        }
    }
}

/// How long it has run, in the words in which it will be told when it has ended.
fn took(state: &ProgressState, to: &mut dyn Write) {
    let ms = u64::try_from(state.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Writing into the line cannot fail.
    let _ = to.write_str(&duration(ms));
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}
