use super::environments::again;
use super::permission::permit;
use super::pick;
use super::types::{RunPlace, VariablesChanged, VariablesRequest, VariablesShown, Which};
use crate::domain::Act;
use crate::pipeline::{Place, Sight};
use crate::release::VariablesError;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;

pub(super) async fn show(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<VariablesShown>, Refusal> {
    let env = pick(worker.tools(), &which)?;
    let (_, _permit) = permit(worker.tools(), &peer, Act::Secrets, &env, "").await?;
    let wanted = worker.tools().variables(&env).wanted()?;
    Ok(Json(VariablesShown {
        env,
        digest: wanted.digest,
        values: wanted.values,
    }))
}

/// Changes values. While something serves, the change goes live through the standby slot, without a build.
pub(super) async fn change(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<VariablesRequest>,
) -> Result<Json<VariablesChanged>, Refusal> {
    let env = pick(worker.tools(), &request.which)?;
    let names: Vec<&str> = request.changes.keys().map(String::as_str).collect();
    let about = names.join(", ");
    let (actor, permit) = permit(worker.tools(), &peer, Act::Settings, &env, &about).await?;
    let variables = worker.tools().variables(&env);
    let before = variables.wanted()?;
    let version = variables.change(&request.changes)?;
    let standing = worker.tools().journal.standing(&env).await?;
    let begun = match standing.serving() {
        Some(_) if before != version => {
            let begun = again(&worker, &env, actor.name().to_owned(), peer.door()).await?;
            permit.made(begun.id).await;
            Some(begun)
        }
        _ => None,
    };
    Ok(Json(VariablesChanged {
        digest: version.digest,
        begun,
    }))
}

/// What a one-off command is run with: the release that serves, its folder and its environment.
pub(super) async fn run(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(which): Json<Which>,
) -> Result<Json<RunPlace>, Refusal> {
    let tools = worker.tools();
    let id = pick(tools, &which)?;
    let (_, _permit) = permit(tools, &peer, Act::Run, &id, "").await?;
    let standing = tools.journal.standing(&id).await?;
    let (Some(color), Some(release), Some((_, env))) =
        (standing.active, standing.serving(), tools.environment(&id))
    else {
        return Err(
            Refusal::new(StatusCode::CONFLICT, format!("{id} serves nothing yet"))
                .next(format!("deploy it first: teal deploy {}", id.env)),
        );
    };
    let variables = tools.variables(&id).load(&release.env_digest)?;
    let slots = tools.slots(env);
    let place = Place {
        tools,
        env,
        slots: &slots,
        color,
        release,
        variables: &variables,
    };
    Ok(Json(RunPlace {
        cwd: place.app_dir().display().to_string(),
        env: place.environment(Sight::App),
        run_as: env.run_as.clone(),
    }))
}

impl From<VariablesError> for Refusal {
    fn from(error: VariablesError) -> Self {
        match error {
            VariablesError::File(_) | VariablesError::Damaged { .. } => Refusal::internal(error),
            mistake => Refusal::mistake(mistake),
        }
    }
}
