//! `.teal.toml` as it was typed, written over what was detected.

use super::document::Section;
use super::draft::Draft;
use super::error::ConfigError;

use super::recipe_keys::{BUILD, HEALTH, MIGRATE, TIMEOUTS};
use super::recipe_values::{
    deadline, folder, from, glob, list, path, set, text_of, url_path, variable,
};
use super::{typed_run, values};

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
