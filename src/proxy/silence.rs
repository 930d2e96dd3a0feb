//! How long a body on its way may be silent, and why it may end too early.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender broke off.
    #[error("the sender broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The sender said nothing for too long.
    #[error("the sender said nothing for {0:?}")]
    Silent(Duration),
}

/// A limit on silence, not on time: it costs a timer only while somebody is waited for.
pub struct Idle {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// Allows this much silence.
    pub fn new(limit: Duration) -> Idle {
        Idle { limit, timer: None }
    }

    /// How much is allowed.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Something came.
    pub fn moved(&mut self) {
        self.timer = None;
    }

    /// Nothing came: whether that has been so for too long. Wakes the task when it will have.
    pub fn expired(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        timer.as_mut().poll(cx).is_ready()
    }
}
