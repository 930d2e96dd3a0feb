//! `teal run <env> -- CMD`: a one-off command with the code and the environment of the release that serves.

use super::args::Run;
use super::client::Client;
use super::failure::{CliError, Code};
use crate::config::Contact;
use crate::web::types::{RunPlace, Which};
use nix::unistd::{Gid, Uid, User};
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes the command: terminal, signals and exit code are its own. Comes back only when it could not start.
pub(super) fn run(server: &Contact, args: &Run, app: Option<&str>) -> Result<Code, CliError> {
    let client = Client::of(server);
    let which = Which {
        env: args.env.clone(),
        app: app.map(str::to_owned),
    };
    // The runtime's threads and descriptors end here, before this process becomes another one.
    let place: RunPlace = super::runtime()?.block_on(client.post("run", &which))?;
    become_owner(server)?;
    let Some((program, rest)) = args.command.split_first() else {
        return Err(CliError::usage(
            "there is no command to run",
            format!("teal run {} -- <command>", args.env),
        ));
    };
    std::env::set_current_dir(&place.cwd).map_err(|source| {
        CliError::local(format!("cannot enter the release in {}", place.cwd), source)
    })?;
    let source = Command::new(program)
        .args(rest)
        .env_clear()
        .envs(terminal())
        .envs(place.env)
        .exec();
    Err(CliError::Command {
        program: program.to_string_lossy().into_owned(),
        source,
    })
}

/// What a program has to know about the terminal that it is attached to; everything else comes from the release.
fn terminal() -> Option<(&'static str, OsString)> {
    Some(("TERM", std::env::var_os("TERM")?))
}

/// What root starts would leave files behind that the service cannot write: root becomes the owner of Teal's state first.
fn become_owner(server: &Contact) -> Result<(), CliError> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let dir = &server.state_dir;
    let failed = |source: io::Error| {
        let what = format!("cannot become the user who owns {}", dir.display());
        CliError::local(what, source)
    };
    let owner = std::fs::metadata(dir).map_err(failed)?;
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    if uid.is_root() {
        return Ok(());
    }
    let changed = match User::from_uid(uid) {
        Ok(Some(user)) => CString::new(user.name)
            .map_err(|_| nix::Error::EINVAL)
            .and_then(|name| nix::unistd::initgroups(&name, user.gid).map(|()| user.gid)),
        _ => nix::unistd::setgroups(&[gid]).map(|()| gid),
    };
    changed
        .and_then(nix::unistd::setgid)
        .and_then(|()| nix::unistd::setuid(uid))
        .map_err(|errno| failed(errno.into()))
}
