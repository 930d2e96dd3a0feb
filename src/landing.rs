//! How a gated push lands: its ref moves when every environment that gates it has it live, and not before. The push is
//! kept in the journal from before its first deployment, so that a server that dies in between knows afterwards whether
//! the ref is still to be moved, or what is still to be taken back.

use crate::domain::{DeploymentId, Origin, State};
use crate::journal::JournalError;
use crate::queue::{Queued, Wish};
use crate::store::landings::{self, Landing, LandingId};
use crate::store::{deployments, tips};
use crate::worker::{Worker, WorkerError};

/// Why a push did not land.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    /// The ref cannot be moved: another push was faster, as a rule.
    #[error("{0}")]
    NotMoved(String),
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A release could not be taken back.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// A push at the gate.
pub struct Gate<'a> {
    worker: &'a Worker,
    id: LandingId,
}

impl<'a> Gate<'a> {
    /// Keeps the push before anything is done for it.
    pub async fn begin(worker: &'a Worker, landing: Landing) -> Result<Gate<'a>, JournalError> {
        let journal = &worker.tools().journal;
        let kept = journal.write(move |entry| Ok(landings::insert(entry.connection(), &landing)?));
        let id = kept.await?;
        Ok(Gate { worker, id })
    }

    /// Asks for the deployment to the next environment.
    pub async fn deploy(&self, wish: Wish) -> Result<Queued, JournalError> {
        self.worker.queue().ask_at_gate(wish, self.id).await
    }

    /// All are live: moves the ref by compare-and-swap. Who lost the race against another push serves nothing of it.
    pub async fn land(&self) -> Result<(), LandingError> {
        let Some(landing) = self.landing().await? else {
            return Ok(());
        };
        let moved = move_ref(self.worker, &landing);
        if let Err(why) = moved {
            self.take_back().await?;
            return Err(LandingError::NotMoved(why));
        }
        let id = self.id;
        let over = self.worker.tools().journal.write(move |entry| {
            for env in &landing.wanted {
                tips::put(entry.connection(), env, &landing.ref_name, &landing.commit)?;
            }
            Ok(landings::remove(entry.connection(), id)?)
        });
        Ok(over.await?)
    }

    /// Takes a push that is rejected after all out of the environments where it serves already.
    pub async fn take_back(&self) -> Result<(), LandingError> {
        let Some(landing) = self.landing().await? else {
            return Ok(());
        };
        for (env, deployment) in landing.wanted.iter().zip(&landing.deployments) {
            let standing = self.worker.tools().journal.standing(env).await?;
            let serves = standing
                .serving()
                .is_some_and(|now| now.deployment == *deployment);
            if serves && self.is_live(*deployment).await? {
                self.worker
                    .rollback(env, None, &landing.by, Origin::Hook)
                    .await?;
            }
        }
        let id = self.id;
        let journal = &self.worker.tools().journal;
        let over = journal.write(move |entry| Ok(landings::remove(entry.connection(), id)?));
        Ok(over.await?)
    }

    async fn landing(&self) -> Result<Option<Landing>, JournalError> {
        let id = self.id;
        let store = self.worker.tools().journal.store();
        Ok(store.read(move |c| landings::get(c, id)).await?)
    }

    async fn is_live(&self, id: DeploymentId) -> Result<bool, JournalError> {
        let store = self.worker.tools().journal.store();
        let found = store.read(move |c| deployments::get(c, id)).await?;
        Ok(found.is_some_and(|found| found.state == State::Live))
    }

    /// What a server that died left at the gate: it waits for the deployments to end, then moves the ref or takes back.
    async fn settle(&self) -> Result<(), LandingError> {
        let Some(landing) = self.landing().await? else {
            return Ok(());
        };
        let mut live = landing.deployments.len() == landing.wanted.len();
        for id in &landing.deployments {
            live &= self.worker.ended(*id).await?.state == State::Live;
        }
        match live {
            true => self.land().await,
            false => self.take_back().await,
        }
    }
}

/// The pushes that stood at a gate when the server stopped. Asked before new ones are taken.
pub async fn left_behind(worker: &Worker) -> Result<Vec<LandingId>, JournalError> {
    Ok(worker.tools().journal.store().read(landings::all).await?)
}

/// Brings each of them to its end, as soon as its deployments have come to theirs.
pub fn settle(worker: &Worker, left_behind: Vec<LandingId>) {
    for id in left_behind {
        let worker = worker.clone();
        tokio::spawn(async move {
            let gate = Gate {
                worker: &worker,
                id,
            };
            if let Err(error) = gate.settle().await {
                tracing::warn!(%error, "a gated push that the last run left did not land");
            }
        });
    }
}

fn move_ref(worker: &Worker, landing: &Landing) -> Result<(), String> {
    let tools = worker.tools();
    let app = tools.server.apps.get(&landing.app);
    let app = app.ok_or_else(|| format!("the app {} is no longer configured", landing.app))?;
    let repo = tools.repo(app).map_err(|e| e.to_string())?;
    match repo.compare_and_swap_ref(&landing.ref_name, &landing.old, &landing.new) {
        Ok(()) => Ok(()),
        // The last run of the server has moved it and could not say so any more.
        Err(_) if repo.is_at(&landing.ref_name, &landing.new).unwrap_or(false) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
