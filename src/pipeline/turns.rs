//! Turns to build: at most so many deployments build at a time over all environments, first come, first served.

use crate::domain::{DeploymentId, EnvId};
use crate::system::clock;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The line of those who want to build.
pub struct Turns {
    slots: usize,
    line: Mutex<Line>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Line {
    next: u64,
    builds: Vec<(u64, Builder)>,
    waits: VecDeque<(u64, Builder)>,
}

/// A deployment that builds or waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its environment.
    pub env: EnvId,
    /// Since when it builds, or waits, in milliseconds since the epoch.
    pub since_ms: i64,
}

/// Who is before a deployment that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// How many build or wait before it.
    pub count: usize,
    /// The one that has been building for the longest.
    pub first: Builder,
}

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Builder {
            deployment,
            env,
            since_ms,
        } = &self.first;
        let passed = u64::try_from(clock::now_ms() - since_ms).unwrap_or(0);
        write!(
            f,
            "waiting for a build slot: {} before you: {env}'s deployment {deployment} builds since {}",
            self.count,
            crate::report::duration(passed)
        )
    }
}

impl Turns {
    /// So many at a time.
    pub fn new(slots: usize) -> Arc<Turns> {
        Arc::new(Turns {
            slots,
            line: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// Takes a place at the end of the line. The place, and later the turn, is given up when the answer is dropped.
    pub fn enter(self: &Arc<Self>, deployment: DeploymentId, env: &EnvId) -> Turn {
        let mut line = self.line();
        line.next += 1;
        let number = line.next;
        let builder = Builder {
            deployment,
            env: env.clone(),
            since_ms: clock::now_ms(),
        };
        line.waits.push_back((number, builder));
        line.move_up(self.slots);
        drop(line);
        Turn {
            turns: Arc::clone(self),
            number,
            changes: self.changed.subscribe(),
            told: None,
        }
    }

    /// Those who build and those who wait, each in the order in which they came.
    pub fn shown(&self) -> (Vec<Builder>, Vec<Builder>) {
        let line = self.line();
        let builders = |(_, builder): &(u64, Builder)| builder.clone();
        (
            line.builds.iter().map(builders).collect(),
            line.waits.iter().map(builders).collect(),
        )
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn move_up(&mut self, slots: usize) {
        while self.builds.len() < slots
            && let Some((number, builder)) = self.waits.pop_front()
        {
            let since_ms = clock::now_ms();
            self.builds.push((
                number,
                Builder {
                    since_ms,
                    ..builder
                },
            ));
        }
    }
}

/// A place in the line, or the turn itself.
pub struct Turn {
    turns: Arc<Turns>,
    number: u64,
    changes: watch::Receiver<()>,
    told: Option<Ahead>,
}

impl Turn {
    /// Who is before it; nobody when it is its turn.
    pub fn ahead(&self) -> Option<Ahead> {
        let line = self.turns.line();
        let place = line
            .waits
            .iter()
            .position(|(number, _)| *number == self.number)?;
        let (_, first) = line.builds.first()?;
        Some(Ahead {
            count: line.builds.len() + place,
            first: first.clone(),
        })
    }

    /// Waits for something worth telling: who is before it now, or that nobody is any more.
    pub async fn next(&mut self) -> Option<Ahead> {
        loop {
            self.changes.mark_unchanged();
            let ahead = self.ahead()?;
            if self.told.as_ref() != Some(&ahead) {
                self.told = Some(ahead.clone());
                return Some(ahead);
            }
            // The line itself holds the sender, so waiting never ends for want of one.
            let _ = self.changes.changed().await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.turns.line();
        line.builds.retain(|(number, _)| *number != self.number);
        line.waits.retain(|(number, _)| *number != self.number);
        line.move_up(self.turns.slots);
        drop(line);
        self.turns.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(turns: &Arc<Turns>, id: DeploymentId, env: &str) -> Turn {
        turns.enter(id, &env.parse().unwrap())
    }

    fn numbers(builders: &[Builder]) -> Vec<DeploymentId> {
        builders.iter().map(|builder| builder.deployment).collect()
    }

    #[test]
    fn first_come_first_served_over_all_environments() {
        let turns = Turns::new(2);
        let [first, _second] = [1, 2].map(|id| enter(&turns, id, "shop/production"));
        let [third, fourth] = [3, 4].map(|id| enter(&turns, id, "api/staging"));
        assert_eq!(first.ahead(), None);
        assert_eq!(fourth.ahead().unwrap().count, 3);
        let told = fourth.ahead().unwrap().to_string();
        assert!(
            told.starts_with("waiting for a build slot: 3 before you: shop/production's deployment 1 builds since "),
            "{told}"
        );
        drop(first);
        assert_eq!(third.ahead(), None);
        assert_eq!(fourth.ahead().unwrap().count, 2);
        let (builds, waits) = turns.shown();
        assert_eq!((numbers(&builds), numbers(&waits)), (vec![2, 3], vec![4]));
    }

    #[test]
    fn who_leaves_the_line_takes_nobody_s_turn() {
        let turns = Turns::new(1);
        let [_first, second, third] = [1, 2, 3].map(|id| enter(&turns, id, "shop/production"));
        drop(second);
        assert_eq!(third.ahead().unwrap().count, 1);
        assert_eq!(numbers(&turns.shown().0), [1]);
    }

    #[tokio::test]
    async fn each_change_is_told_until_the_turn_comes() {
        let turns = Turns::new(1);
        let [first, second, mut third] = [1, 2, 3].map(|id| enter(&turns, id, "shop/production"));
        let count = |ahead: Option<Ahead>| ahead.map(|ahead| ahead.count);
        assert_eq!(count(third.next().await), Some(2));
        let waits = tokio::spawn(async move { (count(third.next().await), third) });
        drop(second);
        let (next, mut third) = waits.await.unwrap();
        assert_eq!(next, Some(1));
        drop(first);
        assert_eq!(count(third.next().await), None);
    }
}
