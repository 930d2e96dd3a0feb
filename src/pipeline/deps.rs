//! Installs dependencies, when anything changed that decides what is installed.

use super::command::command;
use super::outcome::{Done, Need, Stop};
use super::place::Sight;
use super::results::{Results, obtain};
use super::{Run, keys};
use crate::domain::Step;

pub(super) async fn deps(run: &mut Run<'_>) -> Result<Done, Stop> {
    let recipe = run.recipe()?.clone();
    let Some(line) = &recipe.steps.install else {
        return Ok(Done::Skipped(NONE.to_owned()));
    };
    let install = async {
        run.build_turn().await?;
        command(run, Step::Deps, line, Sight::Build, recipe.timeouts.install).await
    };
    let inputs = keys::deps(run)?;
    obtain(
        run,
        Step::Deps,
        need(run).await?,
        &inputs,
        &recipe.steps.deps,
        install,
    )
    .await
}

const NONE: &str = "no install command";

/// Whether dependencies have to be installed.
pub(super) async fn need(run: &Run<'_>) -> Result<Need, Stop> {
    let steps = &run.recipe()?.steps;
    match steps.install {
        None => Ok(Need::Skip(NONE.to_owned())),
        Some(_) => {
            let inputs = keys::deps(run)?;
            Results::of(run)
                .need(Step::Deps, &inputs, &steps.deps)
                .await
        }
    }
}
