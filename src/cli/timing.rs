//! `teal logs 42 --timing`: where the time of a deployment went, as bars or as a picture.

mod svg;

use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{cell, plain};
use crate::domain::{DeploymentId, StepEnd};
use crate::report::{self, Line, Timed, Tone, Trace, duration};
use crate::web::types::DeploymentShown;

/// The columns that a bar may take, so that a line fits on 80.
const WIDTH: u64 = 46;

/// Shows the trace of a deployment.
pub(super) async fn run(
    client: &Client,
    id: DeploymentId,
    is_picture: bool,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let shown: DeploymentShown = client.get(&format!("deployments/{id}"), &[]).await?;
    let trace = Trace::of(&shown.deployment, &shown.events);
    if is_picture {
        screen.bytes(svg::picture(&trace).as_bytes());
        return Ok(Code::Done);
    }
    if screen.json {
        return screen.document(&trace);
    }
    screen.line(&plain(report::headline(
        &shown.deployment,
        shown.subject.as_deref(),
    )));
    for line in lines(&trace) {
        screen.line(&line);
    }
    Ok(Code::Done)
}

/// What the whole of it comes to.
fn summary(trace: &Trace) -> String {
    let what = if trace.served { "push to live" } else { "took" };
    let waited = match trace.waited_ms {
        0..10 => String::new(),
        ms => format!(", {} waiting", duration(ms)),
    };
    format!(
        "{what} {}: {} Teal, {} the app{waited}",
        duration(trace.total_ms),
        duration(trace.teal_ms),
        duration(trace.app_ms)
    )
}

fn lines(trace: &Trace) -> Vec<Line> {
    let mut lines = vec![plain(summary(trace)), plain("")];
    lines.push(cell(Tone::Quiet, head(trace)));
    let queued = trace.queued_ms();
    if queued > 0 {
        let bar = bar(trace, 0, [queued, 0, 0]);
        lines.push(plain(row("queue", &duration(queued), "", &bar)));
    }
    lines.extend(trace.steps.iter().map(|step| line(trace, step)));
    lines.push(cell(
        Tone::Quiet,
        "  ░ waiting  ▒ Teal  █ the app: its commands, and its start",
    ));
    lines
}

fn head(trace: &Trace) -> String {
    let end = duration(trace.total_ms);
    let gap = usize::try_from(WIDTH)
        .unwrap_or(0)
        .saturating_sub(3 + end.len());
    row("", "took", "app", &format!("0 s{:gap$}{end}", ""))
}

fn line(trace: &Trace, step: &Timed) -> Line {
    let took = match step.end {
        StepEnd::Skipped => "skipped".to_owned(),
        StepEnd::Failed => "failed".to_owned(),
        StepEnd::Ran => duration(step.ms),
    };
    let app = match step.app_ms {
        0 => String::new(),
        ms => duration(ms),
    };
    let bar = match step.after {
        true => "after the switch".to_owned(),
        false => bar(
            trace,
            step.from_ms,
            [step.waited_ms, step.teal_ms, step.app_ms],
        ),
    };
    let tone = match step.end {
        StepEnd::Ran => Tone::Plain,
        StepEnd::Skipped => Tone::Quiet,
        StepEnd::Failed => Tone::Bad,
    };
    cell(tone, row(step.step.as_str(), &took, &app, &bar))
}

fn row(name: &str, took: &str, app: &str, bar: &str) -> String {
    format!("  {name:<8} {took:>9} {app:>9}  {bar}")
        .trim_end()
        .to_owned()
}

/// A bar from where the step began, in its three parts; what took any time at all is seen.
fn bar(trace: &Trace, from_ms: u64, parts: [u64; 3]) -> String {
    let total = trace.total_ms.max(1);
    let column = |ms: u64| (ms * WIDTH / total).min(WIDTH);
    let mut text = " ".repeat(usize::try_from(column(from_ms).min(WIDTH - 1)).unwrap_or(0));
    let (mut at, begins) = (from_ms, text.len());
    for (ms, sign) in parts.into_iter().zip(['░', '▒', '█']) {
        let columns = column(at + ms).saturating_sub(column(at));
        text.extend(std::iter::repeat_n(
            sign,
            usize::try_from(columns).unwrap_or(0),
        ));
        at += ms;
    }
    if text.len() == begins && parts.iter().any(|ms| *ms > 0) {
        text.push('▏');
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::samples;
    use crate::domain::{Event, Record, Spent, State, Step};

    fn ended(seq: i64, at: i64, step: Step, end: StepEnd, ms: u64, spent: (u64, u64)) -> Record {
        let (app_ms, waited_ms) = spent;
        Record {
            seq,
            deployment: 42,
            at_ms: samples::NOW - 120 * samples::MINUTE + at,
            event: Event::StepEnded {
                step,
                end,
                why: String::new(),
                ms,
                spent: Spent { app_ms, waited_ms },
            },
        }
    }

    /// A deployment that waited, built, started and is observed.
    pub fn trace() -> Trace {
        let mut live = samples::deployment(42, "arq/production", State::Live);
        live.started_ms = Some(live.created_ms + 40);
        live.switched_ms = Some(live.created_ms + 4_000);
        use StepEnd::{Ran, Skipped};
        let events = [
            ended(1, 60, Step::Checkout, Ran, 20, (0, 0)),
            ended(2, 62, Step::Deps, Skipped, 2, (0, 0)),
            ended(3, 3_062, Step::Build, Ran, 3_000, (1_900, 1_000)),
            ended(4, 3_092, Step::Start, Ran, 30, (0, 0)),
            ended(5, 3_992, Step::Health, Ran, 900, (880, 0)),
            ended(6, 4_000, Step::Switch, Ran, 8, (0, 0)),
            ended(7, 34_000, Step::Observe, Ran, 30_000, (0, 0)),
        ];
        Trace::of(&live, &events)
    }

    #[test]
    fn the_bars_fit_and_tell_waiting_teal_and_the_app_apart() {
        let text: Vec<String> = lines(&trace()).into_iter().map(|line| line.text).collect();
        assert!(
            text.iter().all(|line| line.chars().count() <= 80),
            "{text:#?}"
        );
        insta::assert_snapshot!(text.join("\n"), @r"
        push to live 4.0 s: 180 ms Teal, 2.7 s the app, 1.0 s waiting

                        took       app  0 s                                      4.0 s
          queue        40 ms            ▏
          checkout     20 ms            ▏
          deps       skipped            ▏
          build        3.0 s     1.9 s  ░░░░░░░░░░░░▒██████████████████████
          start        30 ms                                               ▏
          health      900 ms    880 ms                                     ██████████
          switch        8 ms                                                         ▒
          observe     30.0 s            after the switch
          ░ waiting  ▒ Teal  █ the app: its commands, and its start
        ");
    }

    #[test]
    fn a_deployment_that_failed_is_timed_to_its_end() {
        let mut failed = samples::deployment(42, "arq/production", State::Failed);
        failed.started_ms = Some(failed.created_ms);
        failed.ended_ms = Some(failed.created_ms + 1_000);
        let build = ended(1, 990, Step::Build, StepEnd::Failed, 990, (900, 0));
        let trace = Trace::of(&failed, &[build]);
        assert_eq!(summary(&trace), "took 1.0 s: 100 ms Teal, 900 ms the app");
    }
}
