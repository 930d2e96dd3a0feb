//! Watches the traffic while a deployment moves it, interval by interval, for the picture of the cutover. It stands beside
//! the pipeline: a proxy that does not answer costs the picture, never the deployment.

use crate::domain::{Color, Deployment, DeploymentId, Event, Step};
use crate::journal::JournalError;
use crate::pipeline::Tools;
use crate::store::cutovers::{self, Counted, Interval};
use crate::store::{StoreError, events};
use crate::system::clock;
use crate::traffic::{ColorMeasure, Measure};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The observation is cut into about so many intervals.
const PARTS: u32 = 120;
/// No interval is shorter than this.
const SHORTEST: Duration = Duration::from_millis(100);
/// No interval is longer than this.
const LONGEST: Duration = Duration::from_secs(5);
/// How many intervals before the switch belong to the picture.
const LEAD: usize = 20;

/// Watches until the server stops. The cutover of a deployment that began under an earlier server has no picture.
pub async fn watch(tools: Arc<Tools>) {
    let mut changes = tools.journal.changes();
    let mut seen = *changes.borrow_and_update();
    while changes.changed().await.is_ok() {
        let news = tools.journal.store().read(move |c| events::since(c, seen));
        let news = match news.await {
            Ok(news) => news,
            Err(error) => {
                tracing::warn!(%error, "what happened cannot be read");
                continue;
            }
        };
        let mut begun: Vec<DeploymentId> = Vec::new();
        for record in news {
            seen = record.seq;
            if is_about_to_switch(&record.event) && !begun.contains(&record.deployment) {
                begun.push(record.deployment);
            }
        }
        for id in begun {
            let tools = Arc::clone(&tools);
            tokio::spawn(async move {
                if let Err(error) = follow(&tools, id).await {
                    tracing::warn!(deployment = id, %error, "the picture of its cutover is not kept");
                }
            });
        }
    }
}

/// Health comes right before the switch; a rollback to the warm release has no such step.
fn is_about_to_switch(event: &Event) -> bool {
    matches!(event, Event::StepStarted { step: Step::Start })
        || matches!(event, Event::StepStarted { step: Step::Switch })
}

/// One deployment from here to its end.
async fn follow(tools: &Tools, id: DeploymentId) -> Result<(), JournalError> {
    let deployment = tools.journal.deployment(id).await?;
    if has_begun_earlier(tools, &deployment).await? {
        return Ok(());
    }
    let Some((_, env)) = tools.environment(&deployment.env) else {
        return Ok(());
    };
    let every = (env.observe / PARTS).clamp(SHORTEST, LONGEST);
    let mut intervals: VecDeque<Interval> = VecDeque::new();
    let mut last = None;
    loop {
        let now = tools.journal.deployment(id).await?;
        // Without counters (nginx) there is nothing to be drawn.
        let Ok(Some(measure)) = tools.traffic.measure(&now.env).await else {
            return Ok(());
        };
        if let Some(last) = &last {
            intervals.push_back(between(last, &measure, clock::now_ms()));
        }
        if now.switched_ms.is_none() && intervals.len() > LEAD {
            intervals.pop_front();
        }
        last = Some(measure);
        if now.state.is_final() {
            return match now.switched_ms {
                Some(_) => keep(tools, id, intervals.into()).await,
                None => Ok(()),
            };
        }
        sleep(every).await;
    }
}

/// Whether the step before the switch has its watcher already: only a deployment that starts no service begins with the
/// switch itself.
async fn has_begun_earlier(tools: &Tools, deployment: &Deployment) -> Result<bool, JournalError> {
    let id = deployment.id;
    let events = tools
        .journal
        .store()
        .read(move |c| events::after(c, id, 0))
        .await?;
    let begun = events.iter().filter(|one| is_about_to_switch(&one.event));
    Ok(begun.count() > 1)
}

async fn keep(
    tools: &Tools,
    id: DeploymentId,
    intervals: Vec<Interval>,
) -> Result<(), JournalError> {
    let store = tools.journal.store();
    let kept = store.write(move |c| cutovers::put(c, id, &intervals));
    Ok(kept.await.map_err(|error: StoreError| error)?)
}

fn between(before: &Measure, after: &Measure, at_ms: i64) -> Interval {
    let mut interval = Interval {
        at_ms,
        ms: after.at_us.saturating_sub(before.at_us) / 1000,
        ..Interval::default()
    };
    for color in Color::BOTH {
        *interval.colors.of_mut(color) = counted(before.colors.of(color), after.colors.of(color));
    }
    interval
}

/// A proxy that was replaced in between counts from zero: that reads as nothing, never as a huge number.
fn counted(before: &ColorMeasure, after: &ColorMeasure) -> Counted {
    let latency = after.latency.since(&before.latency);
    let errors = |color: &ColorMeasure| color.lost + color.server_errors;
    Counted {
        requests: after.begun.saturating_sub(before.begun),
        errors: errors(after).saturating_sub(errors(before)),
        p50_us: latency.percentile(50),
        p99_us: latency.percentile(99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_what_was_counted_in_it() {
        let mut before = Measure {
            at_us: 1_000_000,
            ..Measure::default()
        };
        before.colors.blue.begun = 10;
        before.colors.blue.latency.record(90_000);
        let mut after = before.clone();
        after.at_us = 1_250_000;
        after.colors.blue.begun = 14;
        after.colors.blue.lost = 1;
        after.colors.blue.latency.record(20);
        after.colors.green.begun = 3;
        let interval = between(&before, &after, 7);
        assert_eq!((interval.at_ms, interval.ms), (7, 250));
        let blue = Counted {
            requests: 4,
            errors: 1,
            p50_us: Some(20),
            p99_us: Some(20),
        };
        assert_eq!(interval.colors.blue, blue);
        assert_eq!(interval.colors.green.requests, 3);
        assert_eq!(between(&after, &before, 8).colors.blue.requests, 0);
    }
}
