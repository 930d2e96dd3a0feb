//! Where the time of a deployment went: step by step, Teal's own and the app's apart.

use crate::domain::{Deployment, DeploymentId, EnvId, Event, Record, Step, StepEnd};
use serde::{Deserialize, Serialize};

/// The trace of one deployment. All times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Which.
    pub deployment: DeploymentId,
    /// Where.
    pub env: EnvId,
    /// Whether its release came to serve.
    pub served: bool,
    /// From the push to the switch; where there was none, to the end or to the last step so far.
    pub total_ms: u64,
    /// How much of that it waited: in the queue, and for a turn to build.
    pub waited_ms: u64,
    /// How much of that the app's own commands and its start took.
    pub app_ms: u64,
    /// The rest: Teal's own work.
    pub teal_ms: u64,
    /// The steps that have ended, in order.
    pub steps: Vec<Timed>,
}

/// One step of [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub end: StepEnd,
    /// When it began, counted from the push.
    pub from_ms: u64,
    /// How long it took.
    pub ms: u64,
    /// How much of that it waited for a turn to build.
    pub waited_ms: u64,
    /// How much of that the app's own command, or its start, took.
    pub app_ms: u64,
    /// The rest.
    pub teal_ms: u64,
    /// Whether it came after the switch, so that it is no part of the total.
    pub after: bool,
}

impl Trace {
    /// The trace of a deployment as far as it has come.
    pub fn of(deployment: &Deployment, events: &[Record]) -> Trace {
        let since = |at_ms: i64| u64::try_from(at_ms - deployment.created_ms).unwrap_or(0);
        let steps: Vec<Timed> = events
            .iter()
            .filter_map(|record| timed(record, since(record.at_ms)))
            .collect();
        let last = steps.iter().map(|step| step.from_ms + step.ms).max();
        let until = deployment.switched_ms.or(deployment.ended_ms).map(since);
        let total_ms = until.or(last).unwrap_or(0);
        let before = || steps.iter().filter(|step| !step.after);
        let queued = deployment.started_ms.map_or(total_ms, since);
        let waited_ms = queued + before().map(|step| step.waited_ms).sum::<u64>();
        let app_ms = before().map(|step| step.app_ms).sum();
        Trace {
            deployment: deployment.id,
            env: deployment.env.clone(),
            served: deployment.switched_ms.is_some(),
            total_ms,
            waited_ms,
            app_ms,
            teal_ms: total_ms.saturating_sub(waited_ms + app_ms),
            steps,
        }
    }

    /// How long it waited in the queue.
    pub fn queued_ms(&self) -> u64 {
        let in_steps: u64 = self.steps.iter().map(|step| step.waited_ms).sum();
        self.waited_ms.saturating_sub(in_steps)
    }
}

fn timed(record: &Record, ended: u64) -> Option<Timed> {
    let Event::StepEnded {
        step,
        end,
        ms,
        spent,
        ..
    } = &record.event
    else {
        return None;
    };
    let waited_ms = spent.waited_ms.min(*ms);
    let app_ms = spent.app_ms.min(ms - waited_ms);
    Some(Timed {
        step: *step,
        end: *end,
        from_ms: ended.saturating_sub(*ms),
        ms: *ms,
        waited_ms,
        app_ms,
        teal_ms: ms - waited_ms - app_ms,
        after: *step == Step::Observe,
    })
}
