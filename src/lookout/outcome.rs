//! What becomes of a deployment by what CI has said of its commit.

use crate::ci::Verdict;
use crate::config::Environment;
use crate::domain::{CommitId, Deployment, DeploymentId, Event, Failure, Found, State};
use crate::journal::{Entry, JournalError};
use crate::pipeline::{self, Tools};
use crate::queue::Queue;
use crate::store::{deployments, environments};
use crate::system::clock;
use std::sync::Arc;

/// Who lets deployments go on, or ends them.
pub(super) struct Outcome {
    pub tools: Arc<Tools>,
    pub queue: Queue,
}

impl Outcome {
    /// Keeps what is known now. A deployment that is elsewhere by now is left alone.
    pub async fn keep(
        &self,
        deployment: &Deployment,
        commit: CommitId,
        verdict: Verdict,
    ) -> Result<(), JournalError> {
        let (good, words) = match verdict {
            Verdict::Open(words) => (false, words),
            Verdict::Good(words) => (true, words),
            Verdict::Bad { .. } => return Ok(()),
        };
        let id = deployment.id;
        let written = self.tools.journal.write(move |entry| {
            let Some(known) = waiting(entry, id)? else {
                return Ok(());
            };
            if !good && known.ci.and_then(|ci| ci.said).as_ref() == Some(&words) {
                return Ok(());
            }
            said(entry, id, commit, &words, good.then_some(true))?;
            let text = format!("CI: {words}");
            entry.tell(id, Event::Note { text })
        });
        written.await?;
        if good {
            self.queue.nudge();
        }
        Ok(())
    }

    pub async fn turn_down(
        &self,
        deployment: &Deployment,
        env: &Environment,
        commit: CommitId,
        cause: String,
        lines: Vec<String>,
    ) -> Result<(), JournalError> {
        let (id, env) = (deployment.id, env.id.clone());
        let written = self.tools.journal.write(move |entry| {
            if waiting(entry, id)?.is_none() {
                return Ok(());
            }
            said(entry, id, commit, &cause, Some(false))?;
            let standing = environments::get(entry.connection(), &env)?;
            let untouched = if standing.active.is_some() { ", untouched" } else { "" };
            let failure = Failure {
                step: None,
                cause,
                tail: lines,
                serving: format!("{}{untouched}", pipeline::serving(&standing)),
                next: format!(
                    "mend it and push; or run the check again, this goes live once it is good; or, whatever CI says: teal deploy {env} --now"
                ),
            };
            entry.fail(id, State::Failed, failure).map(drop)
        });
        written.await
    }

    pub async fn take_up_again(
        &self,
        deployment: &Deployment,
        words: String,
    ) -> Result<(), JournalError> {
        let made = self.queue.good_after_all(deployment.id, words).await?;
        if let Some(made) = made {
            let (again, env) = (deployment.id, &deployment.env);
            tracing::info!(deployment = made, again, %env, "CI finds good what it had turned down");
        }
        Ok(())
    }
}

/// The deployment, if it still waits for CI.
fn waiting(entry: &Entry<'_>, id: DeploymentId) -> Result<Option<Deployment>, JournalError> {
    let found = deployments::get(entry.connection(), id)?;
    Ok(found.filter(|one| {
        one.state == State::Waiting && one.ci.as_ref().is_some_and(|ci| ci.is_open())
    }))
}

/// Keeps what CI has said of the commit, and what it found where it has said all.
fn said(
    entry: &mut Entry<'_>,
    id: DeploymentId,
    commit: CommitId,
    words: &str,
    good: Option<bool>,
) -> Result<(), JournalError> {
    let words = words.to_owned();
    entry.change(id, |deployment| {
        deployment.commit = commit;
        if let Some(ci) = &mut deployment.ci {
            ci.said = Some(words);
            ci.found = good.map(|good| Found {
                good,
                at_ms: clock::now_ms(),
            });
        }
    })?;
    Ok(())
}
