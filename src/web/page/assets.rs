//! The style sheet and the script. Their address holds their digest, so that browsers keep them for ever and never use an
//! old one.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("../../../templates/static/teal.css");
const SCRIPT: &str = include_str!("../../../templates/static/teal.js");
const ICON: &str = include_str!("../../../templates/static/teal.svg");

/// The part of the addresses that changes with the content.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for part in [STYLE, SCRIPT, ICON] {
        digest.update(part);
    }
    let mut name = hex::encode(digest.finalize());
    name.truncate(12);
    name
});

/// `GET /static/{version}/{name}`.
pub(super) async fn asset(Path((_, name)): Path<(String, String)>) -> Response {
    let (kind, content) = match name.as_str() {
        "teal.css" => ("text/css; charset=utf-8", STYLE),
        "teal.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "teal.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers: [(HeaderName, &str); 2] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use super::STYLE;
    use crate::domain::State;

    /// `class="state approval"` is one thing, and a box named `approval` would be another one in the same place.
    #[test]
    fn the_word_of_a_state_is_no_class_of_its_own() {
        let states = State::ALL.iter().map(|state| state.as_str());
        let standings = ["live", "empty", "down", "maintenance"];
        let steps = ["ran", "skipped", "failed", "running", "ahead"];
        for word in states.chain(standings).chain(steps) {
            let alone = format!(".{word}");
            let mut selectors = STYLE.lines().filter_map(|line| line.split_once('{'));
            let taken = selectors.any(|(selectors, _)| {
                let firsts = selectors.split(',').map(|one| one.trim());
                firsts
                    .filter_map(|one| one.split([' ', ':']).next())
                    .any(|first| first == alone)
            });
            assert!(!taken, "{alone} stands alone in teal.css");
        }
    }
}
