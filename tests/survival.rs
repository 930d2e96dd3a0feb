//! What dies, and what lives on: services, supervisors, the server in the middle of its work, the machine.

use crate::harness::{App, Daemon, LONG, Teal, get, wait_until};
use crate::kill_anywhere::consistent;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;

const HOST: &str = "production.shop.test";

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

fn kill9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// The main process of a color's web service.
fn service(teal: &Teal, color: &str) -> i32 {
    let file = teal
        .root("shop", "production")
        .join(format!("shared/{color}.pid"));
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

/// The supervisor of a color's web service, as its status file tells.
fn supervisor(teal: &Teal, color: &str) -> i32 {
    let file = format!("run/services/shop.production.{color}.web.0/status.json");
    let text = fs::read_to_string(teal.state_dir().join(file)).unwrap();
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    status["supervisor"]["pid"].as_i64().unwrap() as i32
}

fn answers(teal: &Teal, version: &str) -> bool {
    get(teal.proxy(), HOST, "/").is_ok_and(|answer| answer.body.trim() == version)
}

#[test]
fn a_service_that_is_killed_is_started_again() {
    let (teal, app) = live();
    for _ in 0..2 {
        let killed = service(&teal, "blue");
        kill9(killed);
        wait_until(LONG, "another process serves", || {
            service(&teal, "blue") != killed && answers(&teal, "v1")
        });
    }
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v2");
}

/// The push of a `v2` that is observed for an hour from now on.
pub fn observed(teal: &mut Teal, app: &App) -> Daemon {
    teal.stop(Signal::SIGTERM);
    let patient = fs::read_to_string(teal.config()).unwrap();
    fs::write(teal.config(), patient.replace("300ms", "1h")).unwrap();
    teal.serve();
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    pushing.says("green serves");
    pushing
}

#[test]
fn a_service_that_is_killed_while_it_is_observed_is_rolled_back() {
    let (mut teal, app) = live();
    let mut pushing = observed(&mut teal, &app);
    kill9(service(&teal, "green"));
    pushing.says("rolled back");
    assert_eq!(teal.states(), ["live", "rolled_back"]);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_release_that_cannot_be_watched_any_more_keeps_nobody_waiting() {
    let (mut teal, app) = live();
    teal.cli(["env", "set", "production", "APP_COLOUR=red"])
        .ok();
    teal.stop(Signal::SIGTERM);
    let quick = fs::read_to_string(teal.config()).unwrap();
    fs::write(teal.config(), quick.replace("300ms", "1h")).unwrap();
    teal.serve();
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    pushing.says("blue serves");
    teal.stop(Signal::SIGKILL);
    pushing.finish();
    // What it takes to start it again is gone.
    fs::remove_dir_all(teal.state_dir().join("env")).unwrap();
    fs::write(teal.config(), quick).unwrap();
    teal.serve();
    teal.wait_for_states(&["live", "live", "live"]);
    app.version("v3");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v3", "{}", pushed.stderr);
}

#[test]
fn the_death_of_a_supervisor_costs_no_request() {
    let (teal, app) = live();
    let load = teal.load(HOST);
    load.wait_for_more(20);
    let (before, pid) = (supervisor(&teal, "blue"), service(&teal, "blue"));
    kill9(before);
    wait_until(LONG, "the service is adopted", || {
        supervisor(&teal, "blue") != before
    });
    assert_eq!(service(&teal, "blue"), pid);
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    load.wait_for_more(20);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_supervisor_that_hangs_is_replaced() {
    let (teal, app) = live();
    let load = teal.load(HOST);
    load.wait_for_more(20);
    let hangs = Pid::from_raw(supervisor(&teal, "blue"));
    kill(hangs, Signal::SIGSTOP).unwrap();
    for version in ["v2", "v3"] {
        app.version(version);
        let pushed = app.git().push(["production", "main"]);
        assert_eq!(teal.serves(HOST), version, "{}", pushed.stderr);
    }
    load.wait_for_more(20);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    consistent(&teal, "after a supervisor that hung");
}

/// Begins a push whose build waits, and comes back when it does.
fn begin(teal: &Teal, app: &App) -> Daemon {
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    pushing
}

#[test]
fn a_restart_in_the_middle_of_a_deployment_costs_no_request_and_no_service() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let (mut teal, app) = live();
        let load = teal.load(HOST);
        let pid = service(&teal, "blue");
        let mut pushing = begin(&teal, &app);
        teal.stop(signal);
        teal.let_go("build");
        pushing.finish();
        load.wait_for_more(20);
        assert_eq!(service(&teal, "blue"), pid);
        teal.serve();
        teal.wait_for_states(&["live", "interrupted", "live"]);
        load.wait_for_more(20);
        let seen = load.stop();
        assert_eq!(seen.failures(), 0, "{signal}: {seen:?}");
        assert_eq!(teal.serves(HOST), "v2");
        consistent(&teal, signal.as_str());
    }
}

#[test]
fn a_newer_program_takes_over_in_the_middle_of_a_deployment() {
    let (mut teal, app) = live();
    let load = teal.load(HOST);
    let pid = service(&teal, "blue");
    let mut pushing = begin(&teal, &app);
    // Another build of the same program: another file, at another place.
    let newer = teal.sandbox.dir("newer");
    for name in ["teal", "teal-hook"] {
        let from = std::path::Path::new(env!("CARGO_BIN_EXE_teal")).with_file_name(name);
        fs::copy(from, newer.join(name)).unwrap();
    }
    teal.stop(Signal::SIGTERM);
    teal.become_program(newer.join("teal"));
    teal.let_go("build");
    pushing.finish();
    teal.serve();
    teal.wait_for_states(&["live", "interrupted", "live"]);
    assert_eq!(
        service(&teal, "blue"),
        pid,
        "what serves is not started again"
    );
    load.wait_for_more(20);
    // A push runs the newer hook by now.
    app.recipe("");
    app.version("v3");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v3");
    let hook = fs::read_link(teal.repository("shop").join("hooks/post-receive")).unwrap();
    assert_eq!(hook, newer.join("teal-hook"));
    let proxies = teal.sandbox.processes().into_iter();
    let proxies = proxies.filter(|(_, line)| line.contains(" proxy "));
    assert_eq!(proxies.count(), 1);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn after_a_reboot_every_environment_is_brought_back() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.version("v2");
    assert_eq!(
        app.git().push(["production", "main", "main:develop"]).code,
        0
    );
    if !teal.reboot() {
        return;
    }
    teal.serve();
    for host in [HOST, "staging.shop.test"] {
        assert_eq!(teal.serves(host), "v2", "{host}");
    }
    assert_eq!(teal.states(), ["live"; 3]);
    consistent(&teal, "after a reboot");
    // The release before is still in its slot.
    teal.cli(["rollback", "production"]).ok();
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn routes_that_cannot_be_read_are_made_anew() {
    let (mut teal, app) = live();
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let routes = teal.state_dir().join("proxy.json");
    let load = teal.load(HOST);
    load.wait_for_more(20);
    teal.stop(Signal::SIGKILL);
    fs::write(&routes, "{ half").unwrap();
    teal.serve();
    load.wait_for_more(20);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    consistent(&teal, "without routes");
    if teal.reboot() {
        fs::write(&routes, "{ half").unwrap();
        teal.serve();
        assert_eq!(teal.serves(HOST), "v2");
    }
}

/// What `teal status` warns of.
fn warned(teal: &Teal) -> String {
    teal.json(["status"])["environments"][0]["warnings"].to_string()
}

#[test]
fn a_stranger_on_the_port_of_what_serves_is_named() {
    let (mut teal, app) = live();
    let status = teal.json(["status"]);
    let port = status["environments"][0]["slots"][0]["port"].as_u64();
    let port = port.unwrap() as u16;
    if !teal.reboot() {
        return;
    }
    app.version("the stranger");
    let away = crate::harness::Sandbox::new();
    let stranger = app.serve(&away, port);
    teal.serve();
    let named = format!("port {port} is taken by process {}", stranger.pid());
    wait_until(LONG, "the stranger is named", || {
        warned(&teal).contains(&named)
    });
    drop(stranger);
    wait_until(LONG, "the release serves again", || answers(&teal, "v1"));
}

#[test]
fn a_release_that_cannot_be_started_again_is_told() {
    let (teal, _app) = live();
    fs::remove_dir_all(teal.root("shop", "production").join("releases/blue")).unwrap();
    kill9(service(&teal, "blue"));
    wait_until(LONG, "the status says so", || {
        warned(&teal).contains("blue serves, but its web.0 could not be started again")
    });
    let shown = teal.cli(["status"]).ok();
    assert!(shown.contains("down"), "{shown}");
    wait_until(LONG, "so does the log", || {
        teal.log().contains("could not be started again")
    });
}

#[test]
fn a_stranger_whose_number_stands_in_a_pid_file_is_left_alone() {
    let (teal, app) = live();
    let mut stranger = Daemon::spawn("a stranger", std::process::Command::new("sleep").arg("600"));
    for color in ["blue", "green"] {
        let file = teal
            .root("shop", "production")
            .join(format!("shared/{color}.pid"));
        fs::write(file, format!("{}\n", stranger.pid())).unwrap();
    }
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    teal.cli(["restart", "production"]).ok();
    assert!(stranger.ended().is_none());
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_stranger_on_the_standby_port_is_named_and_left_alone() {
    let (teal, app) = live();
    let status = teal.json(["status"]);
    let slots = status["environments"][0]["slots"].as_array().unwrap();
    let port = slots[1]["port"].as_u64().unwrap() as u16;
    app.version("the stranger");
    let away = crate::harness::Sandbox::new();
    let mut stranger = app.serve(&away, port);
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        pushed.stderr.contains("FAILED at vacate"),
        "{}",
        pushed.stderr
    );
    let named = format!("port {port} of green is taken by");
    assert!(pushed.stderr.contains(&named), "{}", pushed.stderr);
    assert!(
        pushed.stderr.contains(&format!("{}", stranger.pid())),
        "{}",
        pushed.stderr
    );
    assert!(stranger.ended().is_none());
    assert_eq!(teal.serves(HOST), "v1");
}
