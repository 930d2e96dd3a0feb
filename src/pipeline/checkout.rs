//! Makes the standby slot's tracked files equal the commit's tree, and links what is shared.

use super::Run;
use super::outcome::{Done, Stop};
use super::results::Results;
use super::tools::blocking;
use crate::domain::Step;
use crate::release;
use crate::system::git::Repo;

pub(super) async fn checkout(run: &mut Run<'_>) -> Result<Done, Stop> {
    let repo_path = run.tools.repo_path(run.app);
    let (slots, color, mode) = (run.slots.clone(), run.color, run.deployment.mode);
    let (commit, recipe) = (run.release()?.commit.clone(), run.recipe()?.clone());
    let (made, linked) = blocking(move || {
        let repo = Repo::open(&repo_path)?;
        let slot = slots.slot(color);
        let made = release::checkout(&repo, &commit, &slot, &slots.index(color), mode)?;
        let linked = release::link_shared(&slot, &recipe.dir, &slots.shared(), &recipe.shared)?;
        Ok::<_, Stop>((made, linked))
    })
    .await?;
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
