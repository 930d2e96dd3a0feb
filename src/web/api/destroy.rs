//! Takes an environment down. One that left the configuration is meant by `app/environment` alone.

use super::permission::permit;
use super::pick;
use super::types::{DestroyRequest, DestroyedShown, Which};
use crate::domain::{Act, EnvId};
use crate::pipeline::Tools;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;

pub(super) async fn destroy(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<DestroyRequest>,
) -> Result<Json<DestroyedShown>, Refusal> {
    let tools = worker.tools();
    let env = wanted(tools, &request.which).await?;
    let about = if request.yes { "" } else { "asked first" };
    let (actor, _permit) = permit(tools, &peer, Act::Destroy, &env, about).await?;
    let configured = tools.environment(&env).is_some();
    if !request.yes {
        return Err(ask(tools, &env));
    }
    let down = worker.destroy(&env, actor.name()).await?;
    let folders = down.folders.unwrap_or_default();
    Ok(Json(DestroyedShown {
        env,
        configured,
        stopped: down.stopped,
        removed: folders.removed,
        kept: folders.kept,
    }))
}

async fn wanted(tools: &Tools, which: &Which) -> Result<EnvId, Refusal> {
    let unknown = match pick(tools, which) {
        Ok(env) => return Ok(env),
        Err(unknown) => unknown,
    };
    let typed = match (&which.app, which.env.contains('/')) {
        (Some(app), false) => format!("{app}/{}", which.env),
        _ => which.env.clone(),
    };
    let left = tools.unconfigured().await.map_err(Refusal::internal)?;
    let found = left.into_iter().find(|env| env.to_string() == typed);
    found.ok_or(unknown)
}

/// What is about to be lost, before it is.
fn ask(tools: &Tools, env: &EnvId) -> Refusal {
    let what = match tools.environment(env) {
        Some((_, configured)) => {
            let kept = tools.shelf(configured).list().map_or(0, |kept| kept.len());
            format!(
                "this stops {env}, and removes its releases, its backups ({kept}) and its settings; {} stays",
                tools.slots(configured).shared().display()
            )
        }
        None => format!(
            "this stops {env} and removes its settings; its folder stays, because the configuration does not say any more where it is"
        ),
    };
    Refusal::new(StatusCode::CONFLICT, what)
        .next(format!("if that is meant: teal destroy {env} --yes"))
}
