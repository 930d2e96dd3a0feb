use crate::system::files::{
    AtPath, FileError, create_dir, read_if_there, remove_if_there, write_atomic,
};
use git2::Oid;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The goals of checkouts into a slot, by number. A goal whose number is above the index's was not reached: paths of its
/// tree may be in the slot without being in the index.
#[derive(Debug, Default)]
pub(super) struct Intents(Vec<(u64, Oid)>);

impl Intents {
    /// Reads what was noted beside the index.
    pub(super) fn read(index_file: &Path) -> Result<Intents, FileError> {
        let text = read_if_there(&place(index_file))?.unwrap_or_default();
        let line = |line: &str| {
            let (number, tree) = line.split_once(' ')?;
            Some((number.parse().ok()?, Oid::from_str(tree).ok()?))
        };
        Ok(Intents(text.lines().filter_map(line).collect()))
    }

    /// The trees that were begun after checkout `number` and never completed.
    pub(super) fn after(&self, number: u64) -> Vec<Oid> {
        let unfinished = self.0.iter().filter(|(begun, _)| *begun > number);
        unfinished.map(|(_, tree)| *tree).collect()
    }

    /// The highest number so far.
    pub(super) fn latest(&self) -> u64 {
        self.0.iter().map(|(number, _)| *number).max().unwrap_or(0)
    }

    /// Notes a goal, durably, before the first change toward it. Goals that were reached are dropped on the way, once
    /// the index that says so is durable too.
    pub(super) fn add(
        &self,
        index_file: &Path,
        reached: u64,
        number: u64,
        tree: Oid,
    ) -> Result<(), FileError> {
        if let Some(parent) = index_file.parent() {
            create_dir(parent, 0o700)?;
        }
        match File::open(index_file) {
            Ok(index) => index.sync_data().at("sync", index_file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => Err(error).at("open", index_file)?,
        }
        let mut text: String = self
            .0
            .iter()
            .filter(|(begun, _)| *begun > reached)
            .map(|(begun, tree)| format!("{begun} {tree}\n"))
            .collect();
        text.push_str(&format!("{number} {tree}\n"));
        write_atomic(&place(index_file), text.as_bytes(), 0o600)
    }
}

/// Removes the notes.
pub(super) fn remove(index_file: &Path) -> Result<(), FileError> {
    let place = place(index_file);
    remove_if_there(&place).at("remove", &place)
}

fn place(index_file: &Path) -> PathBuf {
    index_file.with_extension("intent")
}
