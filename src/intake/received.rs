//! A push as a hook hands it over, once its sender and its options are checked.

use super::hook_protocol::{Pushed, Update};
use crate::config::{App, Environment, OnPush};
use crate::domain::{CommitId, Mode, Origin, Push, PushOptions};
use crate::system::users;
use crate::web::Peer;
use crate::worker::Worker;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A push whose sender and options were checked.
pub(super) struct Received {
    pub worker: Worker,
    pub app: App,
    pub by: String,
    pub options: PushOptions,
    pub updates: Vec<Update>,
}

/// Checks who pushes, to what, and with which options; a refusal is the whole answer.
pub(super) fn check(
    worker: Worker,
    peer: &Peer,
    pushed: Pushed,
) -> Result<Received, Box<Response>> {
    let refuse = |status: StatusCode, why: String| Box::new((status, why).into_response());
    if !users::may_act(peer.uid) {
        let own = users::own().name;
        return Err(refuse(
            StatusCode::FORBIDDEN,
            format!("{} may not push here: push over ssh as {own}", peer.name),
        ));
    }
    let app = pushed
        .app
        .parse()
        .ok()
        .and_then(|name| worker.tools().server.apps.get(&name));
    let Some(app) = app.cloned() else {
        return Err(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this repository is no app of the server's configuration: add it to teal.toml, or remove the repository".to_owned(),
        ));
    };
    let options = PushOptions::parse(pushed.options.iter().map(String::as_str))
        .map_err(|why| refuse(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    Ok(Received {
        by: pushed.user.unwrap_or_else(|| peer.name.clone()),
        updates: pushed.updates,
        worker,
        app,
        options,
    })
}

impl Received {
    pub(super) fn push(&self, update: &Update, commit: CommitId) -> Push {
        Push {
            app: self.app.name.clone(),
            ref_name: update.ref_name.clone(),
            commit,
            by: self.by.clone(),
            origin: Origin::Hook,
            options: self.options.clone(),
        }
    }

    pub(super) fn gates(&self, update: &Update) -> Vec<Environment> {
        let mapped = self.app.environments_for(&update.ref_name).into_iter();
        mapped
            .filter(|env| env.on_push == OnPush::Gate)
            .cloned()
            .collect()
    }

    /// How much is done again: as the pusher asked, else as the environment is configured.
    pub(super) fn mode(&self, env: &Environment) -> Mode {
        match (self.options.fast, self.options.full) {
            (true, _) => Mode::Fast,
            (_, true) => Mode::Full,
            _ => env.mode,
        }
    }

    /// The commit behind what a ref points to now; nothing when it was deleted or is not here.
    pub(super) fn commit(&self, update: &Update) -> Option<CommitId> {
        let named = target(update)?;
        let repo = self.worker.tools().repo(&self.app).ok()?;
        repo.peel_commit(&named).ok().flatten()
    }
}

/// What a ref points to now; nothing when it was deleted.
pub(super) fn target(update: &Update) -> Option<CommitId> {
    update
        .new
        .parse()
        .ok()
        .filter(|commit: &CommitId| !commit.is_zero())
}
