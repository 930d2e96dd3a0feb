use super::deployments::begun;
use super::permission::permit;
use super::types::{Begun, PromoteRequest, Which};
use super::{need, pick};
use crate::domain::{Act, EnvId, Kind, Role};
use crate::pipeline::Tools;
use crate::queue::Wish;
use crate::reconcile;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;

/// Deploys exactly the commit that one environment serves to another one of the same app.
pub(super) async fn promote(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<PromoteRequest>,
) -> Result<Json<Begun>, Refusal> {
    let tools = worker.tools();
    let (from, to) = both(tools, &request)?;
    need(&peer, &from, Role::Look)?;
    let about = format!("what {from} serves");
    let (actor, permit) = permit(tools, &peer, Act::Deploy, &to, &about).await?;
    let standing = tools.journal.standing(&from).await?;
    let Some(serving) = standing.serving() else {
        let error = format!("{from} serves nothing yet: there is nothing to promote");
        return Err(Refusal::new(StatusCode::CONFLICT, error)
            .next(format!("deploy it first: teal deploy {from}")));
    };
    let kind = Kind::Promote {
        from,
        deployment: serving.deployment,
    };
    let wish = Wish {
        now: request.now,
        ..Wish::of_release((to.clone(), kind), serving, (actor.name(), peer.door()))
    };
    let passed = reconcile::pass_over(tools, &to, Some(&wish.commit))
        .await
        .map_err(Refusal::internal)?;
    let queued = worker.queue().ask(wish).await?;
    permit.made(queued.id).await;
    if let Some(note) = passed {
        tools.journal.note(queued.id, note).await?;
    }
    Ok(Json(begun(tools, queued)))
}

/// The two environments. The app needs to be said only once.
fn both(tools: &Tools, request: &PromoteRequest) -> Result<(EnvId, EnvId), Refusal> {
    let named = |env: &str| env.split_once('/').map(|(app, _)| app.to_owned());
    let app = request.app.clone();
    let which = |env: &str, other: &str| Which {
        env: env.to_owned(),
        app: app.clone().or_else(|| named(other)),
    };
    let from = pick(tools, &which(&request.from, &request.to))?;
    let to = pick(tools, &which(&request.to, &from.to_string()))?;
    if from.app != to.app {
        let error = format!("{from} and {to} are of different apps: a promotion stays within one");
        return Err(Refusal::new(StatusCode::CONFLICT, error)
            .next(format!("name an environment of {}", from.app)));
    }
    if from == to {
        let error = format!("{from} serves that commit already");
        return Err(Refusal::new(StatusCode::CONFLICT, error).next(format!(
            "to start it once more: teal restart {from}; to deploy it again: teal deploy {from}"
        )));
    }
    Ok((from, to))
}
