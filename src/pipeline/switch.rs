//! The commit point. In order: the intent is journaled; the route is durable and acknowledged; the journal says that the
//! new color serves (this is the commit); `current` follows. Recovery reads the same order.

use super::Run;
use super::command::command;
use super::outcome::{Done, Stop, Trouble};
use super::place::Sight;
use super::processes;
use crate::domain::{Event, State, Step, Upstreams};
use crate::store::{environments, events};
use crate::system::clock;

pub(super) async fn switch(run: &mut Run<'_>) -> Result<Done, Stop> {
    super::backup::complete(run).await?;
    let recipe = run.recipe()?.clone();
    if let Some(line) = &recipe.before {
        command(run, Step::Switch, line, Sight::App, recipe.timeouts.hooks).await?;
    }
    if run.before.is_none() {
        run.before = super::end::measure(run).await;
    }
    intend(run).await?;
    let to = run.color;
    run.tools
        .traffic
        .apply(&run.env.id, move |route| {
            route.shares = Upstreams::all_to(to);
            route.paused = false;
        })
        .await
        .map_err(|error| {
            Trouble::new(error).next("the route is as it was; teal status shows what serves")
        })?;
    commit(run).await?;
    follow(run).await?;
    Ok(Done::Ran(format!("{to} serves")))
}

/// What follows the commit point.
async fn follow(run: &mut Run<'_>) -> Result<(), Stop> {
    run.slots.flip(run.color)?;
    hand_over(run).await?;
    let after = run.recipe()?.after.clone();
    match after {
        Some(line) => afterwards(run, &line).await,
        None => Ok(()),
    }
}

/// The same when the server was killed behind the commit point, unless all of it was done.
pub(super) async fn finish(run: &mut Run<'_>) -> Result<(), Stop> {
    let id = run.id();
    let store = run.tools.journal.store();
    let events = store.read(move |c| events::after(c, id, 0)).await?;
    let is_done = events.iter().any(|one| {
        matches!(
            one.event,
            Event::StepEnded {
                step: Step::Switch,
                ..
            }
        )
    });
    match is_done {
        true => Ok(()),
        false => follow(run).await,
    }
}

async fn intend(run: &mut Run<'_>) -> Result<(), Stop> {
    let (id, from, to) = (run.id(), run.from(), run.color);
    let intent = run.tools.journal.write(move |entry| {
        entry.move_to(id, State::Switching, None)?;
        entry.tell(id, Event::Switching { from, to })
    });
    Ok(intent.await?)
}

async fn commit(run: &mut Run<'_>) -> Result<(), Stop> {
    let (id, to, env) = (run.id(), run.color, run.env.id.clone());
    let release = run.release()?.clone();
    let warm = i64::try_from(run.env.keep_warm.as_millis()).unwrap_or(i64::MAX);
    let warm_until = run.from().map(|_| clock::now_ms().saturating_add(warm));
    let switched = run.tools.journal.write(move |entry| {
        let standing = environments::change(entry.connection(), &env, |standing| {
            standing.active = Some(to);
            standing.warm_until_ms = warm_until;
            *standing.slots.of_mut(to) = Some(environments::Release {
                served: true,
                ..release
            });
        })?;
        entry.tell(id, Event::Switched { to })?;
        entry.move_to(id, State::Observing, None)?;
        Ok(standing)
    });
    switched.await?;
    Ok(())
}

/// Workers that may not overlap change places. The old release's other processes stay warm; the new ones are kept alive
/// once the release is live: during observe a death is a reason to go back, not to start again.
async fn hand_over(run: &Run<'_>) -> Result<(), Stop> {
    if let (Some(from), Some(serving)) = (run.from(), run.standing.serving()) {
        let leaving = processes::names(&serving.recipe, processes::makes_room);
        processes::stop_some(run.tools, run.env, from, leaving).await?;
    }
    let place = run.place()?;
    for (name, number) in processes::names(&place.release.recipe, processes::makes_room) {
        if processes::find(run.tools, &run.env.id, run.color, &name, number)
            .await?
            .is_none()
        {
            processes::start(&place, &name, number).await?;
        }
    }
    Ok(())
}

/// What runs after the switch can fail without harm to the release; people are told.
async fn afterwards(run: &mut Run<'_>, line: &str) -> Result<(), Stop> {
    let deadline = run.recipe()?.timeouts.hooks;
    match command(run, Step::Switch, line, Sight::App, deadline).await {
        Err(Stop::Failed(trouble)) => {
            let told = format!(
                "the command after the switch failed, the release serves: {}",
                trouble.cause
            );
            run.note(told).await
        }
        _ => Ok(()),
    }
}
