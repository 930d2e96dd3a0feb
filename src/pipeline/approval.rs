//! Waits for somebody's yes: the release is built, tested, started and probed, and nobody sees it yet. Who says it, and how,
//! is none of the pipeline's business: it asks, and looks for the answer in the journal.

use super::observe::{Watched, any_ends, watched};
use super::outcome::{Done, Need, Stop};
use super::processes::{self, WEB};
use super::{Run, Tools, backup, health, migrate};
use crate::approvals;
use crate::config::{Approval, OnSwitch, Recipe};
use crate::domain::{Answer, Asked, Deployment, State, Step};
use crate::journal::JournalError;
use crate::report;
use crate::system::clock;
use std::time::{Duration, Instant};

/// When a process is watched here, in words.
const WHEN: &str = "while it waited for approval";

/// Whether it is asked before this step. As a rule that is the switch. Where processes have to make room for those of the
/// new release, it is the first step that stops any: nobody is kept waiting by what may not come.
pub(super) fn is_asked_before(run: &Run<'_>, step: Option<&Step>) -> bool {
    if run.env.approval.is_none() || !run.deployment.kind.is_made_here() {
        return false;
    }
    let exclusive = |recipe: &Recipe| {
        let found = processes::names(recipe, |_, on_switch| on_switch == OnSwitch::Exclusive);
        !found.is_empty()
    };
    let new = run.recipe().is_ok_and(exclusive);
    let old = run.standing.serving();
    let makes_room = new || old.is_some_and(|release| exclusive(&release.recipe));
    let asked = if makes_room {
        Step::Migrate
    } else {
        Step::Switch
    };
    step == Some(&asked)
}

pub(super) async fn approval(run: &mut Run<'_>) -> Result<Done, Stop> {
    let Some(wanted) = run.env.approval.clone() else {
        return nobody_is_asked(run).await;
    };
    if let Some(words) = earlier_yes(run).await? {
        return Ok(Done::Skipped(words));
    }
    // Whatever waits for hours is whole and on the disk.
    backup::complete(run).await?;
    if !is_started(run)?
        && let Need::Run(why) = migrate::need(run).await?
    {
        run.note(format!("the migration comes after the yes: {why}"))
            .await?;
    }
    let asked = ask(run, &wanted).await?;
    let began = Instant::now();
    let answered = wait(run, &asked, wanted.timeout).await;
    run.spent_waiting(began.elapsed());
    let words = answered?;
    if is_started(run)? {
        // It was ready when it was asked; much may have happened since.
        health::health(run).await?;
    }
    // What the cutover costs is counted from here, not from when the wait began.
    run.before = None;
    Ok(Done::Ran(words))
}

/// The environment wanted a yes when the deployment began to wait, and wants none any more.
async fn nobody_is_asked(run: &mut Run<'_>) -> Result<Done, Stop> {
    let why = "no approval is needed here any more".to_owned();
    if run.deployment.state == State::Approval {
        let moved = run
            .tools
            .journal
            .move_to(run.id(), State::Running, Some(why.clone()));
        run.deployment = moved.await?;
    }
    Ok(Done::Skipped(why))
}

/// The yes that was said to an earlier try of the same: the same commit with the same settings, which the server's end
/// kept from serving.
async fn earlier_yes(run: &Run<'_>) -> Result<Option<String>, Stop> {
    let mut earlier = run.deployment.retry_of;
    while let Some(id) = earlier {
        let tried = run.tools.journal.deployment(id).await?;
        let same = tried.commit == run.deployment.commit
            && tried.env_digest.as_ref() == Some(&run.variables.digest);
        let yes = tried
            .approval
            .as_ref()
            .filter(|asked| asked.answer.as_ref().is_some_and(|answer| answer.approved) && same);
        if let Some(words) = yes.and_then(report::answered) {
            return Ok(Some(format!("{words} (as deployment {id})")));
        }
        earlier = tried.retry_of;
    }
    Ok(None)
}

/// Says that it waits, and for whom. One that waited already when the server stopped goes on with its time.
async fn ask(run: &mut Run<'_>, wanted: &Approval) -> Result<Asked, Stop> {
    if run.deployment.state == State::Approval
        && let Some(asked) = run.deployment.approval.clone()
    {
        run.note("the server was started again; it goes on waiting")
            .await?;
        return Ok(asked);
    }
    let now = clock::now_ms();
    let timeout = i64::try_from(wanted.timeout.as_millis()).unwrap_or(i64::MAX);
    let asked = Asked {
        of: wanted.by.to_string(),
        since_ms: now,
        until_ms: now.saturating_add(timeout),
        answer: None,
    };
    let (id, kept) = (run.id(), asked.clone());
    let asks = run.tools.journal.write(move |entry| {
        let why = report::asks(&kept);
        entry.change(id, |deployment| deployment.approval = Some(kept))?;
        entry.move_to(id, State::Approval, Some(why))
    });
    run.deployment = asks.await?;
    Ok(asked)
}

/// Waits for the answer; gives the yes in words. Everything else ends the deployment: a no, the end of the time, a newer push,
/// a process that does not live that long.
async fn wait(run: &Run<'_>, asked: &Asked, timeout: Duration) -> Result<String, Stop> {
    let left = u64::try_from(asked.until_ms - clock::now_ms()).unwrap_or(0);
    // A clock that was put back makes nobody wait for longer than was meant.
    let mut over = std::pin::pin!(tokio::time::sleep(Duration::from_millis(left).min(timeout)));
    let started = processes_so_far(run).await?;
    let mut ends = std::pin::pin!(any_ends(&started, WHEN));
    let mut changes = run.tools.journal.changes();
    loop {
        changes.mark_unchanged();
        let now = run.tools.journal.deployment(run.id()).await?;
        if let Some(said) = said(&now) {
            return said;
        }
        tokio::select! {
            // The journal lives as long as the server.
            _ = changes.changed() => {}
            () = &mut over => give_up(run.tools, &now).await?,
            trouble = &mut ends => return Err(trouble.into()),
            why = run.cancel.wait() => return Err(Stop::Cancelled(why)),
        }
    }
}

/// What runs of the new release; nothing yet, where the old one has to make room for it.
async fn processes_so_far(run: &Run<'_>) -> Result<Vec<Watched>, Stop> {
    if !is_started(run)? {
        return Ok(Vec::new());
    }
    let overlap = |name: &str, on_switch| name == WEB || on_switch == OnSwitch::Overlap;
    watched(run, WHEN, overlap).await
}

/// A release is sealed right before it is started.
fn is_started(run: &Run<'_>) -> Result<bool, Stop> {
    Ok(run.release()?.backup.is_some())
}

/// The steps that are left of a deployment that waited when the server stopped. What it had started lives on, unless the
/// machine was started again as well.
pub(super) async fn steps_left(run: &Run<'_>) -> Result<&'static [Step], Stop> {
    let recipe = run.recipe()?;
    let all = processes::all_run(run.tools, &run.env.id, run.color, recipe).await?;
    Ok(match all {
        true => &[Step::Approval, Step::Switch, Step::Observe],
        false => &[
            Step::Start,
            Step::Health,
            Step::Approval,
            Step::Switch,
            Step::Observe,
        ],
    })
}

/// Whether a deployment that waits for its yes can go on waiting: its slot holds what it made.
pub async fn can_go_on(tools: &Tools, deployment: &Deployment) -> Result<bool, JournalError> {
    let standing = tools.journal.standing(&deployment.env).await?;
    let held = deployment
        .color
        .and_then(|color| standing.slots.of(color).as_ref());
    Ok(held.is_some_and(|release| release.deployment == deployment.id))
}

fn said(now: &Deployment) -> Option<Result<String, Stop>> {
    let asked = now.approval.as_ref()?;
    let approved = asked.answer.as_ref().is_some_and(|answer| answer.approved);
    match report::answered(asked) {
        Some(words) if approved => Some(Ok(words)),
        Some(words) => Some(Err(Stop::Cancelled(words))),
        None if now.state == State::Superseded => Some(Err(Stop::Cancelled(
            "a newer push took its place".to_owned(),
        ))),
        None => None,
    }
}

/// The time is over: that is the answer, unless somebody has just given one.
async fn give_up(tools: &Tools, deployment: &Deployment) -> Result<(), JournalError> {
    let id = deployment.id;
    let nobody = Answer {
        approved: false,
        by: None,
        said_ms: clock::now_ms(),
        why: None,
    };
    let kept = tools
        .journal
        .write(move |entry| approvals::answer(entry, id, nobody));
    kept.await.map(drop)
}
