//! The badge of an environment, to be shown elsewhere: what serves, in words.

use super::card::{Standing, standing};
use super::environments::known;
use super::shell::{Unshown, not_here};
use crate::web::api::gather;
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge {
    left: String,
    right: String,
    left_wide: usize,
    right_wide: usize,
    tone: &'static str,
}

/// `GET /environments/{app}/{env}/badge.svg`.
pub(super) async fn badge(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    let Some(status) = gather(worker.tools(), Some(&id)).await?.environments.pop() else {
        return Err(not_here().into());
    };
    let active = status.slots.iter().find(|s| Some(s.color) == status.active);
    let commit = active.and_then(|slot| slot.commit.as_ref());
    let (word, tone) = match (standing(&status), commit) {
        (Standing::Live, Some(commit)) => (format!("live {}", commit.short()), "#0f766e"),
        (Standing::Live, None) => ("live".to_owned(), "#0f766e"),
        (Standing::Empty, _) => ("nothing deployed yet".to_owned(), "#5b6a69"),
        (Standing::Down, _) => ("down".to_owned(), "#b42318"),
        (Standing::Maintenance, _) => ("maintenance".to_owned(), "#8a5a00"),
    };
    // Letters of the font that the badge names are about this wide.
    let wide = |text: &str| text.chars().count() * 13 / 2 + 14;
    let badge = Badge {
        left_wide: wide(&id.to_string()),
        right_wide: wide(&word),
        left: id.to_string(),
        right: word,
        tone,
    };
    let text = badge.render().map_err(crate::web::Refusal::internal)?;
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Ok((headers, text).into_response())
}
