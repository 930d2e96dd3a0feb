//! The text format of Prometheus: families with their help and type, and their samples.

use std::fmt::{Display, Write};

/// A text in the making. Writing to memory cannot fail.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample. Label values are escaped; names are plain words.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, said)) in labels.iter().enumerate() {
            let said = said
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{said}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// The samples of one histogram: how many were no longer than each bound, how many there were, and their sum.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)], seconds: &Seconds) {
        let bucket = format!("{name}_bucket");
        let mut within = 0;
        for (bound, count) in BOUNDS.iter().zip(&seconds.counts) {
            within += count;
            let bound = bound.to_string();
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.sample(&bucket, &labels, within);
        }
        let all = seconds.counts.iter().sum::<u64>();
        self.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), all);
        self.sample(
            &format!("{name}_sum"),
            labels,
            seconds.sum_ms as f64 / 1000.0,
        );
        self.sample(&format!("{name}_count"), labels, all);
    }

    /// What somebody else wrote in the same format.
    pub fn append(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }
}

/// The bounds of durations, in seconds: from a skipped build to one that takes half an hour.
const BOUNDS: [f64; 12] = [
    0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1800.0,
];

/// Durations, counted by [`BOUNDS`] and beyond.
#[derive(Debug, Clone, Default)]
pub(super) struct Seconds {
    counts: [u64; BOUNDS.len() + 1],
    sum_ms: u64,
}

impl Seconds {
    /// Counts one more.
    pub fn record(&mut self, ms: u64) {
        let seconds = ms as f64 / 1000.0;
        let at = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.counts[at.unwrap_or(BOUNDS.len())] += 1;
        self.sum_ms += ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped_and_histograms_add_up() {
        let mut text = Text::default();
        text.family("teal_x_seconds", "histogram", "How long.");
        let mut seconds = Seconds::default();
        for ms in [20, 700, 9_000_000] {
            seconds.record(ms);
        }
        text.histogram("teal_x_seconds", &[("app", "a\"b\\c\n")], &seconds);
        let text = text.finish();
        assert!(
            text.contains("{app=\"a\\\"b\\\\c\\n\",le=\"0.05\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("le=\"1\"} 2\n"), "{text}");
        assert!(text.contains("le=\"1800\"} 2\n"), "{text}");
        assert!(text.contains("le=\"+Inf\"} 3\n"), "{text}");
        assert!(text.ends_with("_sum{app=\"a\\\"b\\\\c\\n\"} 9000.72\nteal_x_seconds_count{app=\"a\\\"b\\\\c\\n\"} 3\n"), "{text}");
    }
}
