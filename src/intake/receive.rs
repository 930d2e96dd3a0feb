//! `POST /hooks/<app>`: a forge's delivery, from the wire to the queue.

use super::body;
use super::refusal::Refusal;
use super::webhook::{self, Meaning};
use crate::queue::Accepted;
use crate::worker::Worker;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

/// The route of the webhooks.
pub fn webhooks() -> Router<Worker> {
    Router::new().route("/hooks/{app}", post(receive))
}

async fn receive(
    State(worker): State<Worker>,
    Path(app): Path<String>,
    request: Request,
) -> Response {
    let app = app
        .parse()
        .ok()
        .and_then(|name| worker.tools().server.apps.get(&name));
    let Some(app) = app else {
        // The answer is the same for every unknown name, so that names cannot be guessed from it.
        return say(
            StatusCode::NOT_FOUND,
            "no app of that name takes webhooks here",
        );
    };
    let (head, body) = request.into_parts();
    let delivery = match body::read(&head.headers, body).await {
        Ok(body) => webhook::read(app, &head.headers, &body),
        Err(refusal) => Err(refusal),
    };
    match delivery {
        Ok(delivery) => accept(&worker, delivery).await,
        Err(refusal) => refuse(&refusal),
    }
}

async fn accept(worker: &Worker, delivery: webhook::Delivery) -> Response {
    let push = match delivery.meaning {
        Meaning::Push(push) => push,
        Meaning::Ping => {
            return say(
                StatusCode::OK,
                "Teal hears you: pushes to this repository will be deployed",
            );
        }
        Meaning::Ignored(why) => return say(StatusCode::OK, &why),
    };
    match worker.queue().accept(push, delivery.key, |_| true).await {
        Ok(Accepted::Nothing(why)) => say(StatusCode::OK, &why),
        Ok(Accepted::Deployments(made)) => {
            let made: Vec<_> = made
                .into_iter()
                .map(|queued| {
                    let url = worker.tools().page(queued.id);
                    json!({ "id": queued.id, "environment": queued.env, "url": url })
                })
                .collect();
            (StatusCode::ACCEPTED, Json(json!({ "deployments": made }))).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a delivery could not be stored");
            say(
                StatusCode::SERVICE_UNAVAILABLE,
                "the delivery could not be stored: send it again later",
            )
        }
    }
}

fn refuse(refusal: &Refusal) -> Response {
    tracing::warn!(%refusal, "a delivery was refused");
    say(refusal.status(), &refusal.to_string())
}

fn say(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
