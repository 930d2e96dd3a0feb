//! Both configuration files, read: what is meant by them, and every word about what is wrong with them.

mod detect;
mod detect_node;
mod detect_python;
mod guides;
mod hostile;
mod people;
mod recipe;
mod recipe_mistakes;
mod server;
mod server_mistakes;
mod server_relations;
mod server_secrets;
mod server_telling;
mod server_triggers;

use super::{ConfigError, Entry, Recipe, RepoView, Server};
use std::path::Path;

/// The environment that secrets are taken from.
fn env(name: &str) -> Option<String> {
    match name {
        "HOOK" => Some("s3cret\n".to_owned()),
        "EMPTY" => Some("\n".to_owned()),
        "HOME" => Some("/home/ann".to_owned()),
        _ => None,
    }
}

/// Reads the text as a `teal.toml`.
fn parse(text: &str) -> Result<Server, ConfigError> {
    Server::parse(text, Path::new("teal.toml"), &env)
}

/// Reads a text that has no mistakes.
fn good(text: &str) -> Server {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The message about a file, which must never have the secret in it.
fn wrong(text: &str) -> String {
    let message = parse(text).unwrap_err().to_string();
    assert!(!message.contains("hunter2"), "{message}");
    message
}

/// The message about these keys of an app's production environment.
fn wrong_env(keys: &str) -> String {
    wrong(&format!("[apps.arq.environments.production]\n{keys}\n"))
}

/// The message about these keys of an app.
fn wrong_app(keys: &str) -> String {
    wrong(&format!(
        "[apps.arq]\n{keys}\n[apps.arq.environments.production]\n"
    ))
}

/// A repository of these files, each `path` with its text.
fn repo<'f>(files: &'f [(&'f str, &'f str)]) -> RepoView<'f> {
    RepoView::new(
        move |path| {
            let file = files.iter().find(|(name, _)| *name == path);
            file.map(|(_, text)| text.as_bytes().to_vec())
        },
        move |folder| {
            let prefix = if folder.is_empty() {
                String::new()
            } else {
                format!("{folder}/")
            };
            let mut entries: Vec<(String, Entry)> = files
                .iter()
                .filter_map(|(name, _)| name.strip_prefix(&prefix))
                .map(|rest| match rest.split_once('/') {
                    Some((folder, _)) => (folder.to_owned(), Entry::Folder),
                    None => (rest.to_owned(), Entry::File),
                })
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup();
            entries
        },
    )
}

/// A server that has everything.
fn versions(tool: &str) -> Option<String> {
    let version = match tool {
        "node" => "v20.1.0",
        "python3" => "Python 3.11.2",
        "go" => "go version go1.22.1 linux/amd64",
        _ => "1.0.0",
    };
    Some(version.to_owned())
}

/// What was detected, without the lines that are the same for every app.
fn plan(files: &[(&str, &str)]) -> String {
    match Recipe::resolve(&repo(files), &versions) {
        Ok(recipe) => {
            let plan = recipe.explain();
            let lines = plan.lines().filter(|line| !line.ends_with("  default"));
            lines.map(|line| format!("{}\n", line.trim_end())).collect()
        }
        Err(error) => error.to_string(),
    }
}
