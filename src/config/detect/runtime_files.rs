//! Files that do nothing but name the version of a runtime.

use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::super::runtime::Want;

/// Remembers the versions that they ask for, of the runtimes that the app has a use for.
pub(super) fn wants(draft: &mut Draft, files: &Files<'_>, node: bool, python: bool) {
    let mut want = |tool, asks: Option<String>, from: &str| {
        if let Some(asks) = asks.filter(|asks| asks.starts_with(|c: char| c.is_ascii_digit())) {
            draft.wants.push(Want {
                tool,
                asks,
                from: from.to_owned(),
            });
        }
    };
    let first_line = |file: &str| {
        let text = files.text(file)?;
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))?;
        Some(line.trim_start_matches('v').to_owned())
    };
    if node {
        want("node", first_line(".nvmrc"), ".nvmrc");
        want("node", first_line(".node-version"), ".node-version");
    }
    if python {
        want("python3", first_line(".python-version"), ".python-version");
        let heroku = first_line("runtime.txt");
        let version = heroku.and_then(|line| line.strip_prefix("python-").map(str::to_owned));
        want("python3", version, "runtime.txt");
    }
    let tools = files.text(".tool-versions").unwrap_or_default();
    for line in tools.lines() {
        let mut words = line.split_whitespace();
        let tool = match words.next() {
            Some("nodejs" | "node") => "node",
            Some("python") => "python3",
            Some("golang" | "go") => "go",
            _ => continue,
        };
        want(tool, words.next().map(str::to_owned), ".tool-versions");
    }
}
