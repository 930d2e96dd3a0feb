use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A deadline for what takes moments: long enough that a slow machine never decides a test.
pub const LONG: Duration = Duration::from_secs(60);

const PACE: Duration = Duration::from_millis(5);

/// Asks `condition` again and again until it holds. `what` completes "waited 60 s until …" when it never does.
#[track_caller]
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    // Nobody ever sends: receiving with a time limit is a pause that burns no processor.
    let (_sender, nothing) = mpsc::channel::<()>();
    while !condition() {
        assert!(
            began.elapsed() < deadline,
            "waited {deadline:?} until {what}"
        );
        let _ = nothing.recv_timeout(PACE);
    }
}
