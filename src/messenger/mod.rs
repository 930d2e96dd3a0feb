//! Tells everybody elsewhere: one sender for each target, which takes what the outbox holds for it in order. Telling never
//! delays a deployment: the pipeline writes into the outbox and knows nothing of what becomes of it.

mod gather;
mod post;

use crate::domain::Moment;
use crate::pipeline::Tools;
use crate::report::{Memory, News, Refusal, Retry, Target, targets};
use crate::store::outbox::{self, Letter};
use crate::store::{StoreError, told};
use crate::system::clock;
use post::{DAY_MS, Post, chosen};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use gather::example_for;

/// Between two messages about steps: people do not read faster, and chats do not take more.
const STEPS: Duration = Duration::from_millis(1500);
/// How long to wait when the database itself does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// Tells until the server stops.
pub async fn deliver(tools: Arc<Tools>) {
    let targets = targets(&tools.server);
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let store = tools.journal.store();
    let swept = store.write(move |c| outbox::keep_only(c, &names)).await;
    if let Err(error) = swept {
        tracing::warn!(%error, "what is for targets that are gone stays in the outbox");
    }
    let mut senders = JoinSet::new();
    for target in targets {
        senders.spawn(Sender::new(Arc::clone(&tools), target).send());
    }
    while senders.join_next().await.is_some() {}
}

/// What tells one target.
struct Sender {
    tools: Arc<Tools>,
    target: Target,
    post: Post,
}

impl Sender {
    fn new(tools: Arc<Tools>, target: Target) -> Sender {
        Sender {
            tools,
            target,
            post: Post::default(),
        }
    }

    async fn send(mut self) {
        let mut changes = self.tools.journal.changes();
        loop {
            changes.mark_unchanged();
            let wait = match self.next().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(target = self.target.name, %error, "the outbox cannot be read");
                    Some(TROUBLE)
                }
            };
            match wait {
                Some(wait) if wait.is_zero() => {}
                // Something newer may make what is held back stale, or be worth more.
                Some(wait) => tokio::select! {
                    () = sleep(wait) => {}
                    changed = changes.changed() => if changed.is_err() { return },
                },
                None => {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Takes the next step; how long there is nothing to do afterwards, or nothing when only news can change that.
    async fn next(&mut self) -> Result<Option<Duration>, StoreError> {
        let store = self.tools.journal.store().clone();
        let name = self.target.name.clone();
        let chosen = store.read(move |c| chosen(c, &name)).await?;
        if !chosen.stale.is_empty() {
            let stale = chosen.stale;
            let sweep = move |c: &rusqlite::Connection| {
                stale.into_iter().try_for_each(|id| outbox::overtake(c, id))
            };
            store.write(sweep).await?;
            // What was swept may have left its mark on the letter that is next.
            return Ok(Some(Duration::ZERO));
        }
        let Some(letter) = chosen.letter else {
            return Ok(None);
        };
        let wait = self.post.wait(&letter, clock::now_ms());
        if !wait.is_zero() {
            return Ok(Some(wait));
        }
        let heard = Memory::of(&store, &self.target.name);
        let Some(news) = gather::news(&self.tools, &letter, &heard).await? else {
            store.write(move |c| outbox::done(c, letter.id)).await?;
            return Ok(Some(Duration::ZERO));
        };
        if !self.target.wants(&news) {
            self.conclude(&letter, &news).await?;
            return Ok(Some(Duration::ZERO));
        }
        let id = letter.id;
        store.write(move |c| outbox::begin(c, id)).await?;
        let answer = self.target.tell(&news, &heard).await;
        self.close(letter, &news, answer).await?;
        Ok(Some(Duration::ZERO))
    }

    async fn close(
        &mut self,
        letter: Letter,
        news: &News,
        answer: Result<String, Refusal>,
    ) -> Result<(), StoreError> {
        let (target, deployment) = (self.target.name.clone(), letter.deployment);
        let now = clock::now_ms();
        let refusal = match answer {
            Ok(words) => {
                tracing::debug!(target, deployment, moment = %letter.moment, words, "told");
                self.post.went_well(letter.moment, now);
                return self.conclude(&letter, news).await;
            }
            Err(refusal) => refusal,
        };
        let store = self.tools.journal.store();
        let words = refusal.words.clone();
        let over = refusal.retry == Retry::Never || now - letter.at_ms > DAY_MS;
        if over {
            tracing::warn!(target, deployment, moment = %letter.moment, words, "cannot be told; given up");
            return store
                .write(move |c| outbox::give_up(c, letter.id, now, &words))
                .await;
        }
        let next_ms = self.post.went_wrong(&refusal, letter.tries, now);
        tracing::info!(target, deployment, moment = %letter.moment, words, "cannot be told yet");
        store
            .write(move |c| outbox::put_off(c, letter.id, next_ms, &words))
            .await
    }

    /// Takes the letter out, and remembers what the target has heard of the environment now.
    async fn conclude(&self, letter: &Letter, news: &News) -> Result<(), StoreError> {
        let (id, target) = (letter.id, self.target.name.clone());
        let subject = gather::environment(news.env());
        let outcome = news.outcome();
        let store = self.tools.journal.store();
        store
            .write(move |c| {
                if let Some(outcome) = outcome {
                    told::remember(c, &target, &subject, &outcome)?;
                }
                outbox::forget_given_up(c, &target, clock::now_ms() - DAY_MS)?;
                outbox::done(c, id)
            })
            .await
    }
}

/// How one target stands, for those who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The target's name.
    pub target: String,
    /// How much waits for it.
    pub waiting: u32,
    /// Why it takes nothing now, and since when.
    pub failing: Option<(String, i64)>,
    /// What was given up: of which deployments, and why the last one.
    pub given_up: Option<(Vec<i64>, String)>,
}

/// The targets that could not be told something.
pub async fn troubled(tools: &Tools) -> Result<Vec<Standing>, StoreError> {
    let store = tools.journal.store();
    let read = store.read(|c| {
        let mut all: Vec<Standing> = Vec::new();
        for letter in outbox::troubled(c)? {
            let at = match all.iter().position(|one| one.target == letter.target) {
                Some(at) => at,
                None => {
                    all.push(Standing {
                        waiting: outbox::count(c, &letter.target)?,
                        target: letter.target.clone(),
                        failing: None,
                        given_up: None,
                    });
                    all.len() - 1
                }
            };
            note(&mut all[at], letter);
        }
        Ok(all)
    });
    read.await
}

fn note(standing: &mut Standing, letter: Letter) {
    let words = letter.trouble.unwrap_or_default();
    if letter.given_up_ms.is_none() {
        let since = standing.failing.as_ref().map(|(_, since)| *since);
        standing.failing = Some((words, since.unwrap_or(letter.at_ms)));
        return;
    }
    let mut ids = match standing.given_up.take() {
        Some((ids, _)) => ids,
        None => Vec::new(),
    };
    if !ids.contains(&letter.deployment) {
        ids.push(letter.deployment);
    }
    standing.given_up = Some((ids, words));
}

/// Whether a turn that only says how far a deployment is need not be told any more.
fn is_passing(moment: Moment) -> bool {
    !moment.is_end()
}
