use super::ConfigError;
use super::document::{Field, Rules};
use super::error::shown;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A secret that was read from the environment or from a file of its own. It cannot be printed, only exposed on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value; the caller has checked where it came from.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

const RULES: Rules = Rules {
    keys: &["env", "file"],
    refused: |_| None,
    elsewhere: |_| None,
};

/// No secret is longer; a longer file is another file.
const LONGEST: u64 = 64 * 1024;

/// The secret that `{ env = "NAME" }` or `{ file = "path" }` names. A relative path starts at `base`.
pub(super) fn read(
    field: &Field<'_>,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Secret, ConfigError> {
    let section = place(field)?;
    match (section.get("env"), section.get("file")) {
        (Some(name), None) => from_env(field, name.some_text()?, env),
        (None, Some(path)) => {
            let path = base.join(path.some_text()?);
            let text = read_private(field, &path)?;
            checked(field, &text, &format!("{} is empty", path.display()))
        }
        _ => Err(field.key_error(
            format!("`{}` needs either `env` or `file`", field.label()),
            Some(help(field)),
        )),
    }
}

/// The path of a private key file, `{ file = "path" }`, after the same checks.
pub(super) fn key_file(field: &Field<'_>, base: &Path) -> Result<PathBuf, ConfigError> {
    let section = place(field)?;
    let Some(path) = section.get("file") else {
        let help = format!("write `{} = {{ file = \"path\" }}`", field.label());
        return Err(field.key_error("ssh reads its key from a file only", Some(help)));
    };
    let path = base.join(path.some_text()?);
    match read_private(field, &path)?.trim() {
        "" => Err(field.key_error(format!("{} is empty", path.display()), None)),
        _ => Ok(path),
    }
}

fn place<'a>(field: &Field<'a>) -> Result<super::document::Section<'a>, ConfigError> {
    if !field.is_table() {
        let message = format!("`{}` may not be written into this file", field.label());
        return Err(field.key_error(message, Some(help(field))));
    }
    field.table(&RULES)
}

fn help(field: &Field<'_>) -> String {
    let key = field.label();
    format!("write `{key} = {{ env = \"NAME\" }}` or `{key} = {{ file = \"path\" }}`")
}

fn from_env(
    field: &Field<'_>,
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Secret, ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(plain) {
        // What cannot be a variable's name is probably the secret itself, so it is not repeated.
        let message = format!("`env` of `{}` is not the name of a variable", field.label());
        return Err(field.key_error(message, None));
    }
    let unset = format!("the environment variable {} is not set", shown(name));
    match env(name) {
        None => Err(field.key_error(unset, Some(format!("`{}` is taken from it", field.label())))),
        Some(value) => checked(
            field,
            &value,
            &format!("the environment variable {} is empty", shown(name)),
        ),
    }
}

fn checked(field: &Field<'_>, text: &str, empty: &str) -> Result<Secret, ConfigError> {
    let value = text.trim_end_matches(['\n', '\r']);
    if value.trim().is_empty() {
        return Err(field.key_error(empty, None));
    }
    if value.chars().any(char::is_control) {
        let message = format!("`{}` is more than one line of text", field.label());
        return Err(field.key_error(message, None));
    }
    Ok(Secret::new(value))
}

/// The text of a file that only its owner may read.
fn read_private(field: &Field<'_>, path: &Path) -> Result<String, ConfigError> {
    let shown = path.display();
    let failed = |error: io::Error| field.key_error(format!("cannot read {shown}: {error}"), None);
    // Opening a FIFO would wait for its writer, so what it is comes first.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(field.key_error(format!("{shown} is not a file"), None));
    }
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.mode() & 0o077 != 0 {
        let message = format!(
            "{shown} is open to others (mode {:04o})",
            facts.mode() & 0o7777
        );
        return Err(field.key_error(message, Some(format!("run: chmod 600 {shown}"))));
    }
    let mut text = String::new();
    let size = file.take(LONGEST + 1).read_to_string(&mut text);
    if size.map_err(failed)? as u64 > LONGEST {
        return Err(field.key_error(format!("{shown} is too long for a secret"), None));
    }
    Ok(text)
}
