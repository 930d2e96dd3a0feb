//! What the server answers over HTTP. On its socket (`run/teal.sock`, for people who may log in here) the API and the
//! hooks; on its TCP address webhooks, the health check, metrics and a page per deployment that shows nothing private.

mod api;
mod listener;
mod metrics;
mod pages;
mod refusal;
pub mod stream;

pub use api::{planned, types};
pub use listener::{Limits, Remote, serve_tcp, serve_unix};
pub use refusal::Refusal;

use crate::domain::Account;
use crate::system::users;
use crate::worker::Worker;
use axum::Router;
use axum::routing::get;
use tokio::net::UnixStream;

/// Everything that is answered on the TCP address.
pub fn outside() -> Router<Worker> {
    Router::new()
        .route("/healthz", get(pages::healthz))
        .route("/metrics", get(metrics::metrics))
        .route("/", get(pages::environments))
        .route("/deployments/{id}", get(pages::deployment))
}

/// Everything that is answered on the server's socket.
pub fn inside(worker: &Worker) -> Router<Worker> {
    Router::new().nest("/api/v1", api::routes(worker))
}

/// Who is on the other end of the socket, as the kernel tells.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The user's number.
    pub uid: u32,
    /// The user's login name.
    pub name: String,
}

impl Peer {
    /// Who is at the other end of a connection.
    fn of(stream: &UnixStream) -> Peer {
        // Without credentials it is nobody, who may do nothing.
        let uid = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
        Peer {
            uid,
            name: users::by_uid(uid).name,
        }
    }

    /// Their account.
    pub fn account(&self) -> Account {
        Account::Unix(self.name.clone())
    }

    /// Whether the server is theirs to command: its own user, and root.
    pub fn is_owner(&self) -> bool {
        users::may_act(self.uid)
    }
}
