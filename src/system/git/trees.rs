//! Walks through whole trees of commits. A few kilobytes of trees that contain each other unfold to any number of names, as
//! deep as anybody likes, so each walk has its bounds.

use super::read::clean;
use super::{GitError, Repo, plain};
use crate::domain::CommitId;
use git2::{ObjectType, Oid, Tree};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// No build nests folders this deep.
const DEPTH: usize = 200;
/// No release has this many files.
const NAMES: usize = 2_000_000;
/// Nobody reads about more changes than this.
const CHANGES: usize = 100_000;

impl Repo {
    /// A digest of the names, modes and contents of the files below `dir` that `chosen` picks by their path in it.
    pub fn digest_of(
        &self,
        commit: &CommitId,
        dir: &str,
        chosen: impl Fn(&str) -> bool,
    ) -> Result<String, GitError> {
        let mut tree = self.tree(commit)?;
        let dir = clean(dir);
        if !dir.is_empty() {
            let found = self
                .entry(commit, dir)?
                .filter(|entry| entry.kind() == Some(ObjectType::Tree));
            let Some(entry) = found else {
                return Ok(String::new());
            };
            tree = self.folder(entry.id())?;
        }
        let mut digest = Sha256::new();
        let mut walk = Walk {
            repo: self,
            left: NAMES,
        };
        let mut line = String::new();
        walk.files(&tree, &mut String::new(), 0, &mut |path, mode, id| {
            if chosen(path) {
                line.clear();
                // Writing to a String cannot fail.
                let _ = write!(line, "{mode:o} {id} {path}\0");
                digest.update(&line);
            }
        })?;
        Ok(hex::encode(digest.finalize()))
    }

    /// The paths whose content or mode differs between two commits, removed and added ones included, sorted; of very many,
    /// the first.
    pub fn changed_paths(&self, old: &CommitId, new: &CommitId) -> Result<Vec<String>, GitError> {
        let mut found = Changes {
            walk: Walk {
                repo: self,
                left: NAMES,
            },
            paths: Vec::new(),
        };
        let (old, new) = (self.tree(old)?, self.tree(new)?);
        if old.id() != new.id() {
            found.between(Some(old), Some(new), &mut String::new(), 0)?;
        }
        found.paths.sort();
        found.paths.dedup();
        Ok(found.paths)
    }

    fn folder(&self, id: Oid) -> Result<Tree<'_>, GitError> {
        self.git
            .find_tree(id)
            .map_err(self.error("read a folder of a commit"))
    }
}

/// A walk, and how many names it may still see.
struct Walk<'a> {
    repo: &'a Repo,
    left: usize,
}

impl Walk<'_> {
    /// Shows each file, link and submodule below the tree: its path, its mode and its id.
    fn files(
        &mut self,
        tree: &Tree<'_>,
        path: &mut String,
        depth: usize,
        show: &mut dyn FnMut(&str, i32, Oid),
    ) -> Result<(), GitError> {
        for entry in tree {
            let length = path.len();
            path.push_str(&String::from_utf8_lossy(entry.name_bytes()));
            self.pass(path, depth)?;
            if entry.kind() == Some(ObjectType::Tree) {
                path.push('/');
                let below = self.repo.folder(entry.id())?;
                self.files(&below, path, depth + 1, show)?;
            } else {
                show(path, entry.filemode_raw(), entry.id());
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// Counts one more name.
    fn pass(&mut self, path: &str, depth: usize) -> Result<(), GitError> {
        match self.left.checked_sub(1) {
            Some(left) if depth <= DEPTH => {
                self.left = left;
                Ok(())
            }
            _ => Err(GitError::Endless(plain(path, 80))),
        }
    }
}

/// One name on either side of a comparison: mode and id.
type Side = Option<(i32, Oid)>;

struct Changes<'a> {
    walk: Walk<'a>,
    paths: Vec<String>,
}

impl Changes<'_> {
    fn between(
        &mut self,
        old: Option<Tree<'_>>,
        new: Option<Tree<'_>>,
        path: &mut String,
        depth: usize,
    ) -> Result<(), GitError> {
        let mut names: BTreeMap<Vec<u8>, (Side, Side)> = BTreeMap::new();
        for entry in old.iter().flatten() {
            let side = Some((entry.filemode_raw(), entry.id()));
            names.entry(entry.name_bytes().to_vec()).or_default().0 = side;
        }
        for entry in new.iter().flatten() {
            let side = Some((entry.filemode_raw(), entry.id()));
            names.entry(entry.name_bytes().to_vec()).or_default().1 = side;
        }
        for (name, (old, new)) in names {
            if old == new {
                continue;
            }
            if self.paths.len() >= CHANGES {
                return Ok(());
            }
            let length = path.len();
            path.push_str(&String::from_utf8_lossy(&name));
            self.walk.pass(path, depth)?;
            let is_file = |side: Side| side.is_some_and(|(mode, _)| !is_folder(mode));
            if is_file(old) || is_file(new) {
                self.paths.push(path.clone());
            }
            let (old, new) = (self.tree(old)?, self.tree(new)?);
            if old.is_some() || new.is_some() {
                path.push('/');
                self.between(old, new, path, depth + 1)?;
            }
            path.truncate(length);
        }
        Ok(())
    }
}

impl<'a> Changes<'a> {
    fn tree(&self, side: Side) -> Result<Option<Tree<'a>>, GitError> {
        let folder = side.filter(|(mode, _)| is_folder(*mode));
        folder.map(|(_, id)| self.walk.repo.folder(id)).transpose()
    }
}

fn is_folder(mode: i32) -> bool {
    mode & 0o170_000 == 0o040_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::git::testing::bare;

    /// A commit whose tree holds itself `wide` times in each of `deep` folders inside each other.
    fn unfolding(repo: &Repo, wide: usize, deep: usize) -> CommitId {
        let git = repo.git();
        let mut below = (git.blob(b"x").unwrap(), 0o100_644);
        for _ in 0..deep {
            let mut tree = git.treebuilder(None).unwrap();
            for n in 0..wide {
                tree.insert(format!("n{n}"), below.0, below.1).unwrap();
            }
            below = (tree.write().unwrap(), 0o040_000);
        }
        let tree = git.find_tree(below.0).unwrap();
        let who = git2::Signature::new("a", "a@b", &git2::Time::new(0, 0)).unwrap();
        let id = git.commit(None, &who, &who, "m", &tree, &[]).unwrap();
        id.to_string().parse().unwrap()
    }

    #[test]
    fn trees_without_end_are_not_walked_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let repo = bare(&dir.path().join("r.git"));
        let plain = unfolding(&repo, 2, 2);
        assert_eq!(repo.changed_paths(&plain, &plain).unwrap().len(), 0);
        // A hundred million files; and a folder ten thousand deep, which no stack holds.
        for bomb in [unfolding(&repo, 10, 8), unfolding(&repo, 1, 10_000)] {
            let digest = repo.digest_of(&bomb, ".", |_| true);
            assert!(matches!(digest, Err(GitError::Endless(_))), "{digest:?}");
            match repo.changed_paths(&plain, &bomb) {
                Ok(paths) => assert_eq!(paths.len(), CHANGES),
                Err(error) => assert!(matches!(error, GitError::Endless(_))),
            }
        }
    }

    #[test]
    fn a_folder_that_became_a_file_is_all_of_its_files_and_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let repo = bare(&dir.path().join("r.git"));
        let (folder, file) = (unfolding(&repo, 2, 2), unfolding(&repo, 1, 1));
        let changed = repo.changed_paths(&folder, &file).unwrap();
        assert_eq!(changed, ["n0", "n0/n0", "n0/n1", "n1/n0", "n1/n1"]);
        assert_eq!(repo.changed_paths(&file, &folder).unwrap(), changed);
    }
}
