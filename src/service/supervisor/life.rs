//! One life of a service after the other: start, end, and the wait between them.

use super::child::{self, Plan};
use super::keeper::{Keeper, PATIENCE};
use super::phase::{Main, Phase};
use super::{Failed, STARTED, Tried, events, output};
use crate::service::exit::Exit;
use crate::service::place;
use crate::service::wire::{Ended, State};
use crate::system::cgroup::{self, Group};
use crate::system::clock;
use crate::system::process::PidFd;
use std::time::{Duration, Instant};

/// The first wait before a service is started again; it doubles up to the last.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// A service that ran this long is taken for healthy: the waits begin anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// How many ends of the service are remembered.
const REMEMBERED: usize = 5;

impl Keeper {
    /// Starts the main process.
    pub fn run(&mut self) -> Result<(), Failed> {
        let writer = output::writer(&self.output).tried("open the service's output")?;
        self.oom_before = self.oom_kills();
        let spec = &self.launch.spec;
        let who = child::start(Plan {
            id: &self.launch.id,
            command: &spec.command,
            cwd: &spec.cwd,
            env: &spec.env,
            run_as: spec.run_as.as_deref(),
            group: self.group.as_ref(),
            output: writer,
            low_priority: false,
            limits: spec.limits,
            dies_with_parent: false,
        })?;
        self.main = Main::Child(who);
        self.phase = Phase::Running;
        self.started = Instant::now();
        self.status.state = State::Running;
        self.status.service = Some(who);
        self.status.started_ms = clock::now_ms();
        let text = format!("{}\n", who.pid);
        if let Err(error) = place::replace(&spec.pid_file, text.as_bytes(), 0o644) {
            let path = spec.pid_file.display();
            self.log.note(&format!("cannot write {path}: {error}"));
        }
        self.log.note(&format!("{STARTED} {}", who.pid));
        Ok(())
    }

    pub fn start_again(&mut self) {
        if let Err(error) = self.run() {
            self.record(Exit::unknown(format!(
                "could not be started again: {error}"
            )));
            self.wait_to_start();
        }
        self.save();
        self.tell_end();
    }

    /// Tells those who watch how it ended last, unless they know.
    pub fn tell_end(&mut self) {
        if let Some(last) = self.status.last.last() {
            self.control.exited(self.status.exits, last);
        }
    }

    /// Looks whether the main process is among these children that have ended, or has ended as a child of another.
    pub fn notice_end(&mut self, ended: Vec<(i32, i32)>) {
        let exit = match &self.main {
            Main::Child(who) => ended
                .iter()
                .find(|(pid, _)| *pid == who.pid)
                .map(|(_, status)| Exit::from_status(*status)),
            Main::Adopted(who, held) if !who.is_alive() => Some(adopted_exit(held)),
            Main::Adopted(..) | Main::None => None,
        };
        if let Some(exit) = exit {
            self.on_end(exit);
        }
    }

    /// The main process has ended.
    pub fn on_end(&mut self, mut exit: Exit) {
        let stopping = matches!(self.phase, Phase::Stopping(_));
        exit.oom = self.memory_ran_out(&exit, stopping);
        if !stopping {
            match self.tree().kill(PATIENCE, || drop(events::collect())) {
                Ok(killed) => exit.left_behind = killed,
                Err(error) => self.log.note(&error.to_string()),
            }
        }
        self.main = Main::None;
        self.pump(usize::MAX);
        self.record(exit);
        if !stopping && self.status.keep_alive {
            if self.started.elapsed() > HEALTHY {
                self.next_wait = FIRST_WAIT;
            }
            self.wait_to_start();
            self.save();
        } else if !stopping {
            self.end();
        }
        self.tell_end();
    }

    fn wait_to_start(&mut self) {
        let wait = self.next_wait;
        self.next_wait = (wait * 2).min(LAST_WAIT);
        self.phase = Phase::Waiting(Instant::now() + wait);
        self.status.state = State::Waiting;
        let text = format!("starting it again in {} s", wait.as_secs_f32());
        self.log.note(&text);
    }

    fn record(&mut self, exit: Exit) {
        // What the service said last stands before what is said of its end.
        self.log.push(&self.mask.finish());
        self.log.note(&format!("the service {exit}"));
        self.status.exits += 1;
        if self.status.last.len() == REMEMBERED {
            self.status.last.remove(0);
        }
        self.status.last.push(Ended {
            at_ms: clock::now_ms(),
            pid: self.status.service.map_or(0, |who| who.pid),
            exit,
        });
    }

    pub fn oom_kills(&self) -> u64 {
        let counted = self.group.as_ref().and_then(Group::oom_kills);
        counted.unwrap_or_else(cgroup::machine_oom_kills)
    }

    /// A group's own counter is proof; the machine's is only believed of a process that was killed, and not by us.
    fn memory_ran_out(&self, exit: &Exit, stopping: bool) -> bool {
        let counted = self.group.as_ref().and_then(Group::oom_kills).is_some();
        let killed = exit.signal == Some(nix::libc::SIGKILL) && !stopping;
        (counted || killed) && self.oom_kills() > self.oom_before
    }
}

/// How a process ended that was not our child. Its new parent collects it in a moment; only then does the kernel tell.
fn adopted_exit(held: &PidFd) -> Exit {
    for _ in 0..50 {
        if let Some(reaped) = held.reaped() {
            return Exit::from_status(reaped.status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Exit::unknown("ended after its first supervisor had been replaced, so how is not known")
}
