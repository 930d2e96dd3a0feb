//! Wishes that come of what a forge says besides pushes: a check that is good after all, a deployment that somebody made.

use super::line::enqueue;
use super::{Accepted, Queue, Wish, again};
use crate::domain::{Deployment, DeploymentId, Event, Found, Push, PushOptions, State};
use crate::journal::{Entry, JournalError};
use crate::report::DEPLOYMENTS;
use crate::store::{deployments, pushes, told};
use crate::system::clock;
use std::sync::Arc;

/// Whether CI is what ended this deployment.
pub fn was_turned_down(deployment: &Deployment) -> bool {
    let found = deployment.ci.as_ref().and_then(|ci| ci.found);
    deployment.state == State::Failed && found.is_some_and(|found| !found.good)
}

impl Queue {
    /// Takes up again what CI had turned down and finds good now, unless anything came in since.
    pub async fn good_after_all(
        &self,
        id: DeploymentId,
        words: String,
    ) -> Result<Option<DeploymentId>, JournalError> {
        let server = Arc::clone(&self.server);
        let asked = self.journal.write(move |entry| {
            let Some(earlier) = deployments::get(entry.connection(), id)? else {
                return Ok(None);
            };
            let newest = deployments::newest(entry.connection(), Some(&earlier.env), 1)?;
            if newest.first().is_none_or(|newest| newest.id != id) || !was_turned_down(&earlier) {
                return Ok(None);
            }
            let made = enqueue(entry, &server, Wish::again(&earlier))?.id;
            entry.change(made, |deployment| {
                if let Some(ci) = &mut deployment.ci {
                    ci.found = Some(Found {
                        good: true,
                        at_ms: clock::now_ms(),
                    });
                    ci.said = Some(words.clone());
                }
            })?;
            let text = format!("CI had turned down deployment {id}, and says now: {words}");
            entry.tell(made, Event::Note { text })?;
            Ok(Some(made))
        });
        let made = asked.await?;
        self.nudge();
        Ok(made)
    }

    /// Takes a deployment that somebody made at the forge, under the number that it has there. The same one again changes
    /// nothing, and neither does one that comes in behind a newer one: forges deliver in any order. Also whether it is new.
    pub async fn ordered(&self, order: Order) -> Result<(Accepted, bool), JournalError> {
        let server = Arc::clone(&self.server);
        let taken = self.journal.write(move |entry| {
            let delivery = format!("{} deployment {}", order.wish.env, order.number);
            let app = &order.wish.env.app;
            if let Some(made) = pushes::seen(entry.connection(), app, &delivery)? {
                return Ok((again(entry, made)?, false));
            }
            let target = format!("{app}/{DEPLOYMENTS}");
            let subject = format!("ordered {}", order.wish.env);
            let newest: Option<u64> = told::recall(entry.connection(), &target, &subject)?;
            if let Some(newest) = newest.filter(|newest| *newest > order.number) {
                let env = &order.wish.env;
                let why = format!("the newer deployment {newest} of {env} was taken already");
                return Ok((Accepted::Nothing(why), false));
            }
            let push = order.push();
            let queued = enqueue(entry, &server, order.wish.clone())?;
            let now = clock::now_ms();
            pushes::insert(
                entry.connection(),
                &push,
                Some(&delivery),
                now,
                &[queued.id],
            )?;
            told::remember(entry.connection(), &target, &subject, &order.number)?;
            told_there(entry, &target, queued.id, order.number)?;
            Ok((Accepted::Deployments(vec![queued]), true))
        });
        let accepted = taken.await?;
        self.nudge();
        Ok(accepted)
    }
}

/// The forge hears how it goes under the number that it has there already, instead of a new one.
fn told_there(
    entry: &mut Entry<'_>,
    target: &str,
    id: DeploymentId,
    number: u64,
) -> Result<(), JournalError> {
    let subject = format!("deployment {id}");
    Ok(told::remember(
        entry.connection(),
        target,
        &subject,
        &number,
    )?)
}

/// A deployment that somebody made at the forge.
#[derive(Debug, Clone)]
pub struct Order {
    /// What it asks for here.
    pub wish: Wish,
    /// Its number at the forge.
    pub number: u64,
}

impl Order {
    /// What the table of pushes keeps of it.
    fn push(&self) -> Push {
        Push {
            app: self.wish.env.app.clone(),
            ref_name: self.wish.ref_name.clone(),
            commit: self.wish.commit.clone(),
            by: self.wish.by.clone(),
            origin: self.wish.origin,
            options: PushOptions::default(),
        }
    }
}
