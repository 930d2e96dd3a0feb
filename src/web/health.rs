//! `GET /healthz`: whether the server lives.

use super::Refusal;
use crate::worker::Worker;
use axum::extract::State;

/// `GET /healthz`: the server and its database answer.
pub(super) async fn healthz(State(worker): State<Worker>) -> Result<&'static str, Refusal> {
    let store = worker.tools().journal.store();
    store
        .read(crate::store::events::last)
        .await
        .map_err(Refusal::internal)?;
    Ok("ok\n")
}
