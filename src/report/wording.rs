//! The one place where a deployment is put into words. Everything that a stranger may have written (refs, subjects,
//! output) is on one line, free of control characters and cut to size before it stands in a sentence.

use crate::domain::{Deployment, Event, Failure, Kind, Mode, Receipt, State, StepEnd};

/// A line of the story, and how it may be coloured where there are colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    Plain,
    /// Nothing had to be done.
    Quiet,
    /// It went well.
    Good,
    /// It goes on, and somebody should look before it does not.
    Warning,
    /// Somebody should look.
    Bad,
}

fn say(tone: Tone, text: impl Into<String>) -> Line {
    Line {
        text: text.into(),
        tone,
    }
}

/// The first line of the story: what is deployed where.
pub fn headline(deployment: &Deployment, subject: Option<&str>) -> String {
    let what = match &deployment.kind {
        Kind::Deploy => format!("deployment {}", deployment.id),
        Kind::Rollback { backup: None } => format!("deployment {} (rollback)", deployment.id),
        Kind::Rollback { backup: Some(name) } => {
            format!("deployment {} (rollback to {name})", deployment.id)
        }
        Kind::Restart => format!("deployment {} (restart)", deployment.id),
        Kind::Promote {
            from,
            deployment: theirs,
        } => format!(
            "deployment {} ({}'s deployment {theirs} promoted)",
            deployment.id, from.env
        ),
    };
    let subject = subject.map_or_else(String::new, |text| format!(" \"{}\"", one_line(text, 60)));
    let mode = match deployment.mode {
        Mode::Full => ", from scratch",
        Mode::Fast => "",
    };
    let retry = deployment
        .retry_of
        .map_or_else(String::new, |id| format!(", tries {id} again"));
    format!(
        "{what} of {}: {}{subject} by {}{mode}{retry}",
        deployment.env,
        deployment.commit.short(),
        one_line(&deployment.by, 40)
    )
}

/// What was asked for, in few words.
pub fn what(deployment: &Deployment) -> String {
    match &deployment.kind {
        Kind::Deploy => super::one_line(short_ref(&deployment.ref_name), 60),
        Kind::Rollback { backup: None } => "rollback".to_owned(),
        Kind::Rollback { backup: Some(name) } => {
            format!("rollback to {}", super::one_line(name, 60))
        }
        Kind::Restart => "restart".to_owned(),
        Kind::Promote { from, .. } => format!("promoted from {}", from.env),
    }
}

/// A branch or a tag without what git puts before it.
pub fn short_ref(name: &str) -> &str {
    let heads = name.strip_prefix("refs/heads/");
    let short = heads.or_else(|| name.strip_prefix("refs/tags/"));
    short.unwrap_or(name)
}

/// What an event adds to the story; most events add one line, some none, a failure several.
pub fn line(event: &Event) -> Vec<Line> {
    match event {
        Event::State { to, why } => state(*to, why.as_deref()),
        Event::StepStarted { .. } | Event::Switching { .. } | Event::Switched { .. } => Vec::new(),
        // The end of the step says it.
        Event::Answered(_) => Vec::new(),
        Event::Note { text } => vec![say(Tone::Plain, format!("  - {text}"))],
        Event::StepEnded {
            step, end, why, ms, ..
        } => {
            let (tone, took) = match end {
                StepEnd::Ran => (Tone::Plain, duration(*ms)),
                StepEnd::Skipped => (Tone::Quiet, "skipped".to_owned()),
                StepEnd::Failed => (Tone::Bad, "failed".to_owned()),
            };
            // The report below a failed step has all of it.
            let why = why.lines().next().unwrap_or_default();
            let text = format!("  {:<9} {took:>8}  {why}", step.as_str());
            vec![say(tone, text.trim_end())]
        }
        Event::Receipt(receipt) => self::receipt(receipt),
        Event::Failed(failure) => failure_report(failure),
    }
}

fn state(to: State, why: Option<&str>) -> Vec<Line> {
    let because = why.map_or_else(String::new, |why| format!(": {why}"));
    match to {
        State::Queued => Vec::new(),
        State::Waiting => vec![say(Tone::Plain, format!("  waiting{because}"))],
        State::Approval => vec![say(Tone::Plain, format!("  waiting for approval{because}"))],
        State::Superseded | State::Cancelled | State::Interrupted => {
            vec![say(Tone::Bad, format!("{to}{because}"))]
        }
        // These are told by their steps, by the failure report, or by the ending.
        State::Running | State::Switching | State::Observing => Vec::new(),
        State::Live | State::Failed | State::RolledBack => Vec::new(),
    }
}

/// What becomes of a deployment that is held back, for whoever does not want to wait with it.
pub fn held_back(deployment: &Deployment) -> Line {
    let (id, env) = (deployment.id, &deployment.env.env);
    let text =
        format!("  it goes on then; at once: teal deploy {env} --now, never: teal cancel {id}");
    say(Tone::Plain, text)
}

/// The failure report: the same facts in the same order wherever it is read.
pub fn failure_report(failure: &Failure) -> Vec<Line> {
    let what = match failure.step {
        Some(step) => format!("FAILED at {step}: {}", failure.cause),
        None => format!("FAILED: {}", failure.cause),
    };
    let mut lines = vec![say(Tone::Bad, what)];
    if !failure.tail.is_empty() {
        lines.push(say(Tone::Plain, "  last lines:"));
        let tail = failure.tail.iter().map(|text| format!("  | {text}"));
        lines.extend(tail.map(|text| say(Tone::Plain, text)));
    }
    lines.push(say(
        Tone::Plain,
        format!("  serving now: {}", failure.serving),
    ));
    lines.push(say(Tone::Plain, format!("  next: {}", failure.next)));
    lines
}

/// The same for whoever has just read all that the commands of the deployment printed: the last lines of one of them are not
/// said again, nor that they can be read.
pub fn failure_after_output(failure: &Failure) -> Vec<Line> {
    use crate::domain::Step::{Build, Deps, Migrate, Test};
    let mut left = failure.clone();
    if matches!(failure.step, Some(Deps | Build | Test | Migrate)) {
        left.tail.clear();
    }
    let mut lines = failure_report(&left);
    if left.next.contains("shows the whole output") && left.next.starts_with("teal logs") {
        lines.pop();
    }
    lines
}

/// The last line of the story, with where to read the rest of it.
pub fn ending(deployment: &Deployment, url: &str) -> Line {
    let Line { text, tone } = outcome(deployment, url);
    match deployment.state {
        State::Live => say(tone, text),
        _ => say(tone, format!("{text} (teal logs {})", deployment.id)),
    }
}

/// How it ended.
pub fn outcome(deployment: &Deployment, url: &str) -> Line {
    let id = deployment.id;
    match deployment.state {
        State::Live => {
            let took = deployment.switched_ms.map_or_else(String::new, |at| {
                format!(", push to live {}", span(deployment.created_ms, at))
            });
            say(Tone::Good, format!("LIVE: {url} (deployment {id}{took})"))
        }
        State::Failed => say(
            Tone::Bad,
            format!("deployment {id} failed; nothing was switched"),
        ),
        State::RolledBack => say(Tone::Bad, format!("deployment {id} was rolled back")),
        other => say(Tone::Bad, format!("deployment {id} is {other}")),
    }
}

/// What the cutover cost, in lines that fit on a terminal behind git's `remote:`.
pub fn receipt(receipt: &Receipt) -> Vec<Line> {
    let (Some(requests), Some(lost)) = (receipt.requests, receipt.lost) else {
        return vec![say(Tone::Quiet, "  receipt             not measured")];
    };
    let in_flight = receipt.in_flight.unwrap_or_default();
    let (old, new) = (receipt.old_5xx, receipt.new_5xx);
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let overlap = micros(receipt.overlap_us.unwrap_or_default());
    let tone = if lost == 0 { Tone::Good } else { Tone::Bad };
    let all = format!("{lost} lost of {requests} requests, {in_flight} in flight at the switch");
    let more = format!("5xx: {old} old, {new} new; overlap of the colors {overlap}");
    let latency = [
        ("p50", receipt.p50_before_us, receipt.p50_after_us),
        ("p99", receipt.p99_before_us, receipt.p99_after_us),
    ];
    let latency: Vec<String> = latency
        .into_iter()
        .filter_map(|(name, before, after)| {
            Some(format!("{name} {} -> {}", micros(before?), micros(after?)))
        })
        .collect();
    let lines = [
        format!("  receipt             {all}"),
        format!("{:22}{more}", ""),
    ];
    let latency = (!latency.is_empty()).then(|| format!("{:22}{}", "", latency.join(", ")));
    lines
        .into_iter()
        .chain(latency)
        .map(|text| say(tone, text))
        .collect()
}

fn micros(us: u64) -> String {
    match us {
        0 => "0 ms".to_owned(),
        1..1000 => format!("0.{} ms", us / 100),
        _ => format!("{} ms", us / 1000),
    }
}

fn span(from_ms: i64, to_ms: i64) -> String {
    duration(u64::try_from(to_ms - from_ms).unwrap_or(0))
}

/// A duration as people read it: `740 ms`, `3.2 s`, `2 min 05 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// A stranger's words on one line, without control characters, at most `most` characters long.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect();
    if text.chars().count() > most {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Spent, Step};

    fn told(event: &Event) -> String {
        let lines: Vec<String> = line(event).into_iter().map(|line| line.text).collect();
        lines.join("\n")
    }

    #[test]
    fn a_step_is_told_with_its_duration_or_its_reason() {
        let ended = |end, why: &str, ms| {
            told(&Event::StepEnded {
                step: Step::Build,
                end,
                why: why.to_owned(),
                ms,
                spent: Spent::default(),
            })
        };
        insta::assert_snapshot!(ended(StepEnd::Ran, "", 3210), @"  build        3.2 s");
        insta::assert_snapshot!(ended(StepEnd::Skipped, "same inputs as deployment 41", 0), @"  build      skipped  same inputs as deployment 41");
        insta::assert_snapshot!(ended(StepEnd::Failed, "exited with code 2", 90_500), @"  build       failed  exited with code 2");
    }

    #[test]
    fn a_failure_says_what_happened_what_serves_and_what_to_type() {
        let failure = Failure {
            step: Some(Step::Health),
            cause: "GET /api/health answered 500: no database".to_owned(),
            tail: vec!["Error: connect ECONNREFUSED".to_owned()],
            serving: "blue serves 1a2b3c4d5 (deployment 41), untouched".to_owned(),
            next: "teal logs 42".to_owned(),
        };
        insta::assert_snapshot!(told(&Event::Failed(failure)), @r"
        FAILED at health: GET /api/health answered 500: no database
          last lines:
          | Error: connect ECONNREFUSED
          serving now: blue serves 1a2b3c4d5 (deployment 41), untouched
          next: teal logs 42
        ");
    }

    #[test]
    fn a_receipt_that_lost_something_is_bad() {
        let mut cost = Receipt {
            requests: Some(312),
            in_flight: Some(3),
            lost: Some(0),
            old_5xx: Some(0),
            new_5xx: Some(1),
            p50_before_us: Some(1300),
            p50_after_us: Some(2400),
            p99_before_us: Some(4200),
            p99_after_us: Some(5100),
            overlap_us: Some(120),
        };
        insta::assert_snapshot!(told(&Event::Receipt(cost.clone())), @r"
          receipt             0 lost of 312 requests, 3 in flight at the switch
                              5xx: 0 old, 1 new; overlap of the colors 0.1 ms
                              p50 1 ms -> 2 ms, p99 4 ms -> 5 ms
        ");
        cost.lost = Some(1);
        assert!(receipt(&cost).iter().all(|line| line.tone == Tone::Bad));
        assert_eq!(receipt(&Receipt::default())[0].tone, Tone::Quiet);
    }

    #[test]
    fn durations_read_well() {
        let shown: Vec<String> = [7, 740, 3249, 125_000].into_iter().map(duration).collect();
        assert_eq!(shown, ["7 ms", "740 ms", "3.2 s", "2 min 05 s"]);
    }
}
