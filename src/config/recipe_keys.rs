//! Which keys `.teal.toml` may have, and what is said about others.

use super::document::Rules;

/// What belongs to the server and is never taken from a repository.
const OF_THE_SERVER: &[&str] = &[
    "user",
    "run_as",
    "port",
    "ports",
    "domain",
    "domains",
    "root",
    "branch",
    "tag",
    "listen",
    "state_dir",
    "apps_dir",
    "secret",
    "secrets",
    "token",
    "webhook_secret",
    "ssh_key",
    "people",
    "allow",
    "approval",
    "notify",
    "redirect",
    "drain",
    "keep_warm",
    "observe",
    "on_push",
    "mode",
    "hold",
    "backups",
    "backups_size",
    "proxy",
];

const PLACES: &[(&str, &[&str])] = &[
    ("at the top", RECIPE.keys),
    ("in [build]", BUILD.keys),
    ("in [run]", RUN),
    ("in [migrate]", MIGRATE.keys),
    ("in [health]", HEALTH.keys),
    ("in [timeouts]", TIMEOUTS.keys),
];

pub(super) const RECIPE: Rules = Rules {
    keys: &["dir", "build", "run", "migrate", "health", "timeouts"],
    refused: of_the_server,
    elsewhere: belongs,
};
pub(super) const BUILD: Rules = Rules {
    keys: &[
        "install", "deps", "build", "outputs", "test", "ignore", "env",
    ],
    ..RECIPE
};
pub(super) const RUN: &[&str] = &["web", "shared", "before", "after"];
pub(super) const MIGRATE: Rules = Rules {
    keys: &["command", "inputs", "backup"],
    ..RECIPE
};
pub(super) const HEALTH: Rules = Rules {
    keys: &["path", "expect", "timeout"],
    ..RECIPE
};
pub(super) const TIMEOUTS: Rules = Rules {
    keys: &["install", "build", "test", "migrate", "hooks"],
    ..RECIPE
};

pub(super) fn of_the_server(key: &str) -> Option<String> {
    OF_THE_SERVER.contains(&key).then(|| {
        format!("a repository may not set `{key}`: users, ports, domains, folders and secrets are the server's, in its teal.toml")
    })
}

fn belongs(key: &str) -> Option<String> {
    PLACES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(place, _)| format!("`{key}` belongs {place}"))
}
