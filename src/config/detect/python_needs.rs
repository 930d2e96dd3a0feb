//! What a Python app declares to need.

use super::super::repo_view::Files;
use super::is_plain;

/// The packages, as its files name them.
pub(super) struct Needs {
    /// The files that declare it, or those that they name.
    pub texts: Vec<String>,
    /// The file to name in messages.
    pub file: &'static str,
}

impl Needs {
    /// Whether the package is named in one of the files.
    pub fn package(&self, name: &str) -> bool {
        self.texts
            .iter()
            .flat_map(|text| text.split(['\n', ',']))
            .any(|item| {
                let item = item
                    .trim()
                    .trim_start_matches("dependencies = [")
                    .trim_start_matches(['"', '\'', '[', ' ']);
                let lower = item.to_ascii_lowercase();
                lower.strip_prefix(name).is_some_and(|rest| {
                    !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                })
            })
    }
}

/// `requirements.txt` and the files that it names with `-r` and `-c`, one after the other.
pub(super) fn requirements(files: &Files<'_>) -> (Vec<String>, Vec<String>) {
    let mut names = vec!["requirements.txt".to_owned()];
    let mut texts = Vec::new();
    let mut next = 0;
    while next < names.len() && next < 20 {
        let text = files.text(&names[next]).unwrap_or_default();
        let folder = names[next]
            .rsplit_once('/')
            .map(|(folder, _)| format!("{folder}/"))
            .unwrap_or_default();
        for line in text.lines() {
            let named = ["-r", "-c", "--requirement", "--constraint"]
                .iter()
                .find_map(|option| line.trim().strip_prefix(option)?.strip_prefix([' ', '=']));
            let path =
                named.map(|path| format!("{folder}{}", path.trim().trim_start_matches("./")));
            if let Some(path) =
                path.filter(|path| is_plain(path) && !names.contains(path) && files.has(path))
            {
                names.push(path);
            }
        }
        texts.push(text);
        next += 1;
    }
    (names, texts)
}

/// The version of Python that `pyproject.toml` asks for.
pub(super) fn requires_python(files: &Files<'_>) -> Option<String> {
    let table: toml::Table = files.text("pyproject.toml")?.parse().ok()?;
    let asks = table.get("project")?.get("requires-python")?.as_str()?;
    Some(
        asks.chars()
            .take(60)
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect(),
    )
}
