//! Keeps one service: reads its output, notices its end, starts it again or not, and stops it whole.

use super::child::{self, Plan};
use super::control::Control;
use super::log::Log;
use super::mask::Mask;
use super::stop::Stop;
use super::{Failed, Tried, events, output};
use crate::service::place::{self, Place};
use crate::service::wire::{Ended, Exit, Launch, MARKER, Order, Reply, State, Status};
use crate::system::cgroup::{self, Group};
use crate::system::clock;
use crate::system::files::{AtPath, remove_if_there};
use crate::system::process::{Identity, PidFd, Tree};
use nix::fcntl::Flock;
use nix::poll::{PollFd, PollFlags};
use nix::sys::signalfd::SignalFd;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The first wait before a service is started again; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// A service that ran this long is taken for healthy: the waits begin anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// How long killed processes may take to disappear.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many ends of the service are remembered.
const REMEMBERED: usize = 5;
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
    launch: Launch,
    pub status: Status,
    pub main: Main,
    pub phase: Phase,
    pub log: Log,
    mask: Mask,
    output: File,
    pub control: Control,
    signals: SignalFd,
    pub group: Option<Group>,
    lock: Option<Flock<File>>,
    started: Instant,
    next_wait: Duration,
    oom_before: u64,
}

impl Keeper {
    /// Starts the service that is described on the input.
    pub fn start(place: Place) -> Result<Keeper, Failed> {
        let launch: Launch = serde_json::from_reader(std::io::stdin().lock())
            .map_err(std::io::Error::from)
            .tried("read what to start")?;
        let lock = place.lock().tried("lock the service's folder")?;
        let lock = lock.ok_or(Failed::Held)?;
        let killed = clear_remains(&place)?;
        place.write_launch(&launch)?;
        let group = Group::create(&launch.id);
        let mut keeper = Keeper::prepare(place, lock, launch, group)?;
        if killed > 0 {
            let text = format!("killed {killed} processes that an earlier start had left behind");
            keeper.log.note(&text);
        }
        keeper.run()?;
        keeper.open_control()?;
        keeper.save();
        Ok(keeper)
    }

    /// Takes over the service that the folder describes, whose supervisor is gone.
    pub fn adopt(place: Place) -> Result<Keeper, Failed> {
        let lock = place.lock().tried("lock the service's folder")?;
        let lock = lock.ok_or(Failed::Held)?;
        let launch = place.read_launch()?;
        let before = place
            .read_status()
            .filter(|before| before.can_be_adopted() && before.id == launch.id)
            .ok_or(Failed::Gone)?;
        let held = match before.service.map(PidFd::open).transpose() {
            Ok(held) => held.flatten(),
            Err(error) => return Err(error).tried("take hold of the service"),
        };
        let mut keeper = Keeper::prepare(place, lock, launch, before.group.clone())?;
        keeper.oom_before = keeper.oom_kills();
        keeper.status = Status {
            supervisor: Identity::own(),
            adopted: true,
            state: State::Running,
            ..before
        };
        keeper.log.note("a new supervisor has taken over");
        match (keeper.status.service, held) {
            (Some(who), Some(held)) if who.is_alive() => keeper.main = Main::Adopted(who, held),
            _ => keeper.on_end(Exit::unknown(
                "ended while it had no supervisor, so how is not known",
            )),
        }
        if !matches!(keeper.phase, Phase::Ended) {
            keeper.open_control()?;
            keeper.save();
        }
        Ok(keeper)
    }

    fn prepare(
        place: Place,
        lock: Flock<File>,
        launch: Launch,
        group: Option<Group>,
    ) -> Result<Keeper, Failed> {
        let owner = child::user_of(launch.spec.run_as.as_deref());
        let output = output::reader(&place.fifo(), owner).tried("make the service's output")?;
        let log = Log::open(&launch.spec.log).at("open the log", &launch.spec.log)?;
        let signals = events::signals().tried("receive signals")?;
        Ok(Keeper {
            status: Status::new(launch.id.clone(), group.clone()),
            mask: Mask::new(&launch.spec.mask),
            place,
            launch,
            main: Main::None,
            phase: Phase::Running,
            log,
            output,
            control: Control::closed(),
            signals,
            group,
            lock: Some(lock),
            started: Instant::now(),
            next_wait: FIRST_WAIT,
            oom_before: 0,
        })
    }

    fn open_control(&mut self) -> Result<(), Failed> {
        let path = self.place.socket();
        match self.control.open(&path) {
            Ok(()) => Ok(()),
            Err(error) => {
                // A service that nobody could ask to stop must not stay.
                let _ = self.tree().kill(PATIENCE, || drop(events::collect()));
                Err(error).at("listen at", &path).map_err(Failed::from)
            }
        }
    }

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

    fn run(&mut self) -> Result<(), Failed> {
        let writer = output::writer(&self.place.fifo()).tried("open the service's output")?;
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
        self.log.note(&format!("started as process {}", who.pid));
        Ok(())
    }

    fn start_again(&mut self) {
        if let Err(error) = self.run() {
            self.record(Exit::unknown(format!(
                "could not be started again: {error}"
            )));
            self.wait_to_start();
        }
        self.save();
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

    fn on_end(&mut self, mut exit: Exit) {
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
        if let Some(last) = self.status.last.last() {
            self.control.exited(self.status.exits, last);
        }
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

    fn oom_kills(&self) -> u64 {
        let counted = self.group.as_ref().and_then(Group::oom_kills);
        counted.unwrap_or_else(cgroup::machine_oom_kills)
    }

    /// A group's own counter is proof; the machine's is only believed of a process that was killed, and not by us.
    fn memory_ran_out(&self, exit: &Exit, stopping: bool) -> bool {
        let counted = self.group.as_ref().and_then(Group::oom_kills).is_some();
        let killed = exit.signal == Some(nix::libc::SIGKILL) && !stopping;
        (counted || killed) && self.oom_kills() > self.oom_before
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

/// What a service of this name left behind when it and its supervisor were killed together is killed before the next one
/// starts. A main process that still runs is to be taken over, not ours to kill.
fn clear_remains(place: &Place) -> Result<usize, Failed> {
    let Some(before) = place.read_status().filter(Status::is_of_this_boot) else {
        return Ok(0);
    };
    if before.service.is_some_and(Identity::is_alive) {
        return Err(Failed::Held);
    }
    let remains = Tree {
        marker: Some(format!("{MARKER}={}", before.id)),
        group: before.group.clone(),
        ..Tree::default()
    };
    let killed = remains.kill(PATIENCE, || ())?;
    if let Some(group) = before.group {
        group.remove();
    }
    Ok(killed)
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
