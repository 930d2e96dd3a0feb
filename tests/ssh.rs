//! Pushing over a real sshd, with the line that `teal init` prints.

use crate::harness::{App, Daemon, Sandbox, Sshd, Teal};
use nix::sys::signal::Signal;

const HOST: &str = "production.shop.test";

/// A server that people reach over ssh, an app whose remote was added as `teal init` says, and the sshd.
fn reached(lines: &str) -> (Teal, App, Sshd) {
    let sandbox = Sandbox::new();
    let sshd = Sshd::start(&sandbox);
    let mut teal = Teal::plan()
        .top("ssh_host = \"localhost\"")
        .environment("shop", "production", lines)
        .init(sandbox);
    teal.serve();
    let said = teal.cli(["init"]).ok();
    let add = said
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("git remote add production ssh://"))
        .expect("the line to type");
    let app = App::python(&teal.sandbox, "work");
    app.git().run(add.split(' ').skip(1)).ok();
    (teal, app, sshd)
}

#[test]
fn the_printed_remote_deploys_and_shows_the_steps() {
    let (teal, app, sshd) = reached("");
    let git = sshd.on_its_port(app.git().clone());
    let pushed = git.push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}\n{}", pushed.stderr, sshd.output());
    assert!(
        pushed.stderr.contains("remote:   health"),
        "{}",
        pushed.stderr
    );
    assert!(
        pushed.stderr.contains("remote: LIVE: "),
        "{}",
        pushed.stderr
    );
    assert_eq!(teal.serves(HOST), "v1");
    app.version("v2");
    let planned = git.push(["production", "main", "-o", "plan"]);
    assert_eq!(planned.code, 1, "{}", planned.stderr);
    assert!(
        planned.stderr.contains("plan only: nothing was done"),
        "{}",
        planned.stderr
    );
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn the_gate_holds_over_ssh() {
    let (teal, app, sshd) = reached("on_push = \"gate\"");
    let git = sshd.on_its_port(app.git().clone());
    assert_eq!(git.push(["production", "main"]).code, 0);
    let first = teal.tip("shop", "main");
    app.recipe("[build]\nbuild = \"exit 3\"");
    app.version("v2");
    let refused = git.push(["production", "main"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("[remote rejected] main -> main (`exit 3` exited with code 3)"),
        "{}",
        refused.stderr
    );
    assert_eq!(teal.tip("shop", "main"), first);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_connection_that_is_lost_does_not_stop_the_deployment() {
    let (teal, app, sshd) = reached("");
    let git = sshd.on_its_port(app.git().clone());
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.git().commit("wait");
    let mut command = git.command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    pushing.stop(Signal::SIGKILL);
    teal.let_go("build");
    teal.wait_for_states(&["live"]);
    assert_eq!(teal.serves(HOST), "v1");
}
