use super::{Backup, BackupError, MANIFEST, SEALED};
use crate::domain::{Color, DeploymentId};
use crate::release::tree::{Listing, Store, distinct_bytes};
use crate::system::clock;
use crate::system::files::{AtPath, FileError, create_dir};
use crate::system::folder::Folder;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The backups of one environment.
#[derive(Debug, Clone)]
pub struct Shelf {
    dir: PathBuf,
}

/// How the names of backups begin.
const NAMED: &str = "backup-";

/// What is being made or taken away has a name that no listing shows.
pub(super) const SEALING: &str = ".sealing-";
const REMOVING: &str = ".removing-";

impl Shelf {
    /// The backups kept in this folder (`<root>/.backups`), which is made when the first one is.
    pub fn new(dir: impl Into<PathBuf>) -> Shelf {
        Shelf { dir: dir.into() }
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn open(&self) -> Result<Folder, FileError> {
        create_dir(&self.dir, 0o755)?;
        Folder::open(&self.dir)
    }

    /// The sealed files of all backups.
    pub(super) fn store(&self) -> Store {
        Store::new(self.dir.join(SEALED))
    }

    /// The text of the link from a backup to its files.
    pub(super) fn way(&self, listing: &Listing) -> PathBuf {
        Path::new("..").join(SEALED).join(Store::place(listing, 0))
    }

    /// All backups, the oldest deployment first. A folder without a readable manifest is no backup.
    pub fn list(&self) -> Result<Vec<Backup>, BackupError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let mut backups = Vec::new();
        for entry in self.open()?.entries()? {
            let Some(name) = entry.name.to_str().filter(|name| name.starts_with(NAMED)) else {
                continue;
            };
            let path = self.dir.join(name);
            if !path.join(MANIFEST).exists() {
                continue;
            }
            match Backup::load(&path, name) {
                Ok(backup) => backups.push(backup),
                Err(error) => tracing::warn!("a backup is left out: {error}"),
            }
        }
        backups.sort_by(|a, b| {
            let age = |backup: &Backup| backup.manifest.about.deployment;
            (age(a), &a.name).cmp(&(age(b), &b.name))
        });
        Ok(backups)
    }

    /// The backup whose lists a new one's will differ from least: a slot's files keep their times from one release to the
    /// next.
    pub(super) fn likest(&self, color: Color) -> Result<Option<Backup>, BackupError> {
        let backups = self.list()?;
        let own = |backup: &&Backup| backup.manifest.about.color == color;
        let newest = backups.iter().rev().find(own).or(backups.last());
        Ok(newest.cloned())
    }

    /// The backup of that name, or the newest one of the deployment of that number.
    pub fn find(&self, word: &str) -> Result<Backup, BackupError> {
        let is_name = word.starts_with(NAMED) && !word.contains('/');
        if is_name && self.dir.join(word).join(MANIFEST).exists() {
            return Backup::load(&self.dir.join(word), word);
        }
        let number: Option<DeploymentId> = word.trim_start_matches('#').parse().ok();
        let wanted = |backup: &Backup| {
            backup.name == word || number == Some(backup.manifest.about.deployment)
        };
        let found = self.list()?.into_iter().rev().find(wanted);
        found.ok_or_else(|| {
            BackupError::Unknown(
                word.chars()
                    .take(60)
                    .collect::<String>()
                    .escape_debug()
                    .to_string(),
            )
        })
    }

    /// Notes that the sealed release served: from now on it counts among those that are kept.
    pub fn mark_served(&self, name: &str) -> Result<(), BackupError> {
        let mut backup = self.find(name)?;
        if !backup.manifest.served {
            backup.manifest.served = true;
            backup.save_manifest()?;
        }
        Ok(())
    }

    /// Removes the backup of that name; one that is not there is fine.
    pub fn remove(&self, name: &str) -> Result<(), BackupError> {
        if !name.starts_with(NAMED) || name.contains('/') {
            return Err(BackupError::Unknown(name.escape_debug().to_string()));
        }
        let folder = self.open()?;
        if folder.stat(OsStr::new(name))?.is_none() {
            return Ok(());
        }
        // Taken out of sight in one move: what is removed half is never listed or restored.
        let doomed = format!("{REMOVING}{name}");
        folder.remove(OsStr::new(&doomed))?;
        folder.take(&folder, OsStr::new(name), OsStr::new(&doomed))?;
        folder.remove(OsStr::new(&doomed))?;
        Ok(())
    }

    /// Removes the backups of releases that never served, except the pinned ones; says which.
    pub fn discard_unserved(&self, pinned: &BTreeSet<String>) -> Result<Vec<String>, BackupError> {
        let unserved = |backup: &Backup| !backup.manifest.served;
        self.remove_all(self.list()?.into_iter().filter(unserved), pinned)
    }

    /// Keeps the `keep` newest backups that served and the pinned ones; removes all others that served. Says which.
    pub fn prune(
        &self,
        keep: usize,
        pinned: &BTreeSet<String>,
    ) -> Result<Vec<String>, BackupError> {
        let served = self
            .list()?
            .into_iter()
            .filter(|backup| backup.manifest.served);
        let served: Vec<Backup> = served.collect();
        let surplus = served.len().saturating_sub(keep);
        self.remove_all(served.into_iter().take(surplus), pinned)
    }

    fn remove_all(
        &self,
        backups: impl Iterator<Item = Backup>,
        pinned: &BTreeSet<String>,
    ) -> Result<Vec<String>, BackupError> {
        let mut removed = Vec::new();
        for backup in backups.filter(|backup| !pinned.contains(&backup.name)) {
            self.remove(&backup.name)?;
            removed.push(backup.name);
        }
        Ok(removed)
    }

    /// Keeps the newest of the backups that served whose files are together no larger than `most`, and the pinned ones;
    /// removes all others. Says which.
    pub fn shrink(&self, most: u64, pinned: &BTreeSet<String>) -> Result<Vec<String>, BackupError> {
        let mut kept = Vec::new();
        for backup in self.list()? {
            kept.push((backup.listing()?, backup));
        }
        let mut removed = Vec::new();
        while distinct_bytes(kept.iter().map(|(listing, _)| listing)) > most {
            let oldest = kept
                .iter()
                .position(|(_, backup)| !pinned.contains(&backup.name));
            let Some(oldest) = oldest else { break };
            let (_, backup) = kept.remove(oldest);
            self.remove(&backup.name)?;
            removed.push(backup.name);
        }
        Ok(removed)
    }

    /// Removes what an interrupted sealing or removal left behind, and every sealed file that neither a backup has nor one
    /// of these ledgers leans on. Only while nothing is being sealed here.
    pub fn sweep(&self, ledgers: &[PathBuf]) -> Result<(), BackupError> {
        if !self.dir.exists() {
            return Ok(());
        }
        let folder = self.open()?;
        for entry in folder.entries()? {
            let name = entry.name.to_string_lossy();
            if name.starts_with(SEALING) || name.starts_with(REMOVING) {
                folder.remove(&entry.name)?;
            }
        }
        let mut wanted = Vec::new();
        for backup in self.list()? {
            // Whatever a list that cannot be read still has stays in the store.
            wanted.push(backup.listing()?);
        }
        wanted.append(&mut self.sweep_installed()?);
        for ledger in ledgers {
            wanted.extend(Listing::remembered(ledger)?);
        }
        Ok(self.store().sweep(&wanted)?)
    }

    /// A name that nothing has, even if the clock was put back.
    pub(super) fn free_name(&self, created_ms: i64) -> Result<String, FileError> {
        let first = format!("{NAMED}{}", clock::stamp(created_ms));
        let mut name = first.clone();
        let mut number = 2;
        // The files of a backup that was removed may still be shared under its name.
        while self.dir.join(&name).try_exists().at("look at", &self.dir)?
            || self.store().has(&name)?
        {
            name = format!("{first}-{number}");
            number += 1;
        }
        Ok(name)
    }
}
