//! Releases that cannot serve: each is named for what it does wrong, nothing of it is left behind, and the old release
//! serves on.

use crate::harness::{App, Teal};

const HOST: &str = "production.shop.test";

/// Pushes a release with this fault over a good one; what its sender was told.
fn pushed(fault: &str) -> String {
    let teal = Teal::shop();
    let app: App = teal.client("shop");
    app.recipe("[health]\npath = \"/api/health\"\ntimeout = \"4s\"\n");
    app.version("v1");
    let good = app.git().push(["production", "main"]);
    assert!(good.stderr.contains("LIVE"), "{}", good.stderr);
    app.fault(fault);
    let told = app.git().push(["production", "main"]).stderr;
    // Before the switch it fails, after it it is rolled back; what is told and what is kept agree.
    let end = match told.contains("FAILED at observe") {
        true => "rolled_back",
        false => "failed",
    };
    assert_eq!(teal.states(), ["live", end], "{told}");
    assert_eq!(teal.serves(HOST), "v1", "{told}");
    let status = teal.json(["status"]);
    let slots = status["environments"][0]["slots"].as_array().unwrap();
    let running: usize = slots
        .iter()
        .map(|slot| slot["processes"].as_object().unwrap().len())
        .sum();
    assert_eq!(running, 1, "only the old release runs: {status:#}");
    told
}

#[track_caller]
fn named(fault: &str, words: &[&str]) {
    let told = pushed(fault);
    for word in words {
        assert!(told.contains(word), "`{word}` is not in: {told}");
    }
    assert!(told.contains("serving now: blue serves"), "{told}");
    assert!(told.contains("next: "), "{told}");
}

#[test]
fn one_that_exits_at_once() {
    named("exit", &["FAILED at health", "exited with code"]);
}

#[test]
fn one_that_answers_500() {
    named("error", &["FAILED at health", "500"]);
}

#[test]
fn one_that_hangs() {
    named("hang", &["FAILED at health"]);
}

#[test]
fn one_that_redirects() {
    named("redirect", &["FAILED at health", "redirect"]);
}

#[test]
fn one_that_listens_elsewhere() {
    named(
        "other-port",
        &["FAILED at health", "listens on", "not on $PORT"],
    );
}

#[test]
fn one_that_dies_with_its_first_answer() {
    named(
        "exit-after-first",
        &["FAILED at health", "exited with code 7"],
    );
}

#[test]
fn one_that_drips_its_body() {
    named("drip", &["FAILED at health"]);
}

#[test]
fn one_that_ignores_the_signal_or_leaves_grandchildren_is_gone_with_its_release() {
    for fault in ["ignore-term", "grandchild"] {
        let teal = Teal::shop_with("drain = \"1s\"");
        let app = teal.client("shop");
        app.fault(fault);
        assert_eq!(app.git().push(["production", "main"]).code, 0);
        assert_eq!(teal.serves(HOST), "v1");
        app.fault("");
        for version in ["v2", "v3"] {
            // The second one needs the slot of the one that misbehaves.
            app.version(version);
            let pushed = app.git().push(["production", "main"]);
            assert_eq!(teal.serves(HOST), version, "{}", pushed.stderr);
        }
        let old = |(_, line): &(i32, String)| {
            line.contains("signal.pause") || line.contains("releases/blue/fault")
        };
        let left: Vec<_> = teal.sandbox.processes().into_iter().filter(old).collect();
        assert!(left.is_empty(), "{fault}: {left:?}");
    }
}

#[test]
fn one_that_leaves_its_process_behind() {
    named("daemonise", &["FAILED at health"]);
}
