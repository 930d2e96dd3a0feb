//! Makes the standby slot's tracked files equal the commit's tree, and links what is shared.

use super::outcome::{Done, Stop};
use super::results::Results;
use super::tools::blocking;
use super::{Run, keys};
use crate::config::Recipe;
use crate::domain::{CommitId, Step};
use crate::release;
use crate::system::git::Repo;
use std::path::PathBuf;

pub(super) async fn checkout(run: &mut Run<'_>) -> Result<Done, Stop> {
    let repo_path = run.tools.repo_path(run.app);
    let (slots, color, mode) = (run.slots.clone(), run.color, run.deployment.mode);
    let (commit, recipe) = (run.release()?.commit.clone(), run.recipe()?.clone());
    let digest = digest(repo_path.clone(), commit.clone(), recipe.clone());
    let made = blocking(move || {
        let repo = Repo::open(&repo_path)?;
        let slot = slots.slot(color);
        let made = release::checkout(&repo, &commit, &slot, &slots.index(color), mode)?;
        let linked = release::link_shared(&slot, &recipe.dir, &slots.shared(), &recipe.shared)?;
        Ok::<_, Stop>((made, linked))
    });
    // What decides about the build takes a look at every name as well, so both are done at once.
    let (made, digest) = tokio::join!(made, digest);
    let (made, linked) = made?;
    if let Some(digest) = digest {
        run.tree.get_or_init(|| digest);
    }
    for note in made.notes.iter().chain(&linked.notes) {
        run.note(note).await?;
    }
    let mut told = format!(
        "{} written, {} removed, {} unchanged",
        made.written, made.removed, made.unchanged
    );
    if let Some(why) = &made.emptied {
        Results::of(run).forget(Step::Deps)?;
        Results::of(run).forget(Step::Build)?;
        told = format!("{told}; emptied first: {why}");
    }
    Ok(Done::Ran(told))
}

/// The digest of the tracked files, where a step is going to ask for it. Without it that step takes it, and says what is
/// wrong if it cannot.
async fn digest(repo: PathBuf, commit: CommitId, recipe: Recipe) -> Option<String> {
    let steps = &recipe.steps;
    let asks = steps.install.is_some() || steps.build.is_some() || steps.test.is_some();
    if !asks {
        return None;
    }
    let digest = blocking(move || keys::tree_of(&Repo::open(&repo)?, &recipe, &commit));
    digest.await.ok()
}
