//! The dashboard: pages for people, made of the store, the routes and the logs, and of nothing else. Everything is in the
//! templates and readable without a script; the script only brings new content of the same pages in.

mod act;
mod ansi;
mod approval;
mod assets;
mod badge;
mod card;
mod chart;
mod cutover;
mod deployment;
mod environments;
mod form;
mod history;
mod live;
mod log;
mod shell;
mod sign_in;
mod timeline;

use crate::worker::Worker;
use axum::Router;
use axum::routing::{get, post};

/// The pages, their live parts, and what can be done on them.
pub(super) fn routes() -> Router<Worker> {
    Router::new()
        .route("/", get(environments::all))
        .route("/events", get(live::everything))
        .route("/environments/{app}/{env}", get(environments::one))
        .route("/environments/{app}/{env}/badge.svg", get(badge::badge))
        .route("/environments/{app}/{env}/rollback", get(act::ask_rollback))
        .route("/environments/{app}/{env}/deploy", post(act::deploy))
        .route("/environments/{app}/{env}/roll-back", post(act::rollback))
        .route(
            "/environments/{app}/{env}/maintenance",
            post(act::maintenance),
        )
        .route("/deployments/{id}", get(deployment::deployment))
        .route("/deployments/{id}/plan", get(deployment::plan))
        .route("/deployments/{id}/log", get(deployment::log_text))
        .route("/deployments/{id}/events", get(live::deployment))
        .route("/deployments/{id}/cancel", post(act::cancel))
        .route("/deployments/{id}/approve", post(approval::approve))
        .route("/deployments/{id}/reject", post(approval::reject))
        .route("/history", get(history::history))
        .route("/static/{version}/{name}", get(assets::asset))
        .merge(sign_in::routes())
}
