//! The recipe of steps. Every kind of deployment runs through here: what differs is which steps it needs.

mod approval;
mod backup;
mod beside;
mod build;
mod cancel;
mod checkout;
mod command;
mod committed;
mod deps;
mod end;
mod fetch;
mod folders;
mod health;
mod keys;
mod lenders;
mod lending;
mod migrate;
mod observe;
mod outcome;
mod owner;
mod place;
mod plan;
mod prepare;
mod processes;
mod restore;
mod results;
mod room;
mod run;
mod secrets;
mod seen;
mod start;
mod switch;
mod test;
mod tools;
mod turns;
mod vacate;
mod why;

pub use approval::can_go_on;
pub use cancel::Cancel;
pub use committed::{reroute, serving, uphold};
pub use fetch::{remote, transfer};
pub use outcome::{Need, Stop, Trouble};
pub use place::{Place, Sight};
pub use plan::{Plan, plan};
pub use prepare::prepare;
pub use processes::{WEB, find, key, retire};
pub use run::{Run, WayBack};
pub use tools::Tools;
pub use turns::{Builder, Turns};

use crate::domain::{DeploymentId, Event, Kind, State, Step, StepEnd};
use crate::journal::{Entry, JournalError};
use crate::store::environments;
use outcome::Done;
use std::time::Instant;

/// The steps of a deployment, in order. Approval is asked for at one of its two places, where it is asked for at all.
fn steps(run: &Run) -> &'static [Step] {
    use Step::*;
    match (&run.deployment.kind, run.way_back) {
        (Kind::Deploy | Kind::Promote { .. }, _) => &[
            Fetch, Vacate, Checkout, Backup, Deps, Build, Test, Approval, Migrate, Start, Health,
            Approval, Switch, Observe,
        ],
        (Kind::Restart, _) => &[Backup, Vacate, Restore, Start, Health, Switch, Observe],
        (Kind::Rollback { .. }, WayBack::Warm) => &[Switch, Observe],
        (Kind::Rollback { .. }, WayBack::InSlot) => &[Start, Health, Switch, Observe],
        (Kind::Rollback { .. }, WayBack::FromBackup) => {
            &[Vacate, Restore, Start, Health, Switch, Observe]
        }
    }
}

/// Takes a queued deployment to its end. What goes wrong in a step becomes the deployment's failure; only a journal that
/// cannot be written is an error here, and then the deployment is left for recovery.
pub async fn deploy(tools: &Tools, id: DeploymentId, cancel: Cancel) -> Result<(), JournalError> {
    let begin = move |entry: &mut Entry| {
        let env = entry.move_to(id, State::Running, None)?.env;
        let standby = environments::get(entry.connection(), &env)?.standby();
        entry.change(id, |deployment| deployment.color = Some(standby))
    };
    let deployment = tools.journal.write(begin).await?;
    let mut run = match Run::prepare(tools, deployment, cancel).await {
        Ok(run) => run,
        Err(stop) => return end::before_the_first_step(tools, id, stop).await,
    };
    let steps = steps(&run);
    for (nth, &step) in steps.iter().enumerate() {
        if step == Step::Approval && !approval::is_asked_before(&run, steps.get(nth + 1)) {
            continue;
        }
        if let Err(stop) = go(&mut run, step).await? {
            return end::without_success(&run, step, stop).await;
        }
    }
    run.kept().await?;
    end::with_success(&run).await
}

/// One step, after whose failure nothing goes on beside it.
async fn go(run: &mut Run<'_>, step: Step) -> Result<Result<(), Stop>, JournalError> {
    let walked = walk(run, step).await;
    if !matches!(walked, Ok(Ok(()))) {
        run.beside.let_go().await;
    }
    walked
}

/// Takes a deployment whose release serves already, or waits for its approval, and whose server stopped, to its end.
pub async fn resume(tools: &Tools, id: DeploymentId, cancel: Cancel) -> Result<(), JournalError> {
    let deployment = tools.journal.deployment(id).await?;
    let mut run = match Run::prepare(tools, deployment, cancel).await {
        Ok(run) => run,
        Err(stop) => return end::before_the_first_step(tools, id, stop).await,
    };
    let left = match run.deployment.state {
        State::Approval => approval::steps_left(&run).await,
        _ if run.is_back => return end::on_the_way_back(&run).await,
        _ => switch::finish(&mut run)
            .await
            .map(|()| &[Step::Observe][..]),
    };
    let left = match left {
        Ok(left) => left,
        Err(stop) => {
            let step = match run.deployment.state {
                State::Approval => Step::Approval,
                _ => Step::Switch,
            };
            return end::without_success(&run, step, stop).await;
        }
    };
    for &step in left {
        if let Err(stop) = go(&mut run, step).await? {
            return end::without_success(&run, step, stop).await;
        }
    }
    run.kept().await?;
    end::with_success(&run).await
}

/// One step with its beginning and its end in the journal. Nothing is done because of these, so the disk is not waited for;
/// what a step itself has to have durable it waits for.
async fn walk(run: &mut Run<'_>, step: Step) -> Result<Result<(), Stop>, JournalError> {
    let id = run.id();
    run.soon(move |entry| entry.tell(id, Event::StepStarted { step }))?;
    let began = Instant::now();
    let outcome = take(run, step).await;
    if matches!(outcome, Ok(Done::Ran(_))) {
        run.seen.forget();
    }
    if outcome.is_err() || step == Step::Test {
        run.end_turn();
    }
    if outcome.is_err() && step == Step::Observe {
        run.tools.make_way();
    }
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (end, why) = match &outcome {
        Ok(Done::Ran(what)) => (StepEnd::Ran, what.clone()),
        Ok(Done::Skipped(why)) => (StepEnd::Skipped, why.clone()),
        Err(Stop::Failed(trouble)) => (StepEnd::Failed, trouble.cause.clone()),
        Err(Stop::Cancelled(why)) => (StepEnd::Failed, why.clone()),
    };
    let spent = run.spent();
    let ended = Event::StepEnded {
        step,
        end,
        why,
        ms,
        spent,
    };
    run.soon(move |entry| entry.tell(id, ended))?;
    Ok(outcome.map(|_| ()))
}

async fn take(run: &mut Run<'_>, step: Step) -> Result<Done, Stop> {
    if step != Step::Observe
        && let Some(why) = run.cancel.pulled()
    {
        return Err(Stop::Cancelled(why));
    }
    let done = match step {
        Step::Fetch => fetch::fetch(run).await,
        Step::Vacate => vacate::vacate(run).await,
        Step::Checkout => checkout::checkout(run).await,
        Step::Restore => restore::restore(run).await,
        Step::Backup => backup::backup(run).await,
        Step::Deps => deps::deps(run).await,
        Step::Build => build::build(run).await,
        Step::Test => test::test(run).await,
        Step::Migrate => migrate::migrate(run).await,
        Step::Start => start::start(run).await,
        Step::Health => health::health(run).await,
        Step::Approval => approval::approval(run).await,
        Step::Switch => switch::switch(run).await,
        Step::Observe => observe::observe(run).await,
    }?;
    if matches!(
        step,
        Step::Checkout | Step::Restore | Step::Deps | Step::Build
    ) {
        owner::hand_over(run).await?;
    }
    Ok(done)
}
