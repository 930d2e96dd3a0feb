//! What the proxy has counted for one environment: a snapshot of its counters.

use super::Histogram;
use crate::domain::{Color, Upstreams};
use serde::{Deserialize, Serialize};

/// One environment's counters at one instant. Instants are microseconds of the machine's monotonic clock, so that
/// snapshots of two processes can be put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// When the snapshot was taken.
    pub at_us: u64,
    /// Requests that no color got: they waited for a paused environment until `hold` ran out.
    pub turned_away: u64,
    /// Each color's counters.
    pub colors: Upstreams<ColorMeasure>,
    /// The latest changes of the shares, oldest first.
    pub switches: Vec<Switch>,
}

/// One color's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColorMeasure {
    /// Requests that were given to this color.
    pub begun: u64,
    /// Requests whose answer is not complete yet.
    pub in_flight: u64,
    /// Requests that the service began to answer.
    pub answered: u64,
    /// Answers with a status of 500 and above, given by the service itself.
    pub server_errors: u64,
    /// Times that the service did not accept a connection; the request then waits and tries again.
    pub connect_failures: u64,
    /// Requests that got no answer, a broken one, or a gateway error of the proxy's own.
    pub lost: u64,
    /// Upgraded connections (WebSockets) that are open.
    pub tunnels: u64,
    /// From a request's arrival to the head of its answer, in microseconds.
    pub latency: Histogram,
    /// The sum of the same times.
    #[serde(default)]
    pub latency_sum_us: u64,
    /// When this color was given a request for the first time since it got its share.
    pub first_begun_us: Option<u64>,
    /// When this color was given a request for the last time.
    pub last_begun_us: Option<u64>,
}

/// One change of an environment's shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// The route table's generation that brought it.
    pub generation: u64,
    /// When the pointer was swapped.
    pub at_us: u64,
    /// What was in flight on each color at that moment.
    pub in_flight: Upstreams<u64>,
    /// The shares from then on.
    pub shares: Upstreams<u8>,
}

impl Measure {
    /// Adds what another process counted for the same environment: a predecessor that still finishes its requests.
    pub fn merge(&mut self, other: &Measure) {
        self.turned_away += other.turned_away;
        for color in Color::BOTH {
            self.colors.of_mut(color).merge(other.colors.of(color));
        }
        for switch in &mut self.switches {
            let same = |theirs: &&Switch| theirs.generation == switch.generation;
            if let Some(theirs) = other.switches.iter().find(same) {
                switch.in_flight.blue += theirs.in_flight.blue;
                switch.in_flight.green += theirs.in_flight.green;
            }
        }
    }
}

impl ColorMeasure {
    fn merge(&mut self, other: &ColorMeasure) {
        self.begun += other.begun;
        self.in_flight += other.in_flight;
        self.answered += other.answered;
        self.server_errors += other.server_errors;
        self.connect_failures += other.connect_failures;
        self.lost += other.lost;
        self.tunnels += other.tunnels;
        self.latency.merge(&other.latency);
        self.latency_sum_us += other.latency_sum_us;
        self.first_begun_us = [self.first_begun_us, other.first_begun_us]
            .into_iter()
            .flatten()
            .min();
        self.last_begun_us = self.last_begun_us.max(other.last_begun_us);
    }
}
