//! Builds, when any input of the build changed.

use super::command::{Sight, command};
use super::outcome::{Done, Need, Stop};
use super::{Run, keys};
use crate::domain::Step;

pub(super) async fn build(run: &mut Run<'_>) -> Result<Done, Stop> {
    let why = match need(run)? {
        Need::Run(why) => why,
        Need::Skip(why) => return Ok(Done::Skipped(why)),
    };
    let recipe = run.recipe()?.clone();
    let slot = keys::Slot::of(run);
    slot.forget(Step::Build)?;
    let _turn = run.build_turn().await?;
    let line = recipe.steps.build.unwrap_or_default();
    command(run, Step::Build, &line, Sight::Build, recipe.timeouts.build).await?;
    slot.remember(Step::Build, &keys::build(run)?)?;
    Ok(Done::Ran(why))
}

/// Whether it has to be built.
pub(super) fn need(run: &Run<'_>) -> Result<Need, Stop> {
    let steps = &run.recipe()?.steps;
    if steps.build.is_none() {
        return Ok(Need::Skip("no build command".to_owned()));
    }
    let slot = keys::Slot::of(run);
    let why = slot.unless(Step::Build, &keys::build(run)?, &steps.outputs, run)?;
    Ok(keys::need(
        run,
        why,
        "same files, dependencies, command and environment",
    ))
}
