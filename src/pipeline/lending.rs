//! Results that are copied from a sealed release of the app, in whatever environment, instead of made again.

use super::lenders::Found;
use super::outcome::Stop;
use super::tools::blocking;
use super::{Run, Tools};
use crate::domain::{Kind, Step};
use crate::release::{self, Lender};
use std::sync::Arc;

/// The newest sealed release of the app, in whatever environment, that has this result and can lend it.
pub(super) fn lender(
    run: &Run<'_>,
    step: Step,
    key: &str,
    folders: &[String],
) -> Result<Found, Stop> {
    if let Some(found) = run.lenders.known(step, key)
        // Another environment may have removed its own since.
        && found.as_ref().is_none_or(|(_, lender)| lender.is_there())
    {
        return Ok(found);
    }
    let found = look(run, step, key, folders)?;
    run.lenders.remember(step, key, &found);
    Ok(found)
}

fn look(run: &Run<'_>, step: Step, key: &str, folders: &[String]) -> Result<Found, Stop> {
    let tools: &Tools = run.tools;
    // What is promoted comes with what was built for it where it served.
    let promoted = match &run.deployment.kind {
        Kind::Promote { from, .. } => tools.environment(from).map(|(_, env)| env),
        _ => None,
    };
    let first = promoted.into_iter().chain([run.env]);
    for env in first.chain(&run.app.environments) {
        let sealed = tools.shelf(env).list()?;
        let mut with_key = sealed
            .into_iter()
            .rev()
            .filter(|b| b.manifest.about.keys.get(&step).is_some_and(|k| k == key));
        if let Some(backup) = with_key.next()
            && let Some(lender) = Lender::of(backup, &run.recipe()?.dir, folders)?
        {
            return Ok(Some((env.id.clone(), Arc::new(lender))));
        }
    }
    Ok(None)
}

/// Makes these folders of the slot what they are in a sealed release; says how many files had to be copied.
pub(super) async fn borrow(
    run: &Run<'_>,
    lender: Arc<Lender>,
    folders: Vec<String>,
) -> Result<usize, Stop> {
    let (dir, slots, color) = (run.recipe()?.dir.clone(), run.slots.clone(), run.color);
    let put = blocking(move || {
        let (slot, ledger) = (slots.slot(color), slots.ledger(color));
        let shelf = slots.shelf();
        Ok(release::lend(
            &lender, &dir, &folders, &slot, &shelf, &ledger,
        )?)
    });
    Ok(run.seen.add(put.await?))
}
