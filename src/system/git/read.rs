use super::{GitError, Repo, commit_id, oid, plain};
use crate::domain::CommitId;
use git2::{ErrorCode, ObjectType, Oid, Sort, Tree};
use std::path::Path;

/// What people are shown of a commit. All text is one line, without control characters, cut to size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Which commit.
    pub id: CommitId,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// When it was committed, in milliseconds since the epoch.
    pub time_ms: i64,
}

/// One name in a folder of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// The name; bytes that are no UTF-8 are shown as replacement characters.
    pub name: String,
    /// What it is.
    pub kind: TreeEntryKind,
}

/// What a name in a commit stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Another repository's commit.
    Module,
}

impl TreeEntryKind {
    /// The kind that git's mode word tells.
    pub(crate) fn of_mode(mode: i32) -> TreeEntryKind {
        match mode & 0o170_000 {
            0o040_000 => TreeEntryKind::Folder,
            0o120_000 => TreeEntryKind::Link,
            0o160_000 => TreeEntryKind::Module,
            _ => TreeEntryKind::File,
        }
    }
}

impl Repo {
    /// Author, subject and time of a commit.
    pub fn commit_info(&self, commit: &CommitId) -> Result<CommitInfo, GitError> {
        let found = self
            .git
            .find_commit(oid(commit)?)
            .map_err(self.error(format!("read the commit {}", commit.short())))?;
        let message = String::from_utf8_lossy(found.message_bytes());
        let first = message
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Ok(CommitInfo {
            id: commit.clone(),
            author: plain(&String::from_utf8_lossy(found.author().name_bytes()), 100),
            subject: plain(first.trim(), 200),
            time_ms: found.time().seconds().saturating_mul(1000),
        })
    }

    /// The commits that `new` has and `old` has not, newest first, `limit` at most. Without `old`: the history of `new`.
    pub fn log_between(
        &self,
        old: Option<&CommitId>,
        new: &CommitId,
        limit: usize,
    ) -> Result<Vec<CommitInfo>, GitError> {
        let ids = || -> Result<Vec<Oid>, git2::Error> {
            let mut walk = self.git.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
            walk.push(Oid::from_str(new.as_str())?)?;
            if let Some(old) = old {
                // A forced push may have removed what served before; then there is nothing to leave out.
                if let Ok(old) = Oid::from_str(old.as_str()) {
                    let _ = walk.hide(old);
                }
            }
            walk.take(limit).collect()
        };
        ids()
            .map_err(self.error("read the history"))?
            .into_iter()
            .map(|id| self.commit_info(&commit_id(id)?))
            .collect()
    }

    /// The id of the commit's tree.
    pub fn tree_id(&self, commit: &CommitId) -> Result<String, GitError> {
        Ok(self.tree(commit)?.id().to_string())
    }

    /// The id of the file or folder at a path of the commit; `.` is the whole tree. Equal ids mean equal content.
    pub fn id_at(&self, commit: &CommitId, path: &str) -> Result<Option<String>, GitError> {
        let path = clean(path);
        if path.is_empty() {
            return self.tree_id(commit).map(Some);
        }
        Ok(self
            .entry(commit, path)?
            .map(|entry| entry.id().to_string()))
    }

    /// The content of a file of the commit. Nothing when it is not there, is no regular file, or is larger than `cap`.
    pub fn read_file(
        &self,
        commit: &CommitId,
        path: &str,
        cap: usize,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let Some(entry) = self.entry(commit, clean(path))? else {
            return Ok(None);
        };
        if entry.kind() != Some(ObjectType::Blob)
            || TreeEntryKind::of_mode(entry.filemode_raw()) != TreeEntryKind::File
        {
            return Ok(None);
        }
        let act = || self.error(format!("read {}", plain(path, 80)));
        let odb = self.git.odb().map_err(act())?;
        let (size, _) = odb.read_header(entry.id()).map_err(act())?;
        if size > cap {
            return Ok(None);
        }
        let object = odb.read(entry.id()).map_err(act())?;
        Ok(Some(object.data().to_vec()))
    }

    /// The names in a folder of the commit, in git's order; `.` is the top. Nothing when there is no such folder.
    pub fn list(&self, commit: &CommitId, dir: &str) -> Result<Option<Vec<TreeEntry>>, GitError> {
        let dir = clean(dir);
        let tree = if dir.is_empty() {
            self.tree(commit)?
        } else {
            match self.entry(commit, dir)? {
                Some(entry) if entry.kind() == Some(ObjectType::Tree) => self
                    .git
                    .find_tree(entry.id())
                    .map_err(self.error("read a folder"))?,
                _ => return Ok(None),
            }
        };
        let entries = tree.iter().map(|entry| TreeEntry {
            name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
            kind: TreeEntryKind::of_mode(entry.filemode_raw()),
        });
        Ok(Some(entries.collect()))
    }

    pub(crate) fn tree(&self, commit: &CommitId) -> Result<Tree<'_>, GitError> {
        self.git
            .find_commit(oid(commit)?)
            .and_then(|found| found.tree())
            .map_err(self.error(format!("read the commit {}", commit.short())))
    }

    pub(super) fn entry(
        &self,
        commit: &CommitId,
        path: &str,
    ) -> Result<Option<git2::TreeEntry<'static>>, GitError> {
        // A commit has no such names, whatever a recipe or a request says.
        let leaves = path
            .split('/')
            .any(|part| matches!(part, "" | "." | "..") || part.contains('\0'));
        if leaves {
            return Ok(None);
        }
        match self.tree(commit)?.get_path(Path::new(path)) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.error(format!("look for {}", plain(path, 80)))(error)),
        }
    }
}

/// The path as git writes it: no `./` in front, no `/` at the end.
pub(super) fn clean(path: &str) -> &str {
    let path = path.trim_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { "" } else { path }
}
