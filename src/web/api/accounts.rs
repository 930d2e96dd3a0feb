//! Who may use the dashboard and the API over the network. On the server's socket alone: whoever may log in as its user
//! lets others in.

use super::pick;
use super::types::{
    Link, NewToken, TokenRequest, TokenShown, UserRequest, UserShown, Users, Which,
};
use crate::domain::{EnvName, NameError, Right};
use crate::store::users::{self, User};
use crate::system::{clock, random};
use crate::web::Refusal;
use crate::web::visitor::digest;
use crate::worker::Worker;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};

/// How long a one-time link is good.
const LINK_MS: i64 = 24 * 3600 * 1000;
/// What tokens begin with, so that they are known when they are found where they do not belong.
const PREFIX: &str = "teal_";

/// What only the socket answers.
pub(super) fn routes() -> Router<Worker> {
    Router::new()
        .route("/users", get(list).post(add))
        .route("/users/{name}/link", post(new_link))
        .route("/users/{name}/remove", post(remove))
        .route("/tokens", post(new_token))
        .route("/tokens/{id}/revoke", post(revoke))
}

async fn list(State(worker): State<Worker>) -> Result<Json<Users>, Refusal> {
    let store = worker.tools().journal.store();
    let read = store.read(|c| Ok((users::all(c)?, users::tokens(c)?)));
    let (users, tokens) = read.await.map_err(Refusal::internal)?;
    let users = users.into_iter().map(|user| UserShown {
        tokens: tokens
            .iter()
            .filter(|token| token.user == user.name)
            .map(|token| TokenShown {
                id: token.id,
                label: token.label.clone(),
                created_ms: token.created_ms,
                used_ms: token.used_ms,
            })
            .collect(),
        name: user.name,
        rights: user.rights,
    });
    Ok(Json(Users {
        users: users.collect(),
    }))
}

/// Adds somebody, or gives them one more role; either way with a link to sign in by.
async fn add(
    State(worker): State<Worker>,
    Json(request): Json<UserRequest>,
) -> Result<Json<Link>, Refusal> {
    let name = request.name;
    name.parse::<EnvName>()
        .map_err(|error: NameError| Refusal::mistake(error))?;
    let role = request.role;
    let mut rights = Vec::new();
    for env in request.env {
        let env = pick(worker.tools(), &Which { env, app: None })?;
        rights.push(Right {
            env: Some(env),
            role,
        });
    }
    if rights.is_empty() {
        rights.push(Right { env: None, role });
    }
    let (owner, now) = (name.clone(), clock::now_ms());
    let store = worker.tools().journal.store();
    let added = store.write(move |c| {
        let mut user = users::get(c, &owner)?.unwrap_or(User {
            name: owner,
            rights: Vec::new(),
            created_ms: now,
        });
        for right in rights {
            user.rights.retain(|old| old.env != right.env);
            user.rights.push(right);
        }
        users::put(c, &user)
    });
    added.await.map_err(Refusal::internal)?;
    link(&worker, name).await
}

async fn new_link(
    State(worker): State<Worker>,
    Path(name): Path<String>,
) -> Result<Json<Link>, Refusal> {
    known(&worker, &name).await?;
    link(&worker, name).await
}

async fn link(worker: &Worker, name: String) -> Result<Json<Link>, Refusal> {
    let secret = random::secret().map_err(Refusal::internal)?;
    let expires_ms = clock::now_ms() + LINK_MS;
    let (key, owner) = (digest(&secret), name.clone());
    let store = worker.tools().journal.store();
    let kept = store.write(move |c| users::put_link(c, &key, &owner, expires_ms));
    kept.await.map_err(Refusal::internal)?;
    Ok(Json(Link {
        url: format!("{}/sign-in/{secret}", worker.tools().server.public_url),
        name,
        expires_ms,
    }))
}

async fn remove(State(worker): State<Worker>, Path(name): Path<String>) -> Result<(), Refusal> {
    known(&worker, &name).await?;
    let store = worker.tools().journal.store();
    let removed = store.write(move |c| users::remove(c, &name));
    removed.await.map_err(Refusal::internal)?;
    Ok(())
}

async fn new_token(
    State(worker): State<Worker>,
    Json(request): Json<TokenRequest>,
) -> Result<Json<NewToken>, Refusal> {
    known(&worker, &request.name).await?;
    let secret = random::secret().map_err(Refusal::internal)?;
    let token = format!("{PREFIX}{secret}");
    let (key, label) = (
        digest(&token),
        request.label.chars().take(60).collect::<String>(),
    );
    let store = worker.tools().journal.store();
    let kept = store.write({
        let label = label.clone();
        move |c| users::put_token(c, &key, &request.name, &label, clock::now_ms())
    });
    Ok(Json(NewToken {
        id: kept.await.map_err(Refusal::internal)?,
        label,
        token,
    }))
}

async fn revoke(State(worker): State<Worker>, Path(id): Path<i64>) -> Result<(), Refusal> {
    let store = worker.tools().journal.store();
    let revoked = store.write(move |c| users::revoke(c, id)).await;
    match revoked.map_err(Refusal::internal)? {
        true => Ok(()),
        false => Err(
            Refusal::new(StatusCode::NOT_FOUND, format!("there is no token {id}"))
                .next("teal user list shows them"),
        ),
    }
}

async fn known(worker: &Worker, name: &str) -> Result<(), Refusal> {
    let wanted = name.to_owned();
    let store = worker.tools().journal.store();
    let found = store.read(move |c| users::get(c, &wanted)).await;
    match found.map_err(Refusal::internal)? {
        Some(_) => Ok(()),
        None => {
            let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
            Err(
                Refusal::new(StatusCode::NOT_FOUND, format!("there is no user `{shown}`"))
                    .next("teal user list shows them; teal user add makes one"),
            )
        }
    }
}
