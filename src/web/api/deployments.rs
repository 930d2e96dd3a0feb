use super::permission::permit;
use super::types::{Begun, DeployRequest, DeploymentShown, Told, Which};
use super::{need, pick};
use crate::changes;
use crate::domain::{Act, Deployment, DeploymentId, EnvId, Event, Kind, Mode, Role};
use crate::pipeline::Tools;
use crate::queue::{Queued, Wish};
use crate::reconcile;
use crate::store::{deployments, events};
use crate::web::stream::{Gone, Lines, answer};
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// How often a reader is told that the server is there while nothing happens.
const BEAT: Duration = Duration::from_secs(10);

pub(super) async fn deploy(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<DeployRequest>,
) -> Result<Json<Begun>, Refusal> {
    let env = pick(worker.tools(), &request.which)?;
    Ok(Json(deploy_ref(&worker, &env, &request, &peer).await?))
}

/// Deploys what the request names.
pub(in crate::web) async fn deploy_ref(
    worker: &Worker,
    env: &EnvId,
    request: &DeployRequest,
    peer: &Peer,
) -> Result<Begun, Refusal> {
    let tools = worker.tools();
    if request.fast && request.full {
        return Err(Refusal::mistake("`fast` and `full` contradict each other").next("give one"));
    }
    let about = request.ref_name.as_deref().unwrap_or_default();
    let (actor, permit) = permit(tools, peer, Act::Deploy, env, about).await?;
    let (ref_name, commit) = what(tools, env, request.ref_name.as_deref()).await?;
    let configured = tools
        .environment(env)
        .map_or(Mode::Fast, |(_, env)| env.mode);
    let wish = Wish {
        env: env.clone(),
        kind: Kind::Deploy,
        commit,
        ref_name,
        by: actor.name().to_owned(),
        origin: peer.door(),
        mode: match (request.fast, request.full) {
            (true, _) => Mode::Fast,
            (_, true) => Mode::Full,
            _ => configured,
        },
        redeploy: true,
        skip_tests: request.skip_tests,
        retry_of: None,
        now: request.now,
    };
    let passed = match request.ref_name {
        Some(_) => reconcile::pass_over(tools, &wish.env, Some(&wish.commit))
            .await
            .map_err(Refusal::internal)?,
        None => None,
    };
    let queued = worker.queue().ask(wish).await?;
    permit.made(queued.id).await;
    if let Some(note) = passed {
        tools.journal.note(queued.id, note).await?;
    }
    Ok(begun(tools, queued))
}

/// The ref and the commit that are meant: what was typed, or the newest tip that maps to the environment. What lives in
/// a remote is looked up there first.
pub(super) async fn what(
    tools: &Tools,
    env: &EnvId,
    typed: Option<&str>,
) -> Result<(String, crate::domain::CommitId), Refusal> {
    let Some((app, _)) = tools.environment(env) else {
        return Err(Refusal::mistake(format!("{env} is not configured")));
    };
    if let Err(crate::pipeline::Stop::Failed(trouble)) = crate::pipeline::transfer(tools, app).await
    {
        return Err(
            Refusal::internal(trouble.cause).next("check `repo` and the credentials in teal.toml")
        );
    }
    match typed {
        Some(typed) => match tools.repo(app).and_then(|repo| repo.resolve(typed)) {
            Ok(commit) => Ok((typed.to_owned(), commit)),
            Err(error) => Err(Refusal::mistake(error).next("give a branch, a tag or a commit id")),
        },
        None => reconcile::newest_tip(tools, app, env)
            .map_err(Refusal::internal)?
            .ok_or_else(|| {
                Refusal::mistake(format!(
                    "no branch or tag that maps to {env} was pushed yet"
                ))
                .next("push one, or name a commit with --ref")
            }),
    }
}

/// What is answered to a wish.
pub(super) fn begun(tools: &Tools, queued: Queued) -> Begun {
    Begun {
        id: queued.id,
        url: tools.page(queued.id),
        env: queued.env,
    }
}

/// What a list is limited to.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    env: Option<String>,
    app: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(listed): Query<Listed>,
) -> Result<Json<Vec<Deployment>>, Refusal> {
    let tools = worker.tools();
    let env = match listed.env {
        Some(env) => Some(pick(
            tools,
            &Which {
                env,
                app: listed.app,
            },
        )?),
        None => None,
    };
    let limit = listed.limit.unwrap_or(20).min(1000);
    let store = tools.journal.store();
    let newest = store
        .read(move |c| deployments::newest(c, env.as_ref(), limit))
        .await;
    let mut newest = newest.map_err(Refusal::internal)?;
    newest.retain(|one| need(&peer, &one.env, Role::Look).is_ok());
    Ok(Json(newest))
}

pub(super) async fn show(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
) -> Result<Json<DeploymentShown>, Refusal> {
    let shown = shown(worker.tools(), id).await?;
    need(&peer, &shown.deployment.env, Role::Look)?;
    Ok(Json(shown))
}

/// A deployment with all that is known of it.
pub(in crate::web) async fn shown(
    tools: &Tools,
    id: DeploymentId,
) -> Result<DeploymentShown, Refusal> {
    let deployment = tools.journal.deployment(id).await?;
    let events = tools
        .journal
        .store()
        .read(move |c| events::after(c, id, 0))
        .await;
    let changes = match deployment.approval {
        Some(_) => changes::of(tools, &deployment)
            .await
            .map_err(Refusal::internal)?,
        None => None,
    };
    Ok(DeploymentShown {
        changes,
        subject: tools.subject(&deployment.env.app, &deployment.commit),
        url: tools.url(&deployment.env),
        page: tools.page(id),
        events: events.map_err(Refusal::internal)?,
        deployment,
    })
}

pub(super) async fn events(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
) -> Result<Response, Refusal> {
    let shown = shown(worker.tools(), id).await?;
    need(&peer, &shown.deployment.env, Role::Look)?;
    Ok(answer("application/x-ndjson", move |lines| {
        follow(worker, shown, lines)
    }))
}

async fn follow(worker: Worker, shown: DeploymentShown, mut lines: Lines) -> Result<(), Gone> {
    let journal = &worker.tools().journal;
    let id = shown.deployment.id;
    let mut over = shown.deployment.state.is_final();
    let mut follower = journal.follow(id, shown.events.last().map_or(0, |record| record.seq));
    lines.json(&Told::Shown(Box::new(shown))).await?;
    while !over {
        let Ok(records) = timeout(BEAT, follower.next()).await else {
            // An empty line says that the server is there; whoever reads skips it.
            lines.raw("\n").await?;
            continue;
        };
        let records = records.map_err(|_| Gone)?;
        over = records.is_empty();
        for record in records {
            over |= matches!(record.event, Event::State { to, .. } if to.is_final());
            lines.json(&Told::Event(record)).await?;
        }
    }
    let ended = journal.deployment(id).await.map_err(|_| Gone)?;
    lines.json(&Told::Ended(Box::new(ended))).await
}

pub(super) async fn cancel(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
) -> Result<Json<Deployment>, Refusal> {
    Ok(Json(stop(&worker, id, &peer).await?))
}

/// Stops a deployment.
pub(in crate::web) async fn stop(
    worker: &Worker,
    id: DeploymentId,
    peer: &Peer,
) -> Result<Deployment, Refusal> {
    let tools = worker.tools();
    let env = tools.journal.deployment(id).await?.env;
    let (actor, permit) = permit(tools, peer, Act::Cancel, &env, "").await?;
    permit.made(id).await;
    Ok(worker.cancel(id, actor.name()).await?)
}
