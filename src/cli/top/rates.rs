//! Traffic per second, from what the proxy had counted a while ago and what it has counted now.

use crate::domain::{Color, EnvId};
use crate::traffic::{ColorMeasure, Measure};
use crate::web::types::Now;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Requests per second and latencies are those of so long.
const SHORT_US: u64 = 10_000_000;
/// Errors stay in sight for so long.
pub(super) const LONG_US: u64 = 60_000_000;

/// One color's traffic.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Rate {
    /// Requests per second.
    pub per_second: f64,
    /// The middle latency, in microseconds; absent without requests.
    pub p50_us: Option<u64>,
    /// The latency that one of a hundred requests exceeds.
    pub p99_us: Option<u64>,
    /// Answers of 500 and above, and requests that got none, in the last minute.
    pub errors: u64,
    /// Requests whose answer is not complete yet.
    pub in_flight: u64,
}

/// What the proxy has counted in the last minute, snapshot by snapshot.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<EnvId, VecDeque<Measure>>);

impl Seen {
    /// Adds a snapshot.
    pub fn add(&mut self, now: &[Now]) {
        for one in now {
            let Some(measure) = &one.measure else {
                self.0.remove(&one.env);
                continue;
            };
            let kept = self.0.entry(one.env.clone()).or_default();
            // The one before the first that is young enough is what a whole minute is told from.
            while kept
                .get(1)
                .is_some_and(|next| next.at_us + LONG_US <= measure.at_us)
            {
                kept.pop_front();
            }
            kept.push_back(measure.clone());
        }
    }

    /// A color's traffic; nothing where the proxy does not count, or has been asked once only.
    pub fn rate(&self, env: &EnvId, color: Color) -> Option<Rate> {
        let kept = self.0.get(env)?;
        let (last, oldest) = (kept.back()?, kept.front()?);
        let short = kept
            .iter()
            .rev()
            .find(|one| one.at_us + SHORT_US <= last.at_us);
        let short = short.unwrap_or(oldest);
        if short.at_us >= last.at_us {
            return None;
        }
        let seconds = (last.at_us - short.at_us) as f64 / 1e6;
        let (before, now) = (short.colors.of(color), last.colors.of(color));
        let latency = now.latency.since(&before.latency);
        let long = oldest.colors.of(color);
        Some(Rate {
            per_second: now.begun.saturating_sub(before.begun) as f64 / seconds,
            p50_us: latency.percentile(50),
            p99_us: latency.percentile(99),
            errors: errors(now).saturating_sub(errors(long)),
            in_flight: now.in_flight,
        })
    }
}

fn errors(of: &ColorMeasure) -> u64 {
    of.server_errors + of.lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(at_s: u64, begun: u64, lost: u64) -> Vec<Now> {
        let mut measure = Measure {
            at_us: at_s * 1_000_000,
            ..Measure::default()
        };
        measure.colors.blue.begun = begun;
        measure.colors.blue.lost = lost;
        for _ in 0..begun {
            measure.colors.blue.latency.record(20);
        }
        vec![Now {
            env: "arq/production".parse().unwrap(),
            measure: Some(measure),
            steps: Vec::new(),
        }]
    }

    #[test]
    fn requests_are_those_of_ten_seconds_and_errors_those_of_a_minute() {
        let env = "arq/production".parse().unwrap();
        let mut seen = Seen::default();
        seen.add(&now(0, 0, 0));
        assert_eq!(seen.rate(&env, Color::Blue), None);
        seen.add(&now(5, 50, 2));
        let rate = seen.rate(&env, Color::Blue).unwrap();
        assert_eq!(
            (rate.per_second, rate.p99_us, rate.errors),
            (10.0, Some(20), 2)
        );
        for at in 6..=60 {
            seen.add(&now(at, 50, 2));
        }
        let rate = seen.rate(&env, Color::Blue).unwrap();
        assert_eq!((rate.per_second, rate.p50_us, rate.errors), (0.0, None, 2));
        for at in 61..=70 {
            seen.add(&now(at, 50, 2));
        }
        assert_eq!(seen.rate(&env, Color::Blue).unwrap().errors, 0);
        assert!(seen.0[&env].len() <= 62);
    }

    #[test]
    fn counters_that_began_anew_are_no_negative_traffic() {
        let env = "arq/production".parse().unwrap();
        let mut seen = Seen::default();
        seen.add(&now(0, 90, 9));
        seen.add(&now(1, 1, 0));
        let rate = seen.rate(&env, Color::Blue).unwrap();
        assert_eq!((rate.per_second, rate.errors), (0.0, 0));
    }
}
