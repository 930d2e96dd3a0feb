use super::{GitError, Repo, commit_id, oid, plain};
use crate::domain::CommitId;
use crate::system::fault;
use git2::{ErrorCode, ObjectType, Oid, Reference};

/// Where a fetch puts the branches and tags of the remote, apart from what was pushed here.
pub(super) const REMOTE: &str = "refs/teal-remote";

impl Repo {
    /// The commit that a word means: a full ref, a branch, a tag, a full commit id or the beginning of one (at least
    /// four digits). Annotated tags are peeled. What was pushed here comes before what was fetched.
    pub fn resolve(&self, rev: &str) -> Result<CommitId, GitError> {
        let unknown = || GitError::Unknown(plain(rev, 80));
        if let Ok(commit) = rev.parse::<CommitId>() {
            return self.peel(oid(&commit)?)?.ok_or_else(unknown);
        }
        for name in candidates(rev) {
            if let Some(target) = self.ref_target(&name)? {
                return self.peel(target)?.ok_or_else(unknown);
            }
        }
        let digits = (4..40).contains(&rev.len()) && rev.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits {
            return Err(unknown());
        }
        match self.git.find_commit_by_prefix(rev) {
            Ok(commit) => commit_id(commit.id()),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                Err(GitError::Ambiguous(rev.to_owned()))
            }
            Err(_) => Err(unknown()),
        }
    }

    /// Whether the commit is here, whole enough to be read.
    pub fn contains(&self, commit: &CommitId) -> Result<bool, GitError> {
        match self.git.find_commit(oid(commit)?) {
            Ok(found) => Ok(found.tree().is_ok()),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(self.error("look for a commit")(error)),
        }
    }

    /// The tip that a ref (`refs/heads/main`, `refs/tags/v1`) had on the remote when it was last fetched, as a commit.
    pub fn remote_tip(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        match name.strip_prefix("refs/") {
            Some(rest) => self.tip(&format!("{REMOTE}/{rest}")),
            None => Err(GitError::RefName(plain(name, 80))),
        }
    }

    /// The commit that a full ref points to; nothing when there is no such ref, or it leads to no commit.
    pub fn tip(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        match self.ref_target(name)? {
            Some(target) => self.peel(target),
            None => Ok(None),
        }
    }

    /// The refs whose full name matches a glob (`refs/heads/*`), each with the commit it leads to, by name.
    pub fn refs(&self, glob: &str) -> Result<Vec<(String, CommitId)>, GitError> {
        let found = self
            .git
            .references_glob(glob)
            .map_err(self.error("list the refs"))?;
        let mut refs = Vec::new();
        for reference in found {
            let reference = reference.map_err(self.error("list the refs"))?;
            // A name that is no UTF-8 cannot be configured either, so nobody asks for it.
            let (Ok(name), Some(target)) = (reference.name(), reference.target()) else {
                continue;
            };
            if let Some(commit) = self.peel(target)? {
                refs.push((name.to_owned(), commit));
            }
        }
        refs.sort();
        Ok(refs)
    }

    /// Keeps a commit from being collected for as long as its deployment is remembered: `refs/teal/<id>`.
    pub fn hold(&self, id: i64, commit: &CommitId) -> Result<(), GitError> {
        fault::point("hold: before");
        self.git
            .reference(&held(id), oid(commit)?, true, "held for a deployment")
            .map_err(self.error(format!("hold {}", commit.short())))?;
        fault::point("hold: after");
        Ok(())
    }

    /// Lets go of what [`Repo::hold`] kept.
    pub fn release_hold(&self, id: i64) -> Result<(), GitError> {
        self.delete_ref(&held(id))
    }

    /// Removes a ref; one that is not there is fine.
    pub fn delete_ref(&self, name: &str) -> Result<(), GitError> {
        match self.git.find_reference(name) {
            Ok(mut reference) => reference
                .delete()
                .map_err(self.error(format!("delete {}", plain(name, 80)))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(error) => Err(self.error("look for a ref")(error)),
        }
    }

    /// Moves a ref to `new` (an object id: for an annotated tag the tag's own), but only if it still is at `old`; an
    /// `old` of zeros means that the ref must not exist yet, a `new` of zeros deletes it.
    pub fn compare_and_swap_ref(
        &self,
        name: &str,
        old: &CommitId,
        new: &CommitId,
    ) -> Result<(), GitError> {
        if !Reference::is_valid_name(name) {
            return Err(GitError::RefName(plain(name, 80)));
        }
        let log = "moved by teal after the deployment";
        fault::point("ref: before");
        let moved = if new.is_zero() {
            return self.delete_if_at(name, old);
        } else if old.is_zero() {
            self.git.reference(name, oid(new)?, false, log)
        } else {
            self.git
                .reference_matching(name, oid(new)?, true, oid(old)?, log)
        };
        fault::point("ref: after");
        match moved {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound
                ) && self
                    .git
                    .odb()
                    .is_ok_and(|odb| oid(new).is_ok_and(|id| odb.exists(id))) =>
            {
                Err(self.moved(name, old)?)
            }
            Err(error) => Err(self.error(format!("move {}", plain(name, 80)))(error)),
        }
    }

    /// Whether a ref points to exactly this object; zeros: whether there is no such ref.
    pub fn is_at(&self, name: &str, object: &CommitId) -> Result<bool, GitError> {
        Ok(match self.ref_target(name)? {
            Some(target) => target == oid(object)?,
            None => object.is_zero(),
        })
    }

    fn delete_if_at(&self, name: &str, old: &CommitId) -> Result<(), GitError> {
        // The transaction holds the ref's lock from the look to the deletion.
        let act = || self.error(format!("delete {}", plain(name, 80)));
        let mut transaction = self.git.transaction().map_err(act())?;
        transaction.lock_ref(name).map_err(act())?;
        if self.ref_target(name)? != Some(oid(old)?) {
            return Err(self.moved(name, old)?);
        }
        transaction.remove(name).map_err(act())?;
        transaction.commit().map_err(act())
    }

    fn moved(&self, name: &str, expected: &CommitId) -> Result<GitError, GitError> {
        let found = match self.ref_target(name)? {
            Some(target) => target.to_string(),
            None => "nothing".to_owned(),
        };
        Ok(GitError::Moved {
            name: plain(name, 80),
            expected: expected.to_string(),
            found,
        })
    }

    /// The object a ref points to, symbolic refs resolved, tags not peeled.
    fn ref_target(&self, name: &str) -> Result<Option<Oid>, GitError> {
        if !Reference::is_valid_name(name) {
            return Ok(None);
        }
        match self.git.find_reference(name).and_then(|r| r.resolve()) {
            Ok(reference) => Ok(reference.target()),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.error(format!("read {}", plain(name, 80)))(error)),
        }
    }

    /// The commit behind an object's id: itself, or what an annotated tag leads to. Nothing when it is not here.
    pub fn peel_commit(&self, object: &CommitId) -> Result<Option<CommitId>, GitError> {
        self.peel(oid(object)?)
    }

    /// Every branch and tag that was pushed here, with its commit.
    pub fn tips(&self) -> Result<Vec<(String, CommitId)>, GitError> {
        let mut tips = self.refs("refs/heads/*")?;
        tips.extend(self.refs("refs/tags/*")?);
        Ok(tips)
    }

    /// Every branch and tag of the remote as it was fetched last, by its name there.
    pub fn remote_tips(&self) -> Result<Vec<(String, CommitId)>, GitError> {
        let found = self.refs(&format!("{REMOTE}/*"))?.into_iter();
        Ok(found
            .filter_map(|(name, commit)| {
                let rest = name.strip_prefix(REMOTE)?;
                Some((format!("refs{rest}"), commit))
            })
            .collect())
    }

    fn peel(&self, id: Oid) -> Result<Option<CommitId>, GitError> {
        let object = match self.git.find_object(id, None) {
            Ok(object) => object,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(self.error("read an object")(error)),
        };
        match object.peel(ObjectType::Commit) {
            Ok(commit) => commit_id(commit.id()).map(Some),
            Err(_) => Ok(None),
        }
    }
}

fn held(id: i64) -> String {
    format!("refs/teal/{id}")
}

fn candidates(rev: &str) -> Vec<String> {
    if rev == "HEAD" || rev.starts_with("refs/") {
        return vec![rev.to_owned()];
    }
    [
        "refs/heads",
        "refs/tags",
        "refs/teal-remote/heads",
        "refs/teal-remote/tags",
    ]
    .iter()
    .map(|prefix| format!("{prefix}/{rev}"))
    .collect()
}
