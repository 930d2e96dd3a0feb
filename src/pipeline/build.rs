//! Builds, when any input of the build changed.

use super::command::command;
use super::outcome::{Done, Need, Stop};
use super::place::Sight;
use super::results::{Results, obtain};
use super::{Run, keys};
use crate::domain::Step;

pub(super) async fn build(run: &mut Run<'_>) -> Result<Done, Stop> {
    let recipe = run.recipe()?.clone();
    let Some(line) = &recipe.steps.build else {
        return Ok(Done::Skipped(NONE.to_owned()));
    };
    let make = async {
        run.build_turn().await?;
        command(run, Step::Build, line, Sight::Build, recipe.timeouts.build).await
    };
    let inputs = keys::build(run)?;
    obtain(
        run,
        Step::Build,
        need(run).await?,
        &inputs,
        &recipe.steps.outputs,
        make,
    )
    .await
}

const NONE: &str = "no build command";

/// Whether it has to be built.
pub(super) async fn need(run: &Run<'_>) -> Result<Need, Stop> {
    let steps = &run.recipe()?.steps;
    match steps.build {
        None => Ok(Need::Skip(NONE.to_owned())),
        Some(_) => {
            let inputs = keys::build(run)?;
            Results::of(run)
                .need(Step::Build, &inputs, &steps.outputs)
                .await
        }
    }
}
