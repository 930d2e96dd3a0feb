//! `teal supervise`: the small process above one service or one job. It uses no runtime and one thread, so that it stays
//! small and can fork safely. It never shares a session with whoever started it.
//!
//! As a service's supervisor it leaves its parent for good, so that the service lives on when the server does not. As a
//! job's supervisor it ends with the server, and takes the job with it.

mod begin;
mod child;
mod control;
mod events;
mod job;
mod keeper;
mod life;
mod log;
mod mask;
mod output;
mod phase;
mod stop;
pub(in crate::service) mod tail;
mod watch;

pub(crate) use tail::readable;

/// What the log says, before the process's number, wherever a service begins.
pub(in crate::service) const STARTED: &str = "started as process";

use crate::service::place::Place;
use crate::service::wire::{Hello, Status};
use crate::system::privilege;
use nix::unistd::ForkResult;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a supervisor could not begin.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    File(#[from] crate::system::files::FileError),
    #[error(transparent)]
    Start(#[from] child::StartError),
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
    #[error("what an earlier start of it left behind is in the way: {0}")]
    Remains(#[from] crate::system::process::KillError),
    #[error("it runs already")]
    Held,
    #[error("the service that was to be taken over does not run any more")]
    Gone,
}

/// Adds what was tried to an error of the system.
trait Tried<T> {
    fn tried(self, what: &'static str) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> Tried<T> for Result<T, E> {
    fn tried(self, what: &'static str) -> Result<T, Failed> {
        self.map_err(|error| Failed::System(what, error.into()))
    }
}

/// Runs `teal supervise <args>`. The caller has started no thread yet.
pub fn supervise(args: &[OsString]) -> ExitCode {
    let word = |at: usize| args.get(at).and_then(|arg| arg.to_str());
    let place = || args.get(1).map(|dir| Place::new(PathBuf::from(dir)));
    match (word(0), place()) {
        (Some("service"), Some(place)) => detached(|| keeper::Keeper::start(place)),
        (Some("adopt"), Some(place)) => detached(|| keeper::Keeper::adopt(place)),
        (Some("job"), None) => job::run(),
        _ => ExitCode::from(2),
    }
}

/// Leaves the parent, says hello on the output, and keeps the service until it ends.
fn detached(begin: impl FnOnce() -> Result<keeper::Keeper, Failed>) -> ExitCode {
    // SAFETY: no thread has been started, so the child's memory is whole.
    match unsafe { nix::unistd::fork() } {
        Ok(ForkResult::Parent { .. }) => return ExitCode::SUCCESS,
        Ok(ForkResult::Child) => {}
        Err(error) => {
            hello(&Hello::Failed(format!("cannot fork: {error}")));
            return ExitCode::FAILURE;
        }
    }
    let begun = begin_alone().and_then(|()| begin());
    match begun {
        Ok(keeper) => {
            hello(&Hello::Up(Status::clone(keeper.status())));
            // Nobody listens on these from here on.
            let _ = events::silence();
            keeper.keep()
        }
        Err(Failed::Held) => {
            hello(&Hello::Held);
            ExitCode::FAILURE
        }
        Err(error) => {
            hello(&Hello::Failed(error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Makes this process the leader of a session of its own and the parent of all orphans below it.
fn begin_alone() -> Result<(), Failed> {
    nix::unistd::setsid().tried("begin a session")?;
    nix::sys::prctl::set_child_subreaper(true).tried("become the parent of orphans")?;
    privilege::keep_from_children().tried("keep privileges from what it starts")?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o027));
    // A name of its own keeps `killall teal` from meaning it. Without it the supervisor works as well.
    let _ = nix::sys::prctl::set_name(c"teal-supervisor");
    std::env::set_current_dir("/").tried("leave the folder")
}

fn hello(word: &Hello) {
    say(word);
}

/// Writes one line to whoever started this process; one who is gone needs no answer.
fn say(word: &impl serde::Serialize) {
    if let Ok(mut line) = serde_json::to_vec(word) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
