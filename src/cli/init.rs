//! `teal init`: makes what can be pushed to, and says how to push.

mod words;

use super::args::{Cli, Init};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::starter;
use crate::config::{ConfigError, Server};
use crate::domain::AppName;
use crate::setup::{self, Prepared};
use crate::system::users;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use words::Place;

/// Prepares every app of the configuration. Can be typed again at any time.
pub(super) fn run(cli: &Cli, args: &Init, screen: &mut Screen) -> Result<Code, CliError> {
    let loaded = Server::load_without_secrets(cli.config.as_deref());
    let (server, written) = match (loaded, &args.name) {
        (Ok(server), Some(name)) => {
            refuse_unknown(&server, name)?;
            (server, None)
        }
        (Ok(server), None) => (server, None),
        (Err(error), Some(name)) if is_absent(&error) => {
            let file = begin(cli, name)?;
            (Server::load_without_secrets(Some(&file))?, Some(file))
        }
        (Err(error), None) if is_absent(&error) => {
            return Err(CliError::usage(
                "there is no configuration yet",
                "teal init <name of your app> writes ./teal.toml to start from",
            ));
        }
        (Err(error), _) => return Err(error.into()),
    };
    users::become_owner(&server.state_dir).map_err(|error| {
        let folder = server.state_dir.display();
        CliError::local(format!("cannot go on as the owner of {folder}"), error)
    })?;
    let is_asked = |prepared: &Prepared| {
        let name = args.name.as_deref();
        name.is_none_or(|name| name == prepared.app.as_str())
    };
    let prepared: Result<Vec<Prepared>, _> = setup::prepare(&server)?.into_iter().collect();
    let mut prepared = prepared?;
    prepared.retain(is_asked);
    if screen.json {
        return document(&server, &prepared, screen);
    }
    if let Some(file) = &written {
        screen.say(format!(
            "wrote {}: edit ports and domain there before the first push",
            file.display()
        ));
    }
    for prepared in &prepared {
        for line in words::app(&server, prepared, &place(&server, &prepared.repo_path)) {
            screen.line(&line);
        }
    }
    screen.say("");
    screen.say(words::serve(&server));
    Ok(Code::Done)
}

fn is_absent(error: &ConfigError) -> bool {
    match error {
        ConfigError::NotFound { .. } => true,
        ConfigError::Read { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn begin(cli: &Cli, name: &str) -> Result<PathBuf, CliError> {
    let app: AppName = name
        .parse()
        .map_err(|wrong| CliError::usage(format!("{wrong}"), "teal init my-app"))?;
    let file = cli.config.clone().unwrap_or_else(|| "teal.toml".into());
    starter::write(&file, &app)?;
    Ok(file)
}

/// A configuration that is there is the user's; an app is added to it by hand.
fn refuse_unknown(server: &Server, name: &str) -> Result<(), CliError> {
    if server.apps.keys().any(|app| app.as_str() == name) {
        return Ok(());
    }
    let file = server.file.display();
    Err(CliError::usage(
        format!("{file} has no app `{name}`"),
        format!("add [apps.{name}.environments.production] to {file}, then type teal init again"),
    ))
}

/// Where a repository is, as the machine that pushes has to name it. People push as the user who owns it.
fn place(server: &Server, repository: &Path) -> Place {
    let path = std::fs::canonicalize(repository).unwrap_or_else(|_| repository.to_owned());
    let user = match std::fs::metadata(&path) {
        Ok(facts) => users::by_uid(facts.uid()),
        Err(_) => users::own(),
    };
    let own_name = || {
        let name = nix::unistd::gethostname().ok()?;
        name.into_string().ok()
    };
    let host = server.ssh_host.clone().or_else(own_name);
    Place {
        user: user.name,
        host: host.unwrap_or_else(|| "this-server".to_owned()),
        path,
    }
}

fn document(server: &Server, prepared: &[Prepared], screen: &mut Screen) -> Result<Code, CliError> {
    let apps = prepared.iter().map(|prepared| {
        let place = place(server, &prepared.repo_path);
        serde_json::json!({
            "app": prepared.app,
            "repository": place.path,
            "ssh": place.ssh(),
            "webhook": words::webhook(server, prepared),
            "notes": prepared.notes,
        })
    });
    screen.document(&apps.collect::<Vec<_>>())
}
