//! Sealed, restorable copies of releases.
//!
//! A release is sealed as it was built, before it starts, into `.backups/backup-YYYYMMDD-HHMMSS/`: `manifest.json` says
//! what it is, `files` lists every path with its hash, `release` leads to the files, `index` tells the next checkout which
//! paths are tracked; both lists are packed, beside the ones of an earlier backup that they hardly differ from. It becomes visible in one move, complete and synced. The files are in `.backups/.sealed/`, where
//! backups share what is the same in them; how is told in `release/tree`.
//!
//! A backup never shares a file with a slot, whatever a later build writes in place.

mod installed;
mod lean;
mod restore;
mod seal;
mod shelf;
#[cfg(test)]
mod tests;
mod verify;

pub use installed::{Installed, look_at_installed, put_back_installed};
pub use restore::{Lender, lend, restore};
pub use seal::{Sealing, begin, seal};
pub use shelf::Shelf;
pub use verify::{Difference, Verified, verify};

use super::tree::{Listing, Store};
use crate::domain::{Color, CommitId, DeploymentId, Step};
use crate::system::files::FileError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a release could not be sealed, found or brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A manifest that cannot be understood.
    #[error("{} cannot be understood: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No backup of that name or deployment.
    #[error("there is no backup `{0}`")]
    Unknown(String),
    /// The backup is not what was sealed.
    #[error("the backup {name} is damaged: {what}")]
    Damaged {
        /// Its name.
        name: String,
        /// The first thing that is wrong.
        what: String,
    },
}

/// What a sealed release is: known when it is sealed, kept in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The deployment that built it.
    pub deployment: DeploymentId,
    /// Its commit.
    pub commit: CommitId,
    /// The ref that was pushed.
    pub ref_name: String,
    /// The version of the app's own configuration that it runs with.
    pub env_digest: Option<String>,
    /// When it was sealed, in milliseconds since the epoch.
    pub created_ms: i64,
    /// The slot it was built in.
    pub color: Color,
    /// How it is started and probed: its recipe, as JSON.
    pub recipe: serde_json::Value,
    /// The key of the migration that it expects to have run.
    pub migrate_key: Option<String>,
    /// The keys that its installed dependencies and its build were made with.
    #[serde(default)]
    pub keys: BTreeMap<Step, String>,
}

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout of the backup; this code writes 3, and reads 2, whose lists are not packed.
    pub version: u32,
    /// What it is.
    #[serde(flatten)]
    pub about: About,
    /// Whether it ever served. One that did not is only kept while its deployment runs.
    pub served: bool,
    /// How many files and links it has.
    pub files: u64,
    /// How large they are together.
    pub bytes: u64,
    /// How many of these bytes had to be copied, because no earlier backup and no shared block had them.
    pub copied_bytes: u64,
    /// What was left out and why.
    pub notes: Vec<String>,
}

/// One sealed release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// `backup-YYYYMMDD-HHMMSS`, with `-2` and so on where the second was taken.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// What was made of a slot's folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutBack {
    /// How many files had to be copied.
    pub copied: usize,
    /// The folders, relative to the slot: all that is in them was looked at.
    pub folders: Vec<PathBuf>,
}

const VERSION: u32 = 3;
const OLDEST: u32 = 2;
const MANIFEST: &str = "manifest.json";
const RELEASE: &str = "release";
const FILES: &str = "files";
const INDEX: &str = "index";
/// The folder that holds the sealed files of all backups.
const SEALED: &str = ".sealed";

impl Backup {
    /// The link to the sealed tree.
    pub fn release(&self) -> PathBuf {
        self.path.join(RELEASE)
    }

    /// The environment's sealed files.
    fn store(&self) -> Store {
        Store::new(self.path.with_file_name(SEALED))
    }

    /// Everything in it.
    fn listing(&self) -> Result<Listing, BackupError> {
        self.whole_listing()?.ok_or_else(|| BackupError::Damaged {
            name: self.name.clone(),
            what: "its list of files is missing or torn".to_owned(),
        })
    }

    /// Everything in it; nothing when its list is missing or torn.
    fn whole_listing(&self) -> Result<Option<Listing>, FileError> {
        let text = lean::read(&self.path, FILES)?;
        Ok(text.and_then(|text| Listing::of_text(&text)))
    }

    /// An error, if a file of it is not what was sealed.
    fn whole(&self, damaged: Option<String>) -> Result<(), BackupError> {
        match damaged {
            None => Ok(()),
            Some(path) => Err(BackupError::Damaged {
                name: self.name.clone(),
                what: format!("`{path}` is not what was sealed"),
            }),
        }
    }

    fn load(path: &Path, name: &str) -> Result<Backup, BackupError> {
        use crate::system::files::AtPath;
        let file = path.join(MANIFEST);
        let text = std::fs::read(&file).at("read", &file)?;
        let unreadable = |reason: String| BackupError::Manifest {
            path: file.clone(),
            reason,
        };
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if !(OLDEST..=VERSION).contains(&manifest.version) {
            return Err(unreadable(format!(
                "it has version {}, this server knows the versions {OLDEST} to {VERSION}",
                manifest.version
            )));
        }
        Ok(Backup {
            name: name.to_owned(),
            path: path.to_owned(),
            manifest,
        })
    }

    fn save_manifest(&self) -> Result<(), BackupError> {
        let file = self.path.join(MANIFEST);
        let text =
            serde_json::to_vec_pretty(&self.manifest).map_err(|error| BackupError::Manifest {
                path: file.clone(),
                reason: error.to_string(),
            })?;
        Ok(crate::system::files::write_atomic(&file, &text, 0o644)?)
    }
}
