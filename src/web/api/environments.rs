use super::deployments::begun;
use super::permission::permit;
use super::types::{Begun, MaintenanceRequest, RollbackRequest, Which};
use super::{backups, pick};
use crate::domain::{Act, EnvId, Kind, Origin};
use crate::queue::Wish;
use crate::reconcile;
use crate::release::Backup;
use crate::web::{Peer, Refusal};
use crate::worker::{Worker, WorkerError};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;

pub(super) async fn rollback(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<RollbackRequest>,
) -> Result<Json<Begun>, Refusal> {
    let env = pick(worker.tools(), &request.which)?;
    Ok(Json(roll_back(&worker, &env, &request, &peer).await?))
}

/// Goes back: to the release before, or to what the request names.
pub(in crate::web) async fn roll_back(
    worker: &Worker,
    env: &EnvId,
    request: &RollbackRequest,
    peer: &Peer,
) -> Result<Begun, Refusal> {
    let about = request.to.as_deref().unwrap_or_default();
    let (actor, permit) = permit(worker.tools(), peer, Act::Rollback, env, about).await?;
    let target = match &request.to {
        Some(to) => {
            let backup = target(worker, env, to)?;
            if !request.yes {
                backups::ask_about_the_database(worker, env, &backup).await?;
            }
            Some(backup.name)
        }
        None => None,
    };
    if target.is_none() && !has_way_back(worker, env).await? {
        return Err(WorkerError::NoWayBack(env.clone()).into());
    }
    let queued = worker
        .rollback(env, target, actor.name(), peer.door())
        .await?;
    permit.made(queued.id).await;
    let chosen = worker.tools().journal.deployment(queued.id).await?.commit;
    let passed = reconcile::pass_over(worker.tools(), env, Some(&chosen)).await;
    passed.map_err(Refusal::internal)?;
    Ok(begun(worker.tools(), queued))
}

async fn has_way_back(worker: &Worker, env: &EnvId) -> Result<bool, Refusal> {
    let standing = worker.tools().journal.standing(env).await?;
    let other = standing.slots.of(standing.standby());
    let serving = standing
        .serving()
        .and_then(|release| release.backup.clone());
    let warm = other.as_ref().is_some_and(|release| release.served);
    let kept = backups::all(worker, env)?;
    Ok(warm
        || kept
            .iter()
            .any(|b| b.manifest.served && Some(&b.name) != serving.as_ref()))
}

/// The backup that `--to` means: by its own name, or by the number of the deployment whose release it holds.
fn target(worker: &Worker, env: &EnvId, to: &str) -> Result<Backup, Refusal> {
    let mut kept = backups::all(worker, env)?.into_iter();
    let found =
        kept.find(|backup| backup.name == to || to.parse() == Ok(backup.manifest.about.deployment));
    found.ok_or_else(|| {
        let shown: String = to.chars().take(60).flat_map(char::escape_debug).collect();
        Refusal::mistake(format!("{env} has no backup `{shown}`"))
            .next(format!("teal backups {} lists what there is", env.env))
    })
}

pub(super) async fn restart(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(which): Json<Which>,
) -> Result<Json<Begun>, Refusal> {
    let env = pick(worker.tools(), &which)?;
    let (actor, permit) = permit(worker.tools(), &peer, Act::Restart, &env, "").await?;
    let begun = again(&worker, &env, actor.name().to_owned(), peer.door()).await?;
    permit.made(begun.id).await;
    Ok(Json(begun))
}

/// The release that serves, once more through the standby slot.
pub(super) async fn again(
    worker: &Worker,
    env: &EnvId,
    by: String,
    door: Origin,
) -> Result<Begun, Refusal> {
    let standing = worker.tools().journal.standing(env).await?;
    let Some(serving) = standing.serving() else {
        return Err(
            Refusal::new(StatusCode::CONFLICT, format!("{env} serves nothing yet"))
                .next(format!("deploy it first: teal deploy {}", env.env)),
        );
    };
    let wish = Wish::of_release((env.clone(), Kind::Restart), serving, (&by, door));
    Ok(begun(worker.tools(), worker.queue().ask(wish).await?))
}

pub(super) async fn maintenance(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<MaintenanceRequest>,
) -> Result<Json<Which>, Refusal> {
    let env = pick(worker.tools(), &request.which)?;
    show_maintenance(&worker, &env, request.on, &peer).await?;
    Ok(Json(request.which))
}

/// Shows visitors the maintenance page, or the app again.
pub(in crate::web) async fn show_maintenance(
    worker: &Worker,
    env: &EnvId,
    on: bool,
    peer: &Peer,
) -> Result<(), Refusal> {
    let about = if on { "on" } else { "off" };
    let (_, _permit) = permit(worker.tools(), peer, Act::Maintenance, env, about).await?;
    let applied = worker
        .tools()
        .traffic
        .apply(env, move |route| route.maintenance = on)
        .await;
    applied.map_err(Refusal::internal)?;
    Ok(())
}
