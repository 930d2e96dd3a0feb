use super::types::Which;
use super::{need, pick};
use crate::domain::{Audited, Role};
use crate::store::audit;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use serde::Deserialize;

/// What the trail is limited to.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    env: Option<String>,
    app: Option<String>,
    limit: Option<u32>,
}

/// Who did what, newest first.
pub(super) async fn list(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(listed): Query<Listed>,
) -> Result<Json<Vec<Audited>>, Refusal> {
    let Listed { env, app, limit } = listed;
    let tools = worker.tools();
    let env = env
        .map(|env| pick(tools, &Which { env, app }))
        .transpose()?;
    let limit = limit.unwrap_or(20).min(1000);
    let store = tools.journal.store();
    let newest = store.read(move |c| audit::newest(c, env.as_ref(), limit));
    let mut newest = newest.await.map_err(Refusal::internal)?;
    newest.retain(|line| need(&peer, &line.env, Role::Look).is_ok());
    Ok(Json(newest))
}
