//! What a forge is answered.

use crate::journal::JournalError;
use crate::queue::Queued;
use crate::worker::Worker;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The deployments that came of a delivery, and why there are none elsewhere.
pub(super) fn accepted(worker: &Worker, made: Vec<Queued>, refused: &[String]) -> Response {
    let made: Vec<_> = made
        .into_iter()
        .map(|queued| {
            let url = worker.tools().page(queued.id);
            json!({ "id": queued.id, "environment": queued.env, "url": url })
        })
        .collect();
    let mut answer = json!({ "deployments": made });
    if !refused.is_empty() {
        answer["refused"] = json!(refused);
    }
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

/// The delivery is worth sending again: it could not be kept.
pub(super) fn not_stored(error: &JournalError) -> Response {
    tracing::error!(%error, "a delivery could not be stored");
    say(
        StatusCode::SERVICE_UNAVAILABLE,
        "the delivery could not be stored: send it again later",
    )
}

/// One sentence.
pub(super) fn say(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
