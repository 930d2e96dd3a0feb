//! The steps of a deployment, from its events.

use crate::domain::{Deployment, Event, Kind, Record, State, Step, StepEnd};
use crate::report::{duration, one_line};

/// A step as a row of the timeline.
pub(super) struct Row {
    /// Its name.
    pub name: &'static str,
    /// How it stands: `ran`, `skipped`, `failed`, `running`.
    pub mark: &'static str,
    /// The same in a word.
    pub word: &'static str,
    /// How long it took, or has taken; empty when it was skipped.
    pub took: String,
    /// What it did, why it was skipped or failed.
    pub why: String,
    /// Since when it runs, in milliseconds since the epoch; zero when it does not.
    pub since_ms: i64,
    /// Where its bar begins, in thousandths of the whole.
    pub from: i64,
    /// How long its bar is, in thousandths of the whole.
    pub length: i64,
    /// Whether it has a log.
    pub has_log: bool,
    /// Remarks made while it ran.
    pub notes: Vec<String>,
}

/// A step as a mark in a row of marks.
pub(super) struct Dot {
    /// Its name.
    pub name: &'static str,
    /// How it stands: `ran`, `skipped`, `failed`, `running`, `ahead`.
    pub mark: &'static str,
}

/// The rows of the timeline. `full` is whether causes and remarks may be seen, `with_log` which steps have one.
pub(super) fn rows(
    events: &[Record],
    now_ms: i64,
    full: bool,
    with_log: impl Fn(Step) -> bool,
) -> Vec<Row> {
    let mut spans: Vec<Span> = Vec::new();
    for record in events {
        match &record.event {
            Event::StepStarted { step } => spans.push(Span::begun(*step, record.at_ms)),
            Event::Note { text } => {
                if let Some(span) = spans.last_mut().filter(|span| span.ended.is_none()) {
                    span.notes.push(one_line(text, 300));
                }
            }
            Event::StepEnded {
                step, end, why, ms, ..
            } => {
                if let Some(span) = spans.iter_mut().rev().find(|span| span.step == *step) {
                    span.ended = Some((*end, *ms, why.clone()));
                }
            }
            _ => {}
        }
    }
    let start = spans.first().map_or(now_ms, |span| span.from_ms);
    let end = spans.iter().map(|span| span.to_ms(now_ms)).max();
    let whole = (end.unwrap_or(now_ms) - start).max(1);
    spans
        .into_iter()
        .map(|span| span.row(start, whole, now_ms, full, &with_log))
        .collect()
}

struct Span {
    step: Step,
    from_ms: i64,
    ended: Option<(StepEnd, u64, String)>,
    notes: Vec<String>,
}

impl Span {
    fn begun(step: Step, from_ms: i64) -> Span {
        Span {
            step,
            from_ms,
            ended: None,
            notes: Vec::new(),
        }
    }

    fn to_ms(&self, now_ms: i64) -> i64 {
        match &self.ended {
            Some((_, ms, _)) => self.from_ms + i64::try_from(*ms).unwrap_or(0),
            None => now_ms,
        }
    }

    fn row(
        self,
        start: i64,
        whole: i64,
        now_ms: i64,
        full: bool,
        with_log: impl Fn(Step) -> bool,
    ) -> Row {
        let to = self.to_ms(now_ms);
        let (mark, word) = match &self.ended {
            None => ("running", "running"),
            Some((StepEnd::Ran, ..)) => ("ran", "done"),
            Some((StepEnd::Skipped, ..)) => ("skipped", "skipped"),
            Some((StepEnd::Failed, ..)) => ("failed", "failed"),
        };
        let ms = u64::try_from(to - self.from_ms).unwrap_or(0);
        let why = self.ended.as_ref().map(|(_, _, why)| why.as_str());
        // Why a step failed may quote the service's answer.
        let why = why.filter(|_| full || mark != "failed").unwrap_or_default();
        Row {
            name: self.step.as_str(),
            mark,
            word,
            took: match mark {
                "skipped" => String::new(),
                _ => duration(ms),
            },
            why: one_line(why.lines().next().unwrap_or_default(), 400),
            since_ms: match self.ended {
                None => self.from_ms,
                Some(_) => 0,
            },
            from: (self.from_ms - start) * 1000 / whole,
            // What took hardly any time is still to be seen.
            length: ((to - self.from_ms) * 1000 / whole).max(4),
            has_log: full && mark != "skipped" && with_log(self.step),
            notes: if full { self.notes } else { Vec::new() },
        }
    }
}

/// The steps as marks, those ahead included.
pub(super) fn dots(deployment: &Deployment, events: &[Record]) -> Vec<Dot> {
    let rows = rows(events, 0, false, |_| false);
    let mut dots: Vec<Dot> = rows
        .iter()
        .map(|row| Dot {
            name: row.name,
            mark: row.mark,
        })
        .collect();
    let ahead = expected(&deployment.kind).iter().map(|step| step.as_str());
    // An approval stands wherever it is asked for; what lies ahead is told by the steps around it.
    let mut steps = dots
        .iter()
        .filter(|dot| dot.name != Step::Approval.as_str());
    let reached = steps.next_back().map(|dot| dot.name);
    let rest: Vec<&str> = match reached {
        None => ahead.collect(),
        Some(last) => ahead.skip_while(|name| *name != last).skip(1).collect(),
    };
    if !deployment.state.is_final() {
        dots.extend(rest.into_iter().map(|name| Dot {
            name,
            mark: "ahead",
        }));
    }
    dots
}

/// The steps that a deployment of this kind goes through at most.
fn expected(kind: &Kind) -> &'static [Step] {
    use Step::*;
    match kind {
        Kind::Deploy | Kind::Promote { .. } => &[
            Fetch, Vacate, Checkout, Backup, Deps, Build, Test, Migrate, Start, Health, Switch,
            Observe,
        ],
        Kind::Restart => &[Backup, Vacate, Restore, Start, Health, Switch, Observe],
        Kind::Rollback { .. } => &[Switch, Observe],
    }
}

/// What a deployment does now: its step, its state, or what it waits for.
pub(super) fn doing(events: &[Record]) -> String {
    let told = events.iter().rev().find_map(|record| match &record.event {
        Event::StepStarted { step } => Some(step.to_string()),
        Event::StepEnded { step, .. } => Some(format!("{step} done")),
        Event::Note { text } => Some(one_line(text, 120)),
        Event::State { to, why } => match (to, why) {
            (State::Running | State::Switching | State::Observing, _) => None,
            (_, Some(why)) => Some(one_line(why, 120)),
            (State::Queued, None) => Some("next in line".to_owned()),
            (State::Approval, None) => Some("somebody has to say yes".to_owned()),
            _ => None,
        },
        _ => None,
    });
    told.unwrap_or_else(|| "starting".to_owned())
}
