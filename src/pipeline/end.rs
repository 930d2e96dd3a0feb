//! How a deployment ends, well or badly. Before the switch a failure leaves the old release as it was; after it the
//! route is put back first, and only then is anybody told.

use super::backup::prune;
use super::committed::{reroute, serving, uphold};
use super::outcome::{Stop, Trouble};
use super::processes::{self, WEB};
use super::{Run, Tools};
use crate::config::OnSwitch;
use crate::domain::{
    Color, DeploymentId, Event, Failure, Kind, Receipt, State, Step, StepEnd, Upstreams,
};
use crate::journal::JournalError;
use crate::store::{environments, events};
use crate::traffic::{self, Measure};

/// The new release held through the observation.
pub(super) async fn with_success(run: &Run<'_>) -> Result<(), JournalError> {
    // Whoever is told that it is live finds its backup among those that are kept.
    let marked = run.release().map(|release| release.backup.as_deref());
    if let Ok(Some(backup)) = marked
        && let Err(error) = run.shelf().mark_served(backup)
    {
        tracing::warn!(deployment = run.id(), %error, "its backup is not known to have served");
    }
    // While it is still open: a server that is killed in between does it again.
    if let (Kind::Rollback { .. }, Ok(release)) = (&run.deployment.kind, run.release())
        && let Err(error) = run.tools.variables(&run.env.id).want(&release.env_digest)
    {
        tracing::warn!(deployment = run.id(), %error, "the next deployment does not get this one's settings");
    }
    run.tools
        .journal
        .move_to(run.id(), State::Live, None)
        .await?;
    if let Err(Stop::Failed(trouble)) = settle(run).await {
        let cause = trouble.cause;
        tracing::warn!(
            deployment = run.id(),
            cause,
            "the release is live; tidying up after it failed"
        );
    }
    Ok(())
}

/// What follows success and cannot undo it: the services are kept alive, old backups go.
async fn settle(run: &Run<'_>) -> Result<(), Stop> {
    let place = run.place()?;
    processes::revive(&place).await?;
    prune(run).await
}

/// A deployment that could not even begin, or not go on.
pub(super) async fn before_the_first_step(
    tools: &Tools,
    id: DeploymentId,
    stop: Stop,
) -> Result<(), JournalError> {
    let deployment = tools.journal.deployment(id).await?;
    let standing = tools.journal.standing(&deployment.env).await?;
    let (mut state, trouble) = outcome(stop);
    if deployment.state == State::Observing {
        state = State::RolledBack;
    }
    if deployment.state == State::Observing && standing.active == deployment.color {
        // It serves. What it takes to watch it or to go back is not there any more, and the next push may not wait for that.
        let why = format!("it serves, but is watched no longer: {}", trouble.cause);
        tools.journal.note(id, &why).await?;
        tools.journal.move_to(id, State::Live, Some(why)).await?;
        return Ok(());
    }
    let failure = Failure {
        step: None,
        cause: trouble.cause,
        tail: trouble.tail,
        serving: serving(&standing),
        next: trouble.next.unwrap_or_else(|| "teal status".to_owned()),
    };
    tools.journal.fail(id, state, failure).await?;
    Ok(())
}

/// A step ended it.
pub(super) async fn without_success(
    run: &Run<'_>,
    step: Step,
    stop: Stop,
) -> Result<(), JournalError> {
    let switched = run.tools.journal.deployment(run.id()).await?.state == State::Observing;
    let tidied = match switched {
        true => go_back(run).await,
        false => clear_away(run).await,
    };
    let (mut state, mut trouble) = outcome(stop);
    if switched {
        state = State::RolledBack;
    }
    if let Err(Stop::Failed(second)) = tidied
        && second.cause != trouble.cause
    {
        trouble.cause = format!(
            "{}; and tidying up failed too: {}",
            trouble.cause, second.cause
        );
    }
    if run
        .tools
        .journal
        .deployment(run.id())
        .await?
        .state
        .is_final()
    {
        // A newer push took its place while it waited, and has said so.
        return Ok(());
    }
    let standing = run.tools.journal.standing(&run.env.id).await?;
    let untouched = if standing.active.is_some() && !switched {
        ", untouched"
    } else {
        ""
    };
    let failure = Failure {
        step: Some(step),
        cause: trouble.cause,
        tail: trouble.tail,
        serving: format!("{}{untouched}", serving(&standing)),
        next: trouble
            .next
            .unwrap_or_else(|| format!("teal logs {} shows the whole output", run.id())),
    };
    run.tools.journal.fail(run.id(), state, failure).await?;
    Ok(())
}

/// The server stopped while the deployment was on its way back: the rest of that way, with the cause that it had.
pub(super) async fn on_the_way_back(run: &Run<'_>) -> Result<(), JournalError> {
    let id = run.id();
    let store = run.tools.journal.store();
    let events = store.read(move |c| events::after(c, id, 0)).await?;
    let cause = events.into_iter().rev().find_map(|one| match one.event {
        Event::StepEnded {
            end: StepEnd::Failed,
            why,
            ..
        } => Some(why),
        _ => None,
    });
    let cause = cause.unwrap_or_else(|| "the server stopped while it was taken back".to_owned());
    without_success(run, Step::Observe, Trouble::new(cause).into()).await
}

fn outcome(stop: Stop) -> (State, Trouble) {
    match stop {
        Stop::Failed(trouble) => (State::Failed, trouble),
        Stop::Cancelled(why) => (
            State::Cancelled,
            Trouble::new(why).next("push again when it is wanted after all"),
        ),
    }
}

/// Before the switch: whatever was started on the standby ends, whatever had to make room comes back.
async fn clear_away(run: &Run<'_>) -> Result<(), Stop> {
    reroute(run.tools, run.env).await?;
    // A rollback to the warm color that was stopped before it switched leaves that color warm.
    if run.way_back != super::WayBack::Warm {
        processes::retire(run.tools, run.env, run.color).await?;
    }
    uphold(run.tools, run.env).await?;
    put_variables_back(run)?;
    if run.deployment.kind.is_made_here()
        && let Some(release) = &run.release
        && let Some(name) = &release.backup
    {
        run.shelf().remove(name)?;
    }
    Ok(())
}

/// After the switch: the route first, then the journal, then `current`. An exclusive service cannot be warm, so there
/// the old one is started before the route moves, while the proxy holds the requests.
async fn go_back(run: &Run<'_>) -> Result<(), Stop> {
    let from = run.from();
    let exclusive = |name: &str, on_switch| name == WEB && on_switch == OnSwitch::Exclusive;
    if !processes::names(run.recipe()?, exclusive).is_empty() {
        run.tools
            .traffic
            .apply(&run.env.id, |route| route.paused = true)
            .await?;
        processes::retire(run.tools, run.env, run.color).await?;
        super::committed::revive_color(run.tools, run.env, from, &run.standing).await?;
    }
    let shares = from.map(Upstreams::all_to).unwrap_or_default();
    run.tools
        .traffic
        .apply(&run.env.id, move |route| {
            route.shares = shares;
            route.paused = false;
        })
        .await?;
    commit_back(run, from).await?;
    receipt(run).await;
    processes::retire(run.tools, run.env, run.color).await?;
    uphold(run.tools, run.env).await?;
    put_variables_back(run)
}

async fn commit_back(run: &Run<'_>, from: Option<Color>) -> Result<(), Stop> {
    let (env, color) = (run.env.id.clone(), run.color);
    let built_here = run.deployment.kind.is_made_here();
    let change = run.tools.journal.write(move |entry| {
        environments::change(entry.connection(), &env, |standing| {
            standing.active = from;
            standing.warm_until_ms = None;
            if let Some(release) = standing.slots.of_mut(color).as_mut().filter(|_| built_here) {
                // It served for a moment, but it is nothing that anybody wants to go back to.
                release.served = false;
            }
        })?;
        Ok(())
    });
    Ok(change.await?)
}

/// A changed configuration that did not go live is not the wanted one any more.
fn put_variables_back(run: &Run<'_>) -> Result<(), Stop> {
    if let (Kind::Restart, Some(serving)) = (&run.deployment.kind, run.standing.serving()) {
        run.tools.variables(&run.env.id).want(&serving.env_digest)?;
    }
    Ok(())
}

/// What the proxy has counted; nothing under nginx, or when the proxy does not answer.
pub(super) async fn measure(run: &Run<'_>) -> Option<Measure> {
    match run.tools.traffic.measure(&run.env.id).await {
        Ok(measure) => measure,
        Err(error) => {
            tracing::warn!(deployment = run.id(), %error, "the proxy did not say what it has counted");
            None
        }
    }
}

/// Journals what the cutover cost. Under nginx, and when the proxy does not answer, that reads "not measured".
pub(super) async fn receipt(run: &Run<'_>) {
    let after = measure(run).await;
    let told = match (&run.before, after) {
        (Some(before), Some(after)) => traffic::receipt(before, &after, run.from(), run.color),
        _ => Receipt::default(),
    };
    if let Err(error) = run.tools.journal.receipt(run.id(), told).await {
        tracing::warn!(deployment = run.id(), %error, "the receipt was not kept");
    }
}
