//! What changes from second to second: the proxy's counters, and the steps that run. `teal top` asks for it again and again.

use super::pick;
use super::types::{Now, StepNow, Which};
use crate::domain::{Deployment, EnvId, Event, Record, State as Stands, StepEnd};
use crate::pipeline::Tools;
use crate::store::{StoreError, deployments, events};
use crate::web::Refusal;
use crate::worker::Worker;
use axum::Json;
use axum::extract::{Query, State};

/// Every environment, or one. A proxy that does not answer has no counters; that it is down is seen where they should be.
pub(super) async fn now(
    State(worker): State<Worker>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Now>>, Refusal> {
    let tools = worker.tools();
    let only = match which.env.as_str() {
        "" => None,
        _ => Some(pick(tools, &which)?),
    };
    let mut all = Vec::new();
    for env in tools.server.environments().map(|env| &env.id) {
        if only.as_ref().is_none_or(|only| only == env) {
            all.push(Now {
                env: env.clone(),
                measure: tools.traffic.measure(env).await.ok().flatten(),
                steps: steps(tools, env).await?,
            });
        }
    }
    Ok(Json(all))
}

async fn steps(tools: &Tools, env: &EnvId) -> Result<Vec<StepNow>, Refusal> {
    let env = env.clone();
    let read = tools.journal.store().read(move |c| {
        let open = deployments::open(c, Some(&env))?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let good = deployments::newest(c, Some(&env), 50)?;
        let good = good.iter().find(|one| one.state == Stands::Live);
        let before = match good {
            Some(good) => events::after(c, good.id, 0)?,
            None => Vec::new(),
        };
        let mut steps = Vec::new();
        for deployment in open {
            let told = events::after(c, deployment.id, 0)?;
            steps.extend(step(&deployment, &told, &before));
        }
        Ok(steps)
    });
    read.await
        .map_err(|error: StoreError| Refusal::internal(error))
}

/// The step that has begun and not ended, and how long it took the last time that all went well.
fn step(deployment: &Deployment, told: &[Record], before: &[Record]) -> Option<StepNow> {
    let (step, since_ms) = told
        .iter()
        .fold(None, |running, record| match record.event {
            Event::StepStarted { step } => Some((step, record.at_ms)),
            Event::StepEnded { .. } => None,
            _ => running,
        })?;
    let usual_ms = before.iter().find_map(|record| match &record.event {
        Event::StepEnded {
            step: of,
            end: StepEnd::Ran,
            ms,
            ..
        } if *of == step => Some(*ms),
        _ => None,
    });
    Some(StepNow {
        deployment: deployment.id,
        step,
        since_ms,
        usual_ms,
    })
}
