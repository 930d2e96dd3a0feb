//! The counters of one environment, bumped by every request and read as a [`Measure`].

use crate::domain::{Color, Upstreams};
use crate::system::clock::monotonic_us;
use crate::traffic::{BUCKETS, ColorMeasure, Histogram, Measure, Switch, bucket};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// How many past switches are remembered.
const SWITCHES: usize = 16;

/// One environment's counters; they outlive the route tables that refer to them.
#[derive(Default)]
pub struct SiteStats {
    /// Requests that waited for a paused environment until `hold` ran out.
    pub turned_away: AtomicU64,
    /// Grows with every request that is shared between colors or ports.
    pub turn: AtomicU64,
    colors: Upstreams<ColorStats>,
    switches: Mutex<VecDeque<Switch>>,
}

/// One color's counters.
#[derive(Default)]
pub struct ColorStats {
    begun: AtomicU64,
    in_flight: AtomicU64,
    answered: AtomicU64,
    server_errors: AtomicU64,
    connect_failures: AtomicU64,
    lost: AtomicU64,
    tunnels: AtomicU64,
    first_begun_us: AtomicU64,
    last_begun_us: AtomicU64,
    latency: Latency,
    latency_sum_us: AtomicU64,
    silent: Notify,
}

struct Latency(Box<[AtomicU64]>);

impl Default for Latency {
    fn default() -> Self {
        Latency((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl SiteStats {
    /// That color's counters.
    pub fn of(&self, color: Color) -> &ColorStats {
        self.colors.of(color)
    }

    /// Holds a place on the color; the place is given up when the ticket is dropped.
    pub fn enter(self: &Arc<Self>, color: Color) -> Ticket {
        self.of(color).in_flight.fetch_add(1, SeqCst);
        Ticket {
            stats: self.clone(),
            color,
            tunnel: false,
        }
    }

    /// Notes that the shares were changed just now. A color that `gained` begins a new span of first and last requests.
    pub fn switched(&self, generation: u64, shares: Upstreams<u8>) {
        let in_flight = |color| self.of(color).in_flight.load(SeqCst);
        let switch = Switch {
            generation,
            at_us: monotonic_us(),
            in_flight: Upstreams {
                blue: in_flight(Color::Blue),
                green: in_flight(Color::Green),
            },
            shares,
        };
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        if switches.len() == SWITCHES {
            switches.pop_front();
        }
        switches.push_back(switch);
    }

    /// Forgets when the color first got a request: it is about to get its share.
    pub fn expect_first(&self, color: Color) {
        self.of(color).first_begun_us.store(0, SeqCst);
    }

    /// Waits until the color has nothing in flight, neither requests nor tunnels.
    pub async fn silent(&self, color: Color) {
        let color = self.of(color);
        loop {
            let silent = color.silent.notified();
            tokio::pin!(silent);
            // Registered before looking, so that a place given up in between is not missed.
            silent.as_mut().enable();
            if color.left() == (0, 0) {
                return;
            }
            silent.await;
        }
    }

    /// All counters as they are now.
    pub fn measure(&self) -> Measure {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        Measure {
            at_us: monotonic_us(),
            turned_away: self.turned_away.load(Relaxed),
            colors: Upstreams {
                blue: self.colors.blue.measure(),
                green: self.colors.green.measure(),
            },
            switches: switches.iter().cloned().collect(),
        }
    }
}

impl ColorStats {
    /// Requests and tunnels that are open.
    pub fn left(&self) -> (u64, u64) {
        (self.in_flight.load(SeqCst), self.tunnels.load(SeqCst))
    }

    /// The service did not accept a connection.
    pub fn connect_failed(&self) {
        self.connect_failures.fetch_add(1, Relaxed);
    }

    fn leave(&self, counter: &AtomicU64) {
        if counter.fetch_sub(1, SeqCst) == 1 {
            self.silent.notify_waiters();
        }
    }

    fn measure(&self) -> ColorMeasure {
        let instant = |us: &AtomicU64| Some(us.load(SeqCst)).filter(|us| *us > 0);
        ColorMeasure {
            begun: self.begun.load(Relaxed),
            in_flight: self.in_flight.load(SeqCst),
            answered: self.answered.load(Relaxed),
            server_errors: self.server_errors.load(Relaxed),
            connect_failures: self.connect_failures.load(Relaxed),
            lost: self.lost.load(Relaxed),
            tunnels: self.tunnels.load(SeqCst),
            latency_sum_us: self.latency_sum_us.load(Relaxed),
            latency: Histogram::from_counts(self.latency.0.iter().map(|count| count.load(Relaxed))),
            first_begun_us: instant(&self.first_begun_us),
            last_begun_us: instant(&self.last_begun_us),
        }
    }
}

/// A place on a color: as long as it exists, the color has something in flight.
pub struct Ticket {
    stats: Arc<SiteStats>,
    color: Color,
    tunnel: bool,
}

impl Ticket {
    /// The color it is a place on.
    pub fn color(&self) -> Color {
        self.color
    }

    /// The counters of the color.
    pub fn stats(&self) -> &ColorStats {
        self.stats.of(self.color)
    }

    /// The color was given a request now.
    pub fn begun(&self, now_us: u64) {
        let stats = self.stats();
        stats.begun.fetch_add(1, Relaxed);
        stats.last_begun_us.fetch_max(now_us, Relaxed);
        let first = stats.first_begun_us.load(Relaxed);
        if first == 0 || now_us < first {
            let earlier = |first: u64| (first == 0 || now_us < first).then_some(now_us);
            // Refused only when another request was earlier still.
            let _ = stats.first_begun_us.fetch_update(Relaxed, Relaxed, earlier);
        }
    }

    /// The head of the answer came.
    pub fn answered(&self, latency_us: u64, server_error: bool) {
        let stats = self.stats();
        stats.answered.fetch_add(1, Relaxed);
        stats.latency_sum_us.fetch_add(latency_us, Relaxed);
        if server_error {
            stats.server_errors.fetch_add(1, Relaxed);
        }
        if let Some(count) = stats.latency.0.get(bucket(latency_us)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The client gets no answer of the service's, or half of one.
    pub fn lost(&self) {
        self.stats().lost.fetch_add(1, Relaxed);
    }

    /// The request has become an upgraded connection, which is counted apart.
    pub fn into_tunnel(mut self) -> Ticket {
        let stats = self.stats();
        stats.tunnels.fetch_add(1, SeqCst);
        stats.leave(&stats.in_flight);
        self.tunnel = true;
        self
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let stats = self.stats.of(self.color);
        stats.leave(match self.tunnel {
            true => &stats.tunnels,
            false => &stats.in_flight,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_color_is_silent_when_the_last_ticket_is_gone() {
        let stats = Arc::new(SiteStats::default());
        let request = stats.enter(Color::Blue);
        let tunnel = stats.enter(Color::Blue).into_tunnel();
        assert_eq!(stats.of(Color::Blue).left(), (1, 1));
        let waiter = tokio::spawn({
            let stats = stats.clone();
            async move { stats.silent(Color::Blue).await }
        });
        tokio::task::yield_now().await;
        drop(request);
        assert_eq!(stats.of(Color::Blue).left(), (0, 1));
        assert!(!waiter.is_finished());
        drop(tunnel);
        waiter.await.unwrap();
        stats.silent(Color::Green).await;
    }

    #[test]
    fn the_first_request_is_the_earliest_since_the_color_got_its_share() {
        let stats = Arc::new(SiteStats::default());
        let ticket = stats.enter(Color::Green);
        for at in [30, 20, 40] {
            ticket.begun(at);
        }
        let green = stats.measure().colors.green;
        assert_eq!(
            (green.first_begun_us, green.last_begun_us),
            (Some(20), Some(40))
        );
        stats.expect_first(Color::Green);
        ticket.begun(50);
        assert_eq!(stats.measure().colors.green.first_begun_us, Some(50));
    }
}
