//! Runs one command to its end: deadline, lifeline, log, and nothing left behind.

use super::child::{self, Plan};
use super::log;
use super::mask::Mask;
use super::tail::Tail;
use super::{events, output, say};
use crate::service::exit::Exit;
use crate::service::wire::{JobOrder, JobOutcome, JobReport};
use crate::system::cgroup::{self, Group};
use crate::system::process::{Identity, Tree};
use nix::poll::{PollFd, PollFlags};
use nix::sys::signalfd::SignalFd;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a log takes of one job unless somebody says otherwise.
const CAP: u64 = 50_000_000;
const PATIENCE: Duration = Duration::from_secs(10);
const GULP: usize = 1024 * 1024;

/// A command that runs.
struct Running {
    who: Identity,
    signals: SignalFd,
    output: File,
    sink: Sink,
    began: Instant,
    deadline: Instant,
    group: Option<Group>,
    oom_before: u64,
}

/// Reads an order from the input, whose other end is the lifeline: when it closes, the job ends. Reports on the output.
pub(super) fn run() -> ExitCode {
    let mut line = String::new();
    let order: JobOrder = match io::stdin()
        .lock()
        .read_line(&mut line)
        .and_then(|_| serde_json::from_str(&line).map_err(io::Error::from))
    {
        Ok(order) => order,
        Err(_) => return ExitCode::from(2),
    };
    let report = match begin(&order) {
        Ok(running) => running.finish(),
        Err(why) => JobReport {
            end: JobOutcome::NotStarted(why),
            took: Duration::ZERO,
            tail: Vec::new(),
            left: None,
            log_trouble: None,
        },
    };
    say(&report);
    ExitCode::SUCCESS
}

fn begin(order: &JobOrder) -> Result<Running, String> {
    super::begin_alone().map_err(|error| error.to_string())?;
    let log = log::append(&order.log)
        .map_err(|error| format!("cannot open the log {}: {error}", order.log.display()))?;
    let signals = events::signals().map_err(|error| format!("cannot receive signals: {error}"))?;
    let (output, writer) =
        output::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let group = Group::create(&order.id);
    let who = child::start(Plan {
        id: &order.id,
        command: &order.command,
        cwd: &order.cwd,
        env: &order.env,
        run_as: order.run_as.as_deref(),
        group: group.as_ref(),
        output: writer,
        low_priority: order.low_priority,
        limits: order.limits,
        dies_with_parent: true,
    });
    let who = who.map_err(|error| {
        if let Some(group) = &group {
            group.remove();
        }
        error.to_string()
    })?;
    Ok(Running {
        who,
        signals,
        output,
        sink: Sink::new(log, &order.mask, order.log_limit.unwrap_or(CAP)),
        began: Instant::now(),
        deadline: Instant::now() + order.deadline,
        oom_before: oom_kills(group.as_ref()),
        group,
    })
}

impl Running {
    fn finish(mut self) -> JobReport {
        let end = self.watch();
        let took = self.began.elapsed();
        // Whatever it started cannot leave our descendants, because orphans come to us.
        let tree = Tree {
            ancestors: Identity::own().into_iter().collect(),
            group: self.group.clone(),
            ..Tree::default()
        };
        let killed = tree.kill(PATIENCE, || drop(events::collect()));
        self.pump(usize::MAX);
        let (left_behind, left) = match killed {
            Ok(killed) => (killed, None),
            Err(error) => (0, Some(error.to_string())),
        };
        let end = match end {
            JobOutcome::Exited(exit) => JobOutcome::Exited(Exit {
                left_behind,
                oom: self.memory_ran_out(&exit),
                ..exit
            }),
            other => other,
        };
        if let Some(group) = &self.group {
            group.remove();
        }
        let (tail, log_trouble) = self.sink.finish();
        JobReport {
            end,
            took,
            tail,
            left,
            log_trouble,
        }
    }

    /// Until the command has ended, its time has passed, or nobody wants it any more.
    fn watch(&mut self) -> JobOutcome {
        let mut talks = true;
        loop {
            let input = io::stdin();
            let mut fds = vec![
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(input.as_fd(), PollFlags::POLLIN),
            ];
            if talks {
                fds.push(PollFd::new(self.output.as_fd(), PollFlags::POLLIN));
            }
            events::wait(&mut fds, Some(self.deadline));
            let lifeline = fds.get(1).and_then(PollFd::any).unwrap_or(false);
            if lifeline && !holds() || events::asked_to_end(&self.signals) {
                return JobOutcome::Cancelled;
            }
            talks &= self.pump(GULP);
            let ended = events::collect();
            if let Some((_, status)) = ended.iter().find(|(pid, _)| *pid == self.who.pid) {
                return JobOutcome::Exited(Exit::from_status(*status));
            }
            if Instant::now() >= self.deadline {
                return JobOutcome::DeadlinePassed;
            }
        }
    }

    fn pump(&mut self, limit: usize) -> bool {
        let Running { output, sink, .. } = self;
        output::pump(output, limit, |bytes| sink.push(bytes))
    }

    fn memory_ran_out(&self, exit: &Exit) -> bool {
        let counted = self.group.as_ref().and_then(Group::oom_kills).is_some();
        // 137 is how a shell says that its command was killed.
        let killed = exit.signal == Some(nix::libc::SIGKILL) || exit.code == Some(137);
        (counted || killed)
            && !exit.is_success()
            && oom_kills(self.group.as_ref()) > self.oom_before
    }
}

/// Whether the other end of the lifeline is still held. Nothing is ever written to it.
fn holds() -> bool {
    let mut piece = [0; 64];
    !matches!(io::stdin().lock().read(&mut piece), Ok(0))
}

fn oom_kills(group: Option<&Group>) -> u64 {
    group
        .and_then(Group::oom_kills)
        .unwrap_or_else(cgroup::machine_oom_kills)
}

/// Where a job's output goes: masked, into the log up to its cap, and into the tail.
struct Sink {
    log: File,
    written: u64,
    cap: u64,
    full: bool,
    trouble: Option<String>,
    mask: Mask,
    tail: Tail,
}

impl Sink {
    fn new(log: File, mask: &[String], cap: u64) -> Sink {
        Sink {
            log,
            written: 0,
            cap,
            full: false,
            trouble: None,
            mask: Mask::new(mask),
            tail: Tail::with_first_error(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let shown = self.mask.pass(bytes);
        self.take(&shown);
    }

    fn finish(mut self) -> (Vec<String>, Option<String>) {
        let shown = self.mask.finish();
        self.take(&shown);
        (self.tail.finish(), self.trouble)
    }

    fn take(&mut self, shown: &[u8]) {
        self.tail.push(shown);
        if self.full || self.trouble.is_some() {
            return;
        }
        let room = usize::try_from(self.cap - self.written).unwrap_or(usize::MAX);
        let part = &shown[..shown.len().min(room)];
        self.written += part.len() as u64;
        let mut written = self.log.write_all(part);
        if part.len() < shown.len() {
            self.full = true;
            let note = format!(
                "\n[teal] the log ends here: it is limited to {} MB\n",
                self.cap as f64 / 1e6
            );
            written = written.and_then(|()| self.log.write_all(note.as_bytes()));
        }
        if let Err(error) = written {
            self.trouble = Some(format!("the log could not be written: {error}"));
        }
    }
}
