//! What is said of a deployment that waits for CI.

use crate::domain::Ci;
use crate::system::clock;

/// That it waits for CI, and until when: the end of "waiting: …".
pub fn waits_for_ci(ci: &Ci) -> String {
    let until = clock::local(ci.until_ms);
    match &ci.said {
        Some(said) => format!("for CI until {until}: {said}"),
        None => format!("for CI until {until}"),
    }
}
