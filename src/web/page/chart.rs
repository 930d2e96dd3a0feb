//! Durations over time: one mark per deployment, in the order in which they ran.

use super::shell::word;
use crate::domain::{Deployment, DeploymentId, State};
use crate::report::duration;

/// The width of the chart, in its own units.
const WIDE: i64 = 720;
/// Its height.
const HIGH: i64 = 120;
/// What is left free at each side.
const EDGE: i64 = 10;

/// The chart.
pub(super) struct Chart {
    /// Its width.
    pub wide: i64,
    /// Its height.
    pub high: i64,
    /// One mark per deployment, oldest first.
    pub marks: Vec<Mark>,
    /// The longest duration, in words.
    pub longest: String,
    /// The one in the middle, in words.
    pub median: String,
    /// Where that is.
    pub median_y: i64,
}

/// A deployment in the chart.
pub(super) struct Mark {
    /// Which.
    pub id: DeploymentId,
    /// Where.
    pub x: i64,
    /// How long it took.
    pub y: i64,
    /// Its shape: `good`, `bad` or `other`.
    pub kind: &'static str,
    /// What it says when it is pointed at.
    pub told: String,
}

/// Draws deployments that ended, newest first.
pub(super) fn draw(newest_first: &[Deployment]) -> Option<Chart> {
    let took: Vec<(&Deployment, u64)> = newest_first
        .iter()
        .rev()
        .filter_map(|one| Some((one, took_ms(one)?)))
        .collect();
    if took.len() < 3 {
        return None;
    }
    let longest = took.iter().map(|(_, ms)| *ms).max()?.max(1);
    let mut sorted: Vec<u64> = took.iter().map(|(_, ms)| *ms).collect();
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2];
    let y = |ms: u64| {
        let part = ms as f64 / longest as f64 * (HIGH - 2 * EDGE) as f64;
        HIGH - EDGE - part as i64
    };
    let step = (WIDE - 2 * EDGE) as f64 / (took.len() - 1) as f64;
    let marks = took.iter().enumerate().map(|(at, (one, ms))| Mark {
        id: one.id,
        x: EDGE + (at as f64 * step) as i64,
        y: y(*ms),
        kind: match one.state {
            State::Live => "good",
            State::Failed | State::RolledBack | State::Interrupted => "bad",
            _ => "other",
        },
        told: format!(
            "{} {}: {} after {}",
            one.env,
            one.id,
            word(one.state),
            duration(*ms)
        ),
    });
    Some(Chart {
        wide: WIDE,
        high: HIGH,
        marks: marks.collect(),
        longest: duration(longest),
        median: duration(median),
        median_y: y(median),
    })
}

/// From leaving the queue to the switch, or to the end of what never came so far.
pub(super) fn took_ms(one: &Deployment) -> Option<u64> {
    let from = one.started_ms?;
    let to = one.switched_ms.or(one.ended_ms)?;
    u64::try_from(to - from).ok()
}
