//! Wishes that come from what happened before: an interrupted deployment, a push at a gate, a ref that moved unheard.

use super::line::{enqueue, serves_already};
use super::{Queue, Queued, Wish};
use crate::domain::{CommitId, Deployment, DeploymentId, EnvId, Kind, State};
use crate::journal::JournalError;
use crate::store::landings::{self, LandingId};
use crate::store::{deployments, tips};
use std::sync::Arc;

/// A ref that is elsewhere than it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The environment that deploys it.
    pub env: EnvId,
    /// The full ref.
    pub ref_name: String,
    /// Where it was seen last; nothing when it is new here.
    pub seen: Option<CommitId>,
    /// Where it is; nothing when it is gone.
    pub now: Option<CommitId>,
}

impl Queue {
    /// Ends an interrupted deployment and takes it up again, in one go, unless a newer push has come in since: the newest
    /// one wins. The words say which of both it was.
    pub async fn try_again(
        &self,
        id: DeploymentId,
        wish: Wish,
        again: String,
        newer: String,
    ) -> Result<(), JournalError> {
        let server = Arc::clone(&self.server);
        let asked = self.journal.write(move |entry| {
            let open = deployments::open(entry.connection(), Some(&wish.env))?;
            let is_newer = |open: &Deployment| {
                open.kind == Kind::Deploy
                    && open.state.can_become(State::Superseded)
                    && open.id > id
            };
            if wish.kind == Kind::Deploy && open.iter().any(is_newer) {
                return entry.move_to(id, State::Interrupted, Some(newer)).map(drop);
            }
            entry.move_to(id, State::Interrupted, Some(again))?;
            enqueue(entry, &server, wish).map(drop)
        });
        asked.await?;
        self.nudge();
        Ok(())
    }

    /// Takes a wish of a push that waits at a gate: the landing knows the deployment from its first moment on.
    pub async fn ask_at_gate(
        &self,
        wish: Wish,
        landing: LandingId,
    ) -> Result<Queued, JournalError> {
        let server = Arc::clone(&self.server);
        let asked = self.journal.write(move |entry| {
            let queued = enqueue(entry, &server, wish)?;
            landings::add(entry.connection(), landing, queued.id)?;
            Ok(queued)
        });
        let queued = asked.await?;
        self.nudge();
        Ok(queued)
    }

    /// Takes what reconcile has found: refs that are elsewhere than they were seen last, and the wish to deploy the
    /// newest of them. A ref that a push has moved on meanwhile is that push's business.
    pub async fn found(
        &self,
        moved: Vec<Moved>,
        wish: Option<Wish>,
    ) -> Result<Option<DeploymentId>, JournalError> {
        let Some(env) = wish.as_ref().map(|wish| wish.env.clone()).or_else(|| {
            let first = moved.first()?;
            Some(first.env.clone())
        }) else {
            return Ok(None);
        };
        let server = Arc::clone(&self.server);
        let found = self.journal.write(move |entry| {
            let known = tips::of(entry.connection(), &env)?;
            let still = |moved: &&Moved| known.get(&moved.ref_name) == moved.seen.as_ref();
            let moved: Vec<&Moved> = moved.iter().filter(still).collect();
            for one in &moved {
                match &one.now {
                    Some(commit) => tips::put(entry.connection(), &env, &one.ref_name, commit)?,
                    None => tips::remove(entry.connection(), &env, &one.ref_name)?,
                }
            }
            let is_news = |wish: &Wish| moved.iter().any(|one| one.ref_name == wish.ref_name);
            let Some(wish) = wish.filter(is_news) else {
                return Ok(None);
            };
            if serves_already(entry, &wish)? {
                return Ok(None);
            }
            Ok(Some(enqueue(entry, &server, wish)?.id))
        });
        let queued = found.await?;
        if queued.is_some() {
            self.nudge();
        }
        Ok(queued)
    }
}
