//! Small repositories for tests, made with libgit2 alone.

use super::Repo;
use crate::domain::CommitId;
use git2::{Oid, Signature, Time};
use std::collections::BTreeMap;
use std::path::Path;

/// One path of a commit: git's mode word and the content.
pub(crate) type Files = BTreeMap<String, (i32, Vec<u8>)>;

/// The parts of a path, git's mode word and the content's id.
type Flat<'a> = (Vec<&'a str>, i32, Oid);

/// Makes a bare repository whose hooks are a program that does nothing.
pub(crate) fn bare(path: &Path) -> Repo {
    Repo::create(path, "main", 1 << 30, Path::new("/bin/true"))
        .unwrap()
        .0
}

/// Writes the tree of these files.
pub(crate) fn tree(repo: &Repo, files: &Files) -> Oid {
    let flat: Vec<Flat<'_>> = files
        .iter()
        .map(|(path, (mode, content))| {
            let id = if *mode == 0o160_000 {
                Oid::from_str("1111111111111111111111111111111111111111").unwrap()
            } else {
                repo.git().blob(content).unwrap()
            };
            (path.split('/').collect(), *mode, id)
        })
        .collect();
    folder(repo, &flat)
}

fn folder(repo: &Repo, files: &[Flat<'_>]) -> Oid {
    let mut below: BTreeMap<&str, Vec<Flat<'_>>> = BTreeMap::new();
    let mut builder = repo.git().treebuilder(None).unwrap();
    for (path, mode, id) in files {
        if let [name] = path[..] {
            builder.insert(name, *id, *mode).unwrap();
        } else {
            below
                .entry(path[0])
                .or_default()
                .push((path[1..].to_vec(), *mode, *id));
        }
    }
    for (name, files) in below {
        builder
            .insert(name, folder(repo, &files), 0o040_000)
            .unwrap();
    }
    builder.write().unwrap()
}

/// Commits a tree on top of `parent`, on no branch.
pub(crate) fn commit_tree(
    repo: &Repo,
    tree: Oid,
    message: &str,
    parent: Option<&CommitId>,
) -> CommitId {
    let git = repo.git();
    let who = Signature::new("Ann", "ann@example.org", &Time::new(1_700_000_000, 0)).unwrap();
    let tree = git.find_tree(tree).unwrap();
    let parent = parent.map(|id| {
        git.find_commit(Oid::from_str(id.as_str()).unwrap())
            .unwrap()
    });
    let parents: Vec<_> = parent.iter().collect();
    git.commit(None, &who, &who, message, &tree, &parents)
        .unwrap()
        .to_string()
        .parse()
        .unwrap()
}

/// Commits these files on top of `parent`, on no branch.
pub(crate) fn commit(
    repo: &Repo,
    files: &Files,
    message: &str,
    parent: Option<&CommitId>,
) -> CommitId {
    commit_tree(repo, tree(repo, files), message, parent)
}

/// Plain files by path and content.
pub(crate) fn files(list: &[(&str, &str)]) -> Files {
    list.iter()
        .map(|(path, content)| ((*path).to_owned(), (0o100_644, content.as_bytes().to_vec())))
        .collect()
}
