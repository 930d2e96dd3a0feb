//! What all forms have in common: who sent one, and where it leads.

use super::shell::sign_in_first;
use crate::web::visitor::{Visitor, check_origin};
use crate::web::{Peer, Refusal};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Who sent a form that was on a page of theirs. Whether they may is decided, and kept, where the act is done.
pub(super) fn checked(
    visitor: &Visitor,
    headers: &HeaderMap,
    token: &str,
) -> Result<Peer, Refusal> {
    check_origin(headers)?;
    visitor.check_form(token)?;
    visitor
        .user
        .clone()
        .map(Peer::user)
        .ok_or_else(sign_in_first)
}

/// Leads to another page.
pub(super) fn go_to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path.to_owned())]).into_response()
}
