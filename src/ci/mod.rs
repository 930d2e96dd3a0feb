//! What the CI of a forge says of a commit. The forge is asked: a webhook only says that it is worth asking again, so that
//! nothing that a delivery claims is ever believed. Teal's own statuses never count.
//!
//! `verdict` judges what a forge knows; each forge has a file that asks it.

mod gitea;
mod github;
mod gitlab;
mod verdict;

pub use verdict::{Check, Standing, Verdict, judge};

use crate::config::{App, Forge, ForgeApi};
use crate::domain::CommitId;
use crate::report::{Refusal, Wire};

/// What Teal's own commit statuses begin with, in whatever case a forge keeps it.
const OWN: &str = "teal/";

/// Whoever knows what CI says of an app's commits.
#[derive(Debug)]
pub enum Ci {
    /// GitHub.
    GitHub(github::GitHub),
    /// Gitea and Forgejo.
    Gitea(gitea::Gitea),
    /// GitLab.
    GitLab(gitlab::GitLab),
}

impl Ci {
    /// The CI of the app's forge; nothing where Teal is nobody there.
    pub fn of(app: &App) -> Option<Result<Ci, Refusal>> {
        let (forge, api) = (app.forge?, app.api.as_ref()?);
        Some(Ci::open(forge, api))
    }

    fn open(forge: Forge, api: &ForgeApi) -> Result<Ci, Refusal> {
        Ok(match forge {
            Forge::GitHub => Ci::GitHub(github::GitHub::new(api)?),
            Forge::Gitea | Forge::Forgejo => Ci::Gitea(gitea::Gitea::new(&Wire::new()?, api)),
            Forge::GitLab => Ci::GitLab(gitlab::GitLab::new(&Wire::new()?, api)),
        })
    }

    /// All checks that the forge knows of the commit as it was pushed to this full ref.
    pub async fn checks(&self, commit: &CommitId, ref_name: &str) -> Result<Vec<Check>, Refusal> {
        let found = match self {
            Ci::GitHub(forge) => forge.checks(commit, ref_name).await,
            Ci::Gitea(forge) => forge.checks(commit).await,
            Ci::GitLab(forge) => forge.checks(commit, ref_name).await,
        };
        let mut checks = found?;
        checks.retain(|check| !is_own(&check.name));
        Ok(checks)
    }
}

/// Whether a status is one that a Teal writes.
fn is_own(name: &str) -> bool {
    name.get(..OWN.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(OWN))
}

/// The branch or tag of a full ref; nothing for a commit's own name.
fn branch_or_tag(ref_name: &str) -> Option<&str> {
    ref_name
        .strip_prefix("refs/heads/")
        .or_else(|| ref_name.strip_prefix("refs/tags/"))
}
