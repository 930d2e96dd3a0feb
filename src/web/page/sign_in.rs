//! Signing in by a one-time link, and out. A link is used up by a button rather than by being opened, so that a chat that
//! looks ahead at links does not take it from its owner.

use super::shell::{Shell, Unshown, page, sign_in_first};
use crate::store::users;
use crate::system::{clock, random};
use crate::web::Refusal;
use crate::web::attempts::{Attempts, From};
use crate::web::visitor::{COOKIE_NAME, SESSION_MS, Visitor, check_origin, digest};
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

/// What a form brings along to show that it was on a page of this session.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    pub token: String,
}

pub(super) fn routes() -> Router<Worker> {
    Router::new()
        .route("/sign-in/{secret}", get(ask).post(sign_in))
        .route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    shell: Shell,
    name: String,
    secret: String,
}

/// Whose link it is, if it is good. Guessing is counted by where it comes from.
async fn owner(
    worker: &Worker,
    attempts: &Attempts,
    from: &From,
    secret: &str,
) -> Result<String, Refusal> {
    attempts.check(from)?;
    let (key, now) = (digest(secret), clock::now_ms());
    let store = worker.tools().journal.store();
    let found = store.read(move |c| users::link(c, &key, now)).await;
    found.map_err(Refusal::internal)?.ok_or_else(|| {
        attempts.failed(from);
        Refusal::new(StatusCode::NOT_FOUND, "this link was used, or is too old")
            .next("whoever may log in to the server prints a new one with: teal user link NAME")
    })
}

/// `GET /sign-in/{secret}`: asks before the link is used up.
async fn ask(
    State(worker): State<Worker>,
    Path(secret): Path<String>,
    Extension(attempts): Extension<Attempts>,
    from: From,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let name = owner(&worker, &attempts, &from, &secret).await?;
    page(&Page {
        shell: Shell::of(&visitor, ""),
        name,
        secret,
    })
}

/// `POST /sign-in/{secret}`: uses the link up and begins a session.
async fn sign_in(
    State(worker): State<Worker>,
    Path(secret): Path<String>,
    Extension(attempts): Extension<Attempts>,
    from: From,
    headers: HeaderMap,
) -> Result<Response, Unshown> {
    check_origin(&headers)?;
    let name = owner(&worker, &attempts, &from, &secret).await?;
    let session = random::secret().map_err(Refusal::internal)?;
    let (link, key, now) = (digest(&secret), digest(&session), clock::now_ms());
    let store = worker.tools().journal.store();
    let begun = store
        .write(move |c| users::sign_in(c, &link, &key, now, now + SESSION_MS))
        .await?;
    if begun.is_none() {
        return Err(sign_in_first().into());
    }
    tracing::info!(user = name, "signed in to the dashboard");
    Ok(leave_with(&worker, &session, SESSION_MS / 1000))
}

/// `POST /sign-out`.
async fn sign_out(
    State(worker): State<Worker>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<Token>,
) -> Result<Response, Unshown> {
    check_origin(&headers)?;
    visitor.check_form(&form.token)?;
    if let Some(key) = visitor.session_key() {
        let store = worker.tools().journal.store();
        store.write(move |c| users::sign_out(c, &key)).await?;
    }
    Ok(leave_with(&worker, "", 0))
}

/// To the first page, with this cookie. Over https it never travels in the clear.
fn leave_with(worker: &Worker, secret: &str, seconds: i64) -> Response {
    let secure = match worker.tools().server.public_url.starts_with("https://") {
        true => "; Secure",
        false => "",
    };
    let cookie = format!(
        "{COOKIE_NAME}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    let headers = [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)];
    (StatusCode::SEE_OTHER, headers).into_response()
}
