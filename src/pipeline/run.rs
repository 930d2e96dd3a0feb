use super::outcome::{Stop, Trouble};
use super::place::Place;
use super::turns::Turn;
use super::{Cancel, Tools, processes};
use crate::config::{App, Environment, Recipe};
use crate::domain::{Color, Deployment, DeploymentId, Kind, Spent, State};
use crate::journal::{Entry, JournalError, Pending};
use crate::release::{Shelf, Slots, Version};
use crate::store::environments::{Release, Standing};
use crate::system::git::Repo;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// One deployment on its way: what is known from the start, and what the steps find out for those behind them.
pub struct Run<'a> {
    /// What it is made with.
    pub tools: &'a Tools,
    /// The app.
    pub app: &'a App,
    /// The environment.
    pub env: &'a Environment,
    /// The deployment as it stood when it began; fetch corrects its commit.
    pub deployment: Deployment,
    /// The wish to stop it.
    pub cancel: Cancel,
    /// The environment's folders.
    pub slots: Slots,
    /// What was committed about the environment when it began.
    pub standing: Standing,
    /// The slot that it fills.
    pub color: Color,
    /// The app's own configuration for this release.
    pub variables: Version,
    /// How a rollback gets back.
    pub way_back: WayBack,
    /// Whether it had switched, and what served before is committed again: nothing makes it live any more.
    pub(super) is_back: bool,
    /// The release that it makes; fetch or restore know it first.
    pub(super) release: Option<Release>,
    /// What is being sealed beside the steps.
    pub(super) beside: super::beside::Beside,
    /// The sealed releases that lend their results.
    pub(super) lenders: super::lenders::Lenders,
    /// The slot's folders that need not be looked at again.
    pub(super) seen: super::seen::Seen,
    /// What the proxy had counted when the new release was about to start.
    pub(super) before: Option<crate::traffic::Measure>,
    /// Its turn to build, from the first command that needs one to the last.
    turn: Mutex<Option<Turn>>,
    /// What was journaled without waiting for the disk.
    pending: Mutex<Vec<Pending>>,
    /// Where the time of the running step went.
    spent: Mutex<Spent>,
    /// The digest of the tracked files that count for the build, once it was taken.
    pub(super) tree: OnceLock<String>,
}

/// How a rollback gets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayBack {
    /// The other color still runs: only the traffic moves.
    Warm,
    /// The other slot still holds it: it is started again.
    InSlot,
    /// It comes from a backup.
    FromBackup,
}

impl<'a> Run<'a> {
    /// Gathers what a deployment needs before its first step.
    pub async fn prepare(
        tools: &'a Tools,
        deployment: Deployment,
        cancel: Cancel,
    ) -> Result<Run<'a>, Stop> {
        let Some((app, env)) = tools.environment(&deployment.env) else {
            let cause = format!("{} is no longer configured", deployment.env);
            return Err(Trouble::new(cause)
                .next("add it to teal.toml again, or ignore this")
                .into());
        };
        let now = tools.journal.standing(&env.id).await?;
        let is_back = deployment.state == State::Observing && now.active != deployment.color;
        let standing = before_the_switch(&deployment, now);
        let color = deployment.color.unwrap_or_else(|| standing.standby());
        let slots = tools.slots(env);
        slots
            .prepare()
            .map_err(|error| super::folders::closed(error, &env.root))?;
        let mut run = Run {
            tools,
            app,
            env,
            cancel,
            slots,
            color,
            variables: tools.variables(&env.id).wanted()?,
            way_back: WayBack::FromBackup,
            is_back,
            release: None,
            beside: super::beside::Beside::default(),
            lenders: super::lenders::Lenders::default(),
            seen: super::seen::Seen::default(),
            before: None,
            turn: Mutex::default(),
            pending: Mutex::default(),
            spent: Mutex::default(),
            tree: OnceLock::new(),
            standing,
            deployment,
        };
        if matches!(run.deployment.state, State::Observing | State::Approval) {
            run.take_up()?;
        } else if matches!(run.deployment.kind, Kind::Rollback { .. }) {
            run.look_back().await?;
        }
        Ok(run)
    }

    /// Takes up a deployment whose release is in its slot already.
    fn take_up(&mut self) -> Result<(), Stop> {
        self.release.clone_from(self.standing.slots.of(self.color));
        let digest = self.release()?.env_digest.clone();
        self.variables = self.tools.variables(&self.env.id).load(&digest)?;
        Ok(())
    }

    /// Finds out how far away the release is that a rollback goes to.
    async fn look_back(&mut self) -> Result<(), Stop> {
        let Kind::Rollback { backup } = &self.deployment.kind else {
            return Ok(());
        };
        let held = self.standing.slots.of(self.color).clone();
        let Some(release) =
            held.filter(|held| held.served && (backup.is_none() || &held.backup == backup))
        else {
            return Ok(());
        };
        self.variables = self
            .tools
            .variables(&self.env.id)
            .load(&release.env_digest)?;
        let recipe = &release.recipe;
        let running = processes::all_run(self.tools, &self.env.id, self.color, recipe).await?;
        self.way_back = if running {
            WayBack::Warm
        } else {
            WayBack::InSlot
        };
        self.release = Some(release);
        Ok(())
    }

    /// The number of the deployment.
    pub fn id(&self) -> DeploymentId {
        self.deployment.id
    }

    /// The color that serves while this deployment prepares; none on a first deployment.
    pub fn from(&self) -> Option<Color> {
        self.standing.active
    }

    /// The folder of the slot that it fills.
    pub fn slot(&self) -> PathBuf {
        self.slots.slot(self.color)
    }

    /// The release that is being made, in its slot.
    pub fn place(&self) -> Result<Place<'_>, Stop> {
        Ok(Place {
            tools: self.tools,
            env: self.env,
            slots: &self.slots,
            color: self.color,
            release: self.release()?,
            variables: &self.variables,
        })
    }

    /// The release that is being made.
    pub fn release(&self) -> Result<&Release, Stop> {
        self.release
            .as_ref()
            .ok_or_else(|| Trouble::new("the release is not known yet").into())
    }

    /// How the release is made, started and probed.
    pub fn recipe(&self) -> Result<&Recipe, Stop> {
        Ok(&self.release()?.recipe)
    }

    /// The environment's sealed releases.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(self.slots.backups())
    }

    /// The app's bare repository.
    pub fn repo(&self) -> Result<Repo, Stop> {
        Ok(self.tools.repo(self.app)?)
    }

    /// Waits for a turn to build, and says who is before it. The turn lasts until the tests have run, so that who came first
    /// is also done first.
    pub async fn build_turn(&self) -> Result<(), Stop> {
        if lock(&self.turn).is_some() {
            return Ok(());
        }
        let began = Instant::now();
        let mut turn = self.tools.builds.enter(self.id(), &self.env.id);
        loop {
            let ahead = tokio::select! {
                ahead = turn.next() => ahead,
                why = self.cancel.wait() => return Err(Stop::Cancelled(why)),
            };
            match ahead {
                Some(ahead) => self.note(ahead.to_string()).await?,
                None => break,
            }
        }
        self.spent_waiting(began.elapsed());
        *lock(&self.turn) = Some(turn);
        Ok(())
    }

    /// Gives the turn to build back.
    pub(super) fn end_turn(&self) {
        drop(lock(&self.turn).take());
    }

    /// Counts time that the running step spent in the app's own commands, or waiting for its service to answer.
    pub(super) fn spent_by_app(&self, time: Duration) {
        lock(&self.spent).app_ms += millis(time);
    }

    /// Counts time in which the running step waited for somebody.
    pub(super) fn spent_waiting(&self, time: Duration) {
        lock(&self.spent).waited_ms += millis(time);
    }

    /// Where the time of the step went that ends now.
    pub(super) fn spent(&self) -> Spent {
        std::mem::take(&mut *lock(&self.spent))
    }

    /// Journals what nobody acts on, without waiting for the disk. An earlier one that was not kept is told now.
    pub(super) fn soon(
        &self,
        act: impl FnOnce(&mut Entry) -> Result<(), JournalError> + Send + 'static,
    ) -> Result<(), JournalError> {
        let pending = self.tools.journal.soon(act);
        let mut waits = lock(&self.pending);
        let mut still = vec![pending];
        for mut earlier in waits.drain(..) {
            match earlier.outcome() {
                Some(outcome) => outcome?,
                None => still.push(earlier),
            }
        }
        *waits = still;
        Ok(())
    }

    /// Waits until all of that is durable.
    pub(super) async fn kept(&self) -> Result<(), JournalError> {
        let pending = std::mem::take(&mut *lock(&self.pending));
        for one in pending {
            one.kept().await?;
        }
        Ok(())
    }

    /// Makes a remark that people should see.
    pub async fn note(&self, text: impl Into<String>) -> Result<(), Stop> {
        Ok(self.tools.journal.note(self.id(), text).await?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What was committed when the deployment began: of one that has switched already, the color that it came from. One that
/// was on its way back when its server stopped may have committed that color again.
fn before_the_switch(deployment: &Deployment, now: Standing) -> Standing {
    if deployment.state != State::Observing || now.active != deployment.color {
        return now;
    }
    let old = now.standby();
    let active = now
        .slots
        .of(old)
        .as_ref()
        .filter(|release| release.served)
        .map(|_| old);
    // With nothing to go back to, the slot that serves has to count as the standby of an empty environment.
    Standing { active, ..now }
}
