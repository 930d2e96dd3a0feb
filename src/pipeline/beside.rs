//! What is sealed beside the steps of a deployment.

use super::outcome::{Stop, Trouble};
use crate::release::Backup;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::{JoinError, JoinHandle};

/// What is being sealed now.
#[derive(Default)]
pub(super) struct Beside {
    /// What was installed, while the release is built.
    pub part: Option<JoinHandle<Result<(), Stop>>>,
    /// The release, while it starts.
    pub whole: Option<JoinHandle<Result<Backup, Stop>>>,
    /// Whether what was installed is no longer worth sealing.
    pub stop: Arc<AtomicBool>,
}

impl Beside {
    /// Waits until nothing is sealed ahead any more.
    pub async fn sealed_ahead(&mut self) {
        if let Some(part) = self.part.take() {
            told(part.await);
        }
    }

    /// Ends what is sealed for a deployment that failed, before anything of it is cleared away.
    pub async fn let_go(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(part) = self.part.take() {
            // Nobody asks any more what became of it.
            let _ = part.await;
        }
        if let Some(whole) = self.whole.take() {
            let _ = whole.await;
        }
    }
}

/// Logs why nothing was sealed ahead, if so: what could not be is sealed with the release.
pub(super) fn told(ended: Result<Result<(), Stop>, JoinError>) {
    if let Err(Stop::Failed(trouble)) = flat(ended) {
        tracing::warn!(cause = trouble.cause, "nothing was sealed ahead");
    }
}

/// What became of a sealing.
pub(super) async fn ended<T>(task: JoinHandle<Result<T, Stop>>) -> Result<T, Stop> {
    flat(task.await)
}

fn flat<T>(ended: Result<Result<T, Stop>, JoinError>) -> Result<T, Stop> {
    ended.unwrap_or_else(|error| {
        Err(Trouble::new(format!("an internal error ended the sealing: {error}")).into())
    })
}
