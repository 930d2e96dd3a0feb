//! The one line that moves: what runs now, and for how long. It exists on terminals only.

use super::screen::Screen;
use crate::report::Line;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
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
        // The template is known to be right; without a style the default one would be shown.
        let style = ProgressStyle::with_template("{spinner} {msg:<9} {elapsed:>8}");
        if let (true, Ok(style)) = (screen.is_terminal(), style) {
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

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}
