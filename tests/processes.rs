//! Workers beside the web process, several of one kind, and what may not run twice: how old and new share the switch.

use crate::harness::{App, LONG, Sandbox, Teal, wait_until};
use nix::sys::signal::Signal;
use std::fs;

const HOST: &str = "production.shop.test";

/// A worker that writes down when it starts and when it is asked to stop.
const DIARY: &str = r#"echo start $TEAL_DEPLOYMENT >> $TEAL_SHARED_DIR/diary; trap 'echo stop $TEAL_DEPLOYMENT >> $TEAL_SHARED_DIR/diary; exit 0' TERM; while :; do sleep 0.05; done"#;

fn with_worker(on_switch: &str) -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let worker = format!(
        "[run]\nweb = \"python3 app.py\"\nworker = {{ command = '''{DIARY}''', on_switch = \"{on_switch}\" }}\n\
         [migrate]\ncommand = \"echo migrate $TEAL_DEPLOYMENT >> $TEAL_SHARED_DIR/diary\"\n"
    );
    app.recipe(&worker).version("v1");
    (teal, app)
}

fn push(app: &App) {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(pushed.stderr.contains("LIVE"), "{}", pushed.stderr);
}

fn diary(teal: &Teal) -> Vec<String> {
    let file = teal.root("shop", "production").join("shared/diary");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_overlapping_worker_starts_before_the_switch_and_the_old_one_stays_warm() {
    let (teal, app) = with_worker("overlap");
    push(&app);
    app.version("v2");
    push(&app);
    assert_eq!(
        diary(&teal),
        ["migrate 1", "start 1", "migrate 2", "start 2"]
    );
}

#[test]
fn a_worker_is_handed_over_at_the_switch() {
    let (teal, app) = with_worker("handover");
    push(&app);
    app.version("v2");
    push(&app);
    assert_eq!(
        diary(&teal),
        ["migrate 1", "start 1", "migrate 2", "stop 1", "start 2"]
    );
}

#[test]
fn a_worker_is_handed_over_though_the_server_was_killed_behind_the_commit_point() {
    let (mut teal, app) = with_worker("handover");
    push(&app);
    teal.stop(Signal::SIGTERM);
    app.version("v2");
    // The first link that is made is `current`, right after the journal says that the new color serves.
    teal.spawn_serve(&[("TEAL_FAULT_AT", "link: before")]);
    app.git().push(["production", "main"]);
    wait_until(LONG, "the server ends", || teal.server().ended().is_some());
    teal.serve();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(
        diary(&teal),
        ["migrate 1", "start 1", "migrate 2", "stop 1", "start 2"]
    );
}

#[test]
fn an_exclusive_worker_stops_before_the_migration_and_comes_back_when_the_deployment_fails() {
    let (teal, app) = with_worker("exclusive");
    push(&app);
    app.version("v2");
    push(&app);
    assert_eq!(
        diary(&teal),
        ["migrate 1", "start 1", "stop 1", "migrate 2", "start 2"]
    );
    app.fault("exit");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        pushed.stderr.contains("FAILED at health"),
        "{}",
        pushed.stderr
    );
    wait_until(LONG, "the old worker is back", || diary(&teal).len() == 8);
    assert_eq!(diary(&teal)[5..], ["stop 2", "migrate 3", "start 2"]);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_web_process_that_may_not_run_twice_is_exchanged_while_requests_wait() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe("[run]\nweb = { command = \"python3 app.py\", on_switch = \"exclusive\" }\n");
    app.version("v1");
    push(&app);
    let load = teal.load(HOST);
    load.wait_for_more(50);
    app.version("v2");
    push(&app);
    load.wait_for_more(50);
    assert_eq!(teal.serves(HOST), "v2");
    // What cannot start leaves the old one running again, and again nobody is refused.
    app.fault("exit");
    let pushed = app.git().push(["production", "main"]);
    assert!(pushed.stderr.contains("FAILED"), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v2");
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn two_web_processes_share_a_color() {
    let sandbox = Sandbox::new();
    let blue = sandbox.ports_in_a_row(4);
    let ports = format!("ports = {{ blue = {blue}, green = {} }}", blue + 2);
    let plan = Teal::plan().environment("shop", "production", &ports);
    let mut teal = plan.init(sandbox);
    teal.serve();
    let app = teal.client("shop");
    app.recipe("[run]\nweb = { command = \"python3 app.py\", count = 2 }\n");
    app.version("v1");
    push(&app);
    let status = teal.json(["status"]);
    let processes = &status["environments"][0]["slots"][0]["processes"];
    assert_eq!(processes.as_object().unwrap().len(), 2, "{processes}");
    let mut ports = std::collections::BTreeSet::new();
    wait_until(LONG, "both answer", || {
        ports.insert(teal.visit(HOST, "/env").body);
        ports.len() == 2
    });
}
