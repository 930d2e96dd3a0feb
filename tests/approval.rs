//! Releases that wait for somebody's yes: built, started and probed, and seen by nobody until it is said.

use crate::harness::{App, Daemon, LONG, Teal, TealPlan, redact, story, wait_until};
use crate::people::me;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const SHOP: &str = "production.shop.test";
const BY_RELEASE: &str = "approval = { by = [\"group:release\"] }";

/// A server whose production waits for a yes by the release group: ada, who is this unix user or nobody's, and bob.
fn plan(ada_is_me: bool, keys: &str) -> TealPlan {
    let unix = match ada_is_me {
        true => format!("unix = \"{}\"", me()),
        false => String::new(),
    };
    Teal::plan()
        .top(&format!(
            "[people.ada]\n{unix}\nroles = \"release\"\n[people.bob]\n"
        ))
        .environment("shop", "production", keys)
}

fn start() -> (Teal, App) {
    let teal = plan(true, BY_RELEASE).start();
    let app = teal.client("shop");
    (teal, app)
}

/// The same with a first release that serves.
fn live() -> (Teal, App) {
    let (teal, app) = start();
    push(&app);
    teal.cli(["approve", "1"]).ok();
    teal.wait_for_states(&["live"]);
    (teal, app)
}

#[track_caller]
fn push(app: &App) -> String {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

/// Whether anything answers on the port of a color.
fn answers(teal: &Teal, color: &str) -> bool {
    let status = teal.json(["status", "production"]);
    let slots = status["environments"][0]["slots"]
        .as_array()
        .unwrap()
        .clone();
    let slot = slots.iter().find(|slot| slot["color"] == color).unwrap();
    !slot["processes"].as_object().unwrap().is_empty()
}

fn detail(teal: &Teal, id: i64) -> Value {
    teal.history()
        .into_iter()
        .find(|one| one["id"] == id)
        .expect("the deployment")
}

#[test]
fn a_push_waits_for_a_yes_and_says_whose_and_how() {
    let (teal, app) = live();
    app.version("v2");
    let told = push(&app);
    let shown = story(&told, &teal.sandbox);
    let from = shown.find("  waiting").unwrap();
    insta::assert_snapshot!(&shown[from..], @r#"
      waiting for approval: by [USER] until [DATE] [DATE]
      changed 1 commit since deployment 1: [COMMIT] v2 (Ada)
      yes: teal approve 2, no: teal reject 2 (both take -m "why")
      it goes live when that is said; look at it with: teal logs 2 -f
    To [SANDBOX]/state/repos/shop.git
       [COMMIT]..[COMMIT] main -> main
    "#);
    assert!(told.contains("by group:release until"), "{told}");
    teal.wait_for_states(&["live", "approval"]);
    assert_eq!(teal.serves(SHOP), "v1");
    let status = teal.cli(["status"]).ok();
    assert!(status.contains("2 is waiting for approval"), "{status}");
    let logs = teal.cli(["logs", "2"]).ok();
    assert!(
        logs.contains("yes: teal approve 2, no: teal reject 2"),
        "{logs}"
    );

    let approved = teal.cli(["approve", "2", "-m", "looks good"]).ok();
    insta::assert_snapshot!(story(&approved, &teal.sandbox), @r#"
    deployment 2 of shop/production: [COMMIT] "v2" by [USER]
      changed 1 commit since deployment 1: [COMMIT] v2 (Ada)
    approved by [USER] looks good; it goes live now: teal logs 2 -f
    "#);
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(SHOP), "v2");

    // Who and when and with what words is kept.
    let answer = &detail(&teal, 2)["approval"]["answer"];
    assert_eq!(
        (&answer["approved"], &answer["by"], &answer["why"]),
        (&true.into(), &"ada".into(), &"looks good".into())
    );
    let trail = teal.json(["history", "--audit", "-n", "1"]);
    assert_eq!(
        (
            &trail[0]["act"],
            &trail[0]["about"],
            &trail[0]["deployment"]
        ),
        (&"approve".into(), &"approve: looks good".into(), &2.into())
    );
    let log = std::fs::read_to_string(teal.root("shop", "production").join("shared/deploy.log"));
    let log = log.unwrap();
    assert!(log.contains("approved by ada: looks good"), "{log}");
    let late = teal.cli(["reject", "2"]);
    assert_eq!(late.code, 4);
    insta::assert_snapshot!(late.stderr.trim(), @"error: deployment 2 was approved by ada: looks good already");
}

#[test]
fn a_no_ends_it_and_what_serves_goes_on() {
    let (teal, app) = live();
    app.version("v2");
    push(&app);
    assert!(answers(&teal, "green"));
    let said = teal.cli(["reject", "2", "-m", "not before the fair"]).ok();
    assert!(said.contains("what serves was not touched"), "{said}");
    teal.wait_for_states(&["live", "cancelled"]);
    assert!(!answers(&teal, "green"));
    assert_eq!(teal.serves(SHOP), "v1");
    let failure = &detail(&teal, 2)["failure"];
    assert_eq!(failure["cause"], "rejected by ada: not before the fair");
    assert_eq!(failure["step"], "approval");
    // A release that waits is told to whoever asked for it by a command, to the end.
    let mut command = teal.command(["deploy", "production"]);
    let mut asking = Daemon::spawn("teal deploy", &mut command);
    teal.wait_for_states(&["live", "cancelled", "approval"]);
    asking.says("yes: teal approve 3");
    teal.cli(["reject", "3"]).ok();
    let code = asking.finish();
    assert_eq!(code, 4, "{}", asking.output());
}

#[test]
fn only_those_who_are_named_may_say_it() {
    let teal = plan(false, BY_RELEASE).start();
    let app = teal.client("shop");
    push(&app);
    teal.wait_for_states(&["approval"]);
    let refused = teal.cli(["approve", "1"]);
    assert_eq!(refused.code, 4);
    let shown = redact(refused.stderr.trim(), &teal.sandbox).replace(&me(), "[USER]");
    insta::assert_snapshot!(shown, @r"
    error: [USER] may not approve deployments to shop/production
      next: you are the unix user [USER], which is in no person's `unix` in teal.toml; deployments to shop/production are approved by group:release
    ");
    assert_eq!(teal.states(), ["approval"]);
    let trail = teal.json(["history", "--audit", "-n", "1"]);
    assert_eq!(
        (&trail[0]["act"], &trail[0]["verdict"]),
        (&"approve".into(), &"refused".into())
    );
    // Whoever may deploy may also take it back.
    teal.cli(["cancel", "1"]).ok();
    teal.wait_for_states(&["cancelled"]);
    assert!(!answers(&teal, "blue"));
    let late = teal.cli(["approve", "1"]);
    assert_eq!(late.code, 4, "{}", late.stderr);
}

#[test]
fn a_newer_push_takes_the_place_of_one_that_waits() {
    let (teal, app) = live();
    app.version("v2");
    push(&app);
    // The same once more is the same wish.
    teal.wait_for_states(&["live", "approval"]);
    app.version("v3");
    push(&app);
    teal.wait_for_states(&["live", "superseded", "approval"]);
    let late = teal.cli(["approve", "2"]);
    assert_eq!(late.code, 4);
    insta::assert_snapshot!(late.stderr.trim(), @r"
    error: deployment 2 waits for nobody's yes: it is superseded
      next: teal status shows what waits for a yes
    ");
    teal.cli(["approve", "3"]).ok();
    teal.wait_for_states(&["live", "superseded", "live"]);
    assert_eq!(teal.serves(SHOP), "v3");
}

#[test]
fn it_goes_on_waiting_when_the_server_is_killed() {
    let (mut teal, app) = live();
    app.version("v2");
    push(&app);
    let before = detail(&teal, 2)["approval"].clone();
    teal.stop(Signal::SIGKILL);
    assert_eq!(teal.serves(SHOP), "v1");
    teal.serve();
    teal.wait_for_states(&["live", "approval"]);
    assert_eq!(detail(&teal, 2)["approval"], before);
    assert!(answers(&teal, "green"));
    teal.cli(["approve", "2"]).ok();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(SHOP), "v2");
}

#[test]
fn it_is_started_again_when_the_machine_was() {
    let (mut teal, app) = live();
    app.version("v2");
    push(&app);
    if !teal.reboot() {
        return;
    }
    teal.serve();
    wait_until(LONG, "it runs and waits again", || answers(&teal, "green"));
    assert_eq!(teal.serves(SHOP), "v1");
    teal.cli(["approve", "2"]).ok();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(SHOP), "v2");
}

#[test]
fn a_yes_outlasts_the_server_that_heard_it() {
    let (mut teal, app) = live();
    let waits = teal.waiting("before");
    app.recipe(&format!(
        "[run]\nweb = \"exec python3 -u app.py\"\nbefore = '''{waits}'''"
    ));
    app.version("v2");
    push(&app);
    teal.cli(["approve", "2", "-m", "go"]).ok();
    teal.wait_for_waiting("before");
    teal.stop(Signal::SIGKILL);
    teal.let_go("before");
    teal.serve();
    teal.wait_for_states(&["live", "interrupted", "live"]);
    assert_eq!(teal.serves(SHOP), "v2");
    let log = std::fs::read_to_string(teal.root("shop", "production").join("shared/deploy.log"));
    let kept = "approved by ada: go (as deployment 2)";
    assert!(log.unwrap().contains(kept));
}

#[test]
fn the_time_to_say_it_ends() {
    let teal = plan(true, "approval = { by = \"ada\", timeout = \"1s\" }").start();
    let app = teal.client("shop");
    push(&app);
    teal.wait_for_states(&["cancelled"]);
    let failure = &detail(&teal, 1)["failure"];
    assert_eq!(
        failure["cause"],
        "nobody approved it within 1 s, and it was for ada"
    );
    assert!(!answers(&teal, "blue"));
}

#[test]
fn a_gate_stays_closed_until_it_is_said() {
    let gate = format!("on_push = \"gate\"\n{BY_RELEASE}");
    let teal = plan(true, &gate).start();
    let app = teal.client("shop");
    let pushing = |words: &'static [&str]| {
        let mut command = app.git().command();
        Daemon::spawn("git push", command.args(words))
    };
    let mut first = pushing(&["push", "production", "main"]);
    teal.wait_for_states(&["approval"]);
    first.says("yes: teal approve 1");
    assert_eq!(teal.tip("shop", "main"), None);
    teal.cli(["approve", "1"]).ok();
    assert_eq!(first.finish(), 0);
    assert_eq!(teal.tip("shop", "main"), Some(app.git().head()));
    app.version("v2");
    let mut second = pushing(&["push", "production", "main"]);
    teal.wait_for_states(&["live", "approval"]);
    teal.cli(["reject", "2", "-m", "no"]).ok();
    second.says("remote rejected] main -> main (rejected by ada: no)");
    assert_eq!(second.finish(), 1);
    assert_ne!(teal.tip("shop", "main"), Some(app.git().head()));
}

#[test]
fn a_release_that_does_not_live_that_long_fails() {
    let (teal, app) = live();
    app.version("v2");
    push(&app);
    teal.wait_for_states(&["live", "approval"]);
    let file = teal.root("shop", "production").join("shared/green.pid");
    let pid: i32 = std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    teal.wait_for_states(&["live", "failed"]);
    let failure = &detail(&teal, 2)["failure"];
    let cause = failure["cause"].as_str().unwrap();
    assert!(cause.ends_with("while it waited for approval"), "{cause}");
    assert_eq!(teal.serves(SHOP), "v1");
}

#[test]
fn what_has_to_make_room_is_asked_for_before_anything_stops() {
    let (teal, app) = live();
    app.recipe("[run]\nweb = { command = \"exec python3 -u app.py\", on_switch = \"exclusive\" }\n[migrate]\ncommand = \"echo moved > $TEAL_SHARED_DIR/moved\"");
    app.version("v2");
    let told = push(&app);
    let later = "the migration comes after the yes: it declares no inputs, so it always runs";
    assert!(told.contains(later), "{told}");
    assert_eq!(teal.serves(SHOP), "v1");
    let moved = teal.root("shop", "production").join("shared/moved");
    assert!(!moved.exists());
    teal.cli(["approve", "2"]).ok();
    teal.wait_for_states(&["live", "live"]);
    assert!(moved.exists());
    assert_eq!(teal.serves(SHOP), "v2");
}

#[test]
fn the_plan_names_commits_and_migrations() {
    let (teal, app) = live();
    app.git().write("migrations/run.sh", "echo moved\n");
    app.git().commit("Move the database");
    app.version("v2");
    push(&app);
    let logs = teal.cli(["logs", "2"]).ok();
    let shown = story(&logs, &teal.sandbox);
    let from = shown.find("  waiting").unwrap();
    insta::assert_snapshot!(&shown[from..], @r#"
      waiting for approval: by [USER] until [DATE] [DATE]
      changed 2 commits since deployment 1: [COMMIT] v2 (Ada); [COMMIT] Move the database (Ada)
      migration ran in this deployment already (it has not run here yet)
      yes: teal approve 2, no: teal reject 2 (both take -m "why")
    "#);
}

#[test]
fn going_back_and_starting_anew_need_no_yes() {
    let (teal, app) = live();
    app.version("v2");
    push(&app);
    teal.cli(["approve", "2"]).ok();
    teal.wait_for_states(&["live", "live"]);
    assert!(teal.cli(["rollback", "production"]).ok().contains("LIVE"));
    assert!(teal.cli(["restart", "production"]).ok().contains("LIVE"));
    // One that waits does not keep anybody from going back.
    app.version("v3");
    push(&app);
    assert!(teal.cli(["rollback", "production"]).ok().contains("LIVE"));
    let states = teal.states();
    assert_eq!(states.last().map(String::as_str), Some("live"));
    assert!(states.contains(&"cancelled".to_owned()), "{states:?}");
}
