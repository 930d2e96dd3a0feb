//! What to do at start with what is found. The decision is a pure function of the journal; a thin loop applies it. Every
//! act makes the world equal what is committed, so recovery that is interrupted is simply begun again.

use crate::config::OnPush;
use crate::domain::{Deployment, DeploymentId, EnvId, Failure, Kind, Origin, State};
use crate::pipeline::{self, Tools};
use crate::queue::{Queue, Wish};
use crate::store::{StoreError, deployments};

/// How often an interrupted deployment is tried in all before its commit is set aside.
const ATTEMPTS: u32 = 3;

/// What becomes of a deployment that was open when the server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It waits for its turn and is not touched.
    Leave,
    /// Its release serves: it is observed to its end.
    Observe,
    /// Its release is built and probed: it goes on waiting for its approval.
    Wait,
    /// It had not switched: it ended as interrupted and is tried again.
    Retry,
    /// It had not switched, and was tried often enough.
    SetAside,
}

/// What follows an interrupted deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Again,
    Newer,
    Rejected,
    SetAside,
}

impl Next {
    fn words(self) -> &'static str {
        match self {
            Next::Again => "it is tried again",
            Next::Newer => "a newer push waits and takes its place",
            Next::Rejected => "its push was rejected: push again",
            Next::SetAside => "it is set aside until it is pushed or deployed again",
        }
    }
}

/// Decides from what the journal says. The move to `observing` is in the same transaction as the commit of the switch,
/// so the state alone tells on which side of it the server stopped.
pub fn decide(state: State, attempts: u32) -> Verdict {
    match state {
        State::Observing => Verdict::Observe,
        State::Approval => Verdict::Wait,
        State::Running | State::Switching if attempts < ATTEMPTS => Verdict::Retry,
        State::Running | State::Switching => Verdict::SetAside,
        _ => Verdict::Leave,
    }
}

/// The deployments that were open when the server stopped. Asked before new ones are taken.
pub async fn left_behind(tools: &Tools) -> Result<Vec<Deployment>, StoreError> {
    let store = tools.journal.store();
    store.read(|c| deployments::open(c, None)).await
}

/// Puts every environment in order; gives back the deployments that go on where they were: those that have to be observed
/// to their end, and those that wait for their approval.
pub async fn recover(
    tools: &Tools,
    queue: &Queue,
    open: Vec<Deployment>,
) -> Result<Vec<Deployment>, String> {
    let mut resumed = Vec::new();
    let mut undone = Vec::new();
    let overtaken: Vec<EnvId> = open
        .iter()
        .filter(|open| open.state == State::Queued && open.kind == Kind::Deploy)
        .filter(|open| !was_rejected(tools, open))
        .map(|open| open.env.clone())
        .collect();
    for deployment in open {
        let attempts = attempts(tools, &deployment).await?;
        match decide(deployment.state, attempts) {
            Verdict::Leave if was_rejected(tools, &deployment) => {
                drop_it(tools, &deployment).await?
            }
            Verdict::Leave => {}
            Verdict::Observe => resumed.push(deployment),
            Verdict::Retry | Verdict::Wait if was_rejected(tools, &deployment) => {
                undone.push((deployment, Next::Rejected));
            }
            Verdict::Wait if can_go_on(tools, &deployment).await? => resumed.push(deployment),
            // The newest push wins, also over one that was interrupted.
            Verdict::Retry if overtaken.contains(&deployment.env) => {
                undone.push((deployment, Next::Newer));
            }
            Verdict::Retry | Verdict::Wait => undone.push((deployment, Next::Again)),
            Verdict::SetAside => undone.push((deployment, Next::SetAside)),
        }
    }
    for (deployment, next) in undone {
        if tools.environment(&deployment.env).is_some() {
            clear(tools, &deployment).await?;
        }
        match next {
            Next::Again => retry(queue, &deployment).await?,
            Next::SetAside => set_aside(tools, &deployment).await?,
            Next::Newer | Next::Rejected => interrupt(tools, &deployment, next).await?,
        }
    }
    uphold_all(tools).await;
    Ok(resumed)
}

async fn can_go_on(tools: &Tools, deployment: &Deployment) -> Result<bool, String> {
    let found = pipeline::can_go_on(tools, deployment).await;
    found.map_err(|e| e.to_string())
}

/// Ends one deployment whose journal could not be written while it ran.
pub async fn put_in_order(tools: &Tools, id: DeploymentId) -> Result<(), String> {
    let deployment = tools
        .journal
        .deployment(id)
        .await
        .map_err(|e| e.to_string())?;
    match decide(deployment.state, ATTEMPTS) {
        Verdict::Leave => Ok(()),
        Verdict::Observe => pipeline::resume(tools, id, pipeline::Cancel::default())
            .await
            .map_err(|e| e.to_string()),
        Verdict::Retry | Verdict::Wait | Verdict::SetAside => {
            clear(tools, &deployment).await?;
            set_aside(tools, &deployment).await
        }
    }
}

async fn attempts(tools: &Tools, deployment: &Deployment) -> Result<u32, String> {
    let mut count = 1;
    let mut earlier = deployment.retry_of;
    while let Some(id) = earlier {
        let tried = tools.journal.deployment(id).await;
        let tried = tried.map_err(|e| e.to_string())?;
        // One that only waited for its approval is not what ended the server.
        let only_waited = tried
            .approval
            .as_ref()
            .is_some_and(|asked| asked.answer.is_none());
        count += u32::from(!only_waited);
        earlier = tried.retry_of;
    }
    Ok(count)
}

/// What the interrupted deployment had started on the standby ends; a warm release there is not its own and stays.
async fn clear(tools: &Tools, deployment: &Deployment) -> Result<(), String> {
    let Some((_, env)) = tools.environment(&deployment.env) else {
        return Ok(());
    };
    let standing = tools
        .journal
        .standing(&env.id)
        .await
        .map_err(|e| e.to_string())?;
    pipeline::reroute(tools, env)
        .await
        .map_err(pipeline::Stop::cause)?;
    if standing.warm_until_ms.is_none() {
        let standby = standing.standby();
        pipeline::retire(tools, env, standby)
            .await
            .map_err(|e| e.to_string())?;
    }
    pipeline::uphold(tools, env)
        .await
        .map_err(pipeline::Stop::cause)?;
    Ok(())
}

/// Whether this is a push that waited at a gate when the server stopped. Its sender was told that it is rejected and its
/// ref did not move, so it may not go live by itself afterwards.
pub fn was_rejected(tools: &Tools, deployment: &Deployment) -> bool {
    let gates = || {
        let found = tools.environment(&deployment.env);
        found.is_some_and(|(_, env)| env.on_push == OnPush::Gate)
    };
    let moves_a_ref = !deployment.ref_name.starts_with("refs/deploy/");
    deployment.origin == Origin::Hook && deployment.kind == Kind::Deploy && moves_a_ref && gates()
}

/// Ends a rejected push that had not begun.
async fn drop_it(tools: &Tools, deployment: &Deployment) -> Result<(), String> {
    let why = format!(
        "the server stopped before it began; {}",
        Next::Rejected.words()
    );
    let moved = tools
        .journal
        .move_to(deployment.id, State::Cancelled, Some(why))
        .await;
    moved.map(|_| ()).map_err(|e| e.to_string())
}

fn why(next: Next) -> String {
    format!("the server stopped under it; {}", next.words())
}

async fn interrupt(tools: &Tools, deployment: &Deployment, next: Next) -> Result<(), String> {
    let why = Some(why(next));
    let moved = tools
        .journal
        .move_to(deployment.id, State::Interrupted, why)
        .await;
    moved.map(|_| ()).map_err(|e| e.to_string())
}

/// Nothing takes it up again by itself, so it ends with a failure report like any other: people have to know.
async fn set_aside(tools: &Tools, deployment: &Deployment) -> Result<(), String> {
    let journal = &tools.journal;
    let standing = journal.standing(&deployment.env).await;
    let failure = Failure {
        step: None,
        cause: why(Next::SetAside),
        tail: Vec::new(),
        serving: pipeline::serving(&standing.map_err(|e| e.to_string())?),
        next: format!(
            "look for what ended the server (journalctl -u teal), then teal deploy {}",
            deployment.env
        ),
    };
    let ended = journal
        .fail(deployment.id, State::Interrupted, failure)
        .await;
    ended.map(|_| ()).map_err(|e| e.to_string())
}

async fn retry(queue: &Queue, deployment: &Deployment) -> Result<(), String> {
    let wish = Wish {
        retry_of: Some(deployment.id),
        // It had been let through before.
        now: true,
        ..Wish::again(deployment)
    };
    queue
        .try_again(deployment.id, wish, why(Next::Again), why(Next::Newer))
        .await
        .map_err(|e| e.to_string())
}

/// Brings every environment back to its committed release: after a reboot nothing of it runs. One environment that
/// cannot be brought back does not keep the others down.
async fn uphold_all(tools: &Tools) {
    tell_of_the_unconfigured(tools).await;
    for env in tools.server.apps.values().flat_map(|app| &app.environments) {
        if let Err(error) = tools.slots(env).sweep() {
            tracing::warn!(env = %env.id, %error, "what an interrupted sealing left behind stays");
        }
        match pipeline::uphold(tools, env).await {
            Ok(0) => {}
            Ok(started) => tracing::info!(env = %env.id, started, "brought back"),
            Err(stop) => {
                tracing::error!(env = %env.id, cause = stop.cause(), "cannot be brought back")
            }
        }
    }
}

/// What left the configuration is not stopped: it may have been a slip of the pen.
async fn tell_of_the_unconfigured(tools: &Tools) {
    match tools.unconfigured().await {
        Ok(left) => {
            for env in left {
                tracing::warn!(%env, "it is not in the configuration any more, but its release serves on: teal destroy {env} stops it");
            }
        }
        Err(error) => tracing::warn!(%error, "it cannot be seen what left the configuration"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_alone_tells_what_to_do() {
        let table = [
            (State::Waiting, 1, Verdict::Leave),
            (State::Queued, 1, Verdict::Leave),
            (State::Running, 1, Verdict::Retry),
            (State::Running, 2, Verdict::Retry),
            (State::Running, 3, Verdict::SetAside),
            (State::Approval, 1, Verdict::Wait),
            (State::Approval, 3, Verdict::Wait),
            (State::Switching, 1, Verdict::Retry),
            (State::Switching, 3, Verdict::SetAside),
            (State::Observing, 3, Verdict::Observe),
        ];
        for (state, attempts, verdict) in table {
            assert_eq!(decide(state, attempts), verdict, "{state} after {attempts}");
        }
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            assert_eq!(decide(state, 1), Verdict::Leave, "{state}");
        }
    }
}
