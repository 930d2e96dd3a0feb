//! One picture of all environments: what serves, its traffic, what runs and waits, and what somebody should look at.

use super::rates::{Rate, Seen};
use crate::cli::status::{active, apart, last, other, running, state, untold, warnings};
use crate::cli::table::{cell, plain, wrapped};
use crate::domain::Deployment;
use crate::report::{Line, Tone, duration, one_line, span, what};
use crate::system::clock;
use crate::web::types::{EnvironmentStatus, Now, SlotStatus, Status, StepNow};
use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// Cells of a bar.
const BAR: usize = 10;
/// The widest name of an environment that pushes nothing aside.
const NAME: usize = 24;

/// What is seen at one moment.
pub(super) struct View<'a> {
    /// How everything stands.
    pub status: &'a Status,
    /// What changes from second to second.
    pub now: &'a [Now],
    /// The traffic of the last minute.
    pub seen: &'a Seen,
    /// The moment.
    pub now_ms: i64,
}

/// The head: how many, who builds, what time it is.
pub(super) fn head(view: &View<'_>, columns: usize) -> Line {
    let status = view.status;
    let builds = &status.builds;
    let waiting = match builds.waiting.len() {
        0 => String::new(),
        count => format!(", {count} waiting"),
    };
    let left = format!(
        "Teal {} · {} of {} build slots in use{waiting}",
        status.version,
        builds.building.len(),
        builds.slots
    );
    let time: String = clock::local(view.now_ms).chars().skip(11).collect();
    let taken = measure_text_width(&left) + time.len();
    match columns.checked_sub(taken).filter(|gap| *gap > 1) {
        Some(gap) => cell(Tone::Quiet, format!("{left}{:gap$}{time}", "")),
        // A narrow terminal has a clock elsewhere.
        None => cell(Tone::Quiet, left),
    }
}

/// All that is below the head.
pub(super) fn body(view: &View<'_>, columns: usize) -> Vec<Vec<Line>> {
    let names = view
        .status
        .environments
        .iter()
        .map(|one| one.env.to_string().len());
    let name = names.max().unwrap_or(0).min(NAME);
    let mut lines = Vec::new();
    for status in &view.status.environments {
        lines.push(Vec::new());
        lines.push(title(status, name, view.now_ms, columns));
        lines.extend(
            status
                .slots
                .iter()
                .filter_map(|slot| color(view, status, slot)),
        );
        lines.extend(
            status
                .hold
                .iter()
                .map(|hold| vec![plain(format!("  {}", one_line(hold, 200)))]),
        );
        for deployment in &status.open {
            let now = view.now.iter().flat_map(|now| &now.steps);
            let step = now
                .into_iter()
                .find(|step| step.deployment == deployment.id);
            match step {
                Some(step) => lines.push(vec![progress(deployment, step, view.now_ms)]),
                None => lines.extend(
                    running(deployment, &view.status.builds, view.now_ms)
                        .into_iter()
                        .map(|line| vec![line]),
                ),
            }
        }
        lines.extend(apart(status).map(|line| vec![line]));
        lines.extend(last(status, view.now_ms).map(|line| vec![line]));
    }
    let troubles: Vec<Line> = warnings(&view.status.environments)
        .into_iter()
        .chain(untold(&view.status.untold, view.now_ms))
        .collect();
    if !troubles.is_empty() {
        lines.push(Vec::new());
        for trouble in troubles {
            let text = wrapped(&trouble.text, columns);
            lines.extend(text.into_iter().map(|text| vec![cell(trouble.tone, text)]));
        }
    }
    lines
}

fn title(status: &EnvironmentStatus, name: usize, now_ms: i64, columns: usize) -> Vec<Line> {
    let shown = pad_str(
        &truncate_str(&status.env.to_string(), NAME, "…"),
        name,
        Alignment::Left,
        None,
    )
    .into_owned();
    let state = state(status);
    let since = status
        .since_ms
        .map(|at| span(now_ms - at))
        .unwrap_or_default();
    let serves = match active(status) {
        None => "nothing yet".to_owned(),
        Some(slot) => {
            let commit = slot.commit.as_ref().map_or("?", |commit| commit.short());
            let subject = one_line(slot.subject.as_deref().unwrap_or_default(), 200);
            format!("{commit} {subject}").trim_end().to_owned()
        }
    };
    let taken = name + 2 + 11 + 2 + 6 + 2;
    let room = columns.saturating_sub(taken).max(12);
    let padded = cell(state.tone, format!("{:<11}", state.text));
    vec![
        plain(format!("{shown}  ")),
        padded,
        plain(format!(
            "  {since:>6}  {}",
            truncate_str(&serves, room, "…")
        )),
    ]
}

/// A slot with its share and its traffic; one that holds nothing is not worth a line.
fn color(view: &View<'_>, status: &EnvironmentStatus, slot: &SlotStatus) -> Option<Vec<Line>> {
    slot.commit.as_ref()?;
    let rate = view.seen.rate(&status.env, slot.color);
    let serves = status.active == Some(slot.color);
    let share = usize::from(slot.share.min(100));
    let tone = if serves { Tone::Plain } else { Tone::Quiet };
    let mut line = vec![cell(
        tone,
        format!("  {:<5} {share:>3} % {} ", slot.color, bar(share, 100)),
    )];
    let busy = rate
        .as_ref()
        .is_some_and(|rate| rate.per_second > 0.0 || rate.in_flight > 0);
    match rate.filter(|rate| serves || busy || rate.errors > 0) {
        Some(rate) => line.extend(traffic(&rate, tone)),
        None if serves => {}
        None => {
            let text = other(status, view.now_ms).text;
            let warmth = text
                .split_once(' ')
                .map_or(text.as_str(), |(_, warmth)| warmth);
            let commit = slot.commit.as_ref().map_or("", |commit| commit.short());
            line.push(cell(Tone::Quiet, format!("{warmth:<11} {commit}")));
        }
    }
    Some(line)
}

fn traffic(rate: &Rate, tone: Tone) -> Vec<Line> {
    let time = |us: Option<u64>| match us {
        None => "-".to_owned(),
        Some(us) if us < 1000 => "<1 ms".to_owned(),
        Some(us) => duration(us / 1000),
    };
    let numbers = format!(
        "{:>7.1}/s  p50 {:>6}  p99 {:>6}  ",
        rate.per_second,
        time(rate.p50_us),
        time(rate.p99_us)
    );
    let errors = match rate.errors {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    let alarm = if rate.errors > 0 {
        Tone::Bad
    } else {
        Tone::Quiet
    };
    vec![cell(tone, numbers), cell(alarm, errors)]
}

/// What runs, and how far it is where that can be guessed.
fn progress(deployment: &Deployment, step: &StepNow, now_ms: i64) -> Line {
    let ran = u64::try_from(now_ms - step.since_ms).unwrap_or(0);
    let far = match step.usual_ms.filter(|usual| *usual >= 1000) {
        // Whoever takes longer than usual is nearly done for ever.
        Some(usual) => {
            let percent = usize::try_from(ran * 100 / usual).unwrap_or(100).min(99);
            format!(
                "{} {} of about {}",
                bar(percent, 100),
                duration(ran),
                duration(usual)
            )
        }
        None => duration(ran),
    };
    plain(format!(
        "  {} {} {far}: {} of {} by {}",
        deployment.id,
        step.step,
        deployment.commit.short(),
        what(deployment),
        one_line(&deployment.by, 20)
    ))
}

fn bar(part: usize, whole: usize) -> String {
    let full = (part * BAR).div_ceil(whole.max(1)).min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

#[cfg(test)]
mod tests;
