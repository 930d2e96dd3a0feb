//! What people do on the pages: plain forms that work without a script. Each is checked for its session, for where it came
//! from and for the role of who sent it, and leads to the page of what it began.

use super::environments::known;
use super::form::{checked, go_to};
use super::shell::{Shell, Unshown, page};
use crate::domain::{DeploymentId, Role};
use crate::report::one_line;
use crate::web::api::{
    DeployRequest, RollbackRequest, backups_of, deploy_ref, gather, roll_back, show_maintenance,
    stop,
};
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

/// The form that deploys.
#[derive(Debug, Deserialize)]
pub(super) struct Deploy {
    #[serde(default)]
    token: String,
    #[serde(default, rename = "ref")]
    ref_name: String,
    #[serde(default)]
    full: Option<String>,
}

/// `POST /environments/{app}/{env}/deploy`.
pub(super) async fn deploy(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Deploy>,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    let peer = checked(&visitor, &headers, &form.token)?;
    let request = DeployRequest {
        ref_name: Some(form.ref_name.trim().to_owned()).filter(|name| !name.is_empty()),
        full: form.full.is_some(),
        ..DeployRequest::default()
    };
    let begun = deploy_ref(&worker, &id, &request, &peer).await?;
    Ok(go_to(&format!("/deployments/{}", begun.id)))
}

#[derive(Template)]
#[template(path = "rollback.html")]
struct Rollback {
    shell: Shell,
    env: String,
    path: String,
    serving: Option<Side>,
    warm: Option<Side>,
    is_warm: bool,
    backups: Vec<Kept>,
}

/// A release on one side of a rollback.
struct Side {
    color: String,
    commit: String,
    subject: String,
    deployment: Option<DeploymentId>,
}

/// A sealed release.
struct Kept {
    name: String,
    commit: String,
    subject: String,
    deployment: DeploymentId,
    migrated_by: Option<DeploymentId>,
    at: super::shell::Moment,
}

/// `GET /environments/{app}/{env}/rollback`: shows what it would go back to, and asks.
pub(super) async fn ask_rollback(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    visitor.need(&id, Role::Deploy)?;
    let shell = Shell::of(&visitor, "environments");
    let status = gather(worker.tools(), Some(&id)).await?.environments.pop();
    let mut sides = [None, None];
    let mut is_warm = false;
    for slot in status.iter().flat_map(|status| &status.slots) {
        let serves = status.as_ref().and_then(|status| status.active) == Some(slot.color);
        if let (Some(commit), true) = (&slot.commit, slot.served) {
            is_warm |= !serves && !slot.processes.is_empty();
            sides[usize::from(!serves)] = Some(Side {
                color: slot.color.to_string(),
                commit: commit.short().to_owned(),
                subject: one_line(slot.subject.as_deref().unwrap_or_default(), 120),
                deployment: slot.deployment,
            });
        }
    }
    let [serving, warm] = sides;
    let backups = backups_of(&worker, &id).await?.into_iter();
    let backups = backups
        .filter(|one| {
            !one.serving && Some(one.deployment) != warm.as_ref().and_then(|w| w.deployment)
        })
        .map(|one| Kept {
            commit: one.commit.short().to_owned(),
            subject: one_line(one.subject.as_deref().unwrap_or_default(), 120),
            deployment: one.deployment,
            migrated_by: one.migrated_by,
            at: shell.moment(one.created_ms),
            name: one.name,
        });
    page(&Rollback {
        backups: backups.collect(),
        env: id.to_string(),
        path: super::card::path(&id),
        serving,
        warm,
        is_warm,
        shell,
    })
}

/// The form that goes back.
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    token: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    yes: Option<String>,
}

/// `POST /environments/{app}/{env}/roll-back`.
pub(super) async fn rollback(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Back>,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    let peer = checked(&visitor, &headers, &form.token)?;
    let request = RollbackRequest {
        to: Some(form.to).filter(|to| !to.is_empty()),
        yes: form.yes.is_some(),
        ..RollbackRequest::default()
    };
    let begun = roll_back(&worker, &id, &request, &peer).await?;
    Ok(go_to(&format!("/deployments/{}", begun.id)))
}

/// The form that shows the maintenance page, or the app again.
#[derive(Debug, Deserialize)]
pub(super) struct Maintenance {
    #[serde(default)]
    token: String,
    on: bool,
}

/// `POST /environments/{app}/{env}/maintenance`.
pub(super) async fn maintenance(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Maintenance>,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    let peer = checked(&visitor, &headers, &form.token)?;
    show_maintenance(&worker, &id, form.on, &peer).await?;
    Ok(go_to(&super::card::path(&id)))
}

/// `POST /deployments/{id}/cancel`.
pub(super) async fn cancel(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<super::sign_in::Token>,
) -> Result<Response, Unshown> {
    let peer = checked(&visitor, &headers, &form.token)?;
    stop(&worker, id, &peer).await?;
    Ok(go_to(&format!("/deployments/{id}")))
}
