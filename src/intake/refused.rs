//! What is logged of refused deliveries. Anybody can send them, so they get one line a second at most: a flood must neither
//! fill the disk nor cost more than the refusal itself.

use super::Refusal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the next line waits.
const PAUSE: Duration = Duration::from_secs(1);

static LAST: Mutex<Refused> = Mutex::new(Refused {
    said: None,
    unsaid: 0,
});

struct Refused {
    said: Option<Instant>,
    unsaid: u64,
}

impl Refused {
    /// How many went unsaid since the last line, if there may be a line now.
    fn count(&mut self, now: Instant) -> Option<u64> {
        if self
            .said
            .is_some_and(|said| now.duration_since(said) < PAUSE)
        {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// Logs a refusal, or counts it for the next line.
pub(super) fn log(refusal: &Refusal) {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let may_say = last.count(Instant::now());
    drop(last);
    match may_say {
        Some(0) => tracing::warn!(%refusal, "a delivery was refused"),
        Some(more) => {
            tracing::warn!(%refusal, more, "a delivery was refused, and more since the last line");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_second_and_none_is_forgotten() {
        let mut refused = Refused {
            said: None,
            unsaid: 0,
        };
        let start = Instant::now();
        assert_eq!(refused.count(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(refused.count(start + PAUSE / 2), None);
        }
        assert_eq!(refused.count(start + PAUSE), Some(1000));
        assert_eq!(refused.count(start + PAUSE * 2), Some(0));
    }
}
