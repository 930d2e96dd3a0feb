//! The clock jumps a day, forward or back, in the middle of a deployment: deadlines hold, names stay unique, the order of
//! things stays the order in which they happened.

use crate::harness::{Daemon, LONG, Sandbox, Teal, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const HOST: &str = "production.shop.test";

/// What lies to the server about the time, where it is installed.
const LIAR: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
fn a_day_forward_and_a_day_back() {
    if !Path::new(LIAR).exists() {
        eprintln!("skipped: faketime is not installed");
        return;
    }
    let mut teal = Teal::plan()
        .environment("shop", "production", "keep_warm = \"1h\"\nobserve = \"1s\"")
        .init(Sandbox::new());
    let clock = teal.sandbox.write("clock", "+0");
    teal.serve_with(&[
        ("LD_PRELOAD", LIAR),
        ("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]);
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    for (nth, jump) in ["-1d", "+0", "+1d", "-2d"].into_iter().enumerate() {
        let (version, step) = (format!("v{}", nth + 2), format!("build-{nth}"));
        app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting(&step)));
        app.version(&version);
        let mut command = app.git().command();
        command.args(["push", "production", "main"]);
        let mut pushing = Daemon::spawn("git push", &mut command);
        teal.wait_for_waiting(&step);
        fs::write(&clock, jump).unwrap();
        teal.let_go(&step);
        assert_eq!(pushing.finish(), 0, "{}", pushing.output());
        assert_eq!(teal.serves(HOST), version, "{}", pushing.output());
    }
    assert_eq!(teal.states(), ["live"; 5]);
    let backups = teal.json(["backups", "production"]);
    let names: BTreeSet<&str> = backups
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| backup["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 5, "{backups:#}");
    // The old color is kept for an hour by any clock: neither retired at once nor for ever.
    let warm = || {
        let status = teal.json(["status"]);
        let slots = status["environments"][0]["slots"]
            .as_array()
            .unwrap()
            .clone();
        let up = slots.iter().filter(|slot| {
            slot["processes"]
                .as_object()
                .is_some_and(|all| !all.is_empty())
        });
        up.count()
    };
    fs::write(&clock, "+1d").unwrap();
    let rolled_back = teal.cli(["rollback", "production"]);
    assert_eq!(rolled_back.code, 0, "{}", rolled_back.stderr);
    assert_eq!(teal.serves(HOST), "v4");
    wait_until(LONG, "the other color is still warm", || warm() == 2);
}
