//! `teal status [env]`: what serves, what runs and what waits.

mod detail;

use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::domain::{Color, Deployment, EnvId, State};
use crate::report::{Line, Tone, ago, one_line, span, waits_for_ci, what};
use crate::system::clock;
use crate::web::types::{Builds, EnvironmentStatus, SlotStatus, Status, UntoldTarget, Which};

/// Shows all environments, or one of them more closely.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let status: Status = client.get("status", &named(which)).await?;
    if screen.json {
        return screen.document(&status);
    }
    let seen = status.environments;
    let now = clock::now_ms();
    match seen.is_empty() {
        true => screen.say("no environments are configured"),
        false => screen.table(&table(&seen, &status.builds, now)),
    }
    if let ([seen], false) = (seen.as_slice(), which.env.is_empty()) {
        for line in detail::lines(seen, now) {
            screen.line(&line);
        }
    }
    for line in warnings(&seen)
        .into_iter()
        .chain(untold(&status.untold, now))
        .chain(status.unconfigured.iter().map(unconfigured))
    {
        screen.line(&line);
    }
    if let Some(holder) = &status.lock {
        let text = format!("Teal {} runs as {holder}", status.version);
        screen.line(&cell(Tone::Quiet, text));
    }
    Ok(Code::Done)
}

/// An environment that serves although nobody says any more that it should.
fn unconfigured(env: &EnvId) -> Line {
    cell(
        Tone::Bad,
        format!(
            "{env} is not in the configuration any more and serves on: teal destroy {env} stops it"
        ),
    )
}

fn table(seen: &[EnvironmentStatus], builds: &Builds, now_ms: i64) -> Table {
    let heads = ["ENVIRONMENT", "STATE", "SERVES", "SINCE", "OTHER COLOR"];
    let mut table = Table::new(&heads, 2);
    for status in seen {
        let since = status.since_ms.map(|at| span(now_ms - at));
        let cells = vec![
            plain(status.env.to_string()),
            state(status),
            plain(serves(status)),
            plain(since.unwrap_or_default()),
            other(status, now_ms),
        ];
        let open = status
            .open
            .iter()
            .flat_map(|deployment| running(deployment, builds, now_ms));
        let hold = status.hold.as_ref();
        let hold = hold.map(|hold| plain(format!("  {}", one_line(hold, 200))));
        let open = hold.into_iter().chain(open).chain(apart(status));
        table.row(cells, open.chain(last(status, now_ms)).collect());
    }
    table
}

/// What is pushed and does not serve, although nothing is under way: it failed, or was rolled back.
pub(super) fn apart(status: &EnvironmentStatus) -> Option<Line> {
    let desired = status.desired.as_ref()?;
    if desired.serves || !status.open.is_empty() || status.active.is_none() {
        return None;
    }
    let name = desired.ref_name.trim_start_matches("refs/heads/");
    let name = one_line(name.trim_start_matches("refs/"), 60);
    Some(plain(format!(
        "  {name} is at {}, which does not serve",
        desired.commit.short()
    )))
}

pub(super) fn state(status: &EnvironmentStatus) -> Line {
    match active(status) {
        _ if status.maintenance => cell(Tone::Bad, "maintenance"),
        None => cell(Tone::Quiet, "empty"),
        Some(slot) if slot.processes.is_empty() => cell(Tone::Bad, "down"),
        Some(_) => cell(Tone::Good, "live"),
    }
}

pub(super) fn active(status: &EnvironmentStatus) -> Option<&SlotStatus> {
    let color = status.active?;
    status.slots.iter().find(|slot| slot.color == color)
}

fn serves(status: &EnvironmentStatus) -> String {
    let Some(slot) = active(status) else {
        return "nothing yet".to_owned();
    };
    let commit = slot.commit.as_ref().map_or("?", |commit| commit.short());
    let subject = one_line(slot.subject.as_deref().unwrap_or_default(), 200);
    format!("{:<5} {commit} {subject}", slot.color)
        .trim_end()
        .to_owned()
}

pub(super) fn other(status: &EnvironmentStatus, now_ms: i64) -> Line {
    let Some(color) = status.active.map(Color::other) else {
        return plain("");
    };
    let slot = status.slots.iter().find(|slot| slot.color == color);
    let warmth = match slot {
        Some(slot) if slot.commit.is_none() => "empty".to_owned(),
        Some(slot) if !slot.processes.is_empty() => match status.warm_until_ms {
            Some(until) if until > now_ms => format!("warm {}", span(until - now_ms)),
            _ => "warm".to_owned(),
        },
        Some(slot) if !slot.served => "failed".to_owned(),
        Some(_) => "cold".to_owned(),
        None => return plain(""),
    };
    cell(Tone::Quiet, format!("{color} {warmth}"))
}

/// What runs or waits, and where it stands in the line of those who want to build.
pub(super) fn running(deployment: &Deployment, builds: &Builds, now_ms: i64) -> Vec<Line> {
    let from = deployment.started_ms.unwrap_or(deployment.created_ms);
    let line = plain(format!(
        "  {} is {}: {} of {} by {}, for {}",
        deployment.id,
        deployment.state.phrase(),
        deployment.commit.short(),
        what(deployment),
        one_line(&deployment.by, 20),
        span(now_ms - from)
    ));
    let mut waiting = builds.waiting.iter();
    let place = waiting.position(|builder| builder.deployment == deployment.id);
    let waits = place.map(|place| {
        let before = builds.building.len() + place;
        plain(format!("     waits for a build slot: {before} before it"))
    });
    let ci = deployment.ci.as_ref();
    let ci = ci.filter(|ci| deployment.state == State::Waiting && ci.is_open());
    let ci = ci.map(|ci| plain(format!("     {}", one_line(&waits_for_ci(ci), 200))));
    [line].into_iter().chain(waits).chain(ci).collect()
}

/// The last deployment, when it is not what serves: why what was pushed is not live.
pub(super) fn last(status: &EnvironmentStatus, now_ms: i64) -> Option<Line> {
    let last = status.last.as_ref()?;
    let at = ago(now_ms, last.ended_ms.unwrap_or(last.created_ms));
    let how = match last.state {
        State::Failed => "failed",
        State::RolledBack => "was rolled back",
        State::Interrupted => "was interrupted",
        _ => return None,
    };
    let step = last.failure.as_ref().and_then(|failure| failure.step);
    let step = step.map_or_else(String::new, |step| format!(" at {step}"));
    let id = last.id;
    Some(cell(
        Tone::Bad,
        format!("  {id} {how}{step} {at} (teal logs {id})"),
    ))
}

pub(super) fn warnings(seen: &[EnvironmentStatus]) -> Vec<Line> {
    let all = seen.iter().flat_map(|seen| {
        let env = &seen.env;
        let texts = seen.warnings.iter();
        texts.map(move |text| {
            cell(
                Tone::Bad,
                format!("warning: {env}: {}", one_line(text, 300)),
            )
        })
    });
    all.collect()
}

/// Whom nobody hears: what waits for them, and what they will never be told.
pub(super) fn untold(targets: &[UntoldTarget], now_ms: i64) -> Vec<Line> {
    let all = targets.iter().flat_map(|one| {
        let failing = one.failing.as_ref().map(|words| {
            let since = span(now_ms - one.failing_since_ms.unwrap_or(now_ms));
            let words = one_line(words, 300);
            let waits = match one.waiting {
                1 => "1 message waits".to_owned(),
                count => format!("{count} messages wait"),
            };
            format!(
                "warning: {} cannot be told for {since}, {waits}: {words}",
                one.target
            )
        });
        let last = one.gave_up_because.as_ref().map(|words| {
            let ids: Vec<String> = one.given_up.iter().map(ToString::to_string).collect();
            let (s, ids) = (if ids.len() == 1 { "" } else { "s" }, ids.join(", "));
            let words = one_line(words, 300);
            format!(
                "warning: {} was never told of deployment{s} {ids}: {words}",
                one.target
            )
        });
        failing.into_iter().chain(last)
    });
    all.map(|text| cell(Tone::Bad, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::cli::samples::{self, MINUTE, NOW};
    use crate::domain::{Failure, Step};
    use crate::pipeline::Builder;

    fn shown(seen: &[EnvironmentStatus]) -> String {
        let builder = |deployment| Builder {
            deployment,
            env: "arq/staging".parse().unwrap(),
            since_ms: NOW,
        };
        let builds = Builds {
            slots: 1,
            building: vec![builder(39)],
            waiting: vec![builder(41), builder(44)],
        };
        let mut lines = table(seen, &builds, NOW).render(Some(80), Paint::default());
        lines.extend(warnings(seen).into_iter().map(|line| line.text));
        assert!(
            lines
                .iter()
                .take(1 + seen.len())
                .all(|line| line.chars().count() <= 80)
        );
        lines.join("\n")
    }

    #[test]
    fn a_glance_tells_what_serves_runs_failed_and_does_not_fit() {
        let mut production = samples::environment(
            "arq/production",
            vec![
                samples::slot(
                    Color::Blue,
                    42,
                    "1a2b3c4d5",
                    "Fix the login form on small screens",
                ),
                samples::slot(Color::Green, 41, "99887766a", "Before"),
            ],
        );
        production.warm_until_ms = Some(NOW + 7 * MINUTE);
        production.warnings = vec!["`current` points to green, and blue serves".to_owned()];
        let mut staging = samples::environment(
            "arq/staging",
            vec![
                samples::slot(Color::Blue, 40, "77aa00bb1", "Try the new search"),
                samples::empty(Color::Green),
            ],
        );
        let mut open = samples::deployment(44, "arq/staging", State::Running);
        open.started_ms = Some(NOW - 12_000);
        staging.open = vec![open];
        let mut failed = samples::deployment(43, "arq/staging", State::Failed);
        failed.ended_ms = Some(NOW - 3 * MINUTE);
        failed.failure = Some(Failure {
            step: Some(Step::Health),
            cause: String::new(),
            tail: Vec::new(),
            serving: String::new(),
            next: String::new(),
        });
        staging.last = Some(failed);
        let mut shop = samples::environment(
            "shop/production",
            vec![samples::empty(Color::Blue), samples::empty(Color::Green)],
        );
        shop.active = None;
        let seen = |status: EnvironmentStatus, since_ms| EnvironmentStatus { since_ms, ..status };
        insta::assert_snapshot!(shown(&[
            seen(production, Some(NOW - 120 * MINUTE)),
            seen(staging, Some(NOW - 4000 * MINUTE)),
            seen(shop, None),
        ]), @r"
        ENVIRONMENT      STATE  SERVES                           SINCE  OTHER COLOR
        arq/production   live   blue  1a2b3c4d5 Fix the login …  2 h    green warm 7 min
        arq/staging      live   blue  77aa00bb1 Try the new se…  2 d    green empty
          44 is running: 1a2b3c4d5 of main by ada, for 12 s
             waits for a build slot: 2 before it
          43 failed at health 3 min ago (teal logs 43)
        shop/production  empty  nothing yet
        warning: arq/production: `current` points to green, and blue serves
        ");
    }

    #[test]
    fn who_was_not_told_is_named_with_the_reason() {
        let target = UntoldTarget {
            target: "team".to_owned(),
            waiting: 2,
            failing: Some("it answered 401 Unauthorized".to_owned()),
            failing_since_ms: Some(NOW - 5 * MINUTE),
            given_up: vec![40, 41],
            gave_up_because: Some("it answered 413 Payload Too Large".to_owned()),
        };
        let lines: Vec<String> = untold(&[target], NOW)
            .into_iter()
            .map(|line| line.text)
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        warning: team cannot be told for 5 min, 2 messages wait: it answered 401 Unauthorized
        warning: team was never told of deployments 40, 41: it answered 413 Payload Too Large
        ");
    }

    #[test]
    fn a_release_whose_processes_are_gone_is_down() {
        let mut slot = samples::slot(Color::Blue, 42, "1a2b3c4d5", "");
        slot.processes.clear();
        let mut status = samples::environment("arq/production", vec![slot]);
        assert_eq!(state(&status), cell(Tone::Bad, "down"));
        status.maintenance = true;
        assert_eq!(state(&status).text, "maintenance");
    }
}
