//! Runs the app's tests, unless the same inputs passed before.

use super::command::command;
use super::outcome::{Done, Need, Stop};
use super::place::Sight;
use super::{Run, keys, why};
use crate::domain::{Mode, Step};
use crate::store;

pub(super) async fn test(run: &mut Run<'_>) -> Result<Done, Stop> {
    let why = match need(run).await? {
        Need::Run(why) => why,
        Need::Skip(why) | Need::PutBack(_, why) | Need::Lend(_, why) => {
            return Ok(Done::Skipped(why));
        }
    };
    let recipe = run.recipe()?.clone();
    run.build_turn().await?;
    let line = recipe.steps.test.unwrap_or_default();
    command(run, Step::Test, &line, Sight::Build, recipe.timeouts.test).await?;
    let scope = run.app.name.to_string();
    why::remember(run, scope, Step::Test, &keys::test(run)?, run.id()).await?;
    Ok(Done::Ran(why))
}

/// Whether the tests have to run.
pub(super) async fn need(run: &Run<'_>) -> Result<Need, Stop> {
    if run.recipe()?.steps.test.is_none() {
        return Ok(Need::Skip("no test command".to_owned()));
    }
    if run.deployment.skip_tests {
        return Ok(Need::Skip("the pusher asked to skip the tests".to_owned()));
    }
    if run.deployment.mode == Mode::Full {
        return Ok(Need::Run("from scratch".to_owned()));
    }
    let inputs = keys::test(run)?;
    let (scope, key) = (run.app.name.to_string(), inputs.key(Step::Test));
    let store = run.tools.journal.store();
    let passed = store
        .read(move |c| store::keys::find(c, &scope, Step::Test, &key))
        .await?;
    if let Some(earlier) = passed {
        return Ok(Need::Skip(format!(
            "the same inputs passed in deployment {earlier}"
        )));
    }
    Ok(Need::Run(
        match why::last(run, run.app.name.to_string(), Step::Test).await? {
            Some(last) => why::differs(run, &last, &inputs)?,
            None => "these inputs have not passed yet".to_owned(),
        },
    ))
}
