//! Builds, when any input of the build changed.

use super::command::command;
use super::lending::{borrow, lender};
use super::outcome::{Done, Need, Stop};
use super::place::Sight;
use super::results::{Results, obtain, skipped};
use super::tools::blocking;
use super::{Run, keys};
use crate::config::Recipe;
use crate::domain::Step;
use crate::release;

pub(super) async fn build(run: &mut Run<'_>) -> Result<Done, Stop> {
    let recipe = run.recipe()?.clone();
    let Some(line) = &recipe.steps.build else {
        return Ok(Done::Skipped(NONE.to_owned()));
    };
    let inputs = keys::build(run)?;
    let need = need(run).await?;
    if !matches!(need, Need::Run(_)) {
        run.beside.sealed_ahead().await;
    }
    let run = &*run;
    let outputs = &recipe.steps.outputs;
    if let Need::Skip(why) = need {
        let altered = match lender(run, Step::Build, &inputs.key(Step::Build), outputs)? {
            Some((_, lender)) => borrow(run, lender, whole(run, &recipe)).await?,
            None => 0,
        };
        Results::of(run).reuse(Step::Build, &inputs).await?;
        return Ok(skipped(why, altered));
    }
    if let Need::Lend(lender, why) = need {
        let lent = whole(run, &recipe);
        let results = Results::of(run);
        let borrowed = results.borrow_from(lender, Step::Build, &inputs, outputs, lent);
        borrowed.await?;
        return Ok(Done::Skipped(why));
    }
    let make = async {
        run.build_turn().await?;
        make_room(run, &recipe).await?;
        command(run, Step::Build, line, Sight::Build, recipe.timeouts.build).await?;
        Ok(())
    };
    obtain(run, Step::Build, need, &inputs, outputs, make).await
}

/// The folders that a build's result is made of: a build can write to what is installed as well.
fn whole(run: &Run<'_>, recipe: &Recipe) -> Vec<String> {
    let installed = recipe.steps.deps.iter();
    let movable = installed.filter(|folder| is_movable(run, recipe, folder));
    recipe
        .steps
        .outputs
        .iter()
        .chain(movable)
        .cloned()
        .collect()
}

/// A virtual environment holds absolute paths: the slot's own is the only right one.
fn is_movable(run: &Run<'_>, recipe: &Recipe, folder: &str) -> bool {
    let place = run.slot().join(&recipe.dir).join(folder);
    !place.join("pyvenv.cfg").exists()
}

/// Whether a build is about to run on what is installed, and can find there what an earlier one left.
pub(super) async fn can_write_into_deps(run: &Run<'_>) -> Result<bool, Stop> {
    let recipe = run.recipe()?;
    let movable = recipe
        .steps
        .deps
        .iter()
        .all(|folder| is_movable(run, recipe, folder));
    Ok(recipe.steps.build.is_some() && movable && matches!(need(run).await?, Need::Run(_)))
}

/// Takes away what the build before made, so that nothing stays that this one does not make.
async fn make_room(run: &Run<'_>, recipe: &Recipe) -> Result<(), Stop> {
    let (slots, color, recipe) = (run.slots.clone(), run.color, recipe.clone());
    blocking(move || {
        let (slot, index) = (slots.slot(color), slots.index(color));
        release::clear_outputs(&slot, &recipe.dir, &recipe.steps.outputs, &index)?;
        release::link_shared(&slot, &recipe.dir, &slots.shared(), &recipe.shared)?;
        Ok(())
    })
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
