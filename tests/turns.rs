//! At most `build_slots` builds at a time over all environments: who waits is told where they stand, in the push and in
//! `teal status`, and may leave the line.

use crate::harness::{App, Daemon, Teal};

/// Three apps and one slot; each build waits until it is let go.
fn three() -> (Teal, [App; 3]) {
    let names = ["one", "two", "three"];
    let plan = names
        .iter()
        .fold(Teal::plan().top("build_slots = 1"), |plan, name| {
            plan.environment(name, "production", "")
        });
    let teal = plan.start();
    let apps = names.map(|name| {
        let app = teal.client(name);
        app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting(name)));
        app.version("v2");
        app
    });
    (teal, apps)
}

fn push(app: &App) -> Daemon {
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    Daemon::spawn("git push", &mut command)
}

#[test]
fn builds_take_turns_in_the_order_in_which_they_came() {
    let (teal, [one, two, three]) = three();
    let mut first = push(&one);
    teal.wait_for_waiting("one");
    let mut second = push(&two);
    second.says(
        "waiting for a build slot: 1 before you: one/production's deployment 1 builds since ",
    );
    let mut third = push(&three);
    third.says(
        "waiting for a build slot: 2 before you: one/production's deployment 1 builds since ",
    );
    let status = teal.cli(["status"]).ok();
    assert!(
        status.contains("waits for a build slot: 2 before it"),
        "{status}"
    );
    let json = teal.json(["status"]);
    assert_eq!(json["builds"]["building"][0]["deployment"], 1);
    assert_eq!(json["builds"]["waiting"][1]["env"], "three/production");
    assert!(!teal.sandbox.join("two-waits").exists());
    teal.let_go("one");
    first.says("LIVE");
    teal.wait_for_waiting("two");
    third.says(
        "waiting for a build slot: 1 before you: two/production's deployment 2 builds since ",
    );
    assert!(!teal.sandbox.join("three-waits").exists());
    teal.let_go("two");
    second.says("LIVE");
    teal.let_go("three");
    third.says("LIVE");
    let trace = teal.json(["logs", "3", "--timing"]);
    let build = trace["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "build");
    assert!(build.unwrap()["waited_ms"].as_u64() > Some(0), "{trace}");
}

#[test]
fn who_waits_for_a_turn_can_be_cancelled_and_the_next_one_moves_up() {
    let (teal, [one, two, three]) = three();
    let mut first = push(&one);
    teal.wait_for_waiting("one");
    let mut second = push(&two);
    second.says("1 before you");
    let mut third = push(&three);
    third.says("2 before you");
    teal.cli(["cancel", "2"]).ok();
    second.says("deployment 2 is cancelled");
    third.says("1 before you");
    teal.let_go("one");
    teal.let_go("three");
    first.says("LIVE");
    third.says("LIVE");
    assert_eq!(teal.states(), ["live", "cancelled", "live"]);
    assert!(!teal.sandbox.join("two-waits").exists());
}
