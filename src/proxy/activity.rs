//! What one client's connection is doing, known to all who serve it. One thread serves a connection; the counters are
//! atomic only because tasks may not say so.

use crate::system::seats::{Asking, Seat};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Activity {
    /// Its place among the connections of the process, where they are counted.
    seat: Option<Seat<()>>,
    begun: AtomicU64,
    ended: AtomicU64,
    inside: AtomicBool,
    blocked: AtomicBool,
    ambiguous: AtomicBool,
}

/// A request that is not over: its answer is being waited for or sent.
#[derive(Debug)]
pub struct Open {
    activity: Arc<Activity>,
    _asking: Option<Asking>,
}

impl Activity {
    /// Of a connection in this seat.
    pub fn of(seat: Seat<()>) -> Activity {
        Activity {
            seat: Some(seat),
            ..Activity::default()
        }
    }

    /// A request begins; nothing when the connection has to make room for another.
    pub fn begin(self: &Arc<Self>) -> Option<Open> {
        let asking = match &self.seat {
            Some(seat) => Some(seat.ask()?),
            None => None,
        };
        self.begun.fetch_add(1, Relaxed);
        Some(Open {
            activity: self.clone(),
            _asking: asking,
        })
    }

    /// Ends when the connection has to make room for another, which it never has to during a request.
    pub async fn told_to_leave(&self) {
        match &self.seat {
            Some(seat) => seat.told_to_leave().await,
            None => std::future::pending().await,
        }
    }

    /// How many requests have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Whether no request is open.
    pub fn is_idle(&self) -> bool {
        self.begun.load(Relaxed) == self.ended.load(Relaxed)
    }

    /// Whether nothing at all is under way: no request open or half received, no answer half sent.
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && !self.inside.load(Relaxed) && !self.is_blocked()
    }

    /// Whether the client has not yet taken all that was written.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Whether a request came that has both a length and a transfer coding.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous.load(Relaxed)
    }

    /// What was read so far: whether it ends `inside` a request, and whether one was ambiguous.
    pub fn read(&self, inside: bool, ambiguous: bool) {
        self.inside.store(inside, Relaxed);
        self.ambiguous.store(ambiguous, Relaxed);
    }

    /// Whether the client has not yet taken all that was written.
    pub fn written(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.activity.ended.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_when_nothing_is_open_half_read_or_half_written() {
        let activity = Arc::new(Activity::default());
        assert!(activity.is_at_rest());
        let open = activity.begin().unwrap();
        assert!(!activity.is_at_rest() && !activity.is_idle());
        drop(open);
        assert!(activity.is_at_rest());
        activity.read(true, false);
        assert!(!activity.is_at_rest() && activity.is_idle());
        activity.read(false, false);
        activity.written(true);
        assert!(!activity.is_at_rest());
        activity.written(false);
        assert!(activity.is_at_rest());
        assert_eq!(activity.begun(), 1);
    }
}
