use super::document::{Document, Section};
use super::draft::Draft;
use super::repo_view::{Entry, Files, RepoView};
use super::{ConfigError, Recipe, detect, typed_recipe};
use std::fmt;
use std::path::Path;

/// The file in which an app says what detection cannot know.
const FILE: &str = ".teal.toml";

/// The repository does not tell how the app is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NothingToRun {
    /// The folder of the repository that was looked at.
    pub dir: String,
    /// Whether there is nothing in it at all.
    pub empty: bool,
    /// Lines of `.teal.toml` that would help an app like this one.
    pub example: String,
    /// Why files that look like an app do not help.
    pub reasons: Vec<String>,
}

impl fmt::Display for NothingToRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.dir.as_str() {
            "." => "the repository".to_owned(),
            dir => format!("the folder {dir}"),
        };
        match self.empty {
            true => writeln!(f, "{place} is empty, so there is nothing to start")?,
            false => writeln!(f, "nothing in {place} says how the app is started")?,
        }
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        writeln!(f, "  looked for: {}", detect::LOOKED_FOR)?;
        writeln!(f, "write this into {FILE} and push again:\n")?;
        let lines: Vec<String> = self
            .example
            .lines()
            .map(|line| format!("    {line}"))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Recipe {
    /// The recipe of one commit: what `.teal.toml` says, completed by what the repository's own files tell. `versions`
    /// gives the version of a program of this server (`node`, `python3`), or nothing when it is not installed.
    pub fn resolve(
        repo: &RepoView<'_>,
        versions: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Recipe, ConfigError> {
        let text = own_file(repo)?.unwrap_or_default();
        let doc = Document {
            file: Path::new(FILE),
            text: &text,
        };
        let table = doc.parse()?;
        let top = Section::top(&doc, &table, &typed_recipe::RECIPE)?;
        let dir = typed_recipe::dir(&top)?;
        if let (Some(field), false) = (top.get("dir"), is_folder(repo, &dir)) {
            return Err(field.error(format!("there is no folder `{dir}` in the repository")));
        }
        let files = Files::new(repo, &dir);
        let mut draft = Draft::new(dir.clone());
        detect::all(&mut draft, &files);
        typed_recipe::apply(&mut draft, &top)?;
        draft.finish(versions, !files.list("").is_empty())
    }
}

fn own_file(repo: &RepoView<'_>) -> Result<Option<String>, ConfigError> {
    let Some(entry) = repo.entry(FILE) else {
        return Ok(None);
    };
    let wrong = |what: &'static str| ConfigError::Read {
        file: FILE.into(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, what),
    };
    if entry == Entry::Folder {
        return Err(wrong("it is a folder"));
    }
    let bytes = repo
        .read(FILE)
        .ok_or_else(|| wrong("it is larger than 1 MB"))?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| wrong("it is not UTF-8 text"))
}

fn is_folder(repo: &RepoView<'_>, dir: &str) -> bool {
    dir == "." || repo.entry(dir) == Some(Entry::Folder)
}
