//! Pushes that came while nobody listened: with their options, back to where the branch was before, or told twice.

use crate::harness::{App, Delivery, Forge, LONG, SECRET, Sandbox, Sender, Teal, wait_until};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

const HOST: &str = "production.shop.test";

/// A server where `v1` serves.
fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

#[test]
fn the_options_of_a_push_outlive_the_server_that_was_not_there() {
    let (mut teal, app) = live();
    app.recipe("[build]\ntest = \"exit 1\"");
    app.version("v2");
    teal.stop(Signal::SIGTERM);
    let pushed = app
        .git()
        .push(["production", "main", "-o", "skip-tests", "-o", "full"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    teal.serve();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
    let second = &teal.history()[1];
    assert_eq!(second["mode"], "full", "{second}");
    assert_eq!(second["by"], teal.history()[0]["by"], "{second}");
    // Once is enough.
    teal.stop(Signal::SIGTERM);
    teal.serve();
    assert_eq!(teal.states(), ["live", "live"]);
}

/// The server hangs: it is stopped, as a debugger or a frozen disk would do it.
#[test]
fn a_push_to_a_server_that_hangs_is_deployed_once_when_it_goes_on() {
    let (mut teal, app) = live();
    app.version("v2");
    teal.server().signal(Signal::SIGSTOP);
    let began = Instant::now();
    let pushed = app.git().push(["production", "main"]);
    let took = began.elapsed();
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(
        took < Duration::from_secs(40),
        "{took:?}: {}",
        pushed.stderr
    );
    let told = pushed.stderr;
    assert!(told.contains("still waiting"), "{told}");
    let stored =
        "Teal does not answer: the push is stored and will be deployed when the server is back";
    assert!(told.contains(stored), "{told}");
    // A wish that only the server can grant is refused, and nothing of it is done afterwards.
    let asked = app
        .git()
        .push(["production", "main:refs/deploy/production"]);
    assert_eq!(asked.code, 1, "{}", asked.stderr);
    assert!(
        asked.stderr.contains("Teal does not answer"),
        "{}",
        asked.stderr
    );
    teal.server().signal(Signal::SIGCONT);
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
    app.version("v3");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.states(), ["live", "live", "live"]);
}

#[test]
fn only_the_last_of_several_pushes_is_deployed_when_the_server_is_back() {
    let (mut teal, app) = live();
    teal.stop(Signal::SIGTERM);
    for version in ["v2", "v3", "v4"] {
        app.version(version);
        let pushed = app.git().push(["production", "main", "-o", "fast"]);
        assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    }
    teal.serve();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v4");
}

#[test]
fn what_only_the_server_can_answer_is_refused_while_it_is_down() {
    let (mut teal, app) = live();
    let first = teal.tip("shop", "main");
    app.version("v2");
    teal.stop(Signal::SIGTERM);
    for (option, word) in [
        ("plan", "start it to see a plan"),
        ("fats", "unknown push option"),
    ] {
        let pushed = app.git().push(["production", "main", "-o", option]);
        assert_eq!(pushed.code, 1, "{}", pushed.stderr);
        assert!(pushed.stderr.contains(word), "{}", pushed.stderr);
    }
    assert_eq!(teal.tip("shop", "main"), first);
}

#[test]
fn a_branch_that_came_back_to_an_earlier_commit_was_pushed() {
    let (mut teal, app) = live();
    let first = app.git().head();
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v2");
    teal.stop(Signal::SIGTERM);
    let back = format!("{first}:main");
    let pushed = app.git().push(["--force", "production", &back]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    // As if the hook could not keep it: the ref alone has to do.
    let spool = teal.repository("shop").join("teal-spool");
    std::fs::remove_dir_all(spool).unwrap();
    teal.serve();
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn a_branch_that_stands_still_does_not_undo_a_rollback() {
    let (mut teal, app) = live();
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    teal.cli(["rollback", "production"]).ok();
    assert_eq!(teal.serves(HOST), "v1");
    teal.stop(Signal::SIGTERM);
    // Moved away and back again before anybody looked: it stands where it stood.
    app.version("v3");
    let bare = teal.bare("shop");
    let tip = teal.tip("shop", "main").unwrap();
    bare.run(["update-ref", "refs/heads/main", "main~1"]).ok();
    bare.run(["update-ref", "refs/heads/main", &tip]).ok();
    teal.serve();
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(HOST), "v1");
}

/// A forge with a tag, which is found by looking and told by a delivery.
#[test]
fn a_tag_that_is_found_and_told_is_deployed_once() {
    for told_first in [true, false] {
        let sandbox = Sandbox::new();
        let (forge, app) = Forge::with_shop(&sandbox);
        let keys = forge.shop_keys("gitea");
        let reconcile = if told_first { "0s" } else { "100ms" };
        let mut teal = Teal::plan()
            .top(&format!("reconcile = \"{reconcile}\""))
            .variable("SHOP_SECRET", SECRET)
            .app("shop", &keys)
            .environment("shop", "production", "tag = \"v*\"")
            .init(sandbox);
        app.git().run(["tag", "-a", "v1", "-m", "the first"]).ok();
        app.git().run(["push", "--quiet", "origin", "v1"]).ok();
        let tag = app.git().run(["rev-parse", "v1"]).ok();
        let delivery = Delivery::push(Sender::Gitea, "blue/shop", "refs/tags/v1", tag.trim());
        teal.serve();
        if told_first {
            assert_eq!(delivery.send(teal.listen(), "shop").status, 202);
            teal.wait_for_states(&["live"]);
            teal.stop(Signal::SIGTERM);
            let looking = std::fs::read_to_string(teal.config()).unwrap();
            std::fs::write(teal.config(), looking.replace("\"0s\"", "\"100ms\"")).unwrap();
            teal.serve();
        } else {
            wait_until(LONG, "it is found", || !teal.states().is_empty());
            delivery.send(teal.listen(), "shop");
        }
        // Another tag shows that somebody has looked once more.
        app.version("v2");
        app.git().run(["tag", "v2"]).ok();
        teal.wait_for_states(&["live"]);
        app.git().run(["push", "--quiet", "origin", "v2"]).ok();
        teal.wait_for_states(&["live", "live"]);
        assert_eq!(teal.serves(HOST), "v2");
    }
}

/// Somebody looks at the forge's branch, and before he compares what he saw, a push to it is told and taken.
#[test]
fn an_older_look_at_a_branch_is_no_push_back_to_where_it_was() {
    let sandbox = Sandbox::new();
    let (forge, app) = Forge::with_shop(&sandbox);
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    let keys = forge.shop_keys("gitea");
    let mut teal = Teal::plan()
        .top("reconcile = \"100ms\"")
        .variable("SHOP_SECRET", SECRET)
        .app("shop", &keys)
        .environment("shop", "production", "")
        .init(sandbox);
    teal.serve();
    teal.wait_for_states(&["live"]);
    forge.hold();
    forge.wait_for_held();
    app.version("v2");
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    let head = app.git().head();
    let delivery = Delivery::push(Sender::Gitea, "blue/shop", "refs/heads/main", &head);
    assert_eq!(delivery.send(teal.listen(), "shop").status, 202);
    forge.let_go();
    teal.wait_for_states(&["live", "live"]);
    // Another push shows that somebody has looked once more.
    app.version("v3");
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(HOST), "v3");
}
