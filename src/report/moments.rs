//! Moments and spans as people read them in a table.

use crate::system::clock;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A span in one number: `42 s`, `5 min`, `3 h`, `12 d`.
pub fn span(ms: i64) -> String {
    match ms.max(0) {
        ms if ms < MINUTE => format!("{} s", ms / SECOND),
        ms if ms < HOUR => format!("{} min", ms / MINUTE),
        ms if ms < 2 * DAY => format!("{} h", ms / HOUR),
        ms => format!("{} d", ms / DAY),
    }
}

/// A moment in the past: `3 h ago`; its date when that is long ago.
pub fn ago(now_ms: i64, at_ms: i64) -> String {
    match now_ms - at_ms {
        passed if passed < SECOND => "just now".to_owned(),
        passed if passed < 30 * DAY => format!("{} ago", span(passed)),
        _ => clock::local(at_ms).chars().take(10).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let shown = [-5, 999, 42 * SECOND, 5 * MINUTE, 47 * HOUR, 12 * DAY].map(span);
        assert_eq!(shown, ["0 s", "0 s", "42 s", "5 min", "47 h", "12 d"]);
    }

    #[test]
    fn the_past_is_relative_until_it_is_far() {
        let now = 1_795_000_000_000;
        assert_eq!(ago(now, now - 200), "just now");
        assert_eq!(ago(now, now - 3 * HOUR), "3 h ago");
        assert_eq!(ago(now, now - 60 * DAY).len(), "2026-09-19".len());
    }
}
