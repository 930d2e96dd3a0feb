//! What a shell offers where a name of this server's has to be typed.

use crate::config::Server;
use crate::domain::{EnvName, Role};
use clap_complete::CompletionCandidate;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The environments that begin like this: by the name alone where one app has it, and with the app where several do or
/// where something is typed that it begins with.
pub(super) fn environments(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(server) = server() else {
        return Vec::new();
    };
    let mut apps: BTreeMap<&EnvName, usize> = BTreeMap::new();
    for env in server.environments() {
        *apps.entry(&env.id.env).or_default() += 1;
    }
    let alone = apps.iter().filter(|(_, count)| **count == 1);
    let alone = alone.map(|(name, _)| name.to_string());
    let with_app = server
        .environments()
        .filter(|env| !typed.is_empty() || apps[&env.id.env] > 1)
        .map(|env| env.id.to_string());
    beginning(typed, alone.chain(with_app))
}

/// The apps that begin like this.
pub(super) fn apps(typed: &OsStr) -> Vec<CompletionCandidate> {
    let server = server();
    let names = server.iter().flat_map(|server| server.apps.keys());
    beginning(typed, names.map(ToString::to_string))
}

/// The roles that begin like this.
pub(super) fn roles(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(typed, Role::ALL.iter().map(ToString::to_string))
}

fn beginning(typed: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names
        .filter(|name| name.starts_with(&*typed))
        .map(CompletionCandidate::new)
        .collect()
}

/// The server of the line that is typed, as far as it can be read from here.
fn server() -> Option<Server> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let named = words.windows(2).find(|pair| pair[0] == "--config");
    let file = named.map(|pair| PathBuf::from(&pair[1]));
    Server::load_without_secrets(file.as_deref()).ok()
}
