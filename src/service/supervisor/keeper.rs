//! The supervisor of one service: what it holds and knows. How the service lives and is stopped is told in [`super::life`]
//! and [`super::stop`], how the supervisor comes to it and keeps it in [`super::begin`] and [`super::watch`].

use super::control::Control;
use super::log::Log;
use super::mask::Mask;
use super::output;
use super::phase::{Main, Phase};
use crate::service::place::Place;
use crate::service::wire::{Launch, MARKER, State, Status};
use crate::system::cgroup::Group;
use crate::system::clock::Seldom;
use crate::system::files::remove_if_there;
use crate::system::process::{Identity, Tree};
use nix::fcntl::Flock;
use nix::sys::signalfd::SignalFd;
use std::fs::File;
use std::time::{Duration, Instant};

/// How long killed processes may take to disappear.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The supervisor of one service.
pub(super) struct Keeper {
    pub place: Place,
    pub launch: Launch,
    pub status: Status,
    pub main: Main,
    pub phase: Phase,
    pub log: Log,
    pub mask: Mask,
    pub output: File,
    pub control: Control,
    pub signals: SignalFd,
    pub group: Option<Group>,
    pub lock: Option<Flock<File>>,
    pub started: Instant,
    pub next_wait: Duration,
    pub oom_before: u64,
    /// When it was last said that the files are gone.
    pub missed: Seldom,
}

impl Keeper {
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// All that belongs to the service. What we started ourselves cannot leave our descendants, because orphans come to us;
    /// what we took over is also found by its mark and its session.
    pub fn tree(&self) -> Tree {
        let adopted = match self.main {
            Main::Adopted(who, _) => Some(who),
            _ => None,
        };
        let marked = self
            .status
            .adopted
            .then(|| format!("{MARKER}={}", self.launch.id));
        Tree {
            ancestors: Identity::own().into_iter().collect(),
            main: adopted,
            marker: marked,
            group: self.group.clone(),
        }
    }

    pub fn pump(&mut self, limit: usize) {
        let Keeper {
            output, mask, log, ..
        } = self;
        output::pump(output, limit, |bytes| log.push(&mask.pass(bytes)));
    }

    /// The service has ended for good: everything that told of it is put away.
    pub fn end(&mut self) {
        self.phase = Phase::Ended;
        self.status.state = State::Ended;
        // Files first, then the lock: who finds the service free finds nothing of it.
        let _ = remove_if_there(&self.launch.spec.pid_file);
        let _ = remove_if_there(&self.place.socket());
        if let Some(group) = &self.group {
            group.remove();
        }
        self.save();
        self.lock = None;
    }

    pub fn save(&mut self) {
        self.status.log_trouble = self.log.trouble().map(str::to_owned);
        if let Err(error) = self.place.write_status(&self.status) {
            self.log.note(&error.to_string());
        }
    }
}
