//! A machine that runs out: of room, of inodes, of descriptors, of processes. What serves goes on serving, the failure names
//! what ran out and where, and once there is room again the next push is deployed.

use crate::harness::{App, Daemon, LONG, Outcome, Sandbox, Teal, wait_until};
use crate::survival::observed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const HOST: &str = "production.shop.test";

/// A server where `v1` serves, with a small file system of its own at this folder of the sandbox; and the app, elsewhere.
fn on_small(name: &str, options: &str) -> Option<(Teal, App, Sandbox)> {
    let sandbox = Sandbox::new();
    if !sandbox.mount(&["-t", "tmpfs", "-o", options, "tmpfs"], name) {
        return None;
    }
    let away = Sandbox::new();
    let mut teal = Teal::plan()
        .environment("shop", "production", "")
        .init(sandbox);
    teal.serve();
    let app = App::python(&away, "work");
    let repository = teal.repository("shop").display().to_string();
    app.git()
        .run(["remote", "add", "production", &repository])
        .ok();
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1", "{}", pushed.stderr);
    Some((teal, app, away))
}

/// Pushes, and gives the cause of the failure that has to come of it while `v1` serves on.
#[track_caller]
fn fails(teal: &Teal, app: &App) -> String {
    let pushed = app.git().push(["production", "main"]);
    assert!(pushed.stderr.contains("FAILED at"), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    let failures = teal.failures();
    failures.last().unwrap()["cause"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[track_caller]
fn works_again(teal: &Teal, app: &App) {
    app.version("v9");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v9", "{}\n{}", pushed.stderr, teal.log());
}

#[test]
fn no_room_for_a_release() {
    let Some((teal, app, _away)) = on_small("srv", "size=24m") else {
        return;
    };
    let noise: Vec<u8> = (0..28_000_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
    app.git().write("big.bin", noise);
    app.version("v2");
    let cause = fails(&teal, &app);
    let srv = teal.sandbox.join("srv").display().to_string();
    assert!(cause.contains(&srv), "{cause}");
    assert!(
        cause.contains("No space left") && cause.contains("free"),
        "{cause}"
    );
    fs::remove_file(app.path().join("big.bin")).unwrap();
    works_again(&teal, &app);
}

#[test]
fn no_inodes_for_a_release() {
    let Some((teal, app, _away)) = on_small("srv", "size=96m,nr_inodes=1200") else {
        return;
    };
    for n in 0..1300 {
        app.git().write(&format!("many/{n}"), format!("{n}"));
    }
    app.version("v2");
    let cause = fails(&teal, &app);
    assert!(
        cause.contains("No space left") && cause.contains("inodes"),
        "{cause}"
    );
    fs::remove_dir_all(app.path().join("many")).unwrap();
    works_again(&teal, &app);
}

#[test]
fn no_room_for_the_journal() {
    let Some((mut teal, app, _away)) = on_small("state", "size=24m") else {
        return;
    };
    let load = teal.load(HOST);
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    // Every last byte is taken, while the deployment runs.
    let filler = fill(&teal);
    teal.let_go("build");
    // Its sender goes on watching: once there is room, it is put in order.
    teal.server().says("its journal cannot be written");
    load.wait_for_more(50);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    fs::remove_file(filler).unwrap();
    wait_until(LONG, "what was begun is put in order", || {
        let states = teal.states();
        states.len() == 2 && !["running", "switching", "observing"].contains(&states[1].as_str())
    });
    pushing.finish();
    works_again(&teal, &app);
}

/// Takes every last byte of the disk of the state folder.
fn fill(teal: &Teal) -> PathBuf {
    let filler = teal.sandbox.join("state/filler");
    let fill = format!("head -c 256m /dev/zero > {}", filler.display());
    Outcome::of(Command::new("sh").args(["-c", &fill]));
    filler
}

#[test]
fn a_full_disk_leaves_the_way_back_open() {
    let Some((mut teal, app, _away)) = on_small("state", "size=96m") else {
        return;
    };
    let reserve = teal.sandbox.join("state/reserve");
    assert!(reserve.exists(), "{}", teal.log());
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let load = teal.load(HOST);
    let filler = fill(&teal);
    let told = teal.cli(["rollback", "production"]);
    assert_eq!(
        told.code,
        0,
        "{}{}\n{}",
        told.stdout,
        told.stderr,
        teal.log()
    );
    assert_eq!(teal.serves(HOST), "v1");
    assert!(!reserve.exists());
    teal.server()
        .says("the room that was kept for the way back is given up");
    let doctor = teal.cli(["doctor"]);
    assert!(
        doctor.stdout.contains("no room is kept for a rollback"),
        "{}",
        doctor.stdout
    );
    load.wait_for_more(50);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    fs::remove_file(filler).unwrap();
    teal.wait_for_file("state/reserve");
    works_again(&teal, &app);
}

#[test]
fn a_full_disk_leaves_the_way_back_open_to_a_release_that_fails_while_it_is_observed() {
    let Some((mut teal, app, _away)) = on_small("state", "size=96m") else {
        return;
    };
    let mut pushing = observed(&mut teal, &app);
    let filler = fill(&teal);
    let pid = teal.root("shop", "production").join("shared/green.pid");
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    pushing.says("rolled back");
    assert_eq!(teal.states(), ["live", "rolled_back"]);
    assert_eq!(teal.serves(HOST), "v1");
    fs::remove_file(filler).unwrap();
}

#[test]
fn no_room_for_a_log() {
    let Some((mut teal, app, _away)) = on_small("state", "size=24m") else {
        return;
    };
    app.recipe("[build]\nbuild = \"yes a line of words that fills the disk | head -c 60m\"");
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    // A log that is cut is no reason to stop; a journal that has no room for the end of the step is.
    wait_until(LONG, "it ends, or is put off", || {
        pushing.ended().is_some() || teal.log().contains("its journal cannot be written")
    });
    assert!(teal.server().ended().is_none());
    assert!(["v1", "v2"].contains(&teal.serves(HOST).as_str()));
    let logs = teal.sandbox.join("state/logs");
    fs::remove_dir_all(&logs).unwrap();
    fs::create_dir(&logs).unwrap();
    app.recipe("");
    wait_until(LONG, "nothing is open any more", || {
        teal.history().iter().all(crate::kill_anywhere::is_over)
    });
    works_again(&teal, &app);
}

#[test]
fn no_descriptors_left() {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let load = teal.load(HOST);
    let pid = teal.server().pid().to_string();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let limit = |count: usize| {
        let words = ["--pid", &pid, &format!("--nofile={count}:")];
        Outcome::of(Command::new("prlimit").args(words)).ok();
    };
    limit(open + 3);
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v1", "{}", pushed.stderr);
    assert!(teal.server().ended().is_none());
    limit(4096);
    wait_until(LONG, "nothing is open any more", || {
        let all = teal.cli(["history", "--json"]);
        all.code == 0 && teal.history().iter().all(crate::kill_anywhere::is_over)
    });
    works_again(&teal, &app);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn no_processes_left() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can limit the number of processes of a group");
        return;
    }
    let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
    let Some(root) = roots
        .iter()
        .find(|root| fs::metadata(format!("{root}/cgroup.procs")).is_ok())
    else {
        eprintln!("skipped: there are no control groups here");
        return;
    };
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let pid = teal.server().pid();
    let group = format!("{root}/teal-test-{pid}");
    fs::create_dir(&group).unwrap();
    if !fs::exists(format!("{group}/pids.max")).unwrap() {
        fs::remove_dir(&group).unwrap();
        eprintln!("skipped: the number of processes cannot be limited here");
        return;
    }
    fs::write(format!("{group}/cgroup.procs"), pid.to_string()).unwrap();
    fs::write(format!("{group}/pids.max"), "1").unwrap();
    app.version("v2");
    let cause = fails(&teal, &app);
    assert!(cause.contains("temporarily unavailable"), "{cause}");
    fs::write(format!("{group}/pids.max"), "max").unwrap();
    works_again(&teal, &app);
    teal.stop(nix::sys::signal::Signal::SIGTERM);
    teal.sandbox.sweep();
    let _ = fs::remove_dir(group);
}

#[test]
fn a_build_that_is_killed_is_named() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.recipe("[build]\nbuild = \"kill -9 $$\"");
    app.version("v2");
    let cause = fails(&teal, &app);
    assert!(cause.contains("SIGKILL"), "{cause}");
}
