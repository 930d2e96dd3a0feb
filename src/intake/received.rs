//! A push as a hook hands it over, once its sender and its options are checked.

use super::hook_protocol::{DEPLOY_REFS, Pushed, Update};
use super::verdict::one_line;
use crate::access::{AccessError, Permit, Want};
use crate::config::{App, Environment, OnPush};
use crate::domain::{Account, Act, Actor, CommitId, Mode, Origin, Push, PushOptions};
use crate::queue::shown_ref;
use crate::system::git::Repo;
use crate::system::users;
use crate::web::Peer;
use crate::worker::Worker;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A push whose sender and options were checked.
pub(super) struct Received {
    pub worker: Worker,
    pub app: App,
    pub actor: Actor,
    pub options: PushOptions,
    pub updates: Vec<Update>,
    /// The environments that the pusher's key is limited to.
    only: Option<Vec<String>>,
    id: String,
}

/// Checks who pushes, to what, and with which options; a refusal is the whole answer.
pub(super) fn check(
    worker: Worker,
    peer: &Peer,
    pushed: Pushed,
) -> Result<Received, Box<Response>> {
    admitted(worker, peer, pushed).map_err(|refusal| Box::new(refusal.into_response()))
}

/// The same, with the refusal in words.
pub(super) fn admitted(
    worker: Worker,
    peer: &Peer,
    pushed: Pushed,
) -> Result<Received, (StatusCode, String)> {
    let refuse = |status: StatusCode, why: String| (status, why);
    let access = worker.tools().access();
    // Only the user that owns the repositories tells the truth about whose key it is: sshd wrote it down for them.
    let account = match &pushed.user {
        Some(key) if peer.is_owner() => Account::Key(key.clone()),
        _ => peer.account(),
    };
    let actor = access.whois(account);
    if !peer.is_owner() && actor.person.is_none() {
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
        actor,
        updates: pushed.updates,
        only: pushed.only,
        id: pushed.id,
        worker,
        app,
        options,
    })
}

impl Received {
    /// What makes this push of this ref the same one when it is handed over again.
    pub(super) fn delivery(&self, update: &Update) -> Option<String> {
        (!self.id.is_empty()).then(|| format!("push {} {}", self.id, update.ref_name))
    }

    /// What they are called in history.
    pub(super) fn by(&self) -> &str {
        self.actor.name()
    }

    /// Says whether the pusher may deploy this ref there, and keeps it.
    pub(super) async fn permit(
        &self,
        env: &Environment,
        update: &Update,
    ) -> Result<Permit, AccessError> {
        let access = self.worker.tools().access();
        let ref_name = self.about(update);
        let want = Want {
            actor: &self.actor,
            door: Origin::Hook,
            act: Act::Deploy,
            env: &env.id,
            about: &ref_name,
        };
        access.permit(want).await
    }

    /// What the audit trail says of it: the ref, and whether a freeze was to be passed over.
    pub(super) fn about(&self, update: &Update) -> String {
        let shown = shown_ref(&update.ref_name);
        match self.options.now {
            true => format!("{shown} -o now"),
            false => shown,
        }
    }

    /// Why a limited key may not push this ref: it goes elsewhere, or also elsewhere, than to what the key is for.
    pub(super) fn beyond(&self, update: &Update) -> Option<String> {
        let only = self.only.as_ref()?;
        let goes_to: Vec<&str> = match update.ref_name.strip_prefix(DEPLOY_REFS) {
            Some(name) => vec![name],
            None => {
                let mapped = self.app.environments_for(&update.ref_name).into_iter();
                mapped.map(|env| env.id.env.as_str()).collect()
            }
        };
        let is_within = |env: &&str| only.iter().any(|own| own == env);
        if !goes_to.is_empty() && goes_to.iter().all(is_within) {
            return None;
        }
        let where_to = match goes_to.is_empty() {
            true => "no environment".to_owned(),
            false => goes_to.join(", "),
        };
        Some(one_line(&format!(
            "{} goes to {where_to}, and {} may only push to {}",
            shown_ref(&update.ref_name),
            self.actor.account,
            only.join(", ")
        )))
    }

    /// Why the ref may not move: it belongs to an environment where the pusher may not deploy. What they may is not kept
    /// here, only once it is done.
    pub(super) async fn refused(&self, update: &Update) -> Option<String> {
        let access = self.worker.tools().access();
        for env in self.app.environments_for(&update.ref_name) {
            if access.may(&self.actor, Act::Deploy, &env.id).is_ok() {
                continue;
            }
            if let Err(error) = self.permit(env, update).await {
                return Some(in_words(&error));
            }
        }
        None
    }

    pub(super) fn push(&self, update: &Update, commit: CommitId) -> Push {
        Push {
            app: self.app.name.clone(),
            ref_name: update.ref_name.clone(),
            commit,
            by: self.by().to_owned(),
            origin: Origin::Hook,
            options: self.options.clone(),
        }
    }

    /// Makes what was pushed outlast a power cut before anything is promised of it.
    pub(super) async fn settle(&self) {
        let repo_path = self.worker.tools().repo_path(&self.app);
        let names: Vec<String> = self.updates.iter().map(|u| u.ref_name.clone()).collect();
        let synced = tokio::task::spawn_blocking(move || {
            let repo = Repo::open(&repo_path)?;
            repo.settle(names.iter().map(String::as_str))
        });
        if let Ok(Err(error)) = synced.await {
            tracing::warn!(%error, "a push may not outlast a power cut");
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

/// A refusal as git's protocol carries it.
pub(super) fn in_words(error: &AccessError) -> String {
    one_line(&match error.why() {
        Some(why) => format!("{error}: {why}"),
        None => error.to_string(),
    })
}

/// What a ref points to now; nothing when it was deleted.
pub(super) fn target(update: &Update) -> Option<CommitId> {
    update
        .new
        .parse()
        .ok()
        .filter(|commit: &CommitId| !commit.is_zero())
}
