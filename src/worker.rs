//! Takes deployments out of the queue: one at a time per environment, side by side across environments. Knows what
//! runs, so it is also who cancels, and who retires the old color when its time is over.

mod destroy;
mod stopping;
mod warm;

pub use destroy::TakenDown;

use crate::domain::{Deployment, DeploymentId, EnvId, State};
use crate::journal::JournalError;
use crate::pipeline::{self, Cancel, Tools};
use crate::queue::Queue;
use crate::recovery;
use crate::store::deployments;
use crate::system::clock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Instrument;
use warm::Warm;

/// How long a deployment whose journal could not be written waits before it is put in order.
const AGAIN: Duration = Duration::from_secs(10);

/// A handle to the worker; clones share it.
#[derive(Clone)]
pub struct Worker {
    tools: Arc<Tools>,
    queue: Queue,
    running: Arc<Mutex<HashMap<EnvId, Running>>>,
    /// Told whenever nothing runs in an environment any more.
    left: Arc<Notify>,
    preparing: Arc<Mutex<HashMap<EnvId, Preparing>>>,
    warm: Arc<Mutex<HashMap<EnvId, Warm>>>,
}

/// What is made ready in an environment while nothing is deployed there.
struct Preparing {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Running {
    id: DeploymentId,
    cancel: Cancel,
}

impl Running {
    /// No deployment runs, and none may begin.
    fn nobody() -> Running {
        Running {
            id: 0,
            cancel: Cancel::default(),
        }
    }
}

/// Why a deployment was not cancelled or a rollback not begun.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It has ended.
    #[error("deployment {0} is {state}: there is nothing to cancel", state = .1.phrase())]
    Over(DeploymentId, State),
    /// Nothing was deployed yet.
    #[error("{0} serves nothing yet: there is nothing to go back from")]
    NothingServes(EnvId),
    /// No release that served before is left.
    #[error("{0} has no earlier release that served: there is nothing to go back to")]
    NoWayBack(EnvId),
    /// An environment could not be taken down to its end.
    #[error("it is not wholly destroyed: {0}")]
    Unfinished(String),
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Worker {
    /// A worker with these tools.
    pub fn new(tools: Arc<Tools>, queue: Queue) -> Worker {
        Worker {
            tools,
            queue,
            running: Arc::default(),
            left: Arc::default(),
            preparing: Arc::default(),
            warm: Arc::default(),
        }
    }

    /// What it works with.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Where it takes its work from.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Works until the server stops. Deployments that recovery wants observed to their end come first.
    pub async fn work(&self, resumed: Vec<Deployment>) {
        for deployment in resumed {
            self.begin(&deployment, true);
        }
        loop {
            let held = self.take_what_waits().await.unwrap_or_else(|error| {
                tracing::error!(%error, "the queue cannot be read");
                None
            });
            let next = self.retire_what_is_over().await;
            let next = held.map_or(next, |until| next.min(time_until(until)));
            tokio::select! {
                () = self.queue.changed() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Begins what can be begun; says when the first of those that are held back may go on.
    async fn take_what_waits(&self) -> Result<Option<i64>, JournalError> {
        let held = self.queue.let_go().await?;
        let open = self
            .tools
            .journal
            .store()
            .read(|c| deployments::open(c, None))
            .await?;
        for deployment in open {
            if deployment.state == State::Queued && !self.running().contains_key(&deployment.env) {
                self.begin(&deployment, false);
            }
        }
        Ok(held)
    }

    fn begin(&self, deployment: &Deployment, resume: bool) {
        let (id, env) = (deployment.id, deployment.env.clone());
        let cancel = Cancel::default();
        if resume && recovery::was_rejected(&self.tools, deployment) {
            cancel.pull("the server stopped under it, and its push was rejected: push again");
        }
        let running = Running {
            id,
            cancel: cancel.clone(),
        };
        self.running().insert(env.clone(), running);
        let worker = self.clone();
        // Whatever is logged on the way is about this deployment.
        let about = tracing::info_span!("deployment", deployment = id, environment = %env);
        let work = async move {
            worker.stop_preparing(&env).await;
            worker.see_through(id, cancel, resume).await;
            worker.prepare(&env);
            worker.leave(&env);
        };
        tokio::spawn(work.instrument(about));
    }

    /// Says that nothing runs in the environment any more.
    fn leave(&self, env: &EnvId) {
        self.running().remove(env);
        self.left.notify_waiters();
        self.queue.nudge();
    }

    /// Makes ready what the next deployment will need, until that begins.
    fn prepare(&self, env: &EnvId) {
        let (stop, tools, id) = (
            Arc::new(AtomicBool::new(false)),
            Arc::clone(&self.tools),
            env.clone(),
        );
        let told = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            if let Some((_, env)) = tools.environment(&id) {
                pipeline::prepare(&tools, env, told).await;
            }
        });
        let preparing = Preparing { stop, task };
        self.preparations().insert(env.clone(), preparing);
    }

    async fn stop_preparing(&self, env: &EnvId) {
        let preparing = self.preparations().remove(env);
        if let Some(preparing) = preparing {
            preparing.stop.store(true, Ordering::Relaxed);
            // Whatever became of it, it is over now.
            let _ = preparing.task.await;
        }
    }

    /// A deployment whose journal cannot be written (a full disk) is put in order as soon as it can be.
    async fn see_through(&self, id: DeploymentId, cancel: Cancel, resume: bool) {
        let ended = match resume {
            true => pipeline::resume(&self.tools, id, cancel).await,
            false => pipeline::deploy(&self.tools, id, cancel).await,
        };
        let Err(error) = ended else { return };
        // Somebody cancelled it in the moment in which it was about to begin, and has said so.
        if matches!(&error, JournalError::Illegal { from, .. } if from.is_final()) {
            return;
        }
        tracing::error!(deployment = id, %error, "the deployment stopped: its journal cannot be written");
        self.tools.make_way();
        while let Err(error) = recovery::put_in_order(&self.tools, id).await {
            tracing::error!(deployment = id, error, "it cannot be put in order yet");
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn preparations(&self) -> MutexGuard<'_, HashMap<EnvId, Preparing>> {
        self.preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<EnvId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it is until that moment, in milliseconds since the epoch; nothing when it has passed.
fn time_until(ms: i64) -> Duration {
    let left = ms.saturating_sub(clock::now_ms());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
