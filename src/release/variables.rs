//! The app's own configuration, per environment: versions that are named by their digest, kept 0600, never changed.
//! Which version is wanted is one link; which version a release runs with belongs to the release.

use crate::system::files::{self, AtPath, FileError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a version cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VariablesError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A version is damaged.
    #[error("{} does not hold what its name says: restore it from a copy, or set the values again", path.display())]
    Damaged {
        /// The file of the version.
        path: PathBuf,
    },
    /// A name that no environment variable can have.
    #[error(
        "`{0}` cannot be the name of a variable: use letters, digits and `_`, not starting with a digit"
    )]
    Name(String),
    /// A name that Teal sets itself.
    #[error("`{0}` is set by Teal for every process and cannot be changed")]
    Reserved(String),
    /// A value that no environment variable can have.
    #[error("the value of `{0}` holds a zero byte, which no environment variable can")]
    Value(String),
}

/// One version: what the app's processes see beside what Teal sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version's name: the first 16 hexadecimal digits of the SHA-256 of its content.
    pub digest: String,
    /// The values by name.
    pub values: BTreeMap<String, String>,
}

/// The versions of one environment.
#[derive(Debug, Clone)]
pub struct Variables {
    dir: PathBuf,
}

impl Variables {
    /// The versions kept in this folder (`<state_dir>/env/<app>.<environment>`), which need not exist yet.
    pub fn new(dir: PathBuf) -> Variables {
        Variables { dir }
    }

    /// The version that the next release runs with; an empty one before the first value is set.
    pub fn wanted(&self) -> Result<Version, VariablesError> {
        match std::fs::read_link(self.dir.join("wanted")) {
            Ok(name) => self.load(&name.to_string_lossy()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(version(BTreeMap::new()))
            }
            Err(error) => Err(error).at("read", &self.dir.join("wanted"))?,
        }
    }

    /// The version of that digest.
    pub fn load(&self, digest: &str) -> Result<Version, VariablesError> {
        let empty = version(BTreeMap::new());
        if digest == empty.digest {
            return Ok(empty);
        }
        let path = self.dir.join(digest);
        let text = std::fs::read_to_string(&path).at("read", &path)?;
        serde_json::from_str(&text)
            .ok()
            .map(version)
            .filter(|version| version.digest == digest)
            .ok_or(VariablesError::Damaged { path })
    }

    /// Makes a version from the wanted one with these changes (`None` removes), and makes it the wanted one.
    pub fn change(
        &self,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Version, VariablesError> {
        let mut values = self.wanted()?.values;
        for (name, value) in changes {
            check(name, value.as_deref())?;
            match value {
                Some(value) => values.insert(name.clone(), value.clone()),
                None => values.remove(name),
            };
        }
        let version = version(values);
        files::create_dir(&self.dir, 0o700)?;
        let path = self.dir.join(&version.digest);
        files::write_atomic(&path, canonical(&version.values).as_bytes(), 0o600)?;
        self.want(&version.digest)?;
        Ok(version)
    }

    /// Removes all versions.
    pub fn forget(&self) -> Result<(), FileError> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).at("remove", &self.dir)
            }
            _ => Ok(()),
        }
    }

    /// Makes an existing version the wanted one: what a rollback does.
    pub fn want(&self, digest: &str) -> Result<(), VariablesError> {
        files::create_dir(&self.dir, 0o700)?;
        Ok(files::symlink_atomic(
            Path::new(digest),
            &self.dir.join("wanted"),
        )?)
    }
}

fn version(values: BTreeMap<String, String>) -> Version {
    let digest = Sha256::digest(canonical(&values).as_bytes());
    Version {
        digest: hex::encode(&digest[..8]),
        values,
    }
}

fn canonical(values: &BTreeMap<String, String>) -> String {
    // A map of strings has nothing that JSON cannot say.
    serde_json::to_string(values).unwrap_or_default()
}

fn check(name: &str, value: Option<&str>) -> Result<(), VariablesError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain)
    {
        let shown = name.chars().take(60).flat_map(char::escape_debug).collect();
        return Err(VariablesError::Name(shown));
    }
    if name == "PORT" || name.starts_with("TEAL_") {
        return Err(VariablesError::Reserved(name.to_owned()));
    }
    if value.is_some_and(|value| value.contains('\0')) {
        return Err(VariablesError::Value(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn set(name: &str, value: Option<&str>) -> BTreeMap<String, Option<String>> {
        BTreeMap::from([(name.to_owned(), value.map(str::to_owned))])
    }

    #[test]
    fn a_version_can_be_wanted_again_after_others() {
        let dir = tempfile::tempdir().unwrap();
        let variables = Variables::new(dir.path().join("arq.production"));
        let none = variables.wanted().unwrap();
        let one = variables.change(&set("A", Some("1"))).unwrap();
        let two = variables.change(&set("A", Some("2"))).unwrap();
        assert_ne!(one.digest, two.digest);
        variables.want(&one.digest).unwrap();
        assert_eq!(variables.wanted().unwrap(), one);
        assert_eq!(
            variables.change(&set("A", None)).unwrap().digest,
            none.digest
        );
        let file = dir.path().join("arq.production").join(&two.digest);
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn what_is_damaged_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let variables = Variables::new(dir.path().to_owned());
        let one = variables.change(&set("A", Some("1"))).unwrap();
        std::fs::write(dir.path().join(&one.digest), r#"{"A":"3"}"#).unwrap();
        assert!(matches!(
            variables.wanted(),
            Err(VariablesError::Damaged { .. })
        ));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let variables = Variables::new(dir.path().to_owned());
        for bad in ["", "1A", "A B", "A=B", "ä", "PORT", "TEAL_APP"] {
            assert!(variables.change(&set(bad, Some("x"))).is_err(), "{bad}");
        }
        assert!(variables.change(&set("A", Some("x\0"))).is_err());
    }
}
