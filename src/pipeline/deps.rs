//! Installs dependencies, when anything changed that decides what is installed.

use super::command::command;
use super::outcome::{Done, Need, Stop};
use super::place::Sight;
use super::results::{Results, installed_at, obtain, put_back, skipped};
use super::{Run, backup, build, keys};
use crate::domain::Step;

pub(super) async fn deps(run: &mut Run<'_>) -> Result<Done, Stop> {
    let recipe = run.recipe()?.clone();
    let Some(line) = &recipe.steps.install else {
        return Ok(Done::Skipped(NONE.to_owned()));
    };
    let inputs = keys::deps(run)?;
    let need = need(run).await?;
    if let Need::Skip(why) = need {
        // What a build left in it belongs to that build's result, and stays when the build is not run again.
        let altered = match build::need(run).await? {
            Need::Run(_) => put_back(run, &inputs.key(Step::Deps)).await?,
            _ if recipe.steps.build.is_none() => put_back(run, &inputs.key(Step::Deps)).await?,
            _ => 0,
        };
        Results::of(run).reuse(Step::Deps, &inputs).await?;
        return Ok(skipped(why, altered));
    }
    let key = inputs.key(Step::Deps);
    let is_new = match &need {
        Need::Run(_) => true,
        Need::PutBack(..) => !run.shelf().has_installed(&key),
        Need::Lend(lender, _) => !backup::is_own(run, &lender.backup),
        Need::Skip(_) => false,
    };
    let install = async {
        run.build_turn().await?;
        command(run, Step::Deps, line, Sight::Build, recipe.timeouts.install).await?;
        Ok(())
    };
    let done = obtain(run, Step::Deps, need, &inputs, &recipe.steps.deps, install);
    let done = done.await?;
    if is_new {
        backup::seal_ahead(run, key).await?;
    }
    Ok(done)
}

const NONE: &str = "no install command";

/// Whether dependencies have to be installed.
pub(super) async fn need(run: &Run<'_>) -> Result<Need, Stop> {
    let steps = &run.recipe()?.steps;
    match steps.install {
        None => Ok(Need::Skip(NONE.to_owned())),
        Some(_) => {
            let inputs = keys::deps(run)?;
            let need = Results::of(run)
                .need(Step::Deps, &inputs, &steps.deps)
                .await?;
            let doubtful = matches!(need, Need::Skip(_) | Need::Lend(..))
                && installed_at(run, &inputs.key(Step::Deps)).is_none()
                && build::can_write_into_deps(run).await?;
            Ok(match doubtful {
                true => Need::Run(
                    "what an earlier build left in it cannot be told from what was installed"
                        .to_owned(),
                ),
                false => need,
            })
        }
    }
}
