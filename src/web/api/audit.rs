use super::pick;
use super::types::Which;
use crate::domain::Audited;
use crate::store::audit;
use crate::web::Refusal;
use crate::worker::Worker;
use axum::Json;
use axum::extract::{Query, State};
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
    Ok(Json(newest.await.map_err(Refusal::internal)?))
}
