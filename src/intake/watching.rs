//! One deployment, told line by line to the terminal of whoever pushed it.

use super::hook_protocol::{HEARTBEAT, Line};
use crate::domain::{DeploymentId, Event, Record, State, Step};
use crate::report;
use crate::web::stream::{Gone, Lines};
use crate::worker::Worker;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A step that takes longer than this is named while it runs.
const LONG: Duration = Duration::from_secs(2);

/// Tells a deployment from its first event to its end.
pub(super) async fn watch(
    worker: &Worker,
    id: DeploymentId,
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

/// A line for the pusher's terminal.
pub(super) async fn say(lines: &mut Lines, text: impl Into<String>) -> Result<(), Gone> {
    lines.json(&Line::Say(text.into())).await
}
