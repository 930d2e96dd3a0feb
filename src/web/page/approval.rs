//! What a release that waits for a yes shows on its page and on its environment's card, and to whom.

use super::form::{checked, go_to};
use super::shell::Unshown;
use crate::domain::{Account, Act, Deployment, DeploymentId, Role, State as Stands};
use crate::pipeline::Tools;
use crate::report;
use crate::web::api::say;
use crate::web::types::DeploymentShown;
use crate::web::visitor::{Visitor, how_to_get};
use crate::worker::Worker;
use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

/// What is asked, and whether the visitor may answer.
pub(super) struct Asks {
    /// "Waits for approval by group:release until …".
    pub head: String,
    /// What the release brings, with what each fact is.
    pub brings: Vec<(&'static str, String)>,
    /// Whether the visitor may say yes or no.
    pub may: bool,
    /// Why not; empty for strangers.
    pub why_not: String,
}

/// What a deployment asks, while it waits for a yes.
pub(super) fn asks(tools: &Tools, visitor: &Visitor, shown: &DeploymentShown) -> Option<Asks> {
    let it = &shown.deployment;
    let asked = it
        .approval
        .as_ref()
        .filter(|_| it.state == Stands::Approval)?;
    let why_not = why_not(tools, visitor, it);
    let changes = shown
        .changes
        .as_ref()
        .filter(|_| visitor.may(&it.env, Role::Look));
    Some(Asks {
        head: format!("Waits for approval {}", report::asks(asked)),
        brings: changes.map(report::changed).unwrap_or_default(),
        may: why_not.is_none(),
        why_not: why_not.unwrap_or_default(),
    })
}

/// Whether the visitor may say yes or no to it.
pub(super) fn may_answer(tools: &Tools, visitor: &Visitor, it: &Deployment) -> bool {
    it.state == Stands::Approval && why_not(tools, visitor, it).is_none()
}

/// Why the visitor may not: a role that is lacking, or a list that they are not on.
fn why_not(tools: &Tools, visitor: &Visitor, it: &Deployment) -> Option<String> {
    let Some(user) = &visitor.user else {
        return Some(String::new());
    };
    if !visitor.may(&it.env, Role::Approve) {
        return Some(how_to_get(&user.name, &it.env, Role::Approve));
    }
    let (_, env) = tools.environment(&it.env)?;
    let by = &env.approval.as_ref()?.by;
    let access = tools.access();
    let actor = access.whois(Account::User(user.name.clone()));
    let answer = access.is_among(by, &actor, Act::Approve, &it.env);
    answer
        .err()
        .and_then(|error| error.why().map(str::to_owned))
}

/// The form that says yes or no.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    why: String,
}

/// `POST /deployments/{id}/approve`.
pub(super) async fn approve(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Answer>,
) -> Result<Response, Unshown> {
    answer(&worker, id, (&visitor, &headers), form, true).await
}

/// `POST /deployments/{id}/reject`.
pub(super) async fn reject(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Answer>,
) -> Result<Response, Unshown> {
    answer(&worker, id, (&visitor, &headers), form, false).await
}

async fn answer(
    worker: &Worker,
    id: DeploymentId,
    (visitor, headers): (&Visitor, &HeaderMap),
    form: Answer,
    approved: bool,
) -> Result<Response, Unshown> {
    let peer = checked(visitor, headers, &form.token)?;
    say(worker, id, &peer, approved, Some(form.why)).await?;
    Ok(go_to(&format!("/deployments/{id}")))
}
