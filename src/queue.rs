//! From pushes to deployments: which environments a push maps to, what it supersedes, and what need not be done at all.
//! One push and everything that it causes is one transaction, stored before its sender is answered.

mod again;
mod from_forge;

pub use again::Moved;
pub use from_forge::{Order, was_turned_down};

use crate::config::{App, Environment, Server};
use crate::domain::{
    AppName, Ci, CommitId, Deployment, DeploymentId, EnvId, Event, Kind, Mode, Origin, Push, State,
};
use crate::holds::{self, Hold};
use crate::journal::{Entry, Journal, JournalError};
use crate::report;
use crate::store::{deployments, environments, pushes, tips};
use crate::system::clock;
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// These deployments will make it live, or have been asked to already.
    Deployments(Vec<Queued>),
    /// There is nothing to deploy, and why.
    Nothing(String),
}

/// A deployment that a push asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: DeploymentId,
    /// Where it deploys to.
    pub env: EnvId,
}

/// A wish for one environment that does not come from a pushed ref.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where.
    pub env: EnvId,
    /// What kind of attempt.
    pub kind: Kind,
    /// Which commit.
    pub commit: CommitId,
    /// The ref or word that named the commit.
    pub ref_name: String,
    /// Who asks.
    pub by: String,
    /// By which door.
    pub origin: Origin,
    /// Incremental or from scratch.
    pub mode: Mode,
    /// Deploy although the commit serves already.
    pub redeploy: bool,
    /// Leave the test step out.
    pub skip_tests: bool,
    /// The interrupted deployment that this one tries again.
    pub retry_of: Option<DeploymentId>,
    /// Do not wait for the end of a freeze.
    pub now: bool,
}

impl Wish {
    fn into_deployment(self, now: i64) -> Deployment {
        Deployment {
            id: 0,
            env: self.env,
            kind: self.kind,
            commit: self.commit,
            ref_name: self.ref_name,
            by: self.by,
            origin: self.origin,
            mode: self.mode,
            redeploy: self.redeploy,
            skip_tests: self.skip_tests,
            state: State::Queued,
            color: None,
            env_digest: None,
            restore_point: None,
            ci: None,
            approval: None,
            retry_of: self.retry_of,
            created_ms: now,
            started_ms: None,
            switched_ms: None,
            ended_ms: None,
            failure: None,
            receipt: None,
        }
    }
}

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
            let unchecked = deployment.ci.as_ref().is_some_and(Ci::is_open);
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

/// What nobody asked for by hand is not deployed twice: a forge's redelivery under a new name, or a reconcile.
fn serves_already(entry: &Entry, wish: &Wish) -> Result<bool, JournalError> {
    if wish.redeploy || !matches!(wish.origin, Origin::Webhook | Origin::Reconcile) {
        return Ok(false);
    }
    let busy = !deployments::open(entry.connection(), Some(&wish.env))?.is_empty();
    let standing = environments::get(entry.connection(), &wish.env)?;
    Ok(!busy
        && standing
            .serving()
            .is_some_and(|release| release.commit == wish.commit))
}

/// Adds the wish to its environment's line. A newer one supersedes what waits there for the same: a push takes the place of
/// a push, but changed configuration does not make a push that waits disappear. The same commit that waits or runs already
/// is joined.
fn enqueue(entry: &mut Entry, server: &Server, wish: Wish) -> Result<Queued, JournalError> {
    let env = wish.env.clone();
    let open = deployments::open(entry.connection(), Some(&env))?;
    let now = clock::now_ms();
    let (hold, over) = holding(entry, server, &wish)?;
    let (ci, unchecked) = awaited(server, &wish, now);
    let over: Vec<String> = over.into_iter().chain(unchecked).collect();
    if let Some(same) = open.iter().find(|open| is_same(open, &wish)) {
        if same.state == State::Waiting && !over.is_empty() {
            entry.move_to(same.id, State::Queued, Some(over.join("; ")))?;
        }
        return Ok(Queued { id: same.id, env });
    }
    let (kind, made_here) = (discriminant(&wish.kind), wish.kind.is_made_here());
    let mut deployment = wish.into_deployment(now);
    let for_ci = ci.as_ref().map(report::waits_for_ci);
    let reasons: Vec<String> = { hold.map(|hold| hold.to_string()).into_iter() }
        .chain(for_ci)
        .collect();
    let waits = !reasons.is_empty();
    if waits {
        deployment.state = State::Waiting;
    }
    deployment.ci = ci;
    let id = entry.create(&deployment, waits.then(|| reasons.join("; and ")))?;
    for text in over {
        entry.tell(id, Event::Note { text })?;
    }
    let gives_way = |open: &Deployment| gives_way(open, &kind, made_here);
    let before = |open: &&Deployment| !gives_way(open) && has_begun(open.state);
    if !waits && let Some(busy) = open.iter().find(before) {
        let text = format!(
            "waits for deployment {} of {env}, which is {}",
            busy.id,
            busy.state.phrase()
        );
        entry.tell(id, Event::Note { text })?;
    }
    for older in open {
        if gives_way(&older) {
            let why = Some(format!("superseded by deployment {id}"));
            entry.move_to(older.id, State::Superseded, why)?;
        }
    }
    Ok(Queued { id, env })
}

/// Whether a newer wish of that kind takes this one's place: it waits for the same, or it waits for somebody's yes to a
/// release that would be replaced at once.
fn gives_way(open: &Deployment, kind: &Discriminant<Kind>, made_here: bool) -> bool {
    let same = discriminant(&open.kind) == *kind;
    let replaced = open.state == State::Approval && made_here;
    open.state.can_become(State::Superseded) && (same || replaced)
}

fn has_begun(state: State) -> bool {
    !matches!(state, State::Waiting | State::Queued)
}

/// What holds the wish back, or, where it was asked to go live all the same, the words that are kept about that.
fn holding(
    entry: &Entry,
    server: &Server,
    wish: &Wish,
) -> Result<(Option<Hold>, Option<String>), JournalError> {
    let found = server.environment(&wish.env);
    let Some(env) = found.filter(|_| wish.kind.is_made_here()) else {
        return Ok((None, None));
    };
    let hold = holds::of(entry.connection(), env, clock::now_ms())?;
    Ok(match hold {
        Some(hold) if wish.now => {
            let by = &wish.by;
            (
                None,
                Some(format!("{by} deploys it now although it is {hold}")),
            )
        }
        hold => (hold, None),
    })
}

/// CI's word that the wish has to wait for, or, where it was asked to go live all the same, the words that are kept about
/// that.
fn awaited(server: &Server, wish: &Wish, now: i64) -> (Option<Ci>, Option<String>) {
    let env = server.environment(&wish.env);
    let made_here = wish.kind.is_made_here();
    let Some(after) = env.and_then(|env| env.after.as_ref()).filter(|_| made_here) else {
        return (None, None);
    };
    // An interrupted one had CI's word, or did without it.
    if wish.now {
        let text = format!("{} deploys it now, whatever CI says", wish.by);
        return (None, wish.retry_of.is_none().then_some(text));
    }
    let timeout = i64::try_from(after.timeout.as_millis()).unwrap_or(i64::MAX);
    let ci = Ci {
        since_ms: now,
        until_ms: now.saturating_add(timeout),
        said: None,
        found: None,
    };
    (Some(ci), None)
}

fn is_same(open: &Deployment, wish: &Wish) -> bool {
    open.kind == Kind::Deploy
        && wish.kind == Kind::Deploy
        && open.commit == wish.commit
        && !wish.redeploy
        && open.mode == wish.mode
        && open.skip_tests == wish.skip_tests
        && matches!(
            open.state,
            State::Waiting | State::Queued | State::Running | State::Approval
        )
}
