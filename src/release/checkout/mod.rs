//! Makes a slot's tracked files equal a commit's tree and writes only what differs.
//!
//! Beside the slot, never in it, an index remembers what was written: path, object id, and what the system said about
//! each file right after. Before anything is changed every one of these files is looked at again, so that a file that
//! somebody touched behind our back is noticed even with its old size and times (the system keeps its own change time).
//! What looks different is compared by content, and written anew if it is different.
//!
//! An interrupted checkout is recognised by its intent: before the first change the goal is noted beside the index, and
//! a goal that no index completed tells the next checkout which paths may be left over.

mod apply;
mod index;
mod intent;
mod look;
mod plan;
#[cfg(test)]
mod property;
mod room;
#[cfg(test)]
mod tests;

use super::walk::both;
use crate::domain::{CommitId, Mode};
use crate::system::files::FileError;
use crate::system::folder::Folder;
use crate::system::git::{GitError, Repo};
use git2::Oid;
use index::Index;
pub(super) use index::for_a_copy;
use intent::Intents;
use plan::Plan;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The file in a slot that holds the commit it was built from. It is the server's own; a repository's is ignored.
pub(super) const BUILD_HASH: &str = ".build-hash";

/// Why a commit could not be checked out.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The repository could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The slot could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name that would reach beyond its folder, or that git keeps for itself.
    #[error("the commit has the name `{0}`, which cannot be checked out")]
    Name(String),
    /// More folders inside each other than any build makes.
    #[error("the commit nests folders more than {limit} deep, at `{path}`")]
    TooDeep {
        /// Where.
        path: String,
        /// How deep they may be.
        limit: usize,
    },
    /// More files than a release can have.
    #[error("the commit has more than {0} files and folders, or paths without end")]
    TooMany(usize),
    /// A file that nobody keeps in a repository: it is held in memory while it is written.
    #[error("`{path}` has {:.1} MB, and files of more than {:.1} MB are not checked out", *bytes as f64 / 1e6, *limit as f64 / 1e6)]
    TooLarge {
        /// Where.
        path: String,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// What would be written is more than there is room for.
    #[error("No space left for the commit's files in {}: {told}", place.display())]
    NoRoom {
        /// The slot.
        place: PathBuf,
        /// What is needed, and what is free.
        told: String,
    },
}

/// What a checkout did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedOut {
    /// Files and links written.
    pub written: usize,
    /// Files, links and folders removed because the commit no longer has them.
    pub removed: usize,
    /// Files and links left as they were.
    pub unchanged: usize,
    /// Why the slot was emptied first, untracked files included; absent when it was not, or was empty anyway.
    pub emptied: Option<String>,
    /// What people should know: submodules left empty, links that lead out of the release.
    pub notes: Vec<String>,
}

/// Makes the tracked files in `slot` equal the commit's tree. `Mode::Full` empties the slot first; `Mode::Fast` keeps
/// what is not tracked (dependencies, build caches). The index is kept at `index_file`, outside the slot. Whatever
/// happens, the slot's `.build-hash` is gone afterwards: it is not built until somebody says so.
pub fn checkout(
    repo: &Repo,
    commit: &CommitId,
    slot: &Path,
    index_file: &Path,
    mode: Mode,
) -> Result<CheckedOut, CheckoutError> {
    let tree = repo.tree(commit)?.id();
    let folder = Folder::open(slot)?;
    folder.remove(OsStr::new(BUILD_HASH))?;
    let mut done = CheckedOut::default();
    let old = start_from(&folder, index_file, mode, &mut done)?;
    let intents = Intents::read(index_file)?;
    let unfinished = old.as_ref().map_or(vec![], |old| intents.after(old.number));
    let old = match old {
        Some(_)
            if !unfinished
                .iter()
                .all(|tree| repo.git().find_tree(*tree).is_ok()) =>
        {
            empty(&folder, index_file)?;
            done.emptied =
                Some("an earlier checkout was interrupted and its commit is gone".to_owned());
            None
        }
        other => other,
    };
    let old = old.unwrap_or_else(Index::nothing);
    let number = intents.latest().max(old.number) + 1;
    // With no index at all there is nothing that a leftover path could be mistaken for: the slot was empty.
    let goal = old.tree.is_some_and(|old| old != tree);
    // The disk takes its time for the note, and the look at every file needs none of the disk's.
    let note = || match goal {
        true => intents.add(index_file, old.number, number, tree),
        false => Ok(()),
    };
    let (noted, seen) = both(note, || look::look(&folder, &old));
    noted?;
    let mut plan = Plan::make(repo, tree, &old, &seen?)?;
    plan.remove_leftovers(repo, &unfinished)?;
    if plan.nothing_to_do() && old.tree == Some(tree) && unfinished.is_empty() {
        done.unchanged = plan.index.files();
        return Ok(done);
    }
    room::look(repo, &folder, &plan)?;
    apply::apply(repo, &folder, &mut plan, &mut done)?;
    plan.index.number = number;
    plan.index.tree = Some(tree);
    plan.index.save(index_file)?;
    Ok(done)
}

/// Forgets what was checked out, durably: the next checkout into the slot empties it first. To be called before
/// anything else fills or empties the slot.
pub fn forget(index_file: &Path) -> Result<(), FileError> {
    index::remove(index_file)
}

/// Notes that nothing is checked out in an empty slot, so that what is put into it now counts as untracked and stays.
pub fn begin_empty(slot: &Path, index_file: &Path) -> Result<bool, CheckoutError> {
    let is_empty = Folder::open(slot)?.entries()?.is_empty();
    if is_empty {
        forget(index_file)?;
        Index::nothing().save(index_file)?;
    }
    Ok(is_empty)
}

/// The paths of those files and links that are checked out, as far as it is known, and that `chosen` picks.
pub(super) fn tracked(
    index_file: &Path,
    chosen: impl Fn(&[u8]) -> bool,
) -> Result<HashSet<Vec<u8>>, CheckoutError> {
    let index = Index::load(index_file)?.unwrap_or_else(Index::nothing);
    let entries = index.entries.iter();
    let paths = entries
        .filter(|entry| entry.kind.has_content())
        .map(|entry| index.path(entry));
    Ok(paths
        .filter(|path| chosen(path))
        .map(<[u8]>::to_vec)
        .collect())
}

/// The index to start from; the slot is emptied when there is none to be trusted or a full checkout is asked for.
fn start_from(
    folder: &Folder,
    index_file: &Path,
    mode: Mode,
    done: &mut CheckedOut,
) -> Result<Option<Index>, CheckoutError> {
    let reason = match mode {
        Mode::Full => "a full deployment starts from an empty slot",
        Mode::Fast => match Index::load(index_file)? {
            Some(index) => return Ok(Some(index)),
            None => "nothing tells which of its files are tracked",
        },
    };
    if !folder.entries()?.is_empty() {
        done.emptied = Some(reason.to_owned());
    }
    empty(folder, index_file)?;
    Ok(None)
}

fn empty(folder: &Folder, index_file: &Path) -> Result<(), FileError> {
    forget(index_file)?;
    folder.empty()
}

/// The hexadecimal id that git gives to this content.
fn blob_id(content: &[u8]) -> Option<Oid> {
    Oid::hash_object(git2::ObjectType::Blob, content).ok()
}
