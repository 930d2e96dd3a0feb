//! Stopping a service: SIGTERM, time to drain, SIGKILL for what is left, and proof that nothing is.

use super::events;
use super::keeper::{Keeper, PATIENCE};
use super::phase::{Main, Phase, Stop};
use crate::service::wire::{How, Reply, State, Stopped};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

impl Keeper {
    /// Asks the service to end. A second order may only bring the end nearer.
    pub(super) fn begin_to_stop(&mut self, drain: Duration) {
        let now = Instant::now();
        let deadline = now + drain;
        if let Phase::Stopping(stop) = &mut self.phase {
            stop.deadline = stop.deadline.min(deadline);
            return;
        }
        self.phase = Phase::Stopping(Stop {
            began: now,
            deadline,
            was_running: !matches!(self.main, Main::None),
            asked_rest: false,
        });
        self.status.state = State::Stopping;
        if matches!(self.main, Main::None) {
            return;
        }
        let text = format!("stopping: SIGTERM, and SIGKILL after {} s", drain.as_secs());
        self.log.note(&text);
        self.save();
        self.ask_to_end();
    }

    /// SIGTERM to the main process and all of its group; one that is stopped is woken to hear it.
    fn ask_to_end(&mut self) {
        match &self.main {
            Main::Child(who) => {
                // The main process has not been collected, so the number is still its group's.
                let group = Pid::from_raw(who.pid);
                let _ = killpg(group, Signal::SIGTERM);
                let _ = killpg(group, Signal::SIGCONT);
            }
            Main::Adopted(who, _) => {
                for signal in [Signal::SIGTERM, Signal::SIGCONT] {
                    let sent = self.tree().signal(signal, |stat| {
                        stat.identity() == *who || stat.group == who.pid
                    });
                    if let Err(error) = sent {
                        self.log
                            .note(&format!("cannot signal the service: {error}"));
                    }
                }
            }
            Main::None => {}
        }
    }

    /// Looks how far the stopping is.
    pub(super) fn go_on_stopping(&mut self) {
        let Phase::Stopping(stop) = &mut self.phase else {
            return;
        };
        let over = Instant::now() >= stop.deadline;
        let main_ended = matches!(self.main, Main::None);
        let ask_rest = main_ended && !stop.asked_rest;
        stop.asked_rest |= ask_rest;
        if ask_rest && !over {
            // Those that left the group have not been asked yet. The others are not asked twice: to many programs a second
            // SIGTERM means to drop everything.
            let main = self.status.service.map_or(0, |who| who.pid);
            let sent = self
                .tree()
                .signal(Signal::SIGTERM, |stat| stat.group != main);
            if let Err(error) = sent {
                self.log
                    .note(&format!("cannot signal what is left: {error}"));
            }
        }
        let empty = main_ended && self.tree().members().is_ok_and(|rest| rest.is_empty());
        if empty || over {
            self.finish_stopping();
        }
    }

    fn finish_stopping(&mut self) {
        let mut collected = Vec::new();
        let killed = match self
            .tree()
            .kill(PATIENCE, || collected.extend(events::collect()))
        {
            Ok(killed) => killed,
            Err(error) => {
                let text = format!("the service could not be stopped: {error}");
                self.log.note(&text);
                self.control.ended(&Reply::Refused(text));
                if let Phase::Stopping(stop) = &mut self.phase {
                    stop.deadline = Instant::now() + PATIENCE;
                }
                return;
            }
        };
        collected.extend(events::collect());
        self.notice_end(collected);
        self.pump(usize::MAX);
        let Phase::Stopping(stop) = &self.phase else {
            return;
        };
        let stopped = Stopped {
            how: match killed {
                _ if !stop.was_running => How::Gone,
                0 => How::Term,
                _ => How::Kill,
            },
            killed,
            took_ms: u64::try_from(stop.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            exit: match self.status.last.last() {
                Some(ended) if stop.was_running => Some(ended.exit.clone()),
                _ => None,
            },
        };
        let text = match killed {
            0 => "stopped; nothing of it is left".to_owned(),
            n => format!("stopped; {n} processes had to be killed, and nothing of it is left"),
        };
        self.log.note(&text);
        self.end();
        self.control.ended(&Reply::Stopped(stopped));
    }
}
