//! The server's side of git's hooks: what a push means, told live to the pusher's terminal. The deployment lives in the
//! queue; a hook only watches, so that nothing changes when it goes away.

use super::hook_protocol::{HELLO, Pushed};
use super::post_receive::report;
use super::proc_receive::judge;
use super::received::check;
use crate::web::Peer;
use crate::web::stream::answer;
use crate::worker::Worker;
use axum::extract::{ConnectInfo, State as Shared};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

/// The routes of both hooks.
pub fn hooks() -> Router<Worker> {
    Router::new()
        .route(HELLO, get(|| async {}))
        .route("/hook/post-receive", post(post_receive))
        .route("/hook/proc-receive", post(proc_receive))
}

async fn post_receive(
    Shared(worker): Shared<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(pushed): Json<Pushed>,
) -> Response {
    match check(worker, &peer, pushed) {
        Ok(received) => answer("application/x-ndjson", |lines| report(received, lines)),
        Err(refusal) => *refusal,
    }
}

async fn proc_receive(
    Shared(worker): Shared<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(pushed): Json<Pushed>,
) -> Response {
    match check(worker, &peer, pushed) {
        Ok(received) => answer("application/x-ndjson", |lines| judge(received, lines)),
        Err(refusal) => *refusal,
    }
}
