//! `/api/v1` on the server's socket: what the commands of the shell speak to.

mod accounts;
mod approvals;
mod audit;
mod backups;
mod deployments;
mod description;
mod destroy;
mod doctor;
mod environments;
mod freezes;
mod logs;
mod news;
mod notify;
mod now;
mod permission;
mod plan;
mod promote;
mod status;
mod token;
pub mod types;
mod variables;
mod warnings;

pub(super) use approvals::say;
pub(super) use backups::backups_of;
pub(super) use deployments::{deploy_ref, shown, stop};
pub(super) use environments::{roll_back, show_maintenance};
pub(super) use logs::{WITH_LOG, log_of};
pub use plan::planned;
pub(super) use status::{desired, gather};
pub(super) use types::{DeployRequest, RollbackRequest};

use super::{Peer, Refusal};
use crate::domain::{EnvId, Role, role_in};
use crate::pipeline::Tools;
use crate::web::visitor::beyond;
use crate::worker::Worker;
use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use types::Which;

/// The API on the server's socket: all of it, and who may come in over the network.
pub fn routes(worker: &Worker) -> Router<Worker> {
    let local = accounts::routes()
        .route("/doctor", post(doctor::doctor))
        .route("/notify", get(notify::list))
        .route("/notify/test", post(notify::test))
        .layer(middleware::from_fn(permission::only_owner));
    let known = middleware::from_fn_with_state(worker.clone(), permission::only_known);
    let shared = shared().route("/now", get(now::now));
    shared.merge(local).layer(known)
}

/// The API on the TCP address, for scripts with a token.
pub(super) fn outside(worker: &Worker) -> Router<Worker> {
    let by_token = middleware::from_fn_with_state(worker.clone(), token::by_token);
    shared()
        .layer(by_token)
        .route("/openapi.json", get(description::openapi))
}

fn shared() -> Router<Worker> {
    Router::new()
        .route("/status", get(status::status))
        .route(
            "/deployments",
            get(deployments::list).post(deployments::deploy),
        )
        .route("/deployments/{id}", get(deployments::show))
        .route("/deployments/{id}/events", get(deployments::events))
        .route("/deployments/{id}/logs", get(logs::of_deployment))
        .route("/deployments/{id}/cancel", post(deployments::cancel))
        .route("/deployments/{id}/approve", post(approvals::approve))
        .route("/deployments/{id}/reject", post(approvals::reject))
        .route("/logs", get(logs::of_environment))
        .route("/rollback", post(environments::rollback))
        .route("/promote", post(promote::promote))
        .route("/restart", post(environments::restart))
        .route("/destroy", post(destroy::destroy))
        .route("/maintenance", post(environments::maintenance))
        .route("/freeze", post(freezes::freeze))
        .route("/backups", get(backups::list))
        .route("/backups/verify", get(backups::verify))
        .route("/variables", get(variables::show).post(variables::change))
        .route("/run", post(variables::run))
        .route("/plan", get(plan::plan))
        .route("/audit", get(audit::list))
}

/// Refuses what is beyond the role of a token's owner. On the socket there are no roles.
fn need(peer: &Peer, env: &EnvId, role: Role) -> Result<(), Refusal> {
    match &peer.user {
        Some(user) if role_in(&user.rights, env) < Some(role) => Err(beyond(&user.name, env, role)),
        _ => Ok(()),
    }
}

/// Finds the environment that somebody typed: by its name, by `app/environment`, or by the app's name where that app has
/// only one.
fn pick(tools: &Tools, which: &Which) -> Result<EnvId, Refusal> {
    let (app, name) = match which.env.split_once('/') {
        Some((app, name)) => (Some(app), name),
        None => (which.app.as_deref(), which.env.as_str()),
    };
    let all: Vec<&EnvId> = tools
        .server
        .apps
        .values()
        .flat_map(|app| app.environments.iter().map(|env| &env.id))
        .collect();
    let found: Vec<&&EnvId> = all
        .iter()
        .filter(|id| id.env.as_str() == name && app.is_none_or(|app| id.app.as_str() == app))
        .collect();
    match found.as_slice() {
        [one] => Ok((**one).clone()),
        [] => match (app, only_one_of(&all, name)) {
            (None, Some(id)) => Ok(id.clone()),
            _ => Err(unknown(&all, app, name)),
        },
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(
                Refusal::mistake(format!("`{name}` is an environment of several apps"))
                    .next(format!("say which: {}", names.join(" or "))),
            )
        }
    }
}

fn only_one_of<'a>(all: &[&'a EnvId], app: &str) -> Option<&'a EnvId> {
    let mut its = all.iter().filter(|id| id.app.as_str() == app);
    let first = its.next()?;
    its.next().is_none().then_some(first)
}

fn unknown(all: &[&EnvId], app: Option<&str>, name: &str) -> Refusal {
    let wanted = app.map_or_else(|| name.to_owned(), |app| format!("{app}/{name}"));
    let shown: String = wanted
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    let near = all
        .iter()
        .map(|id| {
            if app.is_some() {
                id.to_string()
            } else {
                id.env.to_string()
            }
        })
        .max_by(|a, b| strsim::jaro(a, &wanted).total_cmp(&strsim::jaro(b, &wanted)))
        .filter(|near| strsim::jaro(near, &wanted) > 0.7);
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    Refusal::mistake(format!("there is no environment `{shown}`")).next(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("this server has {}", names.join(", ")),
    })
}
