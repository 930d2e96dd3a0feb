use super::document::{Document, Section};
use super::draft::Draft;
use super::repo_view::{Entry, Files, RepoView};
use super::{ConfigError, Recipe, detect, recipe_keys, typed_recipe};
use std::path::Path;

/// The file in which an app says what detection cannot know.
const FILE: &str = ".teal.toml";

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
        let top = Section::top(&doc, &table, &recipe_keys::RECIPE)?;
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
