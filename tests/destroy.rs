//! `teal destroy`: an environment is taken down, one that left the configuration as well.

use crate::harness::{App, LONG, Teal, redact, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpStream;

const SHOP: &str = "production.shop.test";
const STAGING: &str = "staging.shop.test";

/// Production and staging, which both serve; staging has a setting.
fn live() -> (Teal, App) {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"next\"")
        .start();
    let app = teal.client("shop");
    for branch in ["main", "main:next"] {
        let pushed = app.git().push(["production", branch]);
        assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    }
    teal.cli(["env", "set", "staging", "COLOUR=teal"]).ok();
    (teal, app)
}

/// The ports on which something of staging's answers.
fn ports(teal: &Teal) -> Vec<u16> {
    let status = teal.json(["status", "staging"]);
    let slots = status["environments"][0]["slots"].as_array().cloned();
    let port = |slot: &serde_json::Value| slot["port"].as_u64().unwrap_or(0) as u16;
    let ports: Vec<u16> = slots.unwrap_or_default().iter().map(port).collect();
    ports.into_iter().filter(|port| answers(*port)).collect()
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn an_environment_is_taken_down_after_it_was_said_what_goes() {
    let (mut teal, app) = live();
    fs::write(
        teal.root("shop", "staging").join("shared/orders.db"),
        "kept",
    )
    .unwrap();
    let running = ports(&teal);
    assert!(!running.is_empty());
    let asked = teal.cli(["destroy", "staging"]);
    assert_eq!(asked.code, 4, "{}", asked.stderr);
    insta::assert_snapshot!(redact(&asked.stderr, &teal.sandbox), @r#"
    error: this stops shop/staging, and removes its releases, its backups (1) and its settings; [SANDBOX]/srv/shop-staging/shared stays
      next: if that is meant: teal destroy shop/staging --yes
    "#);
    assert_eq!(teal.visit(STAGING, "/").status, 200);
    let done = teal.cli(["destroy", "staging", "--yes"]).ok();
    insta::assert_snapshot!(redact(&done, &teal.sandbox), @r#"
    shop/staging: blue web.0 stopped, green web.0 stopped
    removed: [SANDBOX]/srv/shop-staging/releases, [SANDBOX]/srv/shop-staging/.backups
    left as it is: [SANDBOX]/srv/shop-staging/shared
    take shop/staging out of the configuration and restart the server; until then the next push deploys it anew
    "#);
    assert_eq!(teal.visit(STAGING, "/").status, 503);
    assert!(!running.into_iter().any(answers));
    let kept = teal.root("shop", "staging").join("shared/orders.db");
    assert_eq!(fs::read_to_string(kept).unwrap(), "kept");
    let settings = teal.json(["env", "list", "staging"]);
    assert_eq!(settings["values"].as_object().map(|all| all.len()), Some(0));
    assert_eq!(teal.visit(SHOP, "/").status, 200, "production serves on");
    // It stays down, whatever starts anew, until somebody pushes.
    teal.stop(Signal::SIGKILL);
    teal.serve();
    assert_eq!(teal.visit(STAGING, "/").status, 503);
    app.version("again");
    let pushed = app.git().push(["production", "main:next"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(teal.serves(STAGING).contains("again"));
    let trail = teal.cli(["history", "--audit", "staging"]).ok();
    assert!(trail.contains("destroy"), "{trail}");
}

#[test]
fn what_runs_there_is_cancelled_first() {
    let (teal, app) = live();
    app.recipe(&format!("[build]\nbuild = \"{}\"\n", teal.waiting("build")));
    app.git().commit("a build that takes its time");
    teal.bare("shop")
        .run(["fetch", "-q", app.path().to_str().unwrap(), "main:next"]);
    teal.cli(["deploy", "staging", "--detach"]).ok();
    teal.wait_for_waiting("build");
    let done = teal.cli(["destroy", "staging", "--yes"]).ok();
    assert!(done.contains("removed: "), "{done}");
    let newest = teal.history().pop().unwrap();
    assert_eq!(newest["state"], "cancelled", "{newest}");
    assert_eq!(teal.visit(STAGING, "/").status, 503);
}

#[test]
fn one_that_left_the_configuration_is_named_and_can_be_taken_down() {
    let (mut teal, _app) = live();
    let running = ports(&teal);
    teal.stop(Signal::SIGTERM);
    let config = fs::read_to_string(teal.config()).unwrap();
    let at = config.find("[apps.shop.environments.staging]").unwrap();
    let end = config[at + 1..]
        .find("\n[")
        .map_or(config.len(), |end| at + 1 + end);
    fs::write(
        teal.config(),
        format!("{}{}", &config[..at], &config[end..]),
    )
    .unwrap();
    teal.serve();
    let said = teal.cli(["status"]).ok();
    assert!(
        said.contains("teal destroy shop/staging stops it"),
        "{said}"
    );
    assert!(
        running.iter().copied().all(answers),
        "it was not stopped by itself"
    );
    assert_eq!(teal.cli(["destroy", "shop/nosuch", "--yes"]).code, 2);
    let asked = teal.cli(["destroy", "shop/staging"]);
    assert_eq!(asked.code, 4, "{}", asked.stderr);
    let done = teal.cli(["destroy", "shop/staging", "--yes"]).ok();
    insta::assert_snapshot!(redact(&done, &teal.sandbox), @r#"
    shop/staging: blue web.0 stopped, green web.0 stopped
    shop/staging is gone; its history stays
    "#);
    wait_until(LONG, "nothing of it runs", || {
        !running.iter().copied().any(answers)
    });
    let said = teal.cli(["status"]).ok();
    assert!(!said.contains("staging"), "{said}");
    assert_eq!(teal.visit(SHOP, "/").status, 200);
}
