use super::types::{Builds, Desired, EnvironmentStatus, SlotStatus, Status, UntoldTarget, Which};
use super::warnings::{Processes, runs, warnings};
use super::{need, pick};
use crate::config::Environment;
use crate::domain::{Color, Deployment, EnvId, Role, State as Stands};
use crate::holds;
use crate::messenger::{self, Standing as Untold};
use crate::pipeline::{Builder, Tools};
use crate::reconcile;
use crate::service::Service;
use crate::store::deployments;
use crate::store::environments::Standing;
use crate::system::clock;
use crate::system::lock::{self, Holder};
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use std::collections::BTreeMap;

pub(super) async fn status(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<Status>, Refusal> {
    let tools = worker.tools();
    let only = match which.env.as_str() {
        "" => None,
        _ => Some(pick(tools, &which)?),
    };
    let mut status = gather(tools, only.as_ref()).await?;
    status
        .environments
        .retain(|one| need(&peer, &one.env, Role::Look).is_ok());
    status
        .unconfigured
        .retain(|env| need(&peer, env, Role::Look).is_ok());
    let visible = |one: &Builder| need(&peer, &one.env, Role::Look).is_ok();
    status.builds.building.retain(visible);
    status.builds.waiting.retain(visible);
    Ok(Json(status))
}

/// How every environment, or one, stands.
pub(in crate::web) async fn gather(tools: &Tools, only: Option<&EnvId>) -> Result<Status, Refusal> {
    let mut environments = Vec::new();
    for env in tools.server.apps.values().flat_map(|app| &app.environments) {
        if only.is_none_or(|only| only == &env.id) {
            environments.push(environment(tools, env).await?);
        }
    }
    let untold = messenger::troubled(tools)
        .await
        .map_err(Refusal::internal)?;
    Ok(Status {
        untold: untold.into_iter().map(shown).collect(),
        unconfigured: tools.unconfigured().await.map_err(Refusal::internal)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        lock: Holder::of(&tools.server.state_dir.join(lock::SERVER)),
        environments,
        builds: builds(tools),
    })
}

fn builds(tools: &Tools) -> Builds {
    let (building, waiting) = tools.builds.shown();
    Builds {
        slots: tools.server.build_slots,
        building,
        waiting,
    }
}

fn shown(untold: Untold) -> UntoldTarget {
    let (failing, since) = untold.failing.unzip();
    let (given_up, because) = untold.given_up.unzip();
    UntoldTarget {
        target: untold.target,
        waiting: untold.waiting,
        failing,
        failing_since_ms: since,
        given_up: given_up.unwrap_or_default(),
        gave_up_because: because,
    }
}

async fn environment(tools: &Tools, env: &Environment) -> Result<EnvironmentStatus, Refusal> {
    let standing = tools.journal.standing(&env.id).await?;
    let of = env.clone();
    let read = tools.journal.store().read(move |c| {
        let newest = deployments::newest(c, Some(&of.id), 50)?;
        let hold = holds::of(c, &of, clock::now_ms())?;
        Ok((deployments::open(c, Some(&of.id))?, newest, hold))
    });
    let (open, newest, hold) = read
        .await
        .map_err(|e: crate::store::StoreError| Refusal::internal(e))?;
    let mut slots = Vec::new();
    let mut serving = Processes::new();
    let route = tools.traffic.route(&env.id).await;
    for color in Color::BOTH {
        let share = route.as_ref().map_or(0, |route| *route.shares.of(color));
        let processes = processes(tools, env, color).await?;
        slots.push(slot(tools, env, &standing, color, share, &processes));
        if standing.active == Some(color) {
            serving = processes;
        }
    }
    Ok(EnvironmentStatus {
        env: env.id.clone(),
        url: tools.url(&env.id),
        active: standing.active,
        since_ms: standing.active.and_then(|active| since(&newest, active)),
        warm_until_ms: standing.warm_until_ms,
        maintenance: route.as_ref().is_some_and(|route| route.maintenance),
        hold: hold.map(|hold| hold.to_string()),
        open,
        last: newest
            .into_iter()
            .find(|deployment| deployment.state.is_final()),
        desired: desired(tools, env, &standing),
        warnings: warnings(tools, env, &standing, &serving),
        slots,
    })
}

/// When the last switch was that held.
fn since(newest: &[Deployment], active: Color) -> Option<i64> {
    newest.iter().find_map(|one| switched(one, active))
}

fn switched(deployment: &Deployment, to: Color) -> Option<i64> {
    let held = deployment.color == Some(to)
        && matches!(deployment.state, Stands::Live | Stands::Observing);
    deployment.switched_ms.filter(|_| held)
}

async fn processes(tools: &Tools, env: &Environment, color: Color) -> Result<Processes, Refusal> {
    let prefix = format!("{}.{color}.", env.id.key());
    let running = tools.services.running(&prefix).await;
    let named = |service: Service| {
        let name = service.key().trim_start_matches(&prefix).to_owned();
        (name, service)
    };
    let running = running.map_err(Refusal::internal)?;
    Ok(running.into_iter().map(named).collect())
}

fn slot(
    tools: &Tools,
    env: &Environment,
    standing: &Standing,
    color: Color,
    share: u8,
    processes: &Processes,
) -> SlotStatus {
    let release = standing.slots.of(color).as_ref();
    let processes: BTreeMap<String, i32> = processes
        .iter()
        .filter(|(_, service)| runs(service))
        .map(|(name, service)| (name.clone(), service.pid()))
        .collect();
    SlotStatus {
        color,
        port: env.ports.of(color),
        share,
        commit: release.map(|release| release.commit.clone()),
        subject: release.and_then(|release| tools.subject(&env.id.app, &release.commit)),
        deployment: release.map(|release| release.deployment),
        served: release.is_some_and(|release| release.served),
        processes,
    }
}

/// A repository that cannot be read has nothing to say here; deployments from it say what is wrong with it.
pub(in crate::web) fn desired(
    tools: &Tools,
    env: &Environment,
    standing: &Standing,
) -> Option<Desired> {
    let (app, _) = tools.environment(&env.id)?;
    let (ref_name, commit) = reconcile::newest_tip(tools, app, &env.id).ok()??;
    let serves = standing.serving().is_some_and(|now| now.commit == commit);
    Some(Desired {
        ref_name,
        commit,
        serves,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(state: &str, color: &str, switched_ms: i64) -> Deployment {
        let value = serde_json::json!({
            "id": 1, "env": "arq/production", "kind": "deploy", "commit": "1".repeat(40),
            "ref_name": "refs/heads/main", "by": "ada", "origin": "hook", "mode": "fast",
            "redeploy": false, "skip_tests": false, "state": state, "color": color,
            "created_ms": 1, "switched_ms": switched_ms,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_serves_does_so_since_the_last_switch_that_held() {
        let newest = [
            deployment("rolled_back", "blue", 9),
            deployment("live", "green", 8),
            deployment("live", "blue", 7),
            deployment("live", "blue", 5),
        ];
        assert_eq!(since(&newest, Color::Blue), Some(7));
        assert_eq!(since(&newest, Color::Green), Some(8));
        assert_eq!(since(&newest[..1], Color::Blue), None);
    }
}
