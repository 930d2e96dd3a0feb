//! The clock: names of backups, deadlines of freezes and signatures depend on it.

use crate::system::clock;
use crate::web::types::{Finding, Status};

const AREA: &str = "clock";

/// Whether somebody keeps the clock right, and whether it has been set back.
pub(super) fn look(status: Option<&Status>) -> Vec<Finding> {
    let now = clock::now_ms();
    let newest = status.and_then(newest);
    let mut found = vec![kept(clock::is_synchronized(), &clock::local(now))];
    found.extend(newest.and_then(|newest| set_back(now, newest)));
    found
}

fn kept(synchronized: Option<bool>, now: &str) -> Finding {
    match synchronized {
        Some(true) => Finding::good(AREA, format!("{now}, kept right by the network")),
        Some(false) => Finding::warning(
            AREA,
            format!(
                "{now}, and nobody keeps it right: forges refuse what is signed at a wrong time"
            ),
            "timedatectl set-ntp true, or install chrony",
        ),
        None => Finding::unknown(
            AREA,
            format!("{now}; the kernel does not say whether somebody keeps it right"),
            "compare it: date -u; curl -sI https://example.com | grep -i ^date",
        ),
    }
}

fn newest(status: &Status) -> Option<i64> {
    let all = status.environments.iter();
    let last = all.filter_map(|env| env.last.as_ref());
    last.map(|last| last.ended_ms.unwrap_or(last.created_ms))
        .max()
}

fn set_back(now: i64, newest: i64) -> Option<Finding> {
    const SLACK: i64 = 5_000;
    (newest > now + SLACK).then(|| {
        let what = format!(
            "the last deployment ended at {}, which is still to come: the clock was set back",
            clock::local(newest)
        );
        Finding::warning(AREA, what, "set the clock right: timedatectl")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::Health;

    #[test]
    fn a_clock_that_nobody_keeps_or_that_was_set_back_is_told() {
        let health = |kept: Finding| kept.health;
        assert_eq!(health(kept(Some(true), "now")), Health::Good);
        assert_eq!(health(kept(Some(false), "now")), Health::Warning);
        assert_eq!(health(kept(None, "now")), Health::Unknown);
        assert_eq!(set_back(10_000, 12_000), None);
        assert!(set_back(10_000, 99_000).is_some());
    }
}
