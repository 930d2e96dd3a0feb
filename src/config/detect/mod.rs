//! What the repository's own files tell about the app. Each kind of app is a file here; none of them runs anything.

mod go;
mod node;
mod node_install;
mod node_outputs;
mod node_package;
mod node_workspaces;
mod procfile;
mod python;
mod python_needs;
mod python_web;
mod runtime_files;
mod rust;
mod site;

use super::draft::Draft;
use super::repo_view::Files;

/// Writes everything that the files tell into the draft. An app of several kinds (a Django app with a front end) gets the
/// install and build of each.
pub(super) fn all(draft: &mut Draft, files: &Files<'_>) {
    let node = node::detect(draft, files);
    let python = python::detect(draft, files);
    rust::detect(draft, files);
    go::detect(draft, files);
    if !draft.recipe.processes.contains_key("web") {
        site::detect(draft, files);
    }
    if files.has("migrations/run.sh") {
        draft.migrate(
            "bash migrations/run.sh $TEAL_ENVIRONMENT",
            &["migrations/**"],
            "migrations/run.sh",
        );
    }
    procfile::detect(draft, files);
    runtime_files::wants(draft, files, node, python);
}

/// The line of a file, from 1, with `"key"` in it that comes after `"section"`: where a value of a JSON file stands.
fn json_line(text: &str, section: &str, key: &str) -> Option<usize> {
    let start = text.find(&format!("\"{section}\""))?;
    let at = start + text[start..].find(&format!("\"{key}\""))?;
    Some(text[..at].matches('\n').count() + 1)
}

/// Whether the word may stand in a command line as it is.
fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/@".contains(c))
        && !word.split('/').any(|part| part == "..")
}
