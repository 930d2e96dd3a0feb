//! What is made ready between two deployments, while nobody waits.

use super::outcome::Stop;
use super::tools::blocking;
use super::{Tools, results};
use crate::config::Environment;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Puts the dependencies of the release that serves into the other slot while that is empty, so that the second deployment
/// finds them there. `stop` ends it within the copy of one file; a slot that holds anything already is left alone, because
/// a deployment changes only what differs in it.
pub async fn prepare(tools: &Tools, env: &Environment, stop: Arc<AtomicBool>) {
    let standing = match tools.journal.standing(&env.id).await {
        Ok(standing) => standing,
        Err(error) => {
            tracing::warn!(env = %env.id, %error, "nothing is prepared");
            return;
        }
    };
    let Some(active) = standing.active else {
        return;
    };
    if standing.slots.of(active.other()).is_some() {
        return;
    }
    let slots = tools.slots(env);
    let prepared = blocking(move || results::prepare(&slots, active, &stop)).await;
    match prepared {
        Ok(true) => {
            tracing::info!(env = %env.id, color = %active.other(), "its dependencies are in place")
        }
        Ok(false) => {}
        Err(Stop::Failed(trouble)) => {
            tracing::warn!(env = %env.id, cause = trouble.cause, "nothing is prepared");
        }
        Err(Stop::Cancelled(_)) => {}
    }
}
