//! Moves the database forward: once per environment and change, before the new service starts. The old release has to
//! live with the result, so it is probed again afterwards.

use super::command::command;
use super::outcome::{Done, Need, Stop, Trouble};
use super::place::Sight;
use super::processes::{self, WEB};
use super::{Run, keys, why};
use crate::config::OnSwitch;
use crate::domain::Step;
use crate::journal::Entry;
use crate::service::probe_once;
use std::time::Duration;

pub(super) async fn migrate(run: &mut Run<'_>) -> Result<Done, Stop> {
    make_room(run).await?;
    let why = match need(run).await? {
        Need::Run(why) => why,
        Need::Skip(why) | Need::PutBack(_, why) | Need::Lend(_, why) => {
            return Ok(Done::Skipped(why));
        }
    };
    let recipe = run.recipe()?.clone();
    let deadline = recipe.timeouts.migrate;
    let kept = match &recipe.steps.migrate_backup {
        Some(line) => Some(make_restore_point(run, line, deadline).await?),
        None => None,
    };
    let line = recipe.steps.migrate.unwrap_or_default();
    command(run, Step::Migrate, &line, Sight::App, deadline).await?;
    let scope = run.env.id.to_string();
    match keys::migrate(run)? {
        Some(inputs) => why::remember(run, scope, Step::Migrate, &inputs, run.id()).await?,
        // It is remembered by its deployment: the database has moved, whatever was in it.
        None => why::remember_that_it_ran(run, scope, Step::Migrate)?,
    }
    // It must not run again because the machine lost power now.
    run.kept().await?;
    old_release_still_answers(run).await?;
    Ok(Done::Ran(match kept {
        Some(point) => format!("{why}; restore point: {point}"),
        None => why,
    }))
}

/// Runs the command that can undo the migration. The last line that it prints is the name of the restore point, for
/// whoever has to go back; one that prints nothing is named after the deployment. The deployment keeps it.
async fn make_restore_point(
    run: &mut Run<'_>,
    line: &str,
    deadline: Duration,
) -> Result<String, Stop> {
    let printed = command(run, Step::Migrate, line, Sight::App, deadline).await?;
    let last = printed.iter().rev().map(|line| line.trim());
    let point = last.into_iter().find(|line| !line.is_empty());
    let point: String = point
        .map(|line| line.chars().take(200).collect())
        .unwrap_or_else(|| format!("made by deployment {}", run.id()));
    let (id, kept) = (run.id(), point.clone());
    let keep = move |entry: &mut Entry| {
        entry.change(id, |deployment| deployment.restore_point = Some(kept))
    };
    run.deployment = run.tools.journal.write(keep).await?;
    Ok(point)
}

/// Whether the database has to be moved.
pub(super) async fn need(run: &Run<'_>) -> Result<Need, Stop> {
    if run.recipe()?.steps.migrate.is_none() {
        return Ok(Need::Skip("no migration command".to_owned()));
    }
    let Some(inputs) = keys::migrate(run)? else {
        return Ok(Need::Run(
            "it declares no inputs, so it always runs".to_owned(),
        ));
    };
    let last = why::last(run, run.env.id.to_string(), Step::Migrate).await?;
    Ok(match last {
        Some(last) if last.key == inputs.key(Step::Migrate) => Need::Skip(format!(
            "the migrations have not changed since they last ran here, in deployment {}",
            last.deployment
        )),
        Some(last) => Need::Run(why::differs(run, &last, &inputs)?),
        None => Need::Run("it has not run here yet".to_owned()),
    })
}

/// Exclusive workers of the old release stop before the database changes under them.
async fn make_room(run: &Run<'_>) -> Result<(), Stop> {
    let (Some(from), Some(serving)) = (run.from(), run.standing.serving()) else {
        return Ok(());
    };
    let exclusive = processes::names(&serving.recipe, |name, on_switch| {
        name != WEB && on_switch == OnSwitch::Exclusive
    });
    if exclusive.is_empty() {
        return Ok(());
    }
    processes::stop_some(run.tools, run.env, from, exclusive).await?;
    Ok(())
}

/// The one check that nobody else makes: old code on the new schema.
async fn old_release_still_answers(run: &Run<'_>) -> Result<(), Stop> {
    let (Some(from), Some(serving)) = (run.from(), run.standing.serving()) else {
        return Ok(());
    };
    if !serving.recipe.processes.contains_key(WEB) {
        return Ok(());
    }
    let probe = super::health::probe(run.env, from, &serving.recipe);
    let mut attempt = probe_once(&probe).await;
    if !attempt.is_ready() {
        attempt = probe_once(&probe).await;
    }
    match attempt.is_ready() {
        true => Ok(()),
        false => Err(Trouble::new(format!(
            "the old release is degraded after migrate: it {attempt}"
        ))
        .next(format!(
            "undo the migration by hand; {from} still serves and was not touched otherwise"
        ))
        .into()),
    }
}
