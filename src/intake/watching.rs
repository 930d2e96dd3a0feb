//! One deployment, told line by line to the terminal of whoever pushed it.

use super::hook_protocol::{HEARTBEAT, Line};
use crate::changes;
use crate::domain::{DeploymentId, Event, Record, State, Step};
use crate::report;
use crate::web::stream::{Gone, Lines};
use crate::worker::Worker;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A step that takes longer than this is named while it runs.
const LONG: Duration = Duration::from_secs(2);

/// How long somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To the end: what is waited for decides about the push.
    TheEnd,
    /// Until it is over, or waits for somebody's yes: the push has landed.
    ItWaits,
}

/// Tells a deployment from its first event on.
pub(super) async fn watch(
    worker: &Worker,
    id: DeploymentId,
    until: Until,
    lines: &mut Lines,
) -> Result<(), Gone> {
    let tools = worker.tools();
    let deployment = tools.journal.deployment(id).await.map_err(|_| Gone)?;
    let subject = tools.subject(&deployment.env.app, &deployment.commit);
    say(lines, report::headline(&deployment, subject.as_deref())).await?;
    lines
        .json(&Line::LookAgain(format!("teal logs {id} -f")))
        .await?;
    let mut follower = tools.journal.follow(id, 0);
    let mut over = false;
    if deployment.state == State::Waiting {
        // Nobody keeps a terminal open for as long as a freeze may last.
        for record in follower.next().await.map_err(|_| Gone)? {
            tell(&record, &mut None, lines).await?;
        }
        return say(lines, report::held_back(&deployment).text).await;
    }
    let mut running: Option<(Step, Instant)> = None;
    while !over {
        let long = running.map(|(_, since)| since + LONG);
        let quiet = Instant::now() + HEARTBEAT;
        tokio::select! {
            records = follower.next() => {
                let records = records.map_err(|_| Gone)?;
                over = records.is_empty();
                for record in records {
                    over |= tell(&record, &mut running, lines).await?;
                    if is_asked(worker, &record, lines).await? && until == Until::ItWaits {
                        return say(lines, report::goes_on(id).text).await;
                    }
                }
            }
            () = sleep_until(long.unwrap_or(quiet)) => match running.take() {
                Some((step, _)) => say(lines, format!("  {:<9}      ...", step.as_str())).await?,
                None => lines.raw("\n").await?,
            },
        }
    }
    let ended = tools.journal.deployment(id).await.map_err(|_| Gone)?;
    say(lines, report::ending(&ended, &tools.url(&ended.env)).text).await
}

async fn tell(
    record: &Record,
    running: &mut Option<(Step, Instant)>,
    lines: &mut Lines,
) -> Result<bool, Gone> {
    match &record.event {
        Event::StepStarted { step } => *running = Some((*step, Instant::now())),
        Event::StepEnded { .. } => *running = None,
        _ => {}
    }
    for line in report::line(&record.event) {
        say(lines, line.text).await?;
    }
    Ok(matches!(record.event, Event::State { to, .. } if State::is_final(to)))
}

/// Tells what a release that waits for a yes brings, and how the yes is said. Whether it still waits.
async fn is_asked(worker: &Worker, record: &Record, lines: &mut Lines) -> Result<bool, Gone> {
    let asks = |event: &Event| {
        matches!(
            event,
            Event::State {
                to: State::Approval,
                ..
            }
        )
    };
    if !asks(&record.event) {
        return Ok(false);
    }
    let tools = worker.tools();
    let now = tools.journal.deployment(record.deployment).await;
    let now = now.map_err(|_| Gone)?;
    if now.state != State::Approval {
        return Ok(false);
    }
    let changes = changes::of(tools, &now).await.map_err(|_| Gone)?;
    for line in changes.iter().flat_map(report::brings) {
        say(lines, line.text).await?;
    }
    say(lines, report::how_to_answer(now.id).text).await?;
    Ok(true)
}

/// A line for the pusher's terminal.
pub(super) async fn say(lines: &mut Lines, text: impl Into<String>) -> Result<(), Gone> {
    lines.json(&Line::Say(text.into())).await
}
