//! The server is killed at any instant of a deployment, while visitors never stop asking. After a restart exactly one
//! committed release serves, every unfinished deployment says how it ended, and nobody was refused.
//!
//! The suite tries some of the instants, chosen by a printed seed; `scripts/faults.sh` tries all of them.

use crate::harness::{App, Daemon, LONG, Load, Plan, Teal, get, seed, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;

mod back;

const HOST: &str = "production.shop.test";

/// A server that serves `v1`, stopped; and the app with `v2` committed.
fn prepared() -> (Teal, App) {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    teal.stop(Signal::SIGTERM);
    app.version("v2");
    (teal, app)
}

pub fn is_over(one: &Value) -> bool {
    let open = [
        "waiting",
        "queued",
        "running",
        "approval",
        "switching",
        "observing",
    ];
    !open.contains(&one["state"].as_str().unwrap())
}

/// The places that a whole deployment passes, by name.
pub fn places() -> Vec<String> {
    let (mut teal, app) = prepared();
    let trace = teal.sandbox.join("trace");
    teal.serve_with(&[("TEAL_FAULT_TRACE", trace.to_str().unwrap())]);
    app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2");
    read_trace(&trace)
}

fn read_trace(trace: &Path) -> Vec<String> {
    let text = fs::read_to_string(trace).unwrap();
    let name = |line: &str| line.split_once(' ').map_or("", |(_, name)| name).to_owned();
    text.lines().map(name).collect()
}

/// Those whose requests may be repeated, and those whose may not.
fn visitors(teal: &Teal) -> [Load; 2] {
    ["GET", "POST"].map(|method| {
        let load = Load::start(Plan {
            method,
            connections: 4,
            ..Plan::get(teal.proxy(), HOST)
        });
        load.wait_for_more(20);
        load
    })
}

/// Every visitor was answered, to the end.
fn all_answered(visitors: [Load; 2], when: &str) {
    for load in visitors {
        load.wait_for_more(50);
        let seen = load.stop();
        assert_eq!(seen.failures(), 0, "{when}: {seen:?}");
    }
}

fn killed_at(place: usize, name: &str) {
    let (mut teal, app) = prepared();
    let visitors = visitors(&teal);
    let armed = place.to_string();
    teal.spawn_serve(&[("TEAL_FAULT_AT", &armed)]);
    // It may end before it is ready: then the push lands and waits for the server.
    let pushed = app.git().push(["production", "main"]);
    let told = format!("the server ends at place {place} ({name}), or passes it no more");
    wait_until(LONG, &told, || {
        let history = teal.cli(["history", "-n", "1", "--json"]);
        let over = history.stdout.contains("\"live\"") && teal.serves(HOST) == "v2";
        over || teal.server().ended().is_some()
    });
    if teal.server().ended().is_none() {
        teal.stop(Signal::SIGKILL);
    }

    teal.serve();
    let told = format!("push: {}\n{}", pushed.code, pushed.stderr);
    let settled =
        format!("v2 is live after the server was killed at place {place} ({name})\n{told}");
    wait_until(LONG, &settled, || {
        teal.history().iter().all(is_over) && teal.serves(HOST) == "v2"
    });
    let when = format!("killed at place {place} ({name})");
    all_answered(visitors, &when);
    consistent(&teal, &when);
    assert_eq!(teal.states().last().unwrap(), "live", "{when}");
}

/// What is committed, what `current` says and what runs are the same, and whatever began became live or was interrupted.
pub fn consistent(teal: &Teal, when: &str) {
    one_serves(teal, when);
    let history = teal.history();
    let became = |one: &Value| {
        ["live", "interrupted"]
            .map(Value::from)
            .contains(&one["state"])
    };
    assert!(
        history.iter().all(became),
        "{when}: {history:#?}\n{}",
        teal.log()
    );
}

/// What is committed, what `current` says and what runs are the same.
fn one_serves(teal: &Teal, when: &str) {
    let status = teal.json(["status"]);
    let env = &status["environments"][0];
    let active = env["active"].as_str().unwrap_or_default();
    let link = fs::read_link(teal.root("shop", "production").join("current")).unwrap();
    assert_eq!(link, Path::new("releases").join(active), "{when}");
    assert_eq!(
        env["warnings"].as_array().unwrap().len(),
        0,
        "{when}: {env}"
    );
    for slot in env["slots"].as_array().unwrap() {
        let share = if slot["color"] == active { 100 } else { 0 };
        assert_eq!(slot["share"], share, "{when}: {env}");
    }
}

/// All places with `TEAL_FAULTS=all`, some with `TEAL_FAULTS=8,30-34`; else a tenth of them, the same one for the same seed.
pub fn chosen(count: usize) -> Vec<usize> {
    let words = std::env::var("TEAL_FAULTS").unwrap_or_default();
    if words == "all" {
        return (1..=count).collect();
    }
    if words.is_empty() {
        let start = seed() as usize % 10;
        return (1..=count).skip(start).step_by(10).collect();
    }
    let number = |word: &str| word.parse::<usize>().expect("the number of a place");
    let parts = words.split(',').flat_map(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        number(from)..=number(to).min(count)
    });
    parts.collect()
}

/// Tries every one of these places, whatever becomes of the one before, and fails with those that failed.
pub fn at_each(places: Vec<usize>, mut attempt: impl FnMut(usize)) {
    let fails = |place: &usize| {
        let once = std::panic::AssertUnwindSafe(|| attempt(*place));
        std::panic::catch_unwind(once).is_err()
    };
    let failed: Vec<usize> = places.into_iter().filter(fails).collect();
    assert!(failed.is_empty(), "failed at the places {failed:?}");
}

/// Kills the server at a place of its first start after the push, then at a later one of the second start, and so on, until
/// a start is not killed any more: recovery itself is interrupted wherever it is.
#[test]
fn a_recovery_that_is_interrupted_again_and_again_converges() {
    let (mut teal, app) = prepared();
    let load = teal.load(HOST);
    load.wait_for_more(20);
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    teal.serve();
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    teal.stop(Signal::SIGKILL);
    pushing.finish();
    teal.let_go("build");
    let all = std::env::var("TEAL_FAULTS").is_ok_and(|which| which == "all");
    let stride = if all { 1 } else { 3 + seed() as usize % 7 };
    let mut starts = 0;
    for place in (1..).step_by(stride) {
        starts += 1;
        teal.spawn_serve(&[("TEAL_FAULT_AT", &place.to_string())]);
        wait_until(LONG, "the server ends, or all is over", || {
            teal.server().ended().is_some() || settled(&teal)
        });
        if teal.server().ended().is_none() {
            break;
        }
    }
    let seen = load.stop();
    eprintln!(
        "converged after {starts} starts, stride {stride}: {:?}",
        teal.states()
    );
    assert_eq!(seen.failures(), 0, "{seen:?}");
    let tries = teal.states().len() - 1;
    assert!((1..=3).contains(&tries), "{:?}", teal.states());
    consistent(&teal, "after an interrupted recovery");
}

/// Whether the server is up and nothing is open any more.
fn settled(teal: &Teal) -> bool {
    let history = teal.cli(["history", "-n", "100", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&history.stdout).unwrap_or_default();
    teal.log().contains("is ready") && all.len() > 1 && all.iter().all(is_over)
}

#[test]
fn what_takes_the_server_down_each_time_is_set_aside_after_three_attempts() {
    let (mut teal, app) = prepared();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    teal.serve();
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    for _ in 0..3 {
        teal.wait_for_waiting("build");
        teal.stop(Signal::SIGKILL);
        // The build ends with the server that wanted it; the file would tell the next one's too early.
        fs::remove_file(teal.sandbox.join("build-waits")).unwrap();
        teal.serve();
    }
    pushing.finish();
    teal.wait_for_states(&["live", "interrupted", "interrupted", "interrupted"]);
    assert_eq!(teal.serves(HOST), "v1");
    let told = teal.failures();
    let cause = told[0]["cause"].as_str().unwrap();
    assert!(cause.contains("set aside") && told.len() == 1, "{told:#?}");
    // Nobody but a person takes it up again.
    teal.stop(Signal::SIGTERM);
    teal.serve();
    assert_eq!(teal.states().len(), 4);
    teal.let_go("build");
    teal.cli(["deploy", "production"]).ok();
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_kill_at_any_place_loses_nothing_and_converges() {
    let places = places();
    assert!(places.len() > 40, "{places:?}");
    at_each(chosen(places.len()), |place| {
        let name = &places[place - 1];
        eprintln!("place {place} of {}: {name}", places.len());
        killed_at(place, name);
    });
}

/// The proxy of a scenario's server.
fn proxy_of(teal: &Teal) -> i32 {
    let state = teal.state_dir().join("proxy.json").display().to_string();
    let is_proxy = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(" proxy ") && line.contains(&state)
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(is_proxy).expect("the proxy runs")
}

#[test]
fn a_proxy_that_is_killed_comes_back_by_itself() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v1");
    let killed = proxy_of(&teal);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    wait_until(LONG, "another proxy answers", || {
        get(teal.proxy(), HOST, "/").is_ok_and(|answer| answer.body.trim() == "v1")
    });
    assert_ne!(proxy_of(&teal), killed);
}
