//! Which letter is next, and when.

use super::{STEPS, is_passing};
use crate::domain::Moment;
use crate::report::{Refusal, Retry};
use crate::store::outbox::{self, Letter};
use crate::store::{StoreError, deployments};
use rusqlite::Connection;
use std::time::Duration;

/// So long a message is worth telling.
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
/// Between two tries, at first and at most.
const FIRST_MS: i64 = 1000;
const LONGEST_MS: i64 = 5 * 60 * 1000;

/// The letter that is next, and those that have nothing to say any more.
pub(super) struct Chosen {
    pub letter: Option<Letter>,
    pub stale: Vec<i64>,
}

/// Letters are taken in order. One is stale when a later one speaks of the same deployment, and when it says that a
/// deployment runs or waits which is over.
pub(super) fn chosen(connection: &Connection, target: &str) -> Result<Chosen, StoreError> {
    let mut chosen = Chosen {
        letter: None,
        stale: Vec::new(),
    };
    let letters = outbox::waiting(connection, target)?;
    for (at, letter) in letters.iter().enumerate() {
        let overtaken = letters[at + 1..]
            .iter()
            .any(|later| later.deployment == letter.deployment);
        let over = || -> Result<bool, StoreError> {
            let deployment = deployments::get(connection, letter.deployment)?;
            Ok(deployment.is_none_or(|one| one.state.is_final()))
        };
        if overtaken || (is_passing(letter.moment) && over()?) {
            chosen.stale.push(letter.id);
        } else if chosen.letter.is_none() {
            chosen.letter = Some(letter.clone());
        }
    }
    Ok(chosen)
}

/// When a target may be told something again. It is the target that is left alone, not the letter: what is newer does not
/// knock sooner.
#[derive(Debug, Default)]
pub(super) struct Post {
    not_before_ms: i64,
    last_ms: i64,
    failures: u32,
}

impl Post {
    /// How long the letter has to wait.
    pub fn wait(&self, letter: &Letter, now_ms: i64) -> Duration {
        let mut from = self.not_before_ms.max(letter.next_ms);
        if letter.moment == Moment::Step {
            from = from.max(self.last_ms + STEPS.as_millis() as i64);
        }
        Duration::from_millis(u64::try_from(from - now_ms).unwrap_or(0))
    }

    /// It was told.
    pub fn went_well(&mut self, moment: Moment, now_ms: i64) {
        *self = Post {
            last_ms: if is_passing(moment) { now_ms } else { 0 },
            ..Post::default()
        };
    }

    /// It was refused; when to try again. After a restart the letter's own tries tell how often it was refused before.
    pub fn went_wrong(&mut self, refusal: &Refusal, tries: u32, now_ms: i64) -> i64 {
        self.failures = (self.failures + 1).max(tries + 1);
        let doubled = FIRST_MS << (self.failures - 1).min(16);
        let pause = match refusal.retry {
            Retry::After(wait) => i64::try_from(wait.as_millis()).unwrap_or(LONGEST_MS).max(1),
            _ => doubled.min(LONGEST_MS),
        };
        self.not_before_ms = now_ms + pause;
        self.not_before_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_and_end_with_success() {
        let mut post = Post::default();
        let later = Refusal::later("no");
        let pauses: Vec<i64> = (0..12)
            .map(|tries| post.went_wrong(&later, tries, 0))
            .collect();
        assert_eq!(&pauses[..4], [1000, 2000, 4000, 8000]);
        assert_eq!(pauses[11], LONGEST_MS);
        let asked = Refusal {
            words: String::new(),
            retry: Retry::After(Duration::from_secs(7)),
        };
        assert_eq!(post.went_wrong(&asked, 3, 0), 7000);
        post.went_well(Moment::Live, 0);
        assert_eq!(post.went_wrong(&later, 0, 0), 1000);
    }
}
