//! Keeps one service: waits for whatever happens next, reads its output and takes orders. How it begins, lives and is
//! stopped is told in [`super::begin`], [`super::life`] and [`super::stop`].

use super::control::Control;
use super::log::Log;
use super::mask::Mask;
use super::stop::Stop;
use super::{events, output};
use crate::service::place::Place;
use crate::service::wire::{Launch, MARKER, Order, Reply, State, Status};
use crate::system::cgroup::Group;
use crate::system::files::remove_if_there;
use crate::system::process::{Identity, PidFd, Tree};
use nix::fcntl::Flock;
use nix::poll::{PollFd, PollFlags};
use nix::sys::signalfd::SignalFd;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long killed processes may take to disappear.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Output that is taken in one go, so that a service that floods its log cannot keep orders waiting.
const GULP: usize = 1024 * 1024;

/// The main process, and how its end is noticed.
pub(super) enum Main {
    /// It is our child: the kernel tells us.
    Child(Identity),
    /// A supervisor before us started it.
    Adopted(Identity, PidFd),
    /// It has ended.
    None,
}

pub(super) enum Phase {
    Running,
    Waiting(Instant),
    Stopping(Stop),
    Ended,
}

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
}

impl Keeper {
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Keeps the service until it has ended for good.
    pub fn keep(mut self) -> ExitCode {
        while !matches!(self.phase, Phase::Ended) {
            let until = self.next_time();
            self.wait(until);
            if events::asked_to_end(&self.signals) && !matches!(self.phase, Phase::Stopping(_)) {
                return self.let_go();
            }
            self.pump(GULP);
            for (client, order) in self.control.orders() {
                self.obey(client, order);
            }
            self.notice_end(events::collect());
            self.act_on_time();
        }
        ExitCode::SUCCESS
    }

    fn wait(&self, until: Option<Instant>) {
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.output.as_fd(), PollFlags::POLLIN),
        ];
        if let Main::Adopted(_, held) = &self.main {
            fds.push(PollFd::new(held.as_fd(), PollFlags::POLLIN));
        }
        fds.extend(self.control.poll_fds());
        events::wait(&mut fds, until);
    }

    fn next_time(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting(until) => Some(*until),
            Phase::Stopping(stop) => Some(stop.look_again()),
            Phase::Running | Phase::Ended => None,
        }
    }

    fn act_on_time(&mut self) {
        match &self.phase {
            Phase::Waiting(until) if Instant::now() >= *until => self.start_again(),
            Phase::Stopping(_) => self.go_on_stopping(),
            _ => {}
        }
    }

    fn obey(&mut self, client: u64, order: Order) {
        match order {
            Order::Status => self.reply_status(client),
            Order::Tree => {
                let reply = match self.tree().members() {
                    Ok(members) => Reply::Tree(members.iter().map(|stat| stat.pid).collect()),
                    Err(error) => Reply::Refused(error.to_string()),
                };
                self.control.reply(client, &reply);
            }
            Order::KeepAlive { on } => {
                self.status.keep_alive = on;
                if !on && matches!(self.phase, Phase::Waiting(_)) {
                    self.end();
                } else {
                    self.save();
                }
                self.reply_status(client);
            }
            Order::Watch { after } => {
                self.control.watch(client, after);
                if let Some(last) = self.status.last.last() {
                    self.control.exited(self.status.exits, last);
                }
            }
            Order::Stop { drain_ms } => {
                self.control.await_end(client);
                self.begin_to_stop(Duration::from_millis(drain_ms));
            }
        }
    }

    fn reply_status(&mut self, client: u64) {
        self.status.log_trouble = self.log.trouble().map(str::to_owned);
        let reply = Reply::Status(self.status.clone());
        self.control.reply(client, &reply);
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

    /// Somebody asked this supervisor, not the service, to end: the service runs on and waits for the next supervisor.
    fn let_go(mut self) -> ExitCode {
        self.pump(usize::MAX);
        self.log.push(&self.mask.finish());
        self.log
            .note("the supervisor was told to end; the service goes on without it");
        let _ = remove_if_there(&self.place.socket());
        self.save();
        ExitCode::SUCCESS
    }
}
