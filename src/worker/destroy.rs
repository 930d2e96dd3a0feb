//! Takes an environment down: nothing serves there any more, and what Teal made for it is removed. What people or the app
//! keep in `shared/` stays, and so does the history.

use super::{Running, Worker, WorkerError};
use crate::domain::{Color, EnvId};
use crate::journal::JournalError;
use crate::pipeline;
use crate::reconcile;
use crate::release::Destroyed;
use crate::store::{deployments, environments, freezes, keys};
use std::time::Duration;

/// How long a service of an environment that is not configured any more may take to end.
const DRAIN: Duration = Duration::from_secs(30);

/// What was taken down.
#[derive(Debug, Default)]
pub struct TakenDown {
    /// The processes that were stopped, and how each ended.
    pub stopped: Vec<String>,
    /// What became of its folders; nothing when the configuration does not say any more where they are.
    pub folders: Option<Destroyed>,
}

impl Worker {
    /// Takes an environment down, one that is not configured any more as well. What runs or waits there is cancelled first.
    /// From the moment in which nothing serves there by the journal, a server that is killed goes on with that at its next
    /// start, and taking it down once more removes the rest.
    pub async fn destroy(&self, env: &EnvId, by: &str) -> Result<TakenDown, WorkerError> {
        let (worker, env) = (self.clone(), env.clone());
        let by = format!("{by} (destroy)");
        // Whoever asked may hang up; what was begun goes on.
        let work = tokio::spawn(async move {
            worker.be_alone_in(&env, &by).await?;
            worker.stop_preparing(&env).await;
            let done = worker.take_down(&env).await;
            worker.leave(&env);
            done
        });
        let ended = work.await;
        ended.unwrap_or_else(|error| Err(WorkerError::Unfinished(error.to_string())))
    }

    /// Cancels what is open in the environment, until nothing runs there; then nothing begins there either.
    async fn be_alone_in(&self, env: &EnvId, by: &str) -> Result<(), WorkerError> {
        loop {
            let id = env.clone();
            let store = self.tools.journal.store();
            let open = store.read(move |c| deployments::open(c, Some(&id))).await;
            for deployment in open.map_err(JournalError::from)? {
                match self.cancel(deployment.id, by).await {
                    // It ended by itself meanwhile.
                    Ok(_) | Err(WorkerError::Over(..)) => {}
                    Err(other) => return Err(other),
                }
            }
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            {
                let mut running = self.running();
                if !running.contains_key(env) {
                    running.insert(env.clone(), Running::nobody());
                    return Ok(());
                }
            }
            left.await;
        }
    }

    async fn take_down(&self, env: &EnvId) -> Result<TakenDown, WorkerError> {
        let unfinished = |error: &dyn std::fmt::Display| WorkerError::Unfinished(error.to_string());
        let tools = &self.tools;
        self.pass_over_the_tip(env).await?;
        let id = env.clone();
        let gone = tools.journal.write(move |entry| {
            let c = entry.connection();
            environments::forget(c, &id)?;
            freezes::lift(c, &id)?;
            Ok(keys::forget(c, &id.to_string())?)
        });
        gone.await?;
        let variables = tools.variables(env);
        let Some((_, configured)) = tools.environment(env) else {
            let stopped = self.stop_what_is_left(env).await?;
            variables.forget().map_err(|e| unfinished(&e))?;
            return Ok(TakenDown {
                stopped,
                folders: None,
            });
        };
        // Visitors are turned away before what answered them is stopped.
        let upheld = pipeline::uphold(tools, configured).await;
        upheld.map_err(|stop| WorkerError::Unfinished(stop.cause()))?;
        let mut stopped = Vec::new();
        for color in Color::BOTH {
            let retired = pipeline::retire(tools, configured, color).await;
            let retired = retired.map_err(|e| unfinished(&e))?;
            stopped.extend(retired.into_iter().map(|what| format!("{color} {what}")));
        }
        let slots = tools.slots(configured);
        let removed = tokio::task::spawn_blocking(move || {
            let destroyed = slots.destroy()?;
            variables.forget()?;
            Ok::<_, crate::system::files::FileError>(destroyed)
        });
        let removed = removed.await.map_err(|e| unfinished(&e))?;
        tracing::info!(%env, stopped = stopped.join(", "), "the environment is destroyed");
        Ok(TakenDown {
            stopped,
            folders: Some(removed.map_err(|e| unfinished(&e))?),
        })
    }

    /// What its branch has now is not deployed again by itself.
    async fn pass_over_the_tip(&self, env: &EnvId) -> Result<(), WorkerError> {
        let standing = self.tools.journal.standing(env).await?;
        let serving = standing.serving().map(|release| &release.commit);
        let passed = reconcile::pass_over(&self.tools, env, serving).await;
        passed.map(drop).map_err(|e| JournalError::from(e).into())
    }

    async fn stop_what_is_left(&self, env: &EnvId) -> Result<Vec<String>, WorkerError> {
        let unfinished =
            |error: crate::service::ServiceError| WorkerError::Unfinished(error.to_string());
        let prefix = format!("{}.", env.key());
        let services = &self.tools.services;
        let mut stopped = Vec::new();
        for service in services.running(&prefix).await.map_err(unfinished)? {
            let name = service
                .key()
                .trim_start_matches(&prefix)
                .replacen('.', " ", 1);
            let how = service.stop(DRAIN).await.map_err(unfinished)?;
            stopped.push(format!("{name} {how}"));
        }
        Ok(stopped)
    }
}
