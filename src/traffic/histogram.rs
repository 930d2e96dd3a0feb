//! Latencies as counts per bucket: exact below 32 µs, within 3 % above, small enough to send over a socket and to
//! subtract one snapshot from another.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Each power of two is cut into this many equal buckets.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// The longest time that has a bucket of its own: 2^36 µs, about 19 hours.
const LAST_BIT: u32 = 36;

/// How many buckets there are.
pub const BUCKETS: usize = ((LAST_BIT - STEP_BITS + 1) as u64 * STEPS) as usize;

/// The bucket that a latency in microseconds is counted in.
pub fn bucket(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let octave = us.ilog2() - STEP_BITS;
    let step = (us >> octave) - STEPS;
    let index = (u64::from(octave) + 1) * STEPS + step;
    (index as usize).min(BUCKETS - 1)
}

/// The longest latency, in microseconds, that is counted in the bucket.
fn upper(bucket: usize) -> u64 {
    let (octave, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    match octave {
        0 => step,
        octave => ((STEPS + step + 1) << (octave - 1)) - 1,
    }
}

/// A snapshot of latencies: how many fell into which bucket. Written as pairs, because JSON's keys are text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u16, u64)>", into = "Vec<(u16, u64)>")]
pub struct Histogram {
    counts: BTreeMap<u16, u64>,
}

impl Histogram {
    /// Takes over what somebody counted by [`bucket`].
    pub fn from_counts(counts: impl Iterator<Item = u64>) -> Histogram {
        let counted = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
        Histogram {
            counts: counted.collect(),
        }
    }

    /// Counts one more.
    pub fn record(&mut self, us: u64) {
        *self.counts.entry(bucket(us) as u16).or_default() += 1;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many took no longer than this, in microseconds; exact where a bucket ends.
    pub fn within(&self, us: u64) -> u64 {
        let within = self.counts.iter();
        within
            .take_while(|(bucket, _)| upper(usize::from(**bucket)) <= us)
            .map(|(_, count)| count)
            .sum()
    }

    /// Adds the other's counts.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let left = self.counts.iter().filter_map(|(bucket, count)| {
            let before = earlier.counts.get(bucket).copied().unwrap_or(0);
            let more = count.saturating_sub(before);
            (more > 0).then_some((*bucket, more))
        });
        Histogram {
            counts: left.collect(),
        }
    }

    /// The latency in microseconds that `percent` of the requests did not exceed; nothing without requests.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.counts.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| upper(usize::from(*bucket)))
        })
    }
}

impl From<Vec<(u16, u64)>> for Histogram {
    fn from(counts: Vec<(u16, u64)>) -> Histogram {
        Histogram {
            counts: counts.into_iter().collect(),
        }
    }
}

impl From<Histogram> for Vec<(u16, u64)> {
    fn from(histogram: Histogram) -> Vec<(u16, u64)> {
        histogram.counts.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_and_stay_within_three_percent() {
        assert_eq!(bucket(0), 0);
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket(upper(index)), index);
            assert_eq!(bucket(upper(index) + 1), index + 1);
        }
        for us in [33, 100, 1_000, 123_456, 60_000_000] {
            let shown = upper(bucket(us));
            assert!(shown >= us && (shown - us) * 100 <= us * 4, "{us} {shown}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_of_what_came_since_a_snapshot() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        for _ in 0..100 {
            histogram.record(10);
        }
        let earlier = histogram.clone();
        for _ in 0..99 {
            histogram.record(20);
        }
        histogram.record(31);
        let since = histogram.since(&earlier);
        assert_eq!(since.count(), 100);
        assert_eq!(since.percentile(50), Some(20));
        assert_eq!(since.percentile(99), Some(20));
        assert_eq!(since.percentile(100), Some(31));
        assert_eq!(
            (since.within(19), since.within(20), since.within(40)),
            (0, 99, 100)
        );
        let mut both = since.clone();
        both.merge(&earlier);
        assert_eq!(both, histogram);
    }
}
