//! How long a request waits for something to become better.

use super::shared::Shared;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const FIRST_DELAY: Duration = Duration::from_millis(5);
const LONGEST_DELAY: Duration = Duration::from_millis(250);

/// One request's patience. It begins with the first wait.
pub struct Patience<'a> {
    shared: &'a Shared,
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    tables: watch::Receiver<u64>,
    delay: Duration,
}

impl<'a> Patience<'a> {
    /// A request that has not waited yet.
    pub fn new(shared: &'a Shared) -> Patience<'a> {
        Patience {
            shared,
            waiting: None,
        }
    }

    /// Waits for another table than the one last looked at; false when `hold` is over first.
    pub async fn next_table(&mut self, hold: Duration) -> bool {
        let Some(waiting) = &mut self.waiting else {
            // From now on no table is missed; the one in force has to be looked at once more.
            self.begin();
            return true;
        };
        let deadline = waiting.since + hold;
        tokio::time::timeout_at(deadline, waiting.tables.changed())
            .await
            .is_ok_and(|changed| changed.is_ok())
    }

    /// Waits a little longer each time, or until the next table; false when `hold` is over.
    pub async fn back_off(&mut self, hold: Duration) -> bool {
        let waiting = self.begin();
        let deadline = waiting.since + hold;
        let now = Instant::now();
        if now >= deadline {
            return false;
        }
        let until = deadline.min(now + waiting.delay);
        waiting.delay = (waiting.delay * 2).min(LONGEST_DELAY);
        // Both ends of the wait mean the same: try again.
        let _ = tokio::time::timeout_at(until, waiting.tables.changed()).await;
        true
    }

    fn begin(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_with(|| Waiting {
            since: Instant::now(),
            tables: self.shared.tables(),
            delay: FIRST_DELAY,
        })
    }
}
