//! What the server answers over HTTP. On its socket (`run/teal.sock`, for people who may log in here) the API and the
//! hooks; on its TCP address webhooks, the health check, metrics and a page per deployment that shows nothing private.

mod api;
mod attempts;
mod health;
mod host;
mod listener;
mod metrics;
mod page;
mod refusal;
pub mod stream;
mod visitor;

pub use api::{planned, types};
pub use listener::{Limits, Remote, serve_tcp, serve_unix};
pub use refusal::Refusal;

use crate::domain::{Account, Origin};
use crate::store::users::User;
use crate::system::users;
use crate::worker::Worker;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::Mutex;

/// Everything that is answered on the TCP address.
pub fn outside(worker: &Worker) -> Router<Worker> {
    let ours = middleware::from_fn_with_state(worker.clone(), host::only_ours);
    let named = page::routes().nest("/api/v1", api::outside(worker));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(metrics::metrics))
        .merge(named.layer(ours))
        .layer(Extension(Arc::<Mutex<metrics::Tally>>::default()))
        .layer(Extension(attempts::Attempts::default()))
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
    /// The user of the dashboard whose token was shown, when it came over the network.
    pub user: Option<User>,
}

impl Peer {
    /// Who is at the other end of a connection.
    fn of(stream: &UnixStream) -> Peer {
        // Without credentials it is nobody, who may do nothing.
        let uid = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
        Peer {
            uid,
            name: users::by_uid(uid).name,
            user: None,
        }
    }

    /// Their account.
    pub fn account(&self) -> Account {
        match &self.user {
            Some(user) => Account::User(user.name.clone()),
            None => Account::Unix(self.name.clone()),
        }
    }

    /// Whether the server is theirs to command: its own user, and root.
    pub fn is_owner(&self) -> bool {
        self.user.is_none() && users::may_act(self.uid)
    }

    /// By which door they came.
    pub fn door(&self) -> Origin {
        match self.user {
            Some(_) => Origin::Dashboard,
            None => Origin::Cli,
        }
    }

    /// Somebody who came over the network: signed in to the dashboard, or with a token.
    pub(crate) fn user(user: User) -> Peer {
        Peer {
            uid: u32::MAX,
            name: user.name.clone(),
            user: Some(user),
        }
    }
}
