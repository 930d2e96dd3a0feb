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
    match &place.run_as {
        Some(name) => become_named(name, &args.env)?,
        None => become_owner(server)?,
    }
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

/// The user that the release runs as.
fn become_named(name: &str, env: &str) -> Result<(), CliError> {
    let failed = |source: io::Error| CliError::local(format!("cannot become {name}"), source);
    let found = User::from_name(name).map_err(|errno| failed(errno.into()))?;
    let user = found.ok_or_else(|| {
        CliError::usage(
            format!("this machine has no user `{name}`"),
            format!("make it, or correct `run_as` of {env}"),
        )
    })?;
    if user.uid == Uid::effective() {
        return Ok(());
    }
    if !Uid::effective().is_root() {
        return Err(CliError::usage(
            format!("{env} runs as {name}, and only root can become that user"),
            format!("sudo teal run {env} -- …"),
        ));
    }
    become_user(&user).map_err(failed)
}

fn become_user(user: &User) -> io::Result<()> {
    let name = CString::new(user.name.as_str()).map_err(io::Error::from)?;
    nix::unistd::initgroups(&name, user.gid)?;
    nix::unistd::setgid(user.gid)?;
    nix::unistd::setuid(user.uid)?;
    Ok(())
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
