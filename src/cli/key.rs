//! `teal key add|list|remove`: the ssh keys that may push here and do nothing else.

use super::args::{KeyAdd, KeyCommand, KeyRemove, Keys};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, plain};
use crate::config::Server;
use crate::domain::{AppName, EnvId, KeyName};
use crate::keys::{AuthorizedKeys, Entry, KeyError, PublicKey, Reach};
use crate::setup;
use std::io::{self, Read};
use std::path::Path;

/// Adds, lists or removes keys.
pub(super) fn run(
    server: &Server,
    args: &Keys,
    app: Option<&str>,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let hook = setup::hook_program()?;
    let file = args.authorized_keys.as_deref();
    let keys = AuthorizedKeys::open(file, &server.state_dir, &hook)?;
    match &args.command {
        KeyCommand::Add(args) => add(server, keys, args, app, screen),
        KeyCommand::List => list(server, &keys, screen),
        KeyCommand::Remove(args) => remove(keys, args, screen),
    }
}

fn add(
    server: &Server,
    mut keys: AuthorizedKeys,
    args: &KeyAdd,
    app: Option<&str>,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let entry = Entry {
        name: named(&args.name)?,
        reach: reach(server, &args.env, app)?,
        key: public_key(&args.key)?,
    };
    let added = keys.add(entry)?;
    if screen.json {
        return screen.document(&document(server, &added));
    }
    screen.say(format!(
        "{} may push to {}, and do nothing else here",
        added.name, added.reach
    ));
    screen.say(format!(
        "  the key {} is in {}",
        added.key.short(),
        keys.path().display()
    ));
    screen.say(format!("  people push as {}", keys.user()));
    if person(server, &added.name).is_none() && !server.people.is_empty() {
        let name = &added.name;
        screen.say(format!(
            "  it is nobody's key yet: name it in `keys` of a person in {}, or add [people.{name}]",
            server.file.display()
        ));
    }
    Ok(Code::Done)
}

fn named(name: &str) -> Result<KeyName, CliError> {
    name.parse()
        .map_err(|wrong| CliError::usage(format!("{wrong}"), "teal key add ada-laptop …"))
}

/// The key as it was typed, or the text of the file that was named.
fn public_key(text: &str) -> Result<PublicKey, CliError> {
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    let read = match text {
        "-" => {
            let mut typed = String::new();
            let read = io::stdin().lock().read_to_string(&mut typed);
            read.map(|_| typed)
                .map_err(|source| CliError::local("cannot read the key from stdin", source))?
        }
        path => match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && !Path::new(path).is_absolute() =>
            {
                let shown: String = path.chars().take(60).flat_map(char::escape_debug).collect();
                return Err(CliError::usage(
                    format!("`{shown}` is neither a public ssh key nor a file here"),
                    "give the text of the .pub file in quotes, the file's name, or - for stdin",
                ));
            }
            Err(source) => return Err(CliError::local(format!("cannot read {path}"), source)),
        },
    };
    Ok(read.parse()?)
}

/// What the key is for: the environments that were named, else all of an app.
fn reach(server: &Server, envs: &[String], app: Option<&str>) -> Result<Reach, CliError> {
    if envs.is_empty() {
        let Some(app) = app else {
            return Err(CliError::usage(
                "the key would have nothing to push to",
                "name environments with --env, or an app with all of its environments with --app",
            ));
        };
        return Ok(Reach::app(known_app(server, app)?));
    }
    let found: Result<Vec<EnvId>, CliError> = envs
        .iter()
        .map(|env| environment(server, env, app))
        .collect();
    Ok(Reach::environments(found?))
}

fn known_app(server: &Server, app: &str) -> Result<AppName, CliError> {
    let found = server.apps.keys().find(|name| name.as_str() == app);
    found.cloned().ok_or_else(|| {
        let all: Vec<&str> = server.apps.keys().map(AppName::as_str).collect();
        let shown: String = app.chars().take(60).flat_map(char::escape_debug).collect();
        CliError::usage(
            format!("there is no app `{shown}`"),
            format!("this server has {}", all.join(", ")),
        )
    })
}

fn environment(server: &Server, text: &str, app: Option<&str>) -> Result<EnvId, CliError> {
    let (app, name) = match text.split_once('/') {
        Some((app, name)) => (Some(app), name),
        None => (app, text),
    };
    let ids = server.environments().map(|env| &env.id);
    let found: Vec<&EnvId> = ids
        .filter(|id| id.env.as_str() == name && app.is_none_or(|app| id.app.as_str() == app))
        .collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let all: Vec<String> = server
                .environments()
                .map(|env| env.id.to_string())
                .collect();
            let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
            Err(CliError::usage(
                format!("there is no environment `{shown}`"),
                format!("this server has {}", all.join(", ")),
            ))
        }
        several => {
            let all: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(CliError::usage(
                format!("`{name}` is an environment of several apps"),
                format!("say which: --env {}", all.join(" or --env ")),
            ))
        }
    }
}

fn list(server: &Server, keys: &AuthorizedKeys, screen: &mut Screen) -> Result<Code, CliError> {
    let entries = keys.entries();
    if screen.json {
        let all: Vec<_> = entries.iter().map(|one| document(server, one)).collect();
        return screen.document(&all);
    }
    if entries.is_empty() {
        screen.say(format!(
            "no limited keys in {}: teal key add <name> <key> --env <env>",
            keys.path().display()
        ));
        return Ok(Code::Done);
    }
    let mut table = Table::new(&["NAME", "PERSON", "MAY PUSH TO", "KEY"], 2);
    for entry in &entries {
        let cells = vec![
            plain(entry.name.as_str()),
            plain(person(server, &entry.name).unwrap_or_default()),
            plain(entry.reach.to_string()),
            plain(entry.key.short()),
        ];
        table.row(cells, Vec::new());
    }
    screen.table(&table);
    Ok(Code::Done)
}

fn remove(
    mut keys: AuthorizedKeys,
    args: &KeyRemove,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let name = named(&args.name)?;
    let gone = keys.remove(&name)?;
    if gone.is_empty() {
        let file = keys.path().display();
        return Err(CliError::usage(
            format!("{file} has no key `{name}`"),
            "teal key list shows those that there are",
        ));
    }
    if screen.json {
        return screen.document(&serde_json::json!({ "removed": gone.len() }));
    }
    for entry in gone {
        screen.say(format!(
            "{name} may no longer push to {}: {} is removed",
            entry.reach,
            entry.key.short()
        ));
    }
    Ok(Code::Done)
}

/// Whose key it is.
fn person(server: &Server, name: &KeyName) -> Option<String> {
    let account = crate::domain::Account::Key(name.to_string());
    let actor = server.people.whois(account);
    actor.person.map(|person| person.to_string())
}

fn document(server: &Server, entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "name": entry.name,
        "person": person(server, &entry.name),
        "reach": entry.reach.to_string(),
        "key": entry.key.line(),
    })
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> CliError {
        let text = error.to_string();
        match error {
            KeyError::File(error) => CliError::local(
                format!("cannot {} {}", error.act, error.path.display()),
                error.source,
            ),
            KeyError::Private => CliError::usage(text, "give the file beside it that ends in .pub"),
            KeyError::NoKey => CliError::usage(
                text,
                "a .pub file has one line: its kind (ssh-ed25519), a long text, and a comment",
            ),
            KeyError::Unlimited { .. } => CliError::usage(
                text,
                "sshd would take that line first: remove it there, then add the key",
            ),
            KeyError::Named(name) => {
                let next = format!("teal key remove {name}, or add to it: teal key add {name} …");
                CliError::usage(text, next)
            }
            KeyError::NoOwner(_) => CliError::usage(text, "teal init makes the server's state"),
        }
    }
}
