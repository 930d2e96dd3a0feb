use super::super::draft::Draft;
use super::super::repo_view::Files;

const FILE: &str = "Procfile";

/// `name: command` lines; `release` moves the database forward.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) {
    let Some(text) = files.text(FILE) else {
        return;
    };
    for (nth, line) in text.lines().enumerate() {
        let from = format!("{FILE} line {}", nth + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match process(line) {
            Some(("release", command)) => draft.migrate(command, &[], &from),
            Some((name, command)) => draft.process(name, command, &from),
            None => draft.warn(format!("{from} is not `name: command` and means nothing")),
        }
    }
    if !draft.recipe.processes.contains_key("web") {
        draft.missing.push(format!("{FILE} has no `web` line"));
    }
}

fn process(line: &str) -> Option<(&str, &str)> {
    let (name, command) = line.split_once(':')?;
    let (name, command) = (name.trim(), command.trim());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let good = (1..=40).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !command.is_empty()
        && !command.chars().any(|c| c.is_control() && c != '\t');
    good.then_some((name, command))
}
