//! The API's description, for those who write scripts against it.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// What the API takes and gives, in the format of OpenAPI.
const OPENAPI: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`: it tells nothing that a stranger may not know.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}
