//! From pushes to deployments: which environments a push maps to, what it supersedes, and what need not be done at all.
//! One push and everything that it causes is one transaction, stored before its sender is answered.

mod again;
mod from_forge;
mod line;
mod wish;

pub use again::Moved;
pub use from_forge::{Order, was_turned_down};
pub use wish::{Accepted, Queued, Wish};

use crate::config::{App, Environment, Server};
use crate::domain::{AppName, Ci, DeploymentId, EnvId, Kind, Mode, Push, State};
use crate::holds::{self, Hold};
use crate::journal::{Entry, Journal, JournalError};
use crate::store::{deployments, pushes, tips};
use crate::system::clock;
use line::{enqueue, serves_already};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// A handle to the queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    server: Arc<Server>,
    journal: Journal,
    wake: Arc<Notify>,
    /// Changes when the forge of an app has said something that is no push.
    heard: Arc<BTreeMap<AppName, watch::Sender<()>>>,
}

impl Queue {
    /// A queue over the journal.
    pub fn new(server: Arc<Server>, journal: Journal) -> Queue {
        let apps = server.apps.keys();
        Queue {
            heard: Arc::new(
                apps.map(|app| (app.clone(), watch::Sender::new(())))
                    .collect(),
            ),
            server,
            journal,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Waits until something was queued or an environment became free.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Says that the worker should look again.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Takes a verified push. `delivery` is the forge's own name of the delivery: the same one again changes nothing and
    /// gets the same answer. `chosen` picks among the environments that the ref maps to.
    pub async fn accept(
        &self,
        push: Push,
        delivery: Option<String>,
        chosen: impl Fn(&Environment) -> bool,
    ) -> Result<Accepted, JournalError> {
        let app = self.server.apps.get(&push.app);
        let wishes = app.map_or_else(Vec::new, |app| wishes(app, &push, chosen));
        let unmapped = wishes.is_empty().then(|| unmapped(app, &push));
        let server = Arc::clone(&self.server);
        let accepted = self
            .journal
            .write(move |entry| take(entry, &server, &push, delivery.as_deref(), wishes, unmapped))
            .await?;
        self.nudge();
        Ok(accepted)
    }

    /// Takes a wish for one environment: `teal deploy`, `rollback`, `restart`, reconcile, a retry.
    pub async fn ask(&self, wish: Wish) -> Result<Queued, JournalError> {
        let server = Arc::clone(&self.server);
        let queued = self
            .journal
            .write(move |entry| enqueue(entry, &server, wish))
            .await?;
        self.nudge();
        Ok(queued)
    }

    /// Changes whenever the forge of the app has said something that is no push; nothing for an app that is not configured.
    pub fn heard(&self, app: &AppName) -> Option<watch::Receiver<()>> {
        self.heard.get(app).map(watch::Sender::subscribe)
    }

    /// Says that the forge of the app has said something that is no push.
    pub fn hear(&self, app: &AppName) {
        if let Some(heard) = self.heard.get(app) {
            heard.send_replace(());
        }
    }

    /// What keeps pushes from this environment now; nothing when they go on.
    pub async fn hold(&self, env: &EnvId) -> Result<Option<Hold>, JournalError> {
        let Some(env) = self.server.environment(env).cloned() else {
            return Ok(None);
        };
        let store = self.journal.store();
        Ok(store
            .read(move |c| holds::of(c, &env, clock::now_ms()))
            .await?)
    }

    /// Lets what waits go on as soon as nothing holds it; says when to look again.
    pub async fn let_go(&self) -> Result<Option<i64>, JournalError> {
        let waiting = self
            .journal
            .store()
            .read(|c| deployments::open(c, None))
            .await?;
        let mut next = None;
        for deployment in waiting {
            // Who looks for CI's word says so when it is there.
            let wanted = self.server.environment(&deployment.env);
            let wanted = wanted.is_some_and(|env| env.after.is_some());
            let unchecked = wanted && deployment.ci.as_ref().is_some_and(Ci::is_open);
            if deployment.state != State::Waiting || unchecked {
                continue;
            }
            match self.hold(&deployment.env).await? {
                None => {
                    let why = Some("nothing holds it any more".to_owned());
                    let moved = self
                        .journal
                        .move_to(deployment.id, State::Queued, why)
                        .await;
                    // It may just have been cancelled or superseded.
                    if let Err(error) = moved
                        && !matches!(error, JournalError::Illegal { .. })
                    {
                        return Err(error);
                    }
                }
                Some(hold) => next = [next, hold.until_ms()].into_iter().flatten().min(),
            }
        }
        Ok(next)
    }
}

fn wishes(app: &App, push: &Push, chosen: impl Fn(&Environment) -> bool) -> Vec<Wish> {
    app.environments_for(&push.ref_name)
        .into_iter()
        .filter(|environment| chosen(environment))
        .map(|environment| Wish {
            env: environment.id.clone(),
            kind: Kind::Deploy,
            commit: push.commit.clone(),
            ref_name: push.ref_name.clone(),
            by: push.by.clone(),
            origin: push.origin,
            mode: match (push.options.fast, push.options.full) {
                (true, _) => Mode::Fast,
                (_, true) => Mode::Full,
                _ => environment.mode,
            },
            redeploy: push.options.redeploy,
            skip_tests: push.options.skip_tests,
            retry_of: None,
            now: push.options.now,
        })
        .collect()
}

fn unmapped(app: Option<&App>, push: &Push) -> String {
    let Some(app) = app else {
        return no_such_app(&push.app);
    };
    let rules: Vec<String> = app
        .environments
        .iter()
        .map(|env| {
            let refs: Vec<String> = env.refs.iter().map(ToString::to_string).collect();
            match env.triggers.pushes {
                true => format!("{} takes {}", env.id.env, refs.join(", ")),
                false => format!("{} takes no pushes", env.id.env),
            }
        })
        .collect();
    format!(
        "{} maps to no environment of {}: {}",
        shown_ref(&push.ref_name),
        app.name,
        rules.join("; ")
    )
}

/// What people are told when an app is not configured.
pub fn no_such_app(app: &AppName) -> String {
    format!("no app `{app}` is configured here: add [apps.{app}] to teal.toml")
}

/// A ref as people write it, on one line and cut to size: refs are a stranger's words.
pub fn shown_ref(ref_name: &str) -> String {
    let short = ref_name
        .strip_prefix("refs/heads/")
        .or_else(|| ref_name.strip_prefix("refs/"))
        .unwrap_or(ref_name);
    short
        .chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect()
}

fn take(
    entry: &mut Entry,
    server: &Server,
    push: &Push,
    delivery: Option<&str>,
    wishes: Vec<Wish>,
    unmapped: Option<String>,
) -> Result<Accepted, JournalError> {
    if let Some(earlier) = delivery
        && let Some(made) = pushes::seen(entry.connection(), &push.app, earlier)?
    {
        return again(entry, made);
    }
    let mut queued = Vec::new();
    let mut served = Vec::new();
    for wish in wishes {
        tips::put(entry.connection(), &wish.env, &wish.ref_name, &wish.commit)?;
        if serves_already(entry, &wish)? {
            served.push(wish.env.env.to_string());
        } else {
            queued.push(enqueue(entry, server, wish)?);
        }
    }
    let ids: Vec<DeploymentId> = queued.iter().map(|q| q.id).collect();
    pushes::insert(entry.connection(), push, delivery, clock::now_ms(), &ids)?;
    Ok(match unmapped {
        Some(why) => Accepted::Nothing(why),
        None if queued.is_empty() => Accepted::Nothing(format!(
            "{} already serves {}",
            served.join(", "),
            push.commit.short()
        )),
        None => Accepted::Deployments(queued),
    })
}

fn again(entry: &Entry, made: Vec<DeploymentId>) -> Result<Accepted, JournalError> {
    let mut queued = Vec::new();
    for id in made {
        if let Some(deployment) = deployments::get(entry.connection(), id)? {
            queued.push(Queued {
                id,
                env: deployment.env,
            });
        }
    }
    Ok(if queued.is_empty() {
        Accepted::Nothing("this delivery was received before and deployed nothing".to_owned())
    } else {
        Accepted::Deployments(queued)
    })
}
