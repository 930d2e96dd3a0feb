//! Fills the standby slot from a sealed release instead of from git: no network, no build.

use super::Run;
use super::outcome::{Done, Stop, Trouble};
use super::results::Results;
use super::tools::blocking;
use crate::config::Recipe;
use crate::domain::{Kind, Step};
use crate::release;
use crate::store::environments::Release;

pub(super) async fn restore(run: &mut Run<'_>) -> Result<Done, Stop> {
    let name = target(run)?;
    Results::of(run).forget(Step::Deps)?;
    Results::of(run).forget(Step::Build)?;
    let (shelf, slots, color, wanted) = (run.shelf(), run.slots.clone(), run.color, name.clone());
    let sealed = blocking(move || {
        let backup = shelf.find(&wanted)?;
        let (slot, index) = (slots.slot(color), slots.index(color));
        release::restore(&backup, &slot, &index, &slots.ledger(color))?;
        // What is about to serve has to be on the disk before the journal says that it does.
        slots.sync(color)?;
        Ok(backup)
    })
    .await?;
    Results::of(run).become_those_of(&sealed)?;
    let sealed = sealed.manifest.about;
    let recipe: Recipe = serde_json::from_value(sealed.recipe).map_err(Trouble::new)?;
    link_again(run, &recipe).await?;
    let digest = match run.deployment.kind {
        // A restart takes the configuration as it is wanted now; a rollback brings back its own.
        Kind::Restart => run.variables.digest.clone(),
        _ => sealed
            .env_digest
            .unwrap_or_else(|| run.variables.digest.clone()),
    };
    run.variables = run.tools.variables(&run.env.id).load(&digest)?;
    run.release = Some(Release {
        deployment: run.id(),
        commit: sealed.commit,
        ref_name: sealed.ref_name,
        recipe,
        env_digest: digest.clone(),
        backup: Some(name.clone()),
        served: false,
    });
    let id = run.id();
    let keep = run
        .tools
        .journal
        .write(move |entry| entry.change(id, |deployment| deployment.env_digest = Some(digest)));
    keep.await?;
    Ok(Done::Ran(format!("{name} into {}", run.color)))
}

/// What is shared is linked as the links are wanted now; a file that was made in `shared/` since the release was sealed
/// (a `.env`) belongs to it as well.
async fn link_again(run: &Run<'_>, recipe: &Recipe) -> Result<(), Stop> {
    let (slots, color, recipe) = (run.slots.clone(), run.color, recipe.clone());
    blocking(move || {
        release::link_shared(
            &slots.slot(color),
            &recipe.dir,
            &slots.shared(),
            &recipe.shared,
        )?;
        Ok(())
    })
    .await
}

fn target(run: &Run<'_>) -> Result<String, Stop> {
    let serving = run
        .standing
        .serving()
        .and_then(|release| release.backup.clone());
    let found = match &run.deployment.kind {
        Kind::Restart => serving,
        Kind::Rollback { backup: Some(name) } => Some(name.clone()),
        _ => {
            let kept = run.shelf().list()?;
            kept.into_iter()
                .rev()
                .filter(|backup| backup.manifest.served && Some(&backup.name) != serving.as_ref())
                .map(|backup| backup.name)
                .next()
        }
    };
    found.ok_or_else(|| {
        Trouble::new("there is no backup of a release that served before")
            .next(format!(
                "teal backups {} lists what there is",
                run.env.id.env
            ))
            .into()
    })
}
