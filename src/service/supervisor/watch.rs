//! Keeps one service: waits for whatever happens next, reads its output and takes orders.

use super::events;
use super::keeper::Keeper;
use super::phase::{Main, Phase};
use super::{Failed, Tried};
use crate::service::wire::{Order, Reply};
use crate::system::files::{AtPath, remove_if_there};
use crate::system::standing::{LOOK, is_gone, make_room};
use nix::poll::{PollFd, PollFlags};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Output that is taken in one go, so that a service that floods its log cannot keep orders waiting.
const GULP: usize = 1024 * 1024;

impl Keeper {
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
            self.stand_up();
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
        let look = Instant::now() + LOOK;
        match &self.phase {
            Phase::Waiting(until) => Some(look.min(*until)),
            Phase::Stopping(stop) => Some(look.min(stop.look_again())),
            Phase::Running => Some(look),
            Phase::Ended => None,
        }
    }

    fn act_on_time(&mut self) {
        match &self.phase {
            Phase::Waiting(until) if Instant::now() >= *until => self.start_again(),
            Phase::Stopping(_) => self.go_on_stopping(),
            _ => {}
        }
    }

    /// Makes the folder and the socket again when somebody has removed them: the service could be found by nobody.
    fn stand_up(&mut self) {
        if matches!(self.phase, Phase::Ended) || !is_gone(&self.place.socket()) {
            return;
        }
        match self.settle_again() {
            Ok(()) => self
                .log
                .note("the supervisor's files were removed; they were made again"),
            Err(error) if self.missed.is_due() => {
                let text = format!("the supervisor's files were removed: {error}");
                self.log.note(&text);
            }
            Err(_) => {}
        }
    }

    fn settle_again(&mut self) -> Result<(), Failed> {
        let services = self.place.socket();
        if let Some(folder) = services.parent() {
            make_room(folder).tried("make the folder of sockets")?;
        }
        if is_gone(self.place.dir()) {
            self.place.create()?;
            let lock = self.place.lock().tried("lock the service's folder")?;
            self.lock = Some(lock.ok_or(Failed::Held)?);
            self.place.write_launch(&self.launch)?;
        } else if self.place.read_launch()?.id != self.launch.id {
            // Somebody has started another service of this name meanwhile.
            return Err(Failed::Held);
        }
        // Before the socket: whoever finds neither takes the service for ended.
        self.save();
        self.control.open(&services).at("listen at", &services)?;
        Ok(())
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
                self.tell_end();
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
