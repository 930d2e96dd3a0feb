//! Answers workflows at GitHub that ask whether they may deploy to an environment of this server: by the same rules that
//! hold back what is pushed here. Whoever may not deploy is told no; while the environment is frozen, or outside of its
//! hours, they wait and are told why; then it is a yes.

use crate::config::{App, Environment, Forge};
use crate::holds;
use crate::pipeline::Tools;
use crate::queue::Queue;
use crate::report::{Refusal, Retry, Review, Reviewer};
use crate::store::StoreError;
use crate::store::questions::{self, Question};
use crate::system::clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// GitHub gives a workflow up that waits longer.
const PATIENCE_MS: i64 = 30 * 24 * 3600 * 1000;
/// Between two tries of an answer that was not taken, at first and at most.
const FIRST_MS: i64 = 1000;
const LONGEST_MS: i64 = 5 * 60 * 1000;
/// How often it is seen whether a hold has ended whose end nobody announces.
const LOOK: Duration = Duration::from_secs(60);
/// How long to wait when the database itself does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// Answers until the server stops.
pub async fn answer(tools: Arc<Tools>, queue: Queue) {
    let mut apps = JoinSet::new();
    for app in tools.server.apps.values() {
        let (Some(Forge::GitHub), Some(api)) = (app.forge, &app.api) else {
            continue;
        };
        let Some(heard) = queue.heard(&app.name) else {
            continue;
        };
        let gatekeeper = Gatekeeper {
            tools: Arc::clone(&tools),
            app: app.clone(),
            reviewer: Reviewer::new(api),
        };
        apps.spawn(gatekeeper.watch(heard));
    }
    while apps.join_next().await.is_some() {}
}

/// Answers the workflows of one app's repository.
struct Gatekeeper {
    tools: Arc<Tools>,
    app: App,
    reviewer: Result<Reviewer, Refusal>,
}

impl Gatekeeper {
    async fn watch(self, mut heard: watch::Receiver<()>) {
        loop {
            heard.mark_unchanged();
            let wait = self.look().await.unwrap_or_else(|error| {
                tracing::warn!(app = %self.app.name, %error, "the questions of workflows cannot be read");
                Some(TROUBLE)
            });
            let news = match wait {
                Some(wait) => tokio::select! {
                    () = sleep(wait) => Ok(()),
                    news = heard.changed() => news,
                },
                None => heard.changed().await,
            };
            if news.is_err() {
                return;
            }
        }
    }

    /// Answers what can be answered; how long until there is more to do, or nothing when only news can change that.
    async fn look(&self) -> Result<Option<Duration>, StoreError> {
        let name = self.app.name.clone();
        let store = self.tools.journal.store();
        let open = store.read(move |c| questions::open(c, &name)).await?;
        let mut next: Option<Duration> = None;
        for question in open {
            if let Some(wait) = self.consider(question).await? {
                next = Some(next.map_or(wait, |next| next.min(wait)));
            }
        }
        Ok(next)
    }

    /// Answers one; how long until it is to be looked at again, where it still waits.
    async fn consider(&self, question: Question) -> Result<Option<Duration>, StoreError> {
        let now = clock::now_ms();
        if question.next_ms > now {
            return Ok(Some(millis(question.next_ms - now)));
        }
        let mut env = self.app.environments.iter();
        let env = env.find(|env| env.id == question.env).cloned();
        let Some(env) = env.filter(|_| now - question.asked_ms < PATIENCE_MS) else {
            self.close(question.id).await?;
            return Ok(None);
        };
        let (review, why, until) = self.decide(&question, env.clone()).await?;
        if review == Review::Waits && question.told.as_ref() == Some(&why) {
            return Ok(Some(until));
        }
        match self.say(&question, &env, review, &why).await {
            Ok(()) if review == Review::Waits => {
                let (id, store) = (question.id, self.tools.journal.store());
                store.write(move |c| questions::told(c, id, &why)).await?;
                Ok(Some(until))
            }
            Ok(()) => {
                let run = question.run;
                tracing::info!(environment = %env.id, run, why, "a workflow was answered");
                self.close(question.id).await?;
                Ok(None)
            }
            Err(refusal) => self.again(&question, &refusal).await,
        }
    }

    /// What is to be answered now, why, and how long that holds at least.
    async fn decide(
        &self,
        question: &Question,
        env: Environment,
    ) -> Result<(Review, String, Duration), StoreError> {
        if let Some(why) = &question.refused {
            return Ok((Review::Rejected, why.clone(), Duration::ZERO));
        }
        let (id, now) = (env.id.clone(), clock::now_ms());
        let store = self.tools.journal.store();
        let hold = store.read(move |c| holds::of(c, &env, now)).await?;
        Ok(match hold {
            Some(hold) => {
                let until = hold.until_ms().map_or(LOOK, |until| millis(until - now));
                (Review::Waits, format!("{id} is {hold}"), until.min(LOOK))
            }
            None => {
                let why = format!("nothing holds deployments to {id} back");
                (Review::Approved, why, Duration::ZERO)
            }
        })
    }

    async fn say(
        &self,
        question: &Question,
        env: &Environment,
        review: Review,
        why: &str,
    ) -> Result<(), Refusal> {
        let reviewer = self.reviewer.as_ref().map_err(Clone::clone)?;
        let api = self.app.api.as_ref();
        let label = api.map_or_else(|| env.id.env.to_string(), |api| api.label(&env.id));
        reviewer.answer(question.run, &label, review, why).await
    }

    /// It was not taken: it is said again later, unless it will never be taken.
    async fn again(
        &self,
        question: &Question,
        refusal: &Refusal,
    ) -> Result<Option<Duration>, StoreError> {
        let (run, tries, id) = (question.run, question.tries, question.id);
        tracing::warn!(environment = %question.env, run, tries, "a workflow cannot be answered: {refusal}");
        let pause = match refusal.retry {
            Retry::Never => {
                self.close(id).await?;
                return Ok(None);
            }
            Retry::After(wait) => i64::try_from(wait.as_millis()).unwrap_or(LONGEST_MS),
            Retry::Later => (FIRST_MS << tries.min(16)).min(LONGEST_MS),
        };
        let (next, store) = (clock::now_ms() + pause, self.tools.journal.store());
        store
            .write(move |c| questions::put_off(c, id, next))
            .await?;
        Ok(Some(millis(pause)))
    }

    async fn close(&self, id: i64) -> Result<(), StoreError> {
        let store = self.tools.journal.store();
        store
            .write(move |c| questions::close(c, id, clock::now_ms()))
            .await
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1))
}
