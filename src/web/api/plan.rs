use super::deployments::what;
use super::types::{PlanShown, PlannedStep, Which};
use super::{need, pick};
use crate::config::Environment;
use crate::domain::{CommitId, Mode, Role};
use crate::pipeline::{self, Need, Plan, Stop, Tools};
use crate::queue::shown_ref;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use serde::Deserialize;

/// What is to be planned.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    env: String,
    app: Option<String>,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
}

pub(super) async fn plan(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(asked): Query<Asked>,
) -> Result<Json<PlanShown>, Refusal> {
    let tools = worker.tools();
    let id = pick(
        tools,
        &Which {
            env: asked.env,
            app: asked.app,
        },
    )?;
    need(&peer, &id, Role::Look)?;
    let (ref_name, commit) = what(tools, &id, asked.ref_name.as_deref()).await?;
    let Some((_, env)) = tools.environment(&id) else {
        return Err(Refusal::mistake(format!("{id} is not configured")));
    };
    match planned(tools, env, &ref_name, &commit, env.mode).await {
        Ok(shown) => Ok(Json(shown)),
        Err(Stop::Failed(trouble)) => Err(Refusal::mistake(trouble.cause)),
        Err(Stop::Cancelled(why)) => Err(Refusal::internal(why)),
    }
}

/// What deploying the commit would do, as it is shown.
pub async fn planned(
    tools: &Tools,
    env: &Environment,
    ref_name: &str,
    commit: &CommitId,
    mode: Mode,
) -> Result<PlanShown, Stop> {
    let Plan { recipe, steps } = pipeline::plan(tools, &env.id, ref_name, commit, mode).await?;
    let steps = steps.into_iter().map(|(step, need)| {
        let (runs, why) = match need {
            Need::Run(why) => (true, why),
            Need::Skip(why) | Need::PutBack(_, why) | Need::Lend(_, why) => (false, why),
        };
        PlannedStep {
            step: step.to_string(),
            runs,
            why,
        }
    });
    Ok(PlanShown {
        head: format!(
            "{} of {} to {}",
            commit.short(),
            shown_ref(ref_name),
            env.id
        ),
        recipe: recipe.explain(),
        warnings: recipe.warnings,
        steps: steps.collect(),
    })
}
