//! Who may do what: the one place that decides it, and that keeps who did.
//!
//! A door makes sure of an account, [`Access::whois`] finds the person behind it, and [`Access::permit`] says yes or no and
//! writes the answer into the audit trail before anything is done. Where an environment has no `allow`, the door itself
//! is the permission: whoever can push may deploy, and the server's own user and root may command it.

use crate::config::Server;
use crate::domain::{Account, Act, Actor, Audited, DeploymentId, EnvId, Grants, Origin, Verdict};
use crate::store::{Store, StoreError, audit};
use crate::system::clock;
use std::sync::Arc;

/// Why somebody may not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// They are not among those who may.
    #[error("{who} may not {what}")]
    Denied {
        /// What they are called here.
        who: String,
        /// The end of "may not …".
        what: String,
        /// Who they are to Teal, and who may.
        why: String,
    },
    /// The audit trail cannot be written, and nothing is done that it does not hold.
    #[error("the audit trail cannot be written: {0}")]
    Audit(#[from] StoreError),
}

impl AccessError {
    /// Who they are to Teal, and what would be needed.
    pub fn why(&self) -> Option<&str> {
        match self {
            AccessError::Denied { why, .. } => Some(why),
            AccessError::Audit(_) => None,
        }
    }
}

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// By which door.
    pub door: Origin,
    /// What.
    pub act: Act,
    /// Of which environment.
    pub env: &'a EnvId,
    /// What more there is to say for the audit trail: a ref, a backup, the names of settings. Never a secret.
    pub about: &'a str,
}

/// A yes that is in the audit trail.
#[must_use]
pub struct Permit {
    seq: i64,
    store: Store,
}

impl Permit {
    /// Says which deployment came of it, or which one it was about.
    pub async fn made(self, deployment: DeploymentId) {
        let seq = self.seq;
        let written = self.store.write(move |c| audit::made(c, seq, deployment));
        if let Err(error) = written.await {
            // The act is done and in the trail; only the number is missing there.
            let error: StoreError = error;
            tracing::warn!(deployment, %error, "the audit trail lacks a deployment's number");
        }
    }
}

/// Decides and remembers; clones share what they decide by.
#[derive(Clone)]
pub struct Access {
    server: Arc<Server>,
    store: Store,
}

impl Access {
    /// By this configuration, remembering in this store.
    pub fn new(server: Arc<Server>, store: Store) -> Access {
        Access { server, store }
    }

    /// The person behind an account that a door has made sure of.
    pub fn whois(&self, account: Account) -> Actor {
        self.server.people.whois(account)
    }

    /// Whether they may, without a trace of the question: for pages that show what can be done.
    pub fn may(&self, actor: &Actor, act: Act, env: &EnvId) -> Result<(), AccessError> {
        let allow = self
            .server
            .environment(env)
            .and_then(|env| env.allow.as_ref());
        allow.map_or(Ok(()), |allow| self.is_among(allow, actor, act, env))
    }

    /// Whether they are among these people, whatever `allow` says.
    pub fn is_among(
        &self,
        allow: &Grants,
        actor: &Actor,
        act: Act,
        env: &EnvId,
    ) -> Result<(), AccessError> {
        let people = &self.server.people;
        let granted = actor
            .person
            .as_ref()
            .is_some_and(|name| people.is_granted(allow, name));
        // What Teal does by itself was permitted when it was asked for.
        if granted || actor.account == Account::Teal {
            return Ok(());
        }
        Err(AccessError::Denied {
            who: actor.name().to_owned(),
            what: act.to(env),
            why: people.why_not(allow, actor, act, env),
        })
    }

    /// Says whether they may, and keeps that they wanted it; only then may it be done.
    pub async fn permit(&self, want: Want<'_>) -> Result<Permit, AccessError> {
        self.keep(want, self.may(want.actor, want.act, want.env))
            .await
    }

    /// Keeps an answer that was found otherwise than by `allow` alone, before anything is done.
    pub async fn keep(
        &self,
        want: Want<'_>,
        answer: Result<(), AccessError>,
    ) -> Result<Permit, AccessError> {
        let verdict = match answer {
            Ok(()) => Verdict::Allowed,
            Err(_) => Verdict::Refused,
        };
        let seq = self.record(want, verdict).await?;
        answer.map(|()| Permit {
            seq,
            store: self.store.clone(),
        })
    }

    /// Keeps what somebody wanted of an environment, and whether they were let.
    async fn record(&self, want: Want<'_>, verdict: Verdict) -> Result<i64, StoreError> {
        let line = Audited {
            seq: 0,
            at_ms: clock::now_ms(),
            who: want.actor.name().to_owned(),
            account: want.actor.account.to_string(),
            door: want.door,
            act: want.act,
            env: want.env.clone(),
            verdict,
            deployment: None,
            about: want.about.chars().take(200).collect(),
        };
        if verdict == Verdict::Refused {
            tracing::warn!(who = line.who, account = line.account, act = line.act.as_str(), env = %line.env, "refused");
        }
        self.store.write(move |c| audit::append(c, &line)).await
    }
}
