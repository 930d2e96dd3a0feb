//! The terminal at the far end. It can vanish without a signal, and then a write blocks for ever once the pipe is full:
//! a thread of its own writes, and nobody waits for it longer than `PATIENCE`.

use nix::sys::signal::{SigSet, Signal};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// What is said when the server takes long to say anything.
pub const WAITS: &str = "Teal does not answer yet; still waiting…";

/// Whether somebody still reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ear {
    /// Yes.
    Open,
    /// Nothing was taken for a while; nothing more is written.
    Stalled,
    /// The other end of the pipe is closed.
    Gone,
}

/// Says lines to whoever pushed.
pub struct Pusher {
    ear: Ear,
    patience: Duration,
    lines: SyncSender<Vec<u8>>,
    written: Receiver<io::Result<()>>,
    look_again: Arc<Mutex<Option<String>>>,
}

impl Pusher {
    /// Writes to stderr, which git carries to the pusher, and says goodbye on Ctrl-C. Called before any other thread
    /// runs, because the signals have to be blocked in all of them.
    pub fn at_stderr() -> Pusher {
        let pusher = Pusher::over(io::stderr(), PATIENCE);
        say_goodbye_on_signals(Arc::clone(&pusher.look_again));
        pusher
    }

    fn over(mut to: impl Write + Send + 'static, patience: Duration) -> Pusher {
        block_signals();
        let (lines, next_line) = sync_channel::<Vec<u8>>(1);
        let (done, written) = sync_channel(1);
        thread::spawn(move || {
            for line in next_line {
                // One write per line: git passes on what it finds in the pipe, at most 128 bytes at a time.
                if done
                    .send(to.write_all(&line).and_then(|()| to.flush()))
                    .is_err()
                {
                    return;
                }
            }
        });
        Pusher {
            ear: Ear::Open,
            patience,
            lines,
            written,
            look_again: Arc::default(),
        }
    }

    /// Says this, line by line, and whether somebody still reads.
    pub fn say(&mut self, text: &str) -> Ear {
        for line in text.split('\n') {
            if self.ear == Ear::Open {
                self.ear = self.write(format!("{line}\n").into_bytes());
            }
        }
        self.ear
    }

    /// The command to show when the pusher leaves.
    pub fn may_look_again_with(&self, command: String) {
        if let Ok(mut slot) = self.look_again.lock() {
            *slot = Some(command);
        }
    }

    /// `look again: …`, where there is something to look at.
    pub fn look_again(&self) -> String {
        let command = self.look_again.lock().ok().and_then(|slot| slot.clone());
        format!(
            "look again: {}",
            command.as_deref().unwrap_or("teal status")
        )
    }

    fn write(&self, line: Vec<u8>) -> Ear {
        if self.lines.send(line).is_err() {
            return Ear::Gone;
        }
        match self.written.recv_timeout(self.patience) {
            Ok(Ok(())) => Ear::Open,
            Ok(Err(_)) => Ear::Gone,
            Err(_) => Ear::Stalled,
        }
    }
}

fn farewell_signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect()
}

fn block_signals() {
    // Without it Ctrl-C ends the hook in silence, which does no harm to the deployment.
    let _ = farewell_signals().thread_block();
}

fn say_goodbye_on_signals(look_again: Arc<Mutex<Option<String>>>) {
    thread::spawn(move || {
        if farewell_signals().wait().is_err() {
            return;
        }
        let command = look_again.lock().ok().and_then(|slot| slot.clone());
        if let Some(command) = command {
            goodbye(format!("\nstill deploying; look again: {command}\n"));
        }
        std::process::exit(130);
    });
}

/// Ctrl-C over a local path has ended git too, so that only the terminal itself is left to write to.
fn goodbye(line: String) {
    let terminal = OpenOptions::new().write(true).open("/dev/tty");
    let (done, finished) = sync_channel(1);
    thread::spawn(move || {
        let written = match terminal {
            Ok(mut terminal) => terminal.write_all(line.as_bytes()),
            Err(_) => io::stderr().write_all(line.as_bytes()),
        };
        done.send(written)
    });
    let _ = finished.recv_timeout(Duration::from_secs(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands on what is written, until nobody wants it any more.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            match self.0.send(data.to_vec()) {
                Ok(()) => Ok(data.len()),
                Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole() {
        let (to, from) = sync_channel(4);
        let mut pusher = Pusher::over(Pipe(to), PATIENCE);
        let long = "ü".repeat(100);
        assert_eq!(pusher.say(&format!("one\n{long}")), Ear::Open);
        assert_eq!(from.recv(), Ok(b"one\n".to_vec()));
        assert_eq!(from.recv(), Ok(format!("{long}\n").into_bytes()));
        drop(from);
        assert_eq!(pusher.say("three"), Ear::Gone);
        assert_eq!(pusher.say("four"), Ear::Gone);
    }

    #[test]
    fn nobody_waits_for_a_terminal_that_takes_nothing() {
        let (to, from) = sync_channel(0);
        let mut pusher = Pusher::over(Pipe(to), Duration::from_millis(20));
        assert_eq!(pusher.say("one"), Ear::Stalled);
        assert_eq!(pusher.say("two"), Ear::Stalled);
        drop(from);
    }
}
