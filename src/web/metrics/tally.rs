//! What the journal adds up to: outcomes, durations of steps, and what cutovers cost. Events are counted once, when they are
//! first asked about; the journal forgets none, so that no counter ever goes back.

use super::text::{Seconds, Text};
use crate::domain::{EnvId, Event, Record, State, StepEnd};
use crate::store::{Store, StoreError, events};
use std::collections::BTreeMap;

/// The states that a deployment does not leave, in the order in which they are shown.
const OUTCOMES: [State; 6] = [
    State::Live,
    State::Failed,
    State::RolledBack,
    State::Superseded,
    State::Cancelled,
    State::Interrupted,
];

/// Everything that was counted so far.
#[derive(Default)]
pub(in crate::web) struct Tally {
    last: i64,
    environments: BTreeMap<EnvId, Figures>,
}

/// One environment's figures.
#[derive(Default)]
struct Figures {
    outcomes: BTreeMap<&'static str, u64>,
    push_to_live: Seconds,
    steps: BTreeMap<&'static str, Seconds>,
    results: BTreeMap<(&'static str, &'static str), u64>,
    requests: u64,
    lost: u64,
    server_errors: u64,
    live_ms: Option<i64>,
}

impl Tally {
    /// Counts what happened since the last time.
    pub async fn catch_up(&mut self, store: &Store) -> Result<(), StoreError> {
        loop {
            let last = self.last;
            let news = store
                .read(move |c| events::with_environment(c, last))
                .await?;
            if news.is_empty() {
                return Ok(());
            }
            for (env, created_ms, record) in news {
                self.last = record.seq;
                let figures = self.environments.entry(env).or_default();
                figures.count(created_ms, &record);
            }
        }
    }

    /// Writes the families, with a zero for every environment of the configuration where nothing happened yet.
    pub(super) fn write<'a>(
        &mut self,
        configured: impl Iterator<Item = &'a EnvId>,
        text: &mut Text,
    ) {
        for env in configured {
            self.environments.entry(env.clone()).or_default();
        }
        self.outcomes(text);
        self.durations(text);
        self.cutovers(text);
    }

    fn each(&self, mut write: impl FnMut(&Figures, [(&str, &str); 2])) {
        for (id, figures) in &self.environments {
            write(
                figures,
                [("app", id.app.as_str()), ("environment", id.env.as_str())],
            );
        }
    }

    fn outcomes(&self, text: &mut Text) {
        let name = "teal_deployments_ended_total";
        text.family(name, "counter", "Deployments that ended, by how.");
        self.each(|figures, labels| {
            for outcome in OUTCOMES.map(State::as_str) {
                let count = figures.outcomes.get(outcome).unwrap_or(&0);
                text.sample(
                    name,
                    &[&labels[..], &[("outcome", outcome)]].concat(),
                    count,
                );
            }
        });
        let name = "teal_last_live_timestamp_seconds";
        text.family(name, "gauge", "When a deployment last went live.");
        self.each(|figures, labels| {
            if let Some(at) = figures.live_ms {
                text.sample(name, &labels, at as f64 / 1000.0);
            }
        });
    }

    fn durations(&self, text: &mut Text) {
        let name = "teal_push_to_live_seconds";
        text.family(
            name,
            "histogram",
            "From a push to the switch that it brought.",
        );
        self.each(|figures, labels| text.histogram(name, &labels, &figures.push_to_live));
        let name = "teal_step_duration_seconds";
        text.family(
            name,
            "histogram",
            "How long steps took that were not skipped.",
        );
        self.each(|figures, labels| {
            for (step, seconds) in &figures.steps {
                text.histogram(name, &[&labels[..], &[("step", step)]].concat(), seconds);
            }
        });
        let name = "teal_steps_total";
        text.family(name, "counter", "Steps that ended, by how.");
        self.each(|figures, labels| {
            for ((step, result), count) in &figures.results {
                let labels = [&labels[..], &[("step", step), ("result", result)]].concat();
                text.sample(name, &labels, count);
            }
        });
    }

    fn cutovers(&self, text: &mut Text) {
        let mut family = |name: &str, help: &str, of: fn(&Figures) -> u64| {
            text.family(name, "counter", help);
            self.each(|figures, labels| text.sample(name, &labels, of(figures)));
        };
        family(
            "teal_cutover_requests_total",
            "Requests that began during a cutover.",
            |figures| figures.requests,
        );
        family(
            "teal_cutover_requests_lost_total",
            "Requests of cutovers that got no answer, or a gateway error.",
            |figures| figures.lost,
        );
        family(
            "teal_cutover_server_errors_total",
            "Answers 5xx of either color during a cutover.",
            |figures| figures.server_errors,
        );
    }
}

impl Figures {
    fn count(&mut self, created_ms: i64, record: &Record) {
        match &record.event {
            Event::State { to, .. } if to.is_final() => {
                *self.outcomes.entry(to.as_str()).or_default() += 1;
                if *to == State::Live {
                    self.live_ms = Some(record.at_ms);
                }
            }
            Event::Switched { .. } => {
                let took = u64::try_from(record.at_ms - created_ms).unwrap_or(0);
                self.push_to_live.record(took);
            }
            Event::StepEnded { step, end, ms, .. } => {
                let result = match end {
                    StepEnd::Ran => "ran",
                    StepEnd::Skipped => "skipped",
                    StepEnd::Failed => "failed",
                };
                *self.results.entry((step.as_str(), result)).or_default() += 1;
                if *end != StepEnd::Skipped {
                    self.steps.entry(step.as_str()).or_default().record(*ms);
                }
            }
            Event::Receipt(receipt) => {
                self.requests += receipt.requests.unwrap_or(0);
                self.lost += receipt.lost.unwrap_or(0);
                self.server_errors += receipt.old_5xx.unwrap_or(0) + receipt.new_5xx.unwrap_or(0);
            }
            _ => {}
        }
    }
}
