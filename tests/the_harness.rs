//! The harness itself: a load that lost nothing is worth something only if the clients would have noticed.

use crate::harness::{App, Connection, Git, Load, Plan, Sandbox, Sshd, get, redact};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::net::SocketAddr;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn ports_are_nobody_elses() {
    let (one, other) = (Sandbox::new(), Sandbox::new());
    for _ in 0..20 {
        one.port();
        other.ports_in_a_row(2);
    }
    let all: BTreeSet<u16> = one.ports().into_iter().chain(other.ports()).collect();
    assert_eq!(all.len(), 60);
}

#[test]
fn the_same_files_are_the_same_commit_anywhere() {
    let (one, other) = (Sandbox::new(), Sandbox::new());
    let commits = [&one, &other].map(|sandbox| App::python(sandbox, "app").git().head());
    assert_eq!(commits[0], commits[1]);
}

#[test]
fn a_push_goes_over_a_real_ssh() {
    let sandbox = Sandbox::new();
    let sshd = Sshd::start(&sandbox);
    let server = Git::at(&sandbox, sandbox.dir("app.git"));
    server.run(["init", "--quiet", "--bare"]).ok();
    let app = App::python(&sandbox, "app");
    let url = sshd.url(server.path());
    let pushed = sshd.pusher(app.git().clone()).push([&url, "main"]);
    assert_eq!(pushed.code, 0, "{}\n{}", pushed.stderr, sshd.output());
    let landed = server.run(["rev-parse", "main"]).ok();
    assert_eq!(landed.trim(), app.git().head());

    let stranger = app.git().clone().with("GIT_SSH_COMMAND", "ssh -F none -i /nonexistent -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes");
    assert_ne!(stranger.push([&url, "main:other"]).code, 0);
}

#[test]
fn a_load_counts_answers_by_version_and_notices_a_death() {
    let sandbox = Sandbox::new();
    let app = App::python(&sandbox, "app");
    let port = sandbox.port();
    let service = app.serve(&sandbox, port);
    let load = Load::start(Plan::get(loopback(port), "app"));
    load.wait_for_more(100);
    assert_eq!(load.seen().failures(), 0);
    drop(service);
    load.wait_for("the death is noticed", |seen| !seen.lost.is_empty());
    let seen = load.stop();
    assert_eq!(seen.answered("v1"), seen.ok);
}

#[test]
fn a_load_counts_refusals() {
    let sandbox = Sandbox::new();
    let app = App::python(&sandbox, "app");
    let port = sandbox.port();
    app.fault("error");
    let _service = app.serve(&sandbox, port);
    let plan = Plan {
        method: "POST",
        requests_each: 5,
        connections: 2,
        ..Plan::get(loopback(port), "app")
    };
    let load = Load::start(plan);
    load.wait_for("ten are refused", |seen| {
        seen.refused.get(&500) == Some(&10)
    });
    assert_eq!(load.stop().failures(), 10);
}

#[test]
fn an_app_finishes_and_leaves_on_sigterm() {
    let sandbox = Sandbox::new();
    let app = App::python(&sandbox, "app");
    let port = sandbox.port();
    let mut service = app.serve(&sandbox, port);
    service.says(&format!("v1 listens on 127.0.0.1:{port}"));
    let health = get(loopback(port), "app", "/api/health").unwrap();
    assert_eq!(health.header("content-type"), Some("application/json"));
    let mut idle = Connection::open(loopback(port)).unwrap();
    assert_eq!(idle.ask("GET", "app", "/", "").unwrap().body, "v1\n");
    assert!(service.stop(Signal::SIGTERM).success());
    assert_eq!(sandbox.processes(), []);
}

#[test]
fn snapshots_show_what_stays() {
    let sandbox = Sandbox::new();
    let port = sandbox.port();
    let text = format!(
        "build 12.3 s, health 34ms: {}/releases/blue at 8f3a9c2d1 answers on 127.0.0.1:{port} since 2026-11-23 14:05:09\n\
         #3 version 1.0.2, 3 steps, exit 2",
        sandbox.path().display()
    );
    assert_eq!(
        redact(&text, &sandbox),
        "build [TIME], health [TIME]: [SANDBOX]/releases/blue at [COMMIT] answers on 127.0.0.1:[PORT] since [DATE] [DATE]\n\
         #3 version 1.0.2, 3 steps, exit 2"
    );
}
