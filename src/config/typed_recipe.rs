//! `.teal.toml` as it was typed, written over what was detected.

use super::document::{Rules, Section};
use super::draft::Draft;
use super::error::{ConfigError, shown};
use super::field::Field;
use super::{refs, typed_run, values};

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

/// The folder of the repository that is the app.
pub(super) fn dir(top: &Section<'_>) -> Result<String, ConfigError> {
    top.get("dir")
        .map_or(Ok(".".to_owned()), |field| path(&field))
}

/// Writes every value of the file over the draft.
pub(super) fn apply(draft: &mut Draft, top: &Section<'_>) -> Result<(), ConfigError> {
    if let Some(field) = top.get("dir") {
        let dir = draft.recipe.dir.clone();
        draft.note("dir", dir, from(&field));
    }
    if let Some(build) = top.table("build", &BUILD)? {
        apply_build(draft, &build)?;
    }
    if let Some(field) = top.get("run") {
        typed_run::apply(draft, &field.any_table()?)?;
    }
    if let Some(migrate) = top.table("migrate", &MIGRATE)? {
        apply_migrate(draft, &migrate)?;
    }
    if let Some(health) = top.table("health", &HEALTH)? {
        apply_health(draft, &health)?;
    }
    if let Some(timeouts) = top.table("timeouts", &TIMEOUTS)? {
        for field in timeouts.fields() {
            let value = deadline(&field)?;
            draft.recipe.timeouts.set(&field.name, value);
            let text = values::duration_text(value);
            draft.note(&format!("timeouts.{}", field.name), text, from(&field));
        }
    }
    Ok(())
}

fn apply_build(draft: &mut Draft, build: &Section<'_>) -> Result<(), ConfigError> {
    for field in build.fields() {
        let key = format!("build.{}", field.name);
        let steps = &mut draft.recipe.steps;
        let text = match field.name.as_str() {
            "install" => text_of(set(&mut steps.install, &field)?),
            "build" => text_of(set(&mut steps.build, &field)?),
            "test" => text_of(set(&mut steps.test, &field)?),
            "deps" => list(&mut steps.deps, &field, folder)?,
            "outputs" => list(&mut steps.outputs, &field, folder)?,
            "ignore" => list(&mut steps.ignore, &field, glob)?,
            _ => list(&mut steps.env, &field, variable)?,
        };
        draft.note(&key, text, from(&field));
    }
    let steps = &mut draft.recipe.steps;
    if steps.install.is_none() {
        steps.lockfiles.clear();
        draft.recipe.origins.remove("build.lockfiles");
        if build.get("deps").is_none() {
            steps.deps.clear();
            draft.recipe.origins.remove("build.deps");
        }
    }
    if steps.build.is_none() && build.get("outputs").is_none() {
        steps.outputs.clear();
        draft.recipe.origins.remove("build.outputs");
    }
    Ok(())
}

fn apply_migrate(draft: &mut Draft, migrate: &Section<'_>) -> Result<(), ConfigError> {
    let steps = &mut draft.recipe.steps;
    if let Some(field) = migrate.get("command") {
        // Another command has other inputs: those of the detected one would let it be skipped wrongly.
        steps.migrate_inputs.clear();
        let text = text_of(set(&mut steps.migrate, &field)?);
        draft.note("migrate.command", text, from(&field));
        draft.note("migrate.inputs", "", "none are declared: it always runs");
    }
    if let Some(field) = migrate.get("inputs") {
        let text = list(&mut draft.recipe.steps.migrate_inputs, &field, glob)?;
        draft.note("migrate.inputs", text, from(&field));
    }
    if let Some(field) = migrate.get("backup") {
        let text = text_of(set(&mut draft.recipe.steps.migrate_backup, &field)?);
        draft.note("migrate.backup", text, from(&field));
    }
    if draft.recipe.steps.migrate.is_none() {
        draft.recipe.origins.remove("migrate.inputs");
        if let Some(field) = migrate.get("inputs").or(migrate.get("backup")) {
            let message = format!("`{}` without a `command` in [migrate]", field.name);
            return Err(field.key_error(message, None));
        }
    }
    Ok(())
}

fn apply_health(draft: &mut Draft, health: &Section<'_>) -> Result<(), ConfigError> {
    if let Some(field) = health.get("path") {
        let path = url_path(&field)?;
        draft.note(
            "health.path",
            format!("GET {path} answers 2xx"),
            from(&field),
        );
        draft.recipe.health.path = Some(path);
    }
    if let Some(field) = health.get("expect") {
        if draft.recipe.health.path.is_none() {
            let message = "`expect` without `path`: there is no answer to compare";
            return Err(field.key_error(message, None));
        }
        for item in field.any_table()?.fields() {
            let value = item.scalar()?;
            draft.recipe.health.expect.insert(item.name.clone(), value);
        }
        let pairs = draft.recipe.health.expect.iter();
        let text: Vec<String> = pairs
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        draft.note("health.expect", text.join(", "), from(&field));
    }
    if let Some(field) = health.get("timeout") {
        let timeout = deadline(&field)?;
        draft.recipe.health.timeout = timeout;
        draft.note(
            "health.timeout",
            values::duration_text(timeout),
            from(&field),
        );
    }
    Ok(())
}

fn url_path(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    let good = text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= 1000
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b));
    if good {
        return Ok(text.to_owned());
    }
    let message = format!("`path` cannot be \"{}\"", shown(text));
    Err(field.error_help(message, "a path of the app, such as \"/api/health\""))
}

fn deadline(field: &Field<'_>) -> Result<std::time::Duration, ConfigError> {
    let value = field.duration()?;
    if value.is_zero() || value > std::time::Duration::from_secs(86_400) {
        let message = format!(
            "`{}` must be more than nothing and at most 1d",
            field.label()
        );
        return Err(field.error(message));
    }
    Ok(value)
}

pub(super) fn set(
    target: &mut Option<String>,
    field: &Field<'_>,
) -> Result<Option<String>, ConfigError> {
    *target = field.command()?;
    Ok(target.clone())
}

pub(super) fn text_of(command: Option<String>) -> String {
    command.unwrap_or_default()
}

pub(super) fn list(
    target: &mut Vec<String>,
    field: &Field<'_>,
    check: fn(&Field<'_>) -> Result<String, ConfigError>,
) -> Result<String, ConfigError> {
    *target = field.list()?.iter().map(check).collect::<Result<_, _>>()?;
    Ok(target.join(", "))
}

fn path(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    values::release_path(text)
        .map_err(|wrong| field.error(format!("`{}`: \"{}\" {wrong}", field.label(), shown(text))))
}

/// A path that is not the whole release.
pub(super) fn folder(field: &Field<'_>) -> Result<String, ConfigError> {
    match path(field)?.as_str() {
        "." => Err(field.error(format!("`{}` cannot be the whole release", field.label()))),
        path => Ok(path.to_owned()),
    }
}

fn glob(field: &Field<'_>) -> Result<String, ConfigError> {
    let pattern = path(field)?;
    refs::glob(&pattern).map_err(|error| {
        let message = format!("\"{}\" is not a pattern: {}", shown(&pattern), error.kind());
        field.error(message)
    })?;
    Ok(pattern)
}

fn variable(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.some_text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '*';
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let message = format!("\"{}\" is not a variable's name", shown(text));
    Err(field.error_help(
        message,
        "names such as \"API_URL\" or \"VITE_*\", without values",
    ))
}

pub(super) fn from(field: &Field<'_>) -> String {
    format!(".teal.toml line {}", field.line())
}
