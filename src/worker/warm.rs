//! How long the old color stays up after a switch, and its retirement when that time is over.

use super::{AGAIN, Running, Worker, time_until};
use crate::config::Environment;
use crate::journal::JournalError;
use crate::pipeline;
use crate::store::environments;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Until when an old color is kept, by the clock and by the time that passes, which nobody puts forward or back.
#[derive(Clone, Copy)]
pub(super) struct Warm {
    until_ms: i64,
    end: Instant,
}

impl Worker {
    /// Retires old colors whose time is over; says how long until the next one.
    pub(super) async fn retire_what_is_over(&self) -> Duration {
        let mut next = Duration::from_secs(3600);
        for env in self.tools.server.environments() {
            match self.time_left(env).await {
                Ok(Some(Duration::ZERO)) => self.begin_to_retire(env),
                Ok(Some(left)) => next = next.min(left),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(env = %env.id, %error, "it cannot be seen how warm the old color is")
                }
            }
        }
        next
    }

    /// How long the old color stays up; nothing when it is cold, or when a deployment will see to it.
    async fn time_left(&self, env: &Environment) -> Result<Option<Duration>, JournalError> {
        if self.running().contains_key(&env.id) {
            return Ok(None);
        }
        let standing = self.tools.journal.standing(&env.id).await?;
        let Some(until_ms) = standing.warm_until_ms else {
            return Ok(None);
        };
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        let known = warm.get(&env.id).filter(|known| known.until_ms == until_ms);
        let end = match known {
            Some(known) => known.end,
            None => {
                // A clock that was put back keeps nothing warm for longer than it was meant to be.
                let end = Instant::now() + time_until(until_ms).min(env.keep_warm);
                warm.insert(env.id.clone(), Warm { until_ms, end });
                end
            }
        };
        Ok(Some(end.saturating_duration_since(Instant::now())))
    }

    /// Draining takes its time, so it has a task of its own. No deployment of the environment begins meanwhile: it would
    /// start its service under the name that is being stopped.
    fn begin_to_retire(&self, env: &Environment) {
        self.running().insert(env.id.clone(), Running::nobody());
        let (worker, env) = (self.clone(), env.clone());
        tokio::spawn(async move {
            if let Err(error) = worker.retire(&env).await {
                tracing::error!(env = %env.id, error, "the old color cannot be retired");
                tokio::time::sleep(AGAIN).await;
            }
            worker.leave(&env.id);
        });
    }

    async fn retire(&self, env: &Environment) -> Result<(), String> {
        let journal = &self.tools.journal;
        let standing = journal.standing(&env.id).await.map_err(|e| e.to_string())?;
        let color = standing.standby();
        let stopped = pipeline::retire(&self.tools, env, color)
            .await
            .map_err(|e| e.to_string())?;
        tracing::info!(env = %env.id, %color, stopped = stopped.join(", "), "the old color is retired");
        let id = env.id.clone();
        let cold = journal.write(move |entry| {
            environments::change(entry.connection(), &id, |standing| {
                standing.warm_until_ms = None
            })?;
            Ok(())
        });
        cold.await.map_err(|e| e.to_string())
    }
}
