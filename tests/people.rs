//! Who may do what: by unix user, by ssh key, by a forge's login; and the trail of who did.

use crate::harness::{App, Delivery, Forge, Outcome, SECRET, Sandbox, Sender, Teal, wait_until};
use crate::harness::{LONG, redact};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::Command;

const HOST: &str = "production.shop.test";

/// Who these tests run as.
pub fn me() -> String {
    Outcome::of(Command::new("id").arg("-un"))
        .ok()
        .trim()
        .to_owned()
}

/// A server whose production is for ada alone; ada is this unix user, if any.
fn limited(unix: Option<&str>) -> (Teal, App) {
    let unix = unix.map_or_else(String::new, |name| format!("unix = \"{name}\""));
    let teal = Teal::plan()
        .top(&format!("[people.ada]\n{unix}\n[people.bob]\n"))
        .environment("shop", "production", "allow = [\"ada\"]")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let app = teal.client("shop");
    (teal, app)
}

/// What was said, without what differs from machine to machine.
fn shown(teal: &Teal, text: &str) -> String {
    redact(text, &teal.sandbox).replace(&me(), "[USER]")
}

#[test]
fn a_push_by_somebody_who_may_not_moves_no_ref_and_says_who_they_are() {
    let (teal, app) = limited(None);
    let refused = app.git().push(["production", "main"]);
    assert_eq!(refused.code, 1);
    let line = refused.stderr.lines().find(|line| line.contains(" ! "));
    insta::assert_snapshot!(shown(&teal, line.unwrap().trim()), @"! [remote rejected] main -> main ([USER] may not deploy to shop/production: you are the unix user [USER], which is in no person's `unix` in teal.toml; shop/production is for ada)");
    assert_eq!(teal.tip("shop", "main"), None);
    assert_eq!(teal.states(), [] as [&str; 0]);
    // What belongs to no limited environment is as free as ever, and so is asking.
    assert_eq!(app.git().push(["production", "main:other"]).code, 0);
    assert_eq!(app.git().push(["production", "main:develop"]).code, 0);
    let bare = app
        .git()
        .push(["production", "main:refs/deploy/production"]);
    assert!(bare.stderr.contains("may not deploy to"), "{}", bare.stderr);
    let plan = app.git().push(["production", "main", "-o", "plan"]);
    assert!(plan.stderr.contains("plan only"), "{}", plan.stderr);
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn commands_by_somebody_who_may_not_are_refused_with_exit_code_4() {
    let (teal, app) = limited(None);
    app.git().push(["production", "main:develop"]);
    teal.wait_for_states(&["live"]);
    let refused = teal.cli(["deploy", "production", "--ref", "develop"]);
    assert_eq!(refused.code, 4);
    insta::assert_snapshot!(shown(&teal, refused.stderr.trim()), @r"
    error: [USER] may not deploy to shop/production
      next: you are the unix user [USER], which is in no person's `unix` in teal.toml; shop/production is for ada
    ");
    for words in [
        &["rollback", "production"][..],
        &["restart", "production"],
        &["env", "set", "production", "A=1"],
        &["env", "list", "production"],
        &["maintenance", "on", "production"],
        &["run", "production", "--", "true"],
    ] {
        let refused = teal.cli(words.iter().copied());
        assert_eq!(refused.code, 4, "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(" may not "), "{}", refused.stderr);
    }
    assert_eq!(teal.cli(["restart", "staging"]).code, 0);
    let trail = teal.json(["history", "--audit", "production"]);
    let refused = |line: &Value| line["verdict"] == "refused" && line["who"] == me().as_str();
    assert_eq!(trail.as_array().unwrap().len(), 7);
    assert!(trail.as_array().unwrap().iter().all(refused), "{trail:#}");
}

#[test]
fn whoever_is_named_may_and_history_calls_them_by_that_name() {
    let (teal, app) = limited(Some(&me()));
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.cli(["restart", "production"]).code, 0);
    let by = |one: &Value| one["by"].as_str().map(str::to_owned);
    let all: Vec<_> = teal.history().iter().filter_map(by).collect();
    assert_eq!(all, ["ada", "ada"]);
    let trail = teal.cli(["history", "--audit"]).ok();
    let lines: Vec<String> = trail
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert!(
        lines[1].ends_with("restart shop/production command 2"),
        "{trail}"
    );
    assert!(
        lines[2].ends_with("deploy shop/production push 1 main"),
        "{trail}"
    );
}

#[test]
fn while_the_server_is_down_nobody_can_be_asked_so_nothing_lands() {
    let (mut teal, app) = limited(Some(&me()));
    teal.stop(Signal::SIGKILL);
    let refused = app.git().push(["production", "main"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert_eq!(teal.tip("shop", "main"), None);
    assert_eq!(app.git().push(["production", "main:develop"]).code, 0);
}

#[test]
fn a_forges_login_is_asked_for_and_reconcile_brings_in_nobody_by_the_back_door() {
    let sandbox = Sandbox::new();
    let (forge, app) = Forge::with_shop(&sandbox);
    let keys = format!("{}\nallow = \"group:release\"", forge.shop_keys("github"));
    let plan = |login: &str| {
        Teal::plan()
            .top(&format!(
                "reconcile = \"1s\"\n[people.lovelace]\ngithub = \"{login}\"\nroles = \"release\"\n"
            ))
            .variable("SHOP_SECRET", SECRET)
            .app("shop", &keys)
            .environment("shop", "production", "")
    };
    let mut teal = plan("Ada").init(sandbox);
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    teal.serve();
    let commit = app.git().head();
    let delivery = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &commit);
    teal.server()
        .says("a push was not deployed, and who pushed it is not known");
    assert_eq!(teal.states(), [] as [&str; 0]);
    let told = delivery.send(teal.listen(), "shop");
    assert_eq!(told.status, 202, "{}", told.body);
    teal.wait_for_states(&["live"]);
    assert_eq!(teal.history()[0]["by"], "lovelace");

    // Somebody else pushed behind ada: her delivery, told late, does not bring that along.
    app.version("v2");
    let hers = app.git().head();
    app.version("v3");
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    let late = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &hers).id(2);
    assert_eq!(late.send(teal.listen(), "shop").status, 202);
    teal.wait_for_states(&["live", "cancelled"]);

    teal.stop(Signal::SIGTERM);
    let config = std::fs::read_to_string(teal.config()).unwrap();
    std::fs::write(teal.config(), config.replace("\"Ada\"", "\"grace\"")).unwrap();
    teal.serve();
    let refused = delivery.id(3).send(teal.listen(), "shop");
    assert_eq!(refused.status, 403);
    insta::assert_snapshot!(refused.body, @r#"{"message":"ada may not deploy to shop/production: you are the GitHub login ada, which is in no person's `github` in teal.toml; shop/production is for group:release"}"#);
    wait_until(LONG, "the refusal is in the trail", || {
        let trail = teal.json(["history", "--audit", "-n", "1"]);
        trail[0]["verdict"] == "refused" && trail[0]["account"] == "the GitHub login ada"
    });
    assert_eq!(teal.serves(HOST), "v1");
}
