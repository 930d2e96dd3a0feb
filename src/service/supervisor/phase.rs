//! What a service is doing, as its supervisor sees it.

use crate::system::process::{Identity, PidFd};
use std::time::{Duration, Instant};

/// The main process, and how its end is noticed.
pub(super) enum Main {
    /// It is our child: the kernel tells us.
    Child(Identity),
    /// A supervisor before us started it.
    Adopted(Identity, PidFd),
    /// It has ended.
    None,
}

/// How far its life is.
pub(super) enum Phase {
    Running,
    /// It has ended, and is started again at this time.
    Waiting(Instant),
    Stopping(Stop),
    /// It has ended for good.
    Ended,
}

/// A service that is being stopped.
pub(super) struct Stop {
    pub began: Instant,
    pub deadline: Instant,
    /// Whether the service ran when this began.
    pub was_running: bool,
    /// Whether what the main process left behind has been asked to end, too.
    pub asked_rest: bool,
}

impl Stop {
    /// When to look whether all are gone; the end of a process that is not our child gives no signal.
    pub fn look_again(&self) -> Instant {
        const STEP: Duration = Duration::from_millis(20);
        self.deadline.min(Instant::now() + STEP)
    }
}
