use super::permission::lacking;
use super::types::AnswerRequest;
use crate::approvals::{self, ApprovalError, Word};
use crate::domain::{Act, Deployment, DeploymentId};
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;

pub(super) async fn approve(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
    Json(request): Json<AnswerRequest>,
) -> Result<Json<Deployment>, Refusal> {
    Ok(Json(say(&worker, id, &peer, true, request.why).await?))
}

pub(super) async fn reject(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<DeploymentId>,
    Json(request): Json<AnswerRequest>,
) -> Result<Json<Deployment>, Refusal> {
    Ok(Json(say(&worker, id, &peer, false, request.why).await?))
}

/// Says yes or no to a deployment that waits for it. One that was rejected has ended when this is answered.
pub(in crate::web) async fn say(
    worker: &Worker,
    id: DeploymentId,
    peer: &Peer,
    approved: bool,
    why: Option<String>,
) -> Result<Deployment, Refusal> {
    let tools = worker.tools();
    let env = tools.journal.deployment(id).await?.env;
    let access = tools.access();
    let actor = access.whois(peer.account());
    let word = Word {
        lacking: lacking(peer, &actor, Act::Approve, &env),
        actor: &actor,
        door: peer.door(),
        approved,
        why,
    };
    let said = approvals::say(&access, &tools.server, &tools.journal, id, word).await?;
    match approved {
        true => Ok(said),
        false => Ok(worker.ended(id).await?),
    }
}

impl From<ApprovalError> for Refusal {
    fn from(error: ApprovalError) -> Refusal {
        match error {
            ApprovalError::Access(error) => error.into(),
            ApprovalError::Journal(error) => error.into(),
            ApprovalError::NotWaiting { .. } => Refusal::new(StatusCode::CONFLICT, error)
                .next("teal status shows what waits for a yes"),
            ApprovalError::Answered { .. } => Refusal::new(StatusCode::CONFLICT, error),
        }
    }
}
