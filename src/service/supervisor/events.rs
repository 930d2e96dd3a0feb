//! What a supervisor waits for: signals as readable descriptors, and time.

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollTimeout};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::time::{Duration, Instant};

/// Turns the signals that matter into a descriptor. All of them are blocked rather than ignored, because what is blocked can
/// be given back to a command before it is started.
pub(super) fn signals() -> nix::Result<SignalFd> {
    for signal in Signal::iterator() {
        let own_default = !matches!(
            signal,
            Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGPIPE | Signal::SIGSEGV | Signal::SIGBUS
        );
        if own_default {
            let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
            // SAFETY: no handler is installed, the default action is restored.
            unsafe { sigaction(signal, &default)? };
        }
    }
    let mut mask = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        mask.add(signal);
    }
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Takes all signals that have come; tells whether one of them asks this process to end.
pub(super) fn asked_to_end(signals: &SignalFd) -> bool {
    let mut asked = false;
    while let Ok(Some(signal)) = signals.read_signal() {
        asked |= signal.ssi_signo == libc::SIGTERM as u32;
    }
    asked
}

/// Waits until one of the descriptors is ready or the time has come.
pub(super) fn wait(fds: &mut [PollFd], until: Option<Instant>) {
    let timeout = match until {
        None => PollTimeout::NONE,
        Some(until) => {
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        }
    };
    if let Err(error) = nix::poll::poll(fds, timeout)
        && error != Errno::EINTR
    {
        // Memory is short; the next round finds out what has happened.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Collects all children that have ended: their numbers and wait statuses.
pub(super) fn collect() -> Vec<(i32, i32)> {
    let mut ended = Vec::new();
    loop {
        let mut status = 0;
        // SAFETY: the status is a plain integer of ours that the call fills.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
        if pid <= 0 {
            return ended;
        }
        ended.push((pid, status));
    }
}

/// Points the output and the error output at nothing.
pub(super) fn silence() -> io::Result<()> {
    let nothing = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    nix::unistd::dup2_stdin(&nothing)?;
    nix::unistd::dup2_stdout(&nothing)?;
    nix::unistd::dup2_stderr(&nothing)?;
    Ok(())
}
