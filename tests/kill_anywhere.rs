//! The server is killed at any instant of a deployment, while visitors never stop asking. After a restart exactly one
//! committed release serves, every unfinished deployment says how it ended, and nobody was refused.
//!
//! The suite tries some of the instants, chosen by a printed seed; `scripts/faults.sh` tries all of them.

use crate::harness::{App, LONG, Teal, get, seed, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;

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

fn is_over(one: &Value) -> bool {
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
fn places() -> Vec<String> {
    let (mut teal, app) = prepared();
    let trace = teal.sandbox.join("trace");
    teal.serve_with(&[("TEAL_FAULT_TRACE", trace.to_str().unwrap())]);
    app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2");
    let text = fs::read_to_string(trace).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn killed_at(place: usize, name: &str) {
    let (mut teal, app) = prepared();
    let load = teal.load(HOST);
    load.wait_for_more(20);
    let armed = place.to_string();
    teal.spawn_serve(&[("TEAL_FAULT_AT", &armed)]);
    // It may end before it is ready: then the push lands and waits for the server.
    app.git().push(["production", "main"]);
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
    let settled = format!("v2 is live after the server was killed at place {place} ({name})");
    wait_until(LONG, &settled, || {
        teal.history().iter().all(is_over) && teal.serves(HOST) == "v2"
    });
    load.wait_for_more(50);
    let seen = load.stop();
    assert_eq!(
        seen.failures(),
        0,
        "killed at place {place} ({name}): {seen:?}"
    );
    consistent(&teal, &format!("killed at place {place} ({name})"));
}

/// What is committed, what `current` says and what runs are the same.
fn consistent(teal: &Teal, when: &str) {
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
    let history = teal.history();
    let last = history.last().unwrap();
    assert_eq!(last["state"], "live", "{when}: {history:#?}");
    for one in &history {
        let state = one["state"].as_str().unwrap();
        assert!(["live", "interrupted"].contains(&state), "{when}: {one:#}");
    }
}

/// All places with `TEAL_FAULTS=all`; else a tenth of them, the same one for the same seed.
fn chosen(count: usize) -> Vec<usize> {
    if std::env::var("TEAL_FAULTS").is_ok_and(|which| which == "all") {
        return (1..=count).collect();
    }
    let start = seed() as usize % 10;
    (1..=count).skip(start).step_by(10).collect()
}

#[test]
fn a_kill_at_any_place_loses_nothing_and_converges() {
    let places = places();
    assert!(places.len() > 40, "{places:?}");
    for place in chosen(places.len()) {
        let name = places[place - 1]
            .split_once(' ')
            .map_or("", |(_, name)| name);
        eprintln!("place {place} of {}: {name}", places.len());
        killed_at(place, name);
    }
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
