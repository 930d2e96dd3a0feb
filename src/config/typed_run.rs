//! `[run]` of `.teal.toml`: the processes, and what surrounds the switch.

use super::document::{Field, Rules, Section, nearest};
use super::draft::Draft;
use super::error::{ConfigError, shown};

use super::recipe_keys::{RECIPE, RUN, of_the_server};
use super::recipe_values::{folder, from, list, set, text_of};
use super::{OnSwitch, Process, values};

const PROCESS: Rules = Rules {
    keys: &["command", "on_switch", "count"],
    ..RECIPE
};

/// Writes every value of the table over the draft.
pub(super) fn apply(draft: &mut Draft, run: &Section<'_>) -> Result<(), ConfigError> {
    for field in run.fields() {
        let key = format!("run.{}", shown(&field.name));
        match field.name.as_str() {
            "shared" => {
                let text = list(&mut draft.recipe.shared, &field, folder)?;
                shared_apart(&field, &draft.recipe.shared)?;
                draft.note(&key, text, from(&field));
            }
            "before" => {
                let text = text_of(set(&mut draft.recipe.before, &field)?);
                draft.note(&key, text, from(&field));
            }
            "after" => {
                let text = text_of(set(&mut draft.recipe.after, &field)?);
                draft.note(&key, text, from(&field));
            }
            _ => apply_process(draft, &field)?,
        }
    }
    Ok(())
}

fn apply_process(draft: &mut Draft, field: &Field<'_>) -> Result<(), ConfigError> {
    process_name(field)?;
    let key = format!("run.{}", field.name);
    match process(field)? {
        None => {
            draft.recipe.processes.remove(&field.name);
            draft.note(&key, "", from(field));
        }
        Some(process) => {
            draft.note(&key, process.text(), from(field));
            draft.recipe.processes.insert(field.name.clone(), process);
        }
    }
    Ok(())
}

/// Any word may name a process, so a slip in one of the other keys has to be noticed here.
fn process_name(field: &Field<'_>) -> Result<(), ConfigError> {
    let name = field.name.as_str();
    if let Some(message) = of_the_server(name) {
        return Err(field.key_error(message, None));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) || name.starts_with('-') {
        let message = format!("`{}` cannot be the name of a process", shown(name));
        let help = "letters, digits, `-` and `_`, 40 at most";
        return Err(field.key_error(message, Some(help.to_owned())));
    }
    let near = RUN
        .iter()
        .find(|right| **right != name && strsim::damerau_levenshtein(name, right) == 1);
    if let Some(right) = near {
        let message = format!("`{name}` in [run] would be a process of its own");
        return Err(field.key_error(message, Some(format!("did you mean `{right}`?"))));
    }
    if field.as_text().is_none() && !field.is_table() {
        let wrong = format!("`{name}` in [run] must be a command or a table");
        return Err(match nearest(name, RUN) {
            Some(right) if right != name => {
                field.key_error(wrong, Some(format!("did you mean `{right}`?")))
            }
            _ => field.wrong_type("a command or a table"),
        });
    }
    Ok(())
}

fn process(field: &Field<'_>) -> Result<Option<Process>, ConfigError> {
    if !field.is_table() {
        return Ok(field.command()?.map(|command| Process {
            command,
            on_switch: OnSwitch::Overlap,
            count: 1,
        }));
    }
    let table = field.table(&PROCESS)?;
    let Some(command) = table.get("command") else {
        let message = format!("process `{}` has no `command`", field.name);
        return Err(field.key_error(message, None));
    };
    let ways = [
        ("overlap", OnSwitch::Overlap),
        ("handover", OnSwitch::Handover),
        ("exclusive", OnSwitch::Exclusive),
    ];
    let on_switch = table
        .get("on_switch")
        .map_or(Ok(OnSwitch::Overlap), |field| field.one_of(&ways))?;
    let count = table
        .get("count")
        .map_or(Ok(1), |field| field.number(1..=64))? as u16;
    Ok(command.command()?.map(|command| Process {
        command,
        on_switch,
        count,
    }))
}

/// A shared folder inside another one would be linked twice.
fn shared_apart(field: &Field<'_>, paths: &[String]) -> Result<(), ConfigError> {
    for (nth, path) in paths.iter().enumerate() {
        let inside = |other: &&String| values::nested(path.as_ref(), other.as_ref());
        if let Some(other) = paths[..nth].iter().find(inside) {
            let message = format!("`shared` has both {other} and {path}: keep the outer one");
            return Err(field.error(message));
        }
    }
    Ok(())
}
