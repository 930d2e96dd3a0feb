//! `state_dir/run` is removed below a running server: by somebody who tidies up, or by a machine that takes it for
//! temporary. Everything in it is made again, and nobody has to do anything.

use crate::harness::{LONG, Teal, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const HOST: &str = "production.shop.test";

#[test]
fn what_was_in_run_is_made_again_and_costs_no_request() {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let load = teal.load(HOST);
    load.wait_for_more(20);
    let run = teal.state_dir().join("run");
    fs::remove_dir_all(&run).unwrap();
    for name in ["teal.sock", "proxy.sock", "serve.lock"] {
        wait_until(LONG, &format!("{name} is there again"), || {
            run.join(name).exists()
        });
    }
    wait_until(LONG, "the supervisor's socket is there again", || {
        let found = fs::read_dir(run.join("services"));
        let mut paths = found.into_iter().flatten().flatten();
        paths.any(|entry| entry.path().extension().is_some_and(|end| end == "sock"))
    });
    assert_eq!(teal.cli(["status"]).code, 0);
    let mode = fs::metadata(&run).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o755, "{mode:o}");
    let second = teal.cli(["serve"]);
    assert!(
        second.stderr.contains("another Teal server"),
        "{}",
        second.stderr
    );
    // Its proxy is the old one, and so is its service; both are still those that it commands.
    teal.stop(Signal::SIGTERM);
    teal.serve();
    assert_eq!(teal.serves(HOST), "v1");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v2");
    load.wait_for_more(20);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn a_service_whose_files_were_removed_is_adopted_and_its_words_are_kept() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let run = teal.state_dir().join("run");
    let supervisor = || {
        let entries = fs::read_dir(run.join("services"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.path().join("status.json"))
            .find_map(|path| {
                let status: serde_json::Value =
                    serde_json::from_slice(&fs::read(path).ok()?).ok()?;
                status["supervisor"]["pid"].as_i64()
            })
    };
    let before = supervisor().unwrap();
    fs::remove_dir_all(&run).unwrap();
    wait_until(LONG, "its files are there again", || {
        supervisor() == Some(before)
    });
    kill(Pid::from_raw(before as i32), Signal::SIGKILL).unwrap();
    wait_until(LONG, "the service is adopted", || {
        supervisor().is_some_and(|now| now != before)
    });
    let log = teal
        .root("shop", "production")
        .join("shared/blue-service.log");
    let told = || fs::read_to_string(&log).unwrap();
    wait_until(LONG, "the new supervisor says so", || {
        told().contains("a new supervisor has taken over")
    });
    for version in ["v2", "v3"] {
        app.version(version);
        let pushed = app.git().push(["production", "main"]);
        assert_eq!(teal.serves(HOST), version, "{}", pushed.stderr);
    }
    wait_until(LONG, "its last words arrive", || {
        told().contains("stopping")
    });
}
