//! Installs dependencies, when anything changed that decides what is installed.

use super::command::{Sight, command};
use super::outcome::{Done, Need, Stop};
use super::{Run, keys};
use crate::domain::Step;

pub(super) async fn deps(run: &mut Run<'_>) -> Result<Done, Stop> {
    let why = match need(run)? {
        Need::Run(why) => why,
        Need::Skip(why) => return Ok(Done::Skipped(why)),
    };
    let recipe = run.recipe()?.clone();
    let slot = keys::Slot::of(run);
    slot.forget(Step::Deps)?;
    let _turn = run.build_turn().await?;
    let line = recipe.steps.install.unwrap_or_default();
    command(
        run,
        Step::Deps,
        &line,
        Sight::Build,
        recipe.timeouts.install,
    )
    .await?;
    slot.remember(Step::Deps, &keys::deps(run)?)?;
    Ok(Done::Ran(why))
}

/// Whether dependencies have to be installed.
pub(super) fn need(run: &Run<'_>) -> Result<Need, Stop> {
    let steps = &run.recipe()?.steps;
    if steps.install.is_none() {
        return Ok(Need::Skip("no install command".to_owned()));
    }
    let slot = keys::Slot::of(run);
    let why = slot.unless(Step::Deps, &keys::deps(run)?, &steps.deps, run)?;
    Ok(keys::need(run, why, "same lockfile, command and platform"))
}
