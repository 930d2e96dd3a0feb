//! `on_push = "gate"`: the branch moves when the release is live, and not before.

use crate::harness::{App, Daemon, LONG, Teal, story, wait_until};
use nix::sys::signal::Signal;

const HOST: &str = "production.shop.test";

/// A gated server where `v1` serves, and the commit that it serves.
fn live() -> (Teal, App, Option<String>) {
    let teal = Teal::shop_with("on_push = \"gate\"");
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let tip = teal.tip("shop", "main");
    (teal, app, tip)
}

/// Starts a push whose build waits, and comes back when it does.
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
fn a_good_push_moves_the_branch_and_is_deployed_once() {
    let (teal, app, first) = live();
    assert_eq!(first, Some(app.git().head()));
    let commit = app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(pushed.stderr.contains("LIVE"), "{}", pushed.stderr);
    assert_eq!(teal.tip("shop", "main"), Some(commit));
    assert_eq!(teal.serves(HOST), "v2");
    assert_eq!(teal.states(), ["live", "live"]);
}

#[test]
fn a_failed_deployment_rejects_the_push_with_its_reason() {
    let (teal, app, first) = live();
    app.recipe("[build]\nbuild = \"echo no such type >&2; exit 2\"");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    insta::assert_snapshot!(story(&pushed.stderr, &teal.sandbox), @r#"
    deployment 2 of shop/production: [COMMIT] "v2" by [USER]
      fetch skipped the commit is here
      vacate skipped green is empty
      checkout [TIME] 3 written, 0 removed, 0 unchanged
      backup skipped backup-[DATE] holds it, sealed before it started
      deps skipped no install command
      build failed `echo no such type >&2; exit 2` exited with code 2
    FAILED at build: `echo no such type >&2; exit 2` exited with code 2
      last lines:
      | no such type
      serving now: blue serves [COMMIT] (deployment 1), untouched
      next: teal logs 2 shows the whole output of build
    deployment 2 failed; nothing was switched (teal logs 2)
    To [SANDBOX]/state/repos/shop.git
     ! [remote rejected] main -> main (`echo no such type >&2; exit 2` exited with code 2)
    error: failed to push some refs to '[SANDBOX]/state/repos/shop.git'
    "#);
    assert_eq!(teal.tip("shop", "main"), first);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live", "failed"]);
}

#[test]
fn a_release_that_dies_after_the_switch_rejects_the_push_and_is_rolled_back() {
    let (teal, app, first) = live();
    app.recipe("[run]\nweb = \"sh -c 'python3 -u app.py & while [ ! -e switched ]; do sleep 0.02; done; kill $!; exit 7'\"\nafter = \"touch switched\"");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    assert!(pushed.stderr.contains("rolled back"), "{}", pushed.stderr);
    assert!(
        pushed
            .stderr
            .contains("[remote rejected] main -> main (the process `web`"),
        "{}",
        pushed.stderr
    );
    assert_eq!(teal.tip("shop", "main"), first);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live", "rolled_back"]);
}

#[test]
fn the_branch_does_not_move_while_the_deployment_runs() {
    let (teal, app, first) = live();
    let mut pushing = begin(&teal, &app);
    assert_eq!(teal.tip("shop", "main"), first);
    teal.let_go("build");
    pushing.says("main -> main");
    assert_eq!(teal.tip("shop", "main"), Some(app.git().head()));
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn who_lost_the_race_is_rejected_and_the_release_before_serves_again() {
    let (teal, app, first) = live();
    let mut pushing = begin(&teal, &app);
    // Somebody moves the branch meanwhile, past the gate.
    let theirs = teal
        .bare("shop")
        .run(["commit-tree", "-p", "main", "-m", "theirs", "main^{tree}"])
        .ok();
    teal.bare("shop")
        .run(["update-ref", "refs/heads/main", theirs.trim()])
        .ok();
    assert_ne!(teal.tip("shop", "main"), first);
    teal.let_go("build");
    pushing.says("[remote rejected] main -> main (another push was faster");
    assert_eq!(teal.tip("shop", "main").as_deref(), Some(theirs.trim()));
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn two_pushes_at_once_end_with_one_that_serves_and_is_the_branch() {
    let (teal, app, _) = live();
    let mut slow = begin(&teal, &app);
    let faster = teal.colleague("shop", "second");
    faster.version("v3");
    let mut command = faster.git().command();
    command.args(["push", "--force", "production", "main"]);
    let mut second = Daemon::spawn("the second git push", &mut command);
    second.says("deployment 3 of shop/production");
    teal.let_go("build");
    slow.says("main -> main");
    second.says("[remote rejected] main -> main (another push was faster");
    teal.wait_for_states(&["live", "live", "live", "live"]);
    assert_eq!(teal.tip("shop", "main"), Some(app.git().head()));
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_pusher_who_is_killed_has_pushed_all_the_same() {
    let (teal, app, _) = live();
    let mut pushing = begin(&teal, &app);
    pushing.stop(Signal::SIGKILL);
    teal.let_go("build");
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
    // Also the branch has moved, though nobody was left to move it for.
    let pushed = Some(app.git().head());
    wait_until(LONG, "the branch has moved", || {
        teal.tip("shop", "main") == pushed
    });
}

#[test]
fn a_server_that_dies_before_the_branch_moves_moves_it_when_it_is_back() {
    for place in ["ref: before", "ref: after"] {
        let (mut teal, app, _) = live();
        teal.stop(Signal::SIGTERM);
        teal.serve_with(&[("TEAL_FAULT_AT", place)]);
        let commit = app.version("v2");
        let pushed = app.git().push(["production", "main"]);
        assert_eq!(pushed.code, 1, "{place}: {}", pushed.stderr);
        wait_until(LONG, "the server is gone", || {
            teal.server().ended().is_some()
        });
        assert_eq!(teal.serves(HOST), "v2", "{place}");
        teal.serve();
        wait_until(LONG, "the branch has moved", || {
            teal.tip("shop", "main").as_ref() == Some(&commit)
        });
        // Nothing is deployed again for it, now or at the next start.
        teal.stop(Signal::SIGTERM);
        teal.serve();
        assert_eq!(teal.states(), ["live", "live"], "{place}");
        assert_eq!(teal.serves(HOST), "v2", "{place}");
    }
}

#[test]
fn a_push_through_two_gates_that_the_server_did_not_survive_is_taken_back_from_the_first() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "on_push = \"gate\"")
        .environment("shop", "second", "on_push = \"gate\"\nbranch = \"main\"")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let first = teal.tip("shop", "main");
    let waits = format!(
        "[ $TEAL_ENVIRONMENT = production ] || {{ {}; }}",
        teal.waiting("second")
    );
    app.recipe(&format!("[migrate]\ncommand = \"{waits}\""));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("second");
    assert_eq!(teal.serves(HOST), "v2");
    teal.stop(Signal::SIGKILL);
    pushing.says("[remote rejected] main -> main (Teal stopped");
    teal.let_go("second");
    teal.serve();
    teal.wait_for_states(&["live", "live", "live", "interrupted", "live"]);
    assert_eq!(teal.tip("shop", "main"), first);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.serves("second.shop.test"), "v1");
}

#[test]
fn without_a_server_nothing_passes_the_gate() {
    let (mut teal, app, first) = live();
    teal.stop(Signal::SIGTERM);
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    assert!(
        pushed.stderr.contains(
            "(Teal is not running here; this environment is gated: start it and push again)"
        ),
        "{}",
        pushed.stderr
    );
    let aside = app.git().push(["production", "main:feature"]);
    assert_eq!(aside.code, 0, "{}", aside.stderr);
    let redeploy = app
        .git()
        .push(["production", "main:refs/deploy/production"]);
    assert_eq!(redeploy.code, 1, "{}", redeploy.stderr);
    assert_eq!(teal.tip("shop", "main"), first);
    teal.serve();
    assert_eq!(teal.serves(HOST), "v1");
    let again = app.git().push(["production", "main"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_branch_beside_the_gate_lands_at_once() {
    let (_teal, app, _) = live();
    app.recipe("[build]\nbuild = \"exit 1\"");
    app.version("v2");
    let pushed = app.git().push(["production", "main:feature"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(
        pushed
            .stderr
            .contains("feature maps to no environment of shop"),
        "{}",
        pushed.stderr
    );
    let mixed = app.git().push(["production", "main", "main:other"]);
    assert_eq!(mixed.code, 1, "{}", mixed.stderr);
    assert!(
        mixed.stderr.contains("[new branch]      main -> other"),
        "{}",
        mixed.stderr
    );
    assert!(
        mixed.stderr.contains("[remote rejected] main -> main"),
        "{}",
        mixed.stderr
    );
}

#[test]
fn a_branch_can_be_gated_in_one_environment_and_reported_in_another() {
    let teal = Teal::plan()
        .environment("shop", "production", "on_push = \"gate\"")
        .environment("shop", "staging", "branch = \"main\"")
        .start();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.states(), ["live", "live"]);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.serves("staging.shop.test"), "v1");
    app.recipe("[build]\nbuild = \"exit 1\"");
    app.version("v2");
    let refused = app.git().push(["production", "main"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    // What did not pass the gate is deployed nowhere.
    assert_eq!(teal.states(), ["live", "live", "failed"]);
}

#[test]
fn a_gated_branch_can_be_deleted_and_the_release_goes_on_serving() {
    let (teal, app, _) = live();
    app.git()
        .run(["push", "production", "main:refs/heads/spare"])
        .ok();
    teal.bare("shop")
        .run(["symbolic-ref", "HEAD", "refs/heads/spare"])
        .ok();
    let deleted = app.git().push(["production", "--delete", "main"]);
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn a_push_that_was_rejected_because_the_server_died_does_not_go_live_later() {
    let (mut teal, app, first) = live();
    let mut pushing = begin(&teal, &app);
    teal.stop(Signal::SIGKILL);
    pushing.says("[remote rejected] main -> main (Teal stopped before it said how this ended");
    assert_eq!(teal.tip("shop", "main"), first);
    teal.let_go("build");
    teal.serve();
    teal.wait_for_states(&["live", "interrupted"]);
    assert_eq!(teal.serves(HOST), "v1");
    // The same push again is all it takes.
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_release_that_served_when_the_server_died_goes_back_because_its_push_was_rejected() {
    let (mut teal, app, first) = live();
    teal.stop(Signal::SIGTERM);
    let patient = std::fs::read_to_string(teal.config())
        .unwrap()
        .replace("300ms", "1h");
    std::fs::write(teal.config(), patient).unwrap();
    teal.serve();
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    pushing.says("switch");
    teal.stop(Signal::SIGKILL);
    pushing.says("[remote rejected] main -> main (Teal stopped");
    assert_eq!(teal.tip("shop", "main"), first);
    assert_eq!(teal.serves(HOST), "v2");
    teal.serve();
    teal.wait_for_states(&["live", "rolled_back"]);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_push_that_waited_when_the_server_died_is_not_deployed_later() {
    let (mut teal, app, _) = live();
    let mut running = begin(&teal, &app);
    app.recipe("");
    app.version("v3");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut waiting = Daemon::spawn("the second git push", &mut command);
    waiting.says("deployment 3 of shop/production");
    teal.stop(Signal::SIGKILL);
    running.says("[remote rejected] main -> main (Teal stopped");
    waiting.says("[remote rejected] main -> main (Teal stopped");
    teal.let_go("build");
    teal.serve();
    teal.wait_for_states(&["live", "interrupted", "cancelled"]);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_branch_that_is_gated_twice_moves_only_when_both_are_live() {
    let teal = Teal::plan()
        .environment("shop", "production", "on_push = \"gate\"")
        .environment("shop", "second", "on_push = \"gate\"\nbranch = \"main\"")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let first = teal.tip("shop", "main");
    // The second environment has another configuration, in which this release does not start.
    teal.cli(["env", "set", "second", "APP_BROKEN=1"]).ok();
    app.recipe("[run]\nweb = \"test -z \\\"$APP_BROKEN\\\" && exec python3 -u app.py\"");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    assert_eq!(teal.tip("shop", "main"), first);
    teal.wait_for_states(&["live", "live", "live", "live", "failed", "live"]);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.serves("second.shop.test"), "v1");
}
