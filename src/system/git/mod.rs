//! The bare repositories: what is read from them goes through libgit2, which runs no hook, no filter and no
//! configuration of a user's; what is fetched goes through the `git` program, hardened (see [`Remote`]).

mod create;
mod credentials;
mod program;
mod read;
mod refs;
mod settle;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transport;
mod trees;

pub use create::HooksInstalled;
pub use read::{CommitInfo, TreeEntry, TreeEntryKind};
pub use transport::{Fetch, Remote, maintain};

use super::files::FileError;
use crate::domain::CommitId;
use git2::{Oid, Repository, RepositoryOpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

/// Why something could not be done with a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no usable repository there.
    #[error("cannot open the repository {}: {}", path.display(), source.message())]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// libgit2's reason.
        source: git2::Error,
    },
    /// The repository could not be read or changed.
    #[error("cannot {act} in {}: {}", path.display(), source.message())]
    Local {
        /// What was tried.
        act: String,
        /// In which repository.
        path: PathBuf,
        /// libgit2's reason.
        source: git2::Error,
    },
    /// A word that is no branch, tag or commit of this repository.
    #[error("`{0}` is no branch, tag or commit of this repository")]
    Unknown(String),
    /// The beginning of more than one commit's id.
    #[error("`{0}` is the beginning of more than one commit id: give more of its digits")]
    Ambiguous(String),
    /// Not a ref's full name, or one that git itself would refuse.
    #[error("`{0}` cannot be a ref name")]
    RefName(String),
    /// A ref is not where it was expected, so it was not moved.
    #[error(
        "{name} was moved by somebody else meanwhile: expected it at {expected}, found it at {found}"
    )]
    Moved {
        /// The ref.
        name: String,
        /// Where the caller saw it last.
        expected: String,
        /// Where it is now.
        found: String,
    },
    /// The `git` program could not be started.
    #[error("cannot start `git`: {0}")]
    Start(std::io::Error),
    /// A remote that is not spoken to.
    #[error("`{0}` is no remote that can be fetched from: use https, http or ssh")]
    Remote(String),
    /// git could not fetch; its own last words, free of secrets.
    #[error("git could not fetch from {remote}: {words}")]
    Fetch {
        /// The remote, without credentials.
        remote: String,
        /// What git said.
        words: String,
    },
    /// The fetch took too long.
    #[error("git had not fetched from {remote} after {} s and was stopped", limit.as_secs())]
    Deadline {
        /// The remote, without credentials.
        remote: String,
        /// How long it was given.
        limit: Duration,
    },
    /// Trees that unfold to more than a release can have.
    #[error("the commit has more files, or nests them deeper, than a release can: see `{0}`")]
    Endless(String),
    /// The remote sent more than it may.
    #[error(
        "{remote} sends more than the {:.1} MB that one fetch may bring; `largest_push` of the app in teal.toml says how much",
        *limit as f64 / 1e6
    )]
    TooLarge {
        /// The remote, without credentials.
        remote: String,
        /// How many bytes one fetch may bring.
        limit: u64,
    },
    /// A file of the repository could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One app's bare repository. Opening it costs well under a millisecond; every thread opens its own.
pub struct Repo {
    path: PathBuf,
    git: Repository,
}

impl Repo {
    /// Opens the repository at exactly this path; no parent folder is searched, no user's configuration is read.
    pub fn open(path: &Path) -> Result<Repo, GitError> {
        apart_from_the_machine();
        let flags = RepositoryOpenFlags::NO_SEARCH
            | RepositoryOpenFlags::BARE
            | RepositoryOpenFlags::NO_DOTGIT;
        let none: [&Path; 0] = [];
        let git = Repository::open_ext(path, flags, none).map_err(|source| GitError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Repo {
            path: path.to_owned(),
            git,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// libgit2's handle, for the code that walks trees.
    pub(crate) fn git(&self) -> &Repository {
        &self.git
    }

    /// Words a libgit2 error with the repository and what was tried.
    pub(crate) fn error(&self, act: impl Into<String>) -> impl FnOnce(git2::Error) -> GitError {
        let act = act.into();
        let path = self.path.clone();
        move |source| GitError::Local { act, path, source }
    }
}

/// The id as libgit2 knows it.
pub(crate) fn oid(commit: &CommitId) -> Result<Oid, GitError> {
    Oid::from_str(commit.as_str()).map_err(|_| GitError::Unknown(commit.to_string()))
}

fn commit_id(oid: Oid) -> Result<CommitId, GitError> {
    let text = oid.to_string();
    text.parse().map_err(|_| GitError::Unknown(text))
}

/// Text from a stranger as it may stand in a message: one line, no control characters, cut to `limit` characters.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    let mut plain: String = text
        .chars()
        .filter(|c| !c.is_control() && !is_direction_mark(*c))
        .take(limit)
        .collect();
    if text.chars().nth(limit).is_some() && plain.chars().count() == limit {
        plain.pop();
        plain.push('…');
    }
    plain
}

/// Marks that reorder text on a screen and can make one word look like another.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// libgit2 would read `/etc/gitconfig` and the home folder's, and refuses repositories of another user. Neither fits a
/// server whose repositories are its own and whose answers must not depend on the machine's configuration.
fn apart_from_the_machine() {
    use git2::ConfigLevel::{Global, ProgramData, System, XDG};
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for level in [System, Global, XDG, ProgramData] {
            // SAFETY: the options are global to libgit2 and not guarded by a lock; `Once` keeps every other thread that
            // wants a repository waiting until they are set, and nothing sets them again.
            let _ = unsafe { git2::opts::set_search_path(level, "") };
        }
        // SAFETY: as above.
        let _ = unsafe { git2::opts::set_verify_owner_validation(false) };
        // What it writes itself (the refs that the server moves and holds) outlasts a power cut.
        // SAFETY: as above; this option takes one integer.
        let _ = unsafe {
            libgit2_sys::git_libgit2_opts(libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as i32, 1_i32)
        };
    });
}
