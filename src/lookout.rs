//! Looks at what CI says of the commits that wait for it. The forge is asked at once, whenever a delivery says that its CI
//! has news, and now and then, because a delivery may be lost. What CI had turned down is looked at again as well: somebody
//! may run a check once more, and then expects what follows from it.

mod outcome;

use crate::ci::{Ci, Verdict, judge};
use crate::config::{AfterCi, App, Environment};
use crate::domain::{CommitId, Deployment, DeploymentId, State};
use crate::journal::JournalError;
use crate::pipeline::{self, Tools};
use crate::queue::{Queue, was_turned_down};
use crate::report::{Refusal, Retry, span};
use crate::store::{StoreError, deployments};
use crate::system::clock;
use outcome::Outcome;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Between two looks at one commit, however often its forge has news: a job of many parts tells of each.
const GAP: Duration = Duration::from_secs(2);
/// The first pauses between looks that nothing has hastened; the last one goes on.
const PAUSES: [u64; 5] = [5, 10, 20, 30, 60];
/// How often what was turned down is looked at again, and for how long.
const AGAIN: Duration = Duration::from_secs(300);
const AGAIN_WITHIN_MS: i64 = 24 * 3600 * 1000;
/// Where no checks are named, those that are known at once need not be all: a forge takes a moment to make them.
const SETTLED: Duration = Duration::from_secs(5);
/// How long to wait when the database itself does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// Looks until the server stops.
pub async fn watch(tools: Arc<Tools>, queue: Queue) {
    let mut apps = JoinSet::new();
    for app in tools.server.apps.values() {
        let waits = app.environments.iter().any(|env| env.after.is_some());
        if let (true, Some(ci)) = (waits, Ci::of(app)) {
            let Some(heard) = queue.heard(&app.name) else {
                continue;
            };
            let lookout = Lookout {
                tools: Arc::clone(&tools),
                outcome: Outcome {
                    tools: Arc::clone(&tools),
                    queue: queue.clone(),
                },
                app: app.clone(),
                ci,
                seen: BTreeMap::new(),
            };
            apps.spawn(lookout.watch(heard));
        }
    }
    while apps.join_next().await.is_some() {}
}

/// Looks at the commits of one app.
struct Lookout {
    tools: Arc<Tools>,
    outcome: Outcome,
    app: App,
    ci: Result<Ci, Refusal>,
    seen: BTreeMap<DeploymentId, Seen>,
}

/// When a deployment's commit was looked at, and will be.
#[derive(Clone, Copy)]
struct Seen {
    looks: usize,
    first: Instant,
    last: Option<Instant>,
    next: Instant,
    /// When it is waited for no longer, by the time that passes: nobody puts that forward or back.
    end: Instant,
}

impl Lookout {
    async fn watch(mut self, mut heard: watch::Receiver<()>) {
        let mut changes = self.tools.journal.changes();
        loop {
            changes.mark_unchanged();
            let next = self.look().await.unwrap_or_else(|error| {
                tracing::warn!(app = %self.app.name, %error, "what waits for CI cannot be read");
                Instant::now() + TROUBLE
            });
            tokio::select! {
                () = sleep_until(next) => {}
                news = heard.changed() => match news {
                    Ok(()) => self.hasten(),
                    Err(_) => return,
                },
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Looks at what is due; says when to look again.
    async fn look(&mut self) -> Result<Instant, JournalError> {
        let found = self.open().await?;
        self.seen
            .retain(|id, _| found.iter().any(|one| one.id == *id));
        for deployment in found {
            let mut env = self.app.environments.iter();
            let env = env.find(|env| env.id == deployment.env).cloned();
            // Where no CI is wanted any more, the queue lets go what waits.
            if let Some(env) = env
                && let Some(after) = &env.after
            {
                self.look_at(&deployment, &env, after).await?;
            }
        }
        let next = self.seen.values().map(|seen| seen.next.min(seen.end)).min();
        Ok(next.unwrap_or_else(|| Instant::now() + AGAIN))
    }

    /// The deployments that wait for CI, and those that it turned down lately and that nothing followed.
    async fn open(&self) -> Result<Vec<Deployment>, StoreError> {
        let name = self.app.name.clone();
        let waiting_for: Vec<Environment> = self.app.environments.clone();
        let now = clock::now_ms();
        let read = self.tools.journal.store().read(move |c| {
            let mut found = deployments::open(c, None)?;
            found.retain(|one| {
                let waits = one.ci.as_ref().is_some_and(|ci| ci.is_open());
                one.env.app == name && one.state == State::Waiting && waits
            });
            for env in waiting_for.iter().filter(|env| env.after.is_some()) {
                let newest = deployments::newest(c, Some(&env.id), 1)?;
                let lately =
                    |one: &Deployment| one.ended_ms.is_some_and(|at| now - at < AGAIN_WITHIN_MS);
                found.extend(
                    newest
                        .into_iter()
                        .filter(|one| was_turned_down(one) && lately(one)),
                );
            }
            Ok(found)
        });
        read.await
    }

    async fn look_at(
        &mut self,
        deployment: &Deployment,
        env: &Environment,
        after: &AfterCi,
    ) -> Result<(), JournalError> {
        let now = Instant::now();
        let waits = deployment.state == State::Waiting;
        let mut seen = match self.seen.get(&deployment.id) {
            Some(seen) => *seen,
            None => first_seen(deployment, after, now),
        };
        if seen.next.min(seen.end) > now {
            self.seen.insert(deployment.id, seen);
            return Ok(());
        }
        let (commit, verdict, pause) = self.ask(deployment, after, seen.first).await;
        seen.looks += 1;
        seen.last = Some(now);
        let usual = PAUSES[seen.looks.min(PAUSES.len()) - 1];
        let usual = if waits {
            Duration::from_secs(usual)
        } else {
            AGAIN
        };
        seen.next = Instant::now() + pause.unwrap_or(usual);
        let over = waits && seen.end <= Instant::now();
        self.seen.insert(deployment.id, seen);
        match verdict {
            Verdict::Open(words) if over => {
                let within = span(i64::try_from(after.timeout.as_millis()).unwrap_or(i64::MAX));
                let cause = format!("CI did not say within {within} that it is good: {words}");
                self.outcome
                    .turn_down(deployment, env, commit, cause, Vec::new())
                    .await
            }
            Verdict::Bad { words, lines } if waits => {
                let cause = format!("CI does not let it through: {words}");
                self.outcome
                    .turn_down(deployment, env, commit, cause, lines)
                    .await
            }
            Verdict::Good(words) if !waits => self.outcome.take_up_again(deployment, words).await,
            verdict if waits => self.outcome.keep(deployment, commit, verdict).await,
            _ => Ok(()),
        }
    }

    /// Asks the forge; with how long it wants to be left alone, or when it is worth asking again.
    async fn ask(
        &self,
        deployment: &Deployment,
        after: &AfterCi,
        first: Instant,
    ) -> (CommitId, Verdict, Option<Duration>) {
        let commit = match self.commit(&deployment.commit).await {
            Ok(commit) => commit,
            Err(why) => return (deployment.commit.clone(), Verdict::Open(why), None),
        };
        let found = match &self.ci {
            Ok(ci) => ci.checks(&commit, &deployment.ref_name).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let checks = match found {
            Ok(checks) => checks,
            Err(refusal) => {
                let pause = match refusal.retry {
                    Retry::After(pause) => Some(pause),
                    _ => None,
                };
                let words = format!("the forge cannot be asked: {refusal}");
                return (commit, Verdict::Open(words), pause);
            }
        };
        let left = SETTLED.saturating_sub(first.elapsed());
        match judge(&checks, &after.checks) {
            Verdict::Good(words) if after.checks.is_empty() && !left.is_zero() => {
                let words = format!("{words} so far");
                (commit, Verdict::Open(words), Some(left))
            }
            verdict => (commit, verdict, None),
        }
    }

    /// The commit itself: a delivery may have named the tag that leads to it. It is fetched where it is not here yet, which
    /// the deployment needs anyway.
    async fn commit(&self, named: &CommitId) -> Result<CommitId, String> {
        let here = || {
            let repo = self
                .tools
                .repo(&self.app)
                .map_err(|error| error.to_string())?;
            repo.peel_commit(named).map_err(|error| error.to_string())
        };
        if let Some(commit) = here()? {
            return Ok(commit);
        }
        if let Err(pipeline::Stop::Failed(trouble)) =
            pipeline::transfer(&self.tools, &self.app).await
        {
            return Err(trouble.cause);
        }
        here()?.ok_or_else(|| format!("commit {} is not in its repository", named.short()))
    }

    /// There are news: what was looked at a moment ago is due again, at a pace that forges take.
    fn hasten(&mut self) {
        for seen in self.seen.values_mut() {
            let soon = seen.last.map_or_else(Instant::now, |last| last + GAP);
            seen.next = seen.next.min(soon);
        }
    }
}

fn first_seen(deployment: &Deployment, after: &AfterCi, now: Instant) -> Seen {
    let until = deployment.ci.as_ref().map_or(0, |ci| ci.until_ms);
    let left = u64::try_from(until.saturating_sub(clock::now_ms())).unwrap_or(0);
    let end = match deployment.state {
        // A clock that was put back makes nothing wait for longer than it was meant to.
        State::Waiting => now + Duration::from_millis(left).min(after.timeout),
        _ => now + AGAIN * 1000,
    };
    Seen {
        looks: 0,
        first: now,
        last: None,
        next: now,
        end,
    }
}
