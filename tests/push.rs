//! `git push` to a server that reports: the push lands whatever happens, and its sender is shown every step.

use crate::harness::{App, Daemon, Outcome, Teal, story};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const HOST: &str = "production.shop.test";

/// A server where `v1` serves.
fn live(lines: &str) -> (Teal, App) {
    let teal = Teal::shop_with(lines);
    let app = teal.client("shop");
    push(&app);
    (teal, app)
}

fn push(app: &App) -> Outcome {
    push_with(app, &[])
}

/// A push that lands; with these push options.
#[track_caller]
fn push_with(app: &App, options: &[&str]) -> Outcome {
    let pushed = attempt(app, options, "main");
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed
}

fn attempt(app: &App, options: &[&str], refspec: &str) -> Outcome {
    let mut words = vec!["production", refspec];
    for option in options {
        words.extend(["-o", option]);
    }
    app.git().push(words)
}

#[test]
fn a_push_goes_live_and_its_sender_sees_every_step() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = push(&app);
    insta::assert_snapshot!(story(&pushed.stderr, &teal.sandbox), @r#"
    deployment 1 of shop/production: [COMMIT] "v1" by [USER]
      fetch skipped the commit is here
      vacate skipped blue is empty
      checkout [TIME] 3 written, 0 removed, 0 unchanged
      backup skipped first deployment: nothing serves that could be kept
      deps skipped no install command
      build skipped no build command
      test skipped no test command
      migrate skipped no migration command
      start [TIME] web (pid [PID]) on port [PORT]
      health [TIME] ready after [TIME], [N] probes
      switch [TIME] blue serves
      receipt 0 lost of [N] requests, [N] in flight at the switch
                          5xx: 0 old, 0 new; overlap of the colors [TIME]
      observe [TIME]
    LIVE: http://production.shop.test:[PORT] (deployment 1, push to live [TIME])
    To [SANDBOX]/state/repos/shop.git
     * [new branch] main -> main
    "#);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live"]);
    let root = teal.root("shop", "production");
    assert_eq!(
        std::fs::read_link(root.join("current")).unwrap(),
        std::path::Path::new("releases/blue")
    );
    let built = std::fs::read_to_string(root.join("current/.build-hash")).unwrap();
    assert_eq!(built.trim(), app.git().head());
}

#[test]
fn a_second_push_under_load_loses_no_request() {
    let (teal, app) = live("");
    let load = teal.load(HOST);
    load.wait_for_more(200);
    app.version("v2");
    let pushed = push(&app);
    load.wait_for_more(200);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    assert!(
        seen.answered("v1") > 0 && seen.answered("v2") > 0,
        "{seen:?}"
    );
    assert!(pushed.stderr.contains(" 0 lost of "), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_build_that_fails_is_shown_with_its_last_lines_and_the_old_release_serves() {
    let (teal, app) = live("");
    app.recipe("[build]\nbuild = \"echo compiling; echo 'src/main.ts: no such type' >&2; exit 2\"");
    let broken = app.version("v2");
    let pushed = push(&app);
    insta::assert_snapshot!(story(&pushed.stderr, &teal.sandbox), @r#"
    deployment 2 of shop/production: [COMMIT] "v2" by [USER]
      fetch skipped the commit is here
      vacate skipped green is empty
      checkout [TIME] 3 written, 0 removed, 0 unchanged
      backup skipped backup-[DATE] holds it, sealed before it started
      deps skipped no install command
      build failed `echo compiling; echo 'src/main.ts: no such type' >&2; exit 2` exited with code 2
    FAILED at build: `echo compiling; echo 'src/main.ts: no such type' >&2; exit 2` exited with code 2
      last lines:
      | compiling
      | src/main.ts: no such type
      serving now: blue serves [COMMIT] (deployment 1), untouched
      next: teal logs 2 shows the whole output of build
    deployment 2 failed; nothing was switched (teal logs 2)
    To [SANDBOX]/state/repos/shop.git
       [COMMIT]..[COMMIT] main -> main
    "#);
    assert_eq!(teal.tip("shop", "main"), Some(broken));
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live", "failed"]);
}

#[test]
fn a_release_that_is_not_healthy_never_serves() {
    let (teal, app) = live("");
    app.git().write(
        ".teal.toml",
        "[run]\nweb = \"exec python3 -u app.py\"\n[health]\npath = \"/api/health\"\ntimeout = \"2s\"\n",
    );
    app.fault("unhealthy");
    let pushed = push(&app);
    let told = pushed.stderr;
    assert!(told.contains("FAILED at health"), "{told}");
    assert!(told.contains("answered 500"), "{told}");
    assert!(told.contains("the database is not there"), "{told}");
    assert!(told.contains("blue serves"), "{told}");
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_release_that_ends_at_once_never_serves() {
    let (teal, app) = live("");
    app.recipe("[run]\nweb = \"echo no such module; exit 3\"");
    app.version("v2");
    let load = teal.load(HOST);
    let told = push(&app).stderr;
    let seen = load.stop();
    assert!(told.contains("FAILED at health"), "{told}");
    assert!(told.contains("exited with code 3"), "{told}");
    assert!(told.contains("no such module"), "{told}");
    assert_eq!(seen.failures(), 0, "{seen:?}");
    assert_eq!(teal.states(), ["live", "failed"]);
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
fn steps_are_shown_while_they_happen() {
    let (teal, app) = live("");
    let mut pushing = begin(&teal, &app);
    pushing.says("checkout");
    assert!(!pushing.output().contains("LIVE"), "{}", pushing.output());
    teal.let_go("build");
    pushing.says("LIVE");
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn who_presses_ctrl_c_only_stops_looking() {
    let (teal, app) = live("");
    let mut pushing = begin(&teal, &app);
    // A terminal sends the signal to the whole group: git, and over a local path the hook as well.
    killpg(Pid::from_raw(pushing.pid()), Signal::SIGINT).unwrap();
    pushing.stop(Signal::SIGINT);
    teal.let_go("build");
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_pusher_who_is_killed_changes_nothing() {
    let (teal, app) = live("");
    let mut pushing = begin(&teal, &app);
    pushing.stop(Signal::SIGKILL);
    teal.let_go("build");
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_push_lands_while_the_server_is_down_and_is_deployed_when_it_is_back() {
    let (mut teal, app) = live("");
    teal.stop(Signal::SIGTERM);
    assert_eq!(teal.serves(HOST), "v1");
    let commit = app.version("v2");
    let pushed = push(&app);
    let told = "the push is stored and will be deployed when the server is back";
    assert!(pushed.stderr.contains(told), "{}", pushed.stderr);
    assert_eq!(teal.tip("shop", "main"), Some(commit));
    teal.serve();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
    assert_eq!(teal.history()[1]["origin"], "reconcile");
}

#[test]
fn the_option_full_builds_again_what_fast_skips() {
    let (teal, app) = live("");
    let counted = teal.sandbox.join("builds").display().to_string();
    app.recipe(&format!(
        "[build]\nbuild = \"mkdir -p dist; echo built >> {counted}\"\noutputs = [\"dist\"]"
    ));
    app.version("v2");
    push(&app);
    let builds = || {
        std::fs::read_to_string(teal.sandbox.join("builds"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(builds(), 1);
    app.git().commit("nothing changed");
    push(&app);
    app.git().commit("nothing changed again");
    let fast = push_with(&app, &["fast"]);
    assert!(
        fast.stderr.contains("  build      skipped"),
        "{}",
        fast.stderr
    );
    let before = builds();
    app.git().commit("nothing changed, and yet");
    let full = push_with(&app, &["full"]);
    assert!(full.stderr.contains("from scratch"), "{}", full.stderr);
    assert_eq!(builds(), before + 1);
}

#[test]
fn an_environment_that_builds_from_scratch_can_be_asked_to_be_fast() {
    let (teal, app) = live("mode = \"full\"");
    app.version("v2");
    let full = push(&app);
    assert!(full.stderr.contains("from scratch"), "{}", full.stderr);
    app.version("v3");
    let fast = push_with(&app, &["fast"]);
    assert!(!fast.stderr.contains("from scratch"), "{}", fast.stderr);
    assert_eq!(teal.serves(HOST), "v3");
}

#[test]
fn tests_that_fail_stop_a_deployment_unless_they_are_skipped() {
    let (teal, app) = live("");
    app.recipe("[build]\ntest = \"echo 1 test failed; exit 1\"");
    app.version("v2");
    let failed = push(&app);
    assert!(
        failed.stderr.contains("FAILED at test"),
        "{}",
        failed.stderr
    );
    assert_eq!(teal.serves(HOST), "v1");
    app.git().commit("try again");
    push_with(&app, &["skip-tests"]);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_plan_is_shown_and_nothing_is_done() {
    let (teal, app) = live("");
    let before = teal.tip("shop", "main");
    app.recipe("[build]\nbuild = \"echo building\"");
    app.version("v2");
    let planned = attempt(&app, &["plan"], "main");
    assert_eq!(planned.code, 1, "{}", planned.stderr);
    insta::assert_snapshot!(story(&planned.stderr, &teal.sandbox), @r"
    plan for [COMMIT] of main to shop/production
      fetch skip the commit is here
      vacate run takes green
      checkout run writes only what differs
      backup skip what serves was sealed before it started
      deps skip no install command
      build run what it makes is not declared, so it always runs
      test skip no test command
      migrate skip no migration command
      start run web on port [PORT]
      health run /api/health
      switch run green serves
      observe run for [TIME]
    To [SANDBOX]/state/repos/shop.git
     ! [remote rejected] main -> main (plan only: nothing was done)
    error: failed to push some refs to '[SANDBOX]/state/repos/shop.git'
    ");
    assert_eq!(teal.tip("shop", "main"), before);
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn an_unknown_option_deploys_nothing_and_names_the_known_ones() {
    let (teal, app) = live("");
    let before = teal.tip("shop", "main");
    app.version("v2");
    let refused = attempt(&app, &["fats"], "main");
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("unknown push option `fats`: Teal knows fast, full"),
        "{}",
        refused.stderr
    );
    let contradiction = attempt(&app, &["fast", "-o", "full"], "main");
    assert_eq!(contradiction.code, 1);
    assert_eq!(teal.tip("shop", "main"), before);
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn an_up_to_date_branch_is_deployed_again_through_a_ref_that_is_never_stored() {
    let (teal, app) = live("");
    let refs = teal.bare("shop").run(["for-each-ref", "refs/heads"]).ok();
    let again = push(&app);
    assert!(again.stderr.contains("up-to-date"), "{}", again.stderr);
    assert_eq!(teal.states(), ["live"]);
    for _ in 0..2 {
        let redeployed = attempt(&app, &[], "main:refs/deploy/production");
        assert_eq!(redeployed.code, 0, "{}", redeployed.stderr);
        assert!(redeployed.stderr.contains("LIVE"), "{}", redeployed.stderr);
    }
    assert_eq!(teal.states(), ["live", "live", "live"]);
    let after = teal
        .bare("shop")
        .run(["for-each-ref", "refs/heads", "refs/deploy"])
        .ok();
    assert_eq!(refs, after);
    let nowhere = attempt(&app, &[], "main:refs/deploy/prodution");
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.stderr.contains("shop has production"),
        "{}",
        nowhere.stderr
    );
}
