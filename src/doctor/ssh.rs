//! Whether people can push over ssh, and whether sshd believes the file that says who may.

use crate::config::{App, Server};
use crate::keys::AuthorizedKeys;
use crate::setup;
use crate::system::programs;
use crate::web::types::Finding;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const AREA: &str = "ssh";

/// The keys that may push, and the ssh that fetches.
pub(super) fn look(server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    if server.apps.values().any(fetches_by_ssh) && programs::find("ssh").is_none() {
        let what = "there is no ssh on the PATH, and an app is fetched by it";
        found.push(Finding::problem(AREA, what, "install openssh-client"));
    }
    let Ok(hook) = setup::hook_program() else {
        return found;
    };
    match AuthorizedKeys::open(None, &server.state_dir, &hook) {
        Ok(keys) => found.extend(pushing(server, &keys)),
        Err(error) => found.push(Finding::unknown(AREA, error.to_string(), "type it as root")),
    }
    found
}

fn fetches_by_ssh(app: &App) -> bool {
    let repo = app.repo.as_deref().unwrap_or_default();
    !repo.is_empty() && !repo.starts_with("http")
}

fn pushing(server: &Server, keys: &AuthorizedKeys) -> Vec<Finding> {
    let mut found = Vec::new();
    let (user, path) = (keys.user(), keys.path().display());
    found.extend(believed(keys));
    let shell = keys.shell();
    if shell.ends_with("nologin") || shell.ends_with("false") {
        found.push(Finding::problem(
            AREA,
            format!(
                "nobody can push as {user}: its shell is {}",
                shell.display()
            ),
            format!("sudo usermod --shell \"$(command -v git-shell)\" {user}"),
        ));
    }
    let stale: Vec<String> = keys
        .stale()
        .iter()
        .map(|entry| entry.name.to_string())
        .collect();
    if let Some(first) = stale.first() {
        found.push(Finding::problem(
            AREA,
            format!(
                "the keys {} in {path} run a program that lies elsewhere now",
                stale.join(", ")
            ),
            format!("teal key remove {first}, then add it again"),
        ));
    }
    let pushed_here = server.apps.values().any(|app| app.forge.is_none());
    if found.is_empty() {
        found.push(match keys.count() {
            0 if pushed_here => Finding::warning(
                AREA,
                format!("no key may push as {user}: {path} has none"),
                "teal key add <name> <key.pub> --env <environment>",
            ),
            0 => Finding::good(AREA, "no key may push; apps are fetched from their forges"),
            1 => Finding::good(AREA, format!("1 key may push as {user}")),
            count => Finding::good(AREA, format!("{count} keys may push as {user}")),
        });
    }
    found
}

/// sshd ignores the file when others may write it, or a folder above it up to the home.
fn believed(keys: &AuthorizedKeys) -> Vec<Finding> {
    let above = keys.path().ancestors();
    let places = above.take_while(|place| place.starts_with(keys.home()));
    places.filter_map(open_to_others).collect()
}

fn open_to_others(place: &Path) -> Option<Finding> {
    let mode = fs::metadata(place).ok()?.mode() & 0o7777;
    let shown = place.display();
    (mode & 0o022 != 0).then(|| {
        Finding::problem(
            AREA,
            format!("sshd ignores the keys: others may write {shown} (mode {mode:04o})"),
            format!("chmod go-w {shown}"),
        )
    })
}
