//! `POST /hooks/<app>`: a forge's delivery, from the wire to the queue.

use super::answers::{accepted, not_stored, say};
use super::body;
use super::budget::Budget;
use super::ordered;
use super::permits::Permits;
use super::received::in_words;
use super::refusal::Refusal;
use super::refused;
use super::slack;
use super::webhook::{self, Meaning};
use crate::domain::{Actor, AppName, Origin, Push};
use crate::queue::{Accepted, shown_ref};
use crate::web::Remote;
use crate::worker::Worker;
use axum::Router;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

/// The route of the webhooks.
pub fn webhooks() -> Router<Worker> {
    Router::new()
        .route("/hooks/{app}", post(receive))
        .route("/hooks/slack/actions", post(slack::pressed))
        .layer(Extension(Budget::default()))
}

async fn receive(
    State(worker): State<Worker>,
    Path(app): Path<String>,
    Extension(remote): Extension<Remote>,
    Extension(budget): Extension<Budget>,
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
    let mut share = budget.share(remote.0);
    let delivery = match body::read(&head.headers, body, &mut share).await {
        Ok(body) => webhook::read(app, &head.headers, &body),
        Err(refusal) => Err(refusal),
    };
    drop(share);
    match delivery {
        Ok(delivery) => accept(&worker, &app.name, delivery).await,
        Err(refusal) => refuse(&refusal),
    }
}

async fn accept(worker: &Worker, app: &AppName, delivery: webhook::Delivery) -> Response {
    let push = match &delivery.meaning {
        Meaning::Push(push) => peeled(worker, push.clone()),
        Meaning::Deployment(made) => {
            let actor = worker.tools().access().whois(delivery.account(&made.by));
            return ordered::made(worker, &actor, made.clone()).await;
        }
        Meaning::Question(asked) => {
            let actor = worker.tools().access().whois(delivery.account(&asked.by));
            return ordered::asked(worker, &actor, asked.clone(), delivery.key).await;
        }
        Meaning::Checks => {
            worker.queue().hear(app);
            return say(
                StatusCode::OK,
                "Teal asks what CI says of the commits that wait for it",
            );
        }
        Meaning::Ping => {
            return say(
                StatusCode::OK,
                "Teal hears you: pushes to this repository will be deployed",
            );
        }
        Meaning::Ignored(why) => return say(StatusCode::OK, why),
    };
    let actor = worker.tools().access().whois(delivery.account(&push.by));
    let permits = permits(worker, &push, &actor).await;
    if permits.are_refused() {
        let why: Vec<String> = permits.refused.iter().map(in_words).collect();
        return say(StatusCode::FORBIDDEN, &why.join("; "));
    }
    let push = Push {
        by: match &actor.person {
            Some(person) => person.to_string(),
            None => push.by,
        },
        ..push
    };
    let queue = worker.queue();
    match queue
        .accept(push, delivery.key, |env| permits.has(&env.id))
        .await
    {
        Ok(Accepted::Nothing(why)) => say(StatusCode::OK, &why),
        Ok(Accepted::Deployments(made)) => {
            let refused: Vec<String> = permits.refused.iter().map(in_words).collect();
            permits.made(&made).await;
            accepted(worker, made, &refused)
        }
        Err(error) => not_stored(&error),
    }
}

/// An annotated tag as its commit, where it is known here already: what reconcile has found is the same push. A branch is
/// always a commit, and no repository is opened for it.
fn peeled(worker: &Worker, push: Push) -> Push {
    if !push.ref_name.starts_with("refs/tags/") {
        return push;
    }
    let tools = worker.tools();
    let app = tools.server.apps.get(&push.app);
    let repo = app.and_then(|app| tools.repo(app).ok());
    let commit = repo.and_then(|repo| repo.peel_commit(&push.commit).ok().flatten());
    Push {
        commit: commit.unwrap_or_else(|| push.commit.clone()),
        ..push
    }
}

/// The yes and no for each environment that the ref maps to.
async fn permits(worker: &Worker, push: &Push, actor: &Actor) -> Permits {
    let tools = worker.tools();
    let app = tools.server.apps.get(&push.app);
    let mapped = app.map_or_else(Vec::new, |app| app.environments_for(&push.ref_name));
    let about = shown_ref(&push.ref_name);
    Permits::ask(&tools.access(), actor, Origin::Webhook, &about, &mapped).await
}

fn refuse(refusal: &Refusal) -> Response {
    refused::log(refusal);
    say(refusal.status(), &refusal.to_string())
}
