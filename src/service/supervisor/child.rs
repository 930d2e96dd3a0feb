//! Starts the command: in a session and a group of its own, with exactly the environment it is given.

use crate::service::wire::MARKER;
use crate::system::cgroup::Group;
use crate::system::limits::Limits;
use crate::system::process::Identity;
use nix::libc;
use nix::unistd::{Gid, Uid, User};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command about to be started.
pub(super) struct Plan<'a> {
    pub id: &'a str,
    pub command: &'a str,
    pub cwd: &'a Path,
    pub env: &'a [(String, String)],
    pub run_as: Option<&'a str>,
    pub group: Option<&'a Group>,
    /// Where both outputs go.
    pub output: File,
    /// Whether it gives way to everything else on the machine.
    pub low_priority: bool,
    /// What it may take of the machine.
    pub limits: Limits,
    /// Whether it is killed when its supervisor is.
    pub dies_with_parent: bool,
}

/// Why a command could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot start it: the folder {} is not there", .0.display())]
    NoFolder(PathBuf),
    #[error("cannot start it: there is no user `{0}`")]
    NoUser(String),
    #[error(
        "cannot start it as `{0}`: only a server that runs as root can, and this one runs as {1}"
    )]
    NotRoot(String, String),
    #[error("cannot start `{0}`: {1}")]
    Spawn(String, #[source] io::Error),
}

/// Starts the command.
pub(super) fn start(plan: Plan<'_>) -> Result<Identity, StartError> {
    let failed = |error| StartError::Spawn(plan.command.to_owned(), error);
    if !plan.cwd.is_dir() {
        return Err(StartError::NoFolder(plan.cwd.to_owned()));
    }
    let user = plan.run_as.map(Identified::find).transpose()?.flatten();
    let doors = plan.group.map(Group::doors).unwrap_or_default();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", plan.command])
        .current_dir(plan.cwd)
        .env_clear()
        .envs(plan.env.iter().map(|(name, value)| (name, value)))
        .env(MARKER, plan.id)
        .stdin(Stdio::null())
        .stdout(plan.output.try_clone().map_err(failed)?)
        .stderr(plan.output);
    let limits = Limits {
        low: plan.low_priority,
        ..plan.limits
    };
    let own = limits.hold(plan.group, user.is_some());
    let (low, dies) = (plan.low_priority, plan.dies_with_parent);
    // SAFETY: between fork and exec only system calls are made, on what was prepared before; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setsid()?;
            // What this supervisor holds back for itself is the command's own again.
            nix::sys::signal::SigSet::empty().thread_set_mask()?;
            for mut door in &doors {
                // Best effort: outside the group, the process tree is still known.
                let _ = door.write_all(b"0");
            }
            if low {
                give_way();
            }
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
            own.take()?;
            if let Some(user) = &user {
                user.become_it()?;
            }
            if dies {
                // After the change of user, which would take it back.
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
            }
            Ok(())
        });
    }
    let child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).map_err(|error| failed(io::Error::other(error)))?;
    Identity::of(pid).ok_or_else(|| failed(io::Error::other("it cannot be seen in /proc")))
}

/// The lowest claim on processor and disk short of none, and the first to go when memory runs out.
fn give_way() {
    const NICE: libc::c_int = 10;
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const BEST_EFFORT_LOWEST: libc::c_int = (2 << 13) | 7;
    // SAFETY: plain numbers; each call may fail without harm.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(
            libc::SYS_ioprio_set,
            IOPRIO_WHO_PROCESS,
            0,
            BEST_EFFORT_LOWEST,
        );
    }
    say_in(c"/proc/self/oom_score_adj", c"500");
    // Where the kernel shares the processor among sessions first, this is the weight of the command's own.
    say_in(c"/proc/self/autogroup", c"10");
}

/// Writes a constant into a file, as far as that is possible; makes system calls only.
fn say_in(path: &CStr, text: &CStr) {
    // SAFETY: both are constants that end with a zero, and as many bytes are written as there are before it.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd >= 0 {
            libc::write(fd, text.as_ptr().cast(), text.count_bytes());
            libc::close(fd);
        }
    }
}

/// A user as the kernel knows one.
struct Identified {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Identified {
    /// Looks the user up; nothing when it is the one we already are.
    fn find(name: &str) -> Result<Option<Identified>, StartError> {
        let user = User::from_name(name)
            .ok()
            .flatten()
            .ok_or_else(|| StartError::NoUser(name.to_owned()))?;
        let own = Uid::effective();
        if user.uid == own {
            return Ok(None);
        }
        if !own.is_root() {
            let own = User::from_uid(own).ok().flatten();
            let own = own.map_or_else(|| Uid::effective().to_string(), |user| user.name);
            return Err(StartError::NotRoot(name.to_owned(), own));
        }
        let groups = CString::new(name)
            .ok()
            .and_then(|name| nix::unistd::getgrouplist(&name, user.gid).ok())
            .unwrap_or_else(|| vec![user.gid]);
        Ok(Some(Identified {
            uid: user.uid,
            gid: user.gid,
            groups,
        }))
    }

    fn become_it(&self) -> io::Result<()> {
        nix::unistd::setgroups(&self.groups)?;
        nix::unistd::setresgid(self.gid, self.gid, self.gid)?;
        nix::unistd::setresuid(self.uid, self.uid, self.uid)?;
        // No program that it starts can make it more than that again: not sudo, not one with a set-uid bit.
        nix::sys::prctl::set_no_new_privs()?;
        Ok(())
    }
}

/// The number of the user that a service of this `run_as` runs as.
pub(super) fn user_of(run_as: Option<&str>) -> Option<Uid> {
    run_as
        .and_then(|name| User::from_name(name).ok().flatten())
        .map(|user| user.uid)
}
