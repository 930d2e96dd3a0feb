//! Saying yes or no to a release that waits for it. Every door leads here: the command, the dashboard, a button in a chat.
//! Who may say it is decided by `approval` of the environment, and what they said is kept before anything follows from it.

use crate::access::{Access, AccessError, Want};
use crate::config::Server;
use crate::domain::{Act, Actor, Answer, Deployment, DeploymentId, Event, Origin, State};
use crate::journal::{Entry, Journal, JournalError};
use crate::report;
use crate::store::deployments;
use crate::system::clock;

/// As much of somebody's words as is kept.
const WHY: usize = 200;

/// Why somebody's word changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApprovalError {
    /// It is elsewhere.
    #[error("deployment {id} waits for nobody's yes: it is {}", state.phrase())]
    NotWaiting {
        /// Which deployment.
        id: DeploymentId,
        /// Where it stands.
        state: State,
    },
    /// Somebody was faster.
    #[error("deployment {id} was {words} already")]
    Answered {
        /// Which deployment.
        id: DeploymentId,
        /// What was said.
        words: String,
    },
    /// They are not among those who may.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A yes or a no.
#[derive(Debug, Clone)]
pub struct Word<'a> {
    /// Who says it.
    pub actor: &'a Actor,
    /// By which door.
    pub door: Origin,
    /// What keeps them from it at that door, whoever they are: a role that they lack.
    pub lacking: Option<AccessError>,
    /// Whether it is a yes.
    pub approved: bool,
    /// In what words.
    pub why: Option<String>,
}

/// Says it, if they may; it is in the audit trail either way.
pub async fn say(
    access: &Access,
    server: &Server,
    journal: &Journal,
    id: DeploymentId,
    word: Word<'_>,
) -> Result<Deployment, ApprovalError> {
    let deployment = journal.deployment(id).await?;
    let env = &deployment.env;
    let wanted = server
        .environment(env)
        .and_then(|env| env.approval.as_ref());
    let may = match (word.lacking, wanted) {
        (Some(lacking), _) => Err(lacking),
        (None, Some(wanted)) => access.is_among(&wanted.by, word.actor, Act::Approve, env),
        (None, None) => Ok(()),
    };
    if may.is_ok() && (wanted.is_none() || deployment.approval.is_none()) {
        let state = deployment.state;
        return Err(ApprovalError::NotWaiting { id, state });
    }
    let why = word
        .why
        .as_deref()
        .map(|why| report::one_line(why.trim(), WHY));
    let why = why.filter(|why| !why.is_empty());
    let verb = if word.approved { "approve" } else { "reject" };
    let about = why
        .as_ref()
        .map_or_else(|| verb.to_owned(), |why| format!("{verb}: {why}"));
    let want = Want {
        actor: word.actor,
        door: word.door,
        act: Act::Approve,
        env,
        about: &about,
    };
    let permit = access.keep(want, may).await?;
    permit.made(id).await;
    let answer = Answer {
        approved: word.approved,
        by: Some(word.actor.name().to_owned()),
        said_ms: clock::now_ms(),
        why,
    };
    journal
        .write(move |entry| self::answer(entry, id, answer))
        .await?
}

/// Keeps an answer, unless there is one already; a yes lets the deployment go on. What it means is found by the
/// deployment itself, which looks for it.
pub fn answer(
    entry: &mut Entry<'_>,
    id: DeploymentId,
    answer: Answer,
) -> Result<Result<Deployment, ApprovalError>, JournalError> {
    let found = deployments::get(entry.connection(), id)?;
    let now = found.ok_or(JournalError::Unknown(id))?;
    if let Some(words) = now.approval.as_ref().and_then(report::answered) {
        return Ok(Err(ApprovalError::Answered { id, words }));
    }
    if now.state != State::Approval {
        let state = now.state;
        return Ok(Err(ApprovalError::NotWaiting { id, state }));
    }
    let kept = answer.clone();
    let changed = entry.change(id, |deployment| {
        if let Some(asked) = &mut deployment.approval {
            asked.answer = Some(kept);
        }
    })?;
    let words = changed.approval.as_ref().and_then(report::answered);
    let approved = answer.approved;
    entry.tell(id, Event::Answered(answer))?;
    Ok(Ok(match approved {
        true => entry.move_to(id, State::Running, words)?,
        false => changed,
    }))
}
