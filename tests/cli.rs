//! The command line, from outside: what each command does, says, and tells scripts by its exit code.

use crate::harness::{App, Daemon, LONG, Outcome, Teal, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const HOST: &str = "production.shop.test";

/// A server where `v1` serves.
fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    (teal, app)
}

#[track_caller]
fn push(app: &App) {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
}

/// What it said on both streams, of a command that ended with this code.
#[track_caller]
fn ended(code: i32, outcome: Outcome) -> String {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, code, "{said}");
    said
}

#[test]
fn deploy_goes_live_and_a_failure_is_exit_code_1() {
    let (teal, app) = live();
    let good = app.git().head();
    let said = ended(0, teal.cli(["deploy", "production"]));
    assert!(said.contains("LIVE: http://production.shop.test"), "{said}");
    app.recipe("[build]\nbuild = \"exit 9\"");
    app.git().commit("broken");
    push(&app);
    let said = ended(1, teal.cli(["deploy", "production"]));
    assert!(
        said.contains("FAILED at build: `exit 9` exited with code 9"),
        "{said}"
    );
    let first = ended(
        0,
        teal.cli(["deploy", "production", "--ref", &good, "--full"]),
    );
    assert!(first.contains("from scratch"), "{first}");
    ended(2, teal.cli(["deploy", "production", "--ref", "nosuch"]));
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn exit_codes_tell_usage_refusal_and_an_unreachable_server_apart() {
    let mut teal = Teal::shop();
    let mistyped = ended(2, teal.cli(["status", "prodution"]));
    assert!(mistyped.contains("did you mean production?"), "{mistyped}");
    ended(2, teal.cli(["deploy"]));
    ended(2, teal.cli(["deploy", "production"]));
    ended(4, teal.cli(["rollback", "production"]));
    ended(4, teal.cli(["restart", "production"]));
    teal.stop(Signal::SIGTERM);
    let down = ended(3, teal.cli(["status"]));
    assert!(down.contains("the server cannot be reached"), "{down}");
    std::fs::write(teal.config(), "lisen = 1\n").unwrap();
    let broken = ended(2, teal.cli(["status"]));
    assert!(
        broken.contains("did you mean") || broken.contains("listen"),
        "{broken}"
    );
}

#[test]
fn everything_that_prints_prints_json_too() {
    let (teal, _app) = live();
    let status = teal.json(["status"]);
    assert_eq!(status["environments"][0]["active"], "blue");
    let history = teal.json(["history", "production"]);
    assert_eq!(history[0]["state"], "live");
    let backups = teal.json(["backups", "production"]);
    assert_eq!(backups[0]["serving"], true);
    teal.json(["plan", "production"]);
    teal.json(["env", "list", "production"]);
    teal.json(["init"]);
    teal.json(["maintenance", "off", "production"]);
    for words in [
        ["deploy", "production"],
        ["restart", "production"],
        ["logs", "production"],
    ] {
        let lines = Outcome::of(teal.command(words).arg("--json")).ok();
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        assert!(!lines.is_empty(), "{words:?}");
    }
    let refused = Outcome::of(teal.command(["status", "nosuch"]).arg("--json"));
    assert_eq!(refused.code, 2);
    let error = format!("{}{}", refused.stdout, refused.stderr);
    serde_json::from_str::<serde_json::Value>(error.trim()).unwrap();
}

#[test]
fn status_and_history_tell_what_serves_and_what_failed() {
    let (teal, app) = live();
    app.recipe("[build]\nbuild = \"echo no such type; exit 2\"");
    app.version("v2");
    push(&app);
    let status = ended(0, teal.cli(["status", "production"]));
    for word in ["blue", "v1", "failed"] {
        assert!(status.contains(word), "{word}: {status}");
    }
    let history = ended(0, teal.cli(["history"]));
    assert!(
        history.contains("at build: `echo no such type; exit 2` exited with code 2"),
        "{history}"
    );
    let logs = ended(0, teal.cli(["logs", "2"]));
    assert!(
        logs.contains("no such type") && logs.contains("FAILED at build"),
        "{logs}"
    );
    ended(2, teal.cli(["logs", "99"]));
    let step = ended(0, teal.cli(["logs", "2", "--step", "build"]));
    assert_eq!(step.trim(), "no such type");
}

#[test]
fn logs_follow_a_deployment_to_its_end_and_a_service_over_switches() {
    let (teal, app) = live();
    let mut service = Daemon::spawn("teal logs", &mut teal.command(["logs", "production", "-f"]));
    service.says("v1 listens on");
    app.recipe(&format!(
        "[build]\nbuild = \"echo begun; {}; echo done\"",
        teal.waiting("build")
    ));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    let mut build = Daemon::spawn("teal logs", &mut teal.command(["logs", "2", "-f"]));
    build.says("begun");
    assert!(!build.output().contains("done"), "{}", build.output());
    teal.let_go("build");
    assert_eq!(build.finish(), 0);
    assert!(
        build.output().contains("done") && build.output().contains("LIVE"),
        "{}",
        build.output()
    );
    assert_eq!(pushing.finish(), 0);
    service.says("v2 listens on");
}

#[test]
fn rollback_goes_to_the_warm_release_and_to_an_older_one_by_number() {
    let (teal, app) = live();
    app.version("v2");
    push(&app);
    app.version("v3");
    push(&app);
    let load = teal.load(HOST);
    load.wait_for_more(50);
    let said = ended(0, teal.cli(["rollback", "production"]));
    assert!(said.contains("LIVE"), "{said}");
    assert_eq!(teal.serves(HOST), "v2");
    let listed = ended(0, teal.cli(["backups", "production"]));
    assert_eq!(listed.matches("backup-2").count(), 3, "{listed}");
    ended(0, teal.cli(["rollback", "production", "--to", "1"]));
    assert_eq!(teal.serves(HOST), "v1");
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    let nowhere = ended(2, teal.cli(["rollback", "production", "--to", "77"]));
    assert!(nowhere.contains("teal backups production"), "{nowhere}");
}

#[test]
fn changed_values_go_live_without_a_build_and_a_rollback_brings_the_old_ones_back() {
    let (teal, app) = live();
    let builds = teal.sandbox.join("builds");
    app.recipe(&format!(
        "[build]\nbuild = \"echo >> {}\"",
        builds.display()
    ));
    app.version("v2");
    push(&app);
    let colour = || {
        let text = teal.visit(HOST, "/env").body;
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        all["APP_COLOUR"].as_str().map(str::to_owned)
    };
    let load = teal.load(HOST);
    ended(0, teal.cli(["env", "set", "production", "APP_COLOUR=red"]));
    assert_eq!(colour().as_deref(), Some("red"));
    ended(0, teal.cli(["env", "set", "production", "APP_COLOUR=blue"]));
    assert_eq!(colour().as_deref(), Some("blue"));
    ended(0, teal.cli(["rollback", "production"]));
    assert_eq!(colour().as_deref(), Some("red"));
    // And they stay with what is deployed next.
    app.version("v3");
    push(&app);
    assert_eq!(colour().as_deref(), Some("red"));
    ended(0, teal.cli(["env", "unset", "production", "APP_COLOUR"]));
    assert_eq!(colour(), None);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    assert_eq!(std::fs::read_to_string(&builds).unwrap().lines().count(), 2);
}

#[test]
fn values_are_listed_masked_and_may_come_from_stdin() {
    let (teal, _app) = live();
    let mut command = teal.command(["env", "set", "production", "--stdin", "APP_TOKEN"]);
    let file = teal.sandbox.write("token", "s3cret\n");
    command.stdin(std::fs::File::open(file).unwrap());
    let outcome = command.output().unwrap();
    assert!(outcome.status.success());
    let masked = ended(0, teal.cli(["env", "list", "production"]));
    assert!(
        masked.contains("APP_TOKEN") && !masked.contains("s3cret"),
        "{masked}"
    );
    let shown = ended(0, teal.cli(["env", "list", "production", "--show"]));
    assert!(shown.contains("s3cret"), "{shown}");
    let body = teal.visit(HOST, "/env").body;
    assert!(body.contains("\"APP_TOKEN\": \"s3cret\""), "{body}");
    ended(2, teal.cli(["env", "set", "production", "PORT=1"]));
    ended(2, teal.cli(["env", "set", "production", "no-name"]));
}

#[test]
fn restart_starts_the_release_once_more_without_losing_a_request() {
    let (teal, _app) = live();
    let load = teal.load(HOST);
    load.wait_for_more(50);
    ended(0, teal.cli(["restart", "production"]));
    load.wait_for_more(50);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    assert_eq!(teal.json(["status"])["environments"][0]["active"], "green");
}

#[test]
fn a_one_off_command_has_the_releases_code_and_values_and_its_own_exit_code() {
    let (teal, _app) = live();
    ended(0, teal.cli(["env", "set", "production", "APP_COLOUR=red"]));
    let words = [
        "run",
        "production",
        "--",
        "sh",
        "-c",
        "cat version.txt; echo $APP_COLOUR; exit 9",
    ];
    let outcome = teal.cli(words);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (9, "v1\nred\n"),
        "{}",
        outcome.stderr
    );
    ended(
        127,
        teal.cli(["run", "production", "--", "no-such-program"]),
    );
}

#[test]
fn maintenance_shows_its_page_and_ends() {
    let (teal, _app) = live();
    ended(0, teal.cli(["maintenance", "on", "production"]));
    assert_eq!(teal.visit(HOST, "/").status, 503);
    ended(0, teal.cli(["maintenance", "off", "production"]));
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn cancel_kills_everything_that_the_build_has_started() {
    let (teal, app) = live();
    let pids = teal.sandbox.join("pids");
    // A child in the background, one in a session of its own, and the build itself.
    let script = format!(
        "sleep 1000 & echo $! >> {0}; setsid sleep 1000 & echo $$ >> {0}; touch {1}; wait",
        pids.display(),
        teal.sandbox.join("begun").display()
    );
    app.git().write("build.sh", script);
    app.recipe("[build]\nbuild = \"sh build.sh\"");
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_file("begun");
    let sleepers = || {
        let all = teal.sandbox.processes();
        all.into_iter()
            .filter(|(_, line)| line == "sleep 1000")
            .count()
    };
    wait_until(LONG, "both children sleep", || sleepers() == 2);
    let said = ended(0, teal.cli(["cancel", "2"]));
    assert!(
        said.contains("deployment 2 of shop/production is cancelled"),
        "{said}"
    );
    assert_eq!(sleepers(), 0);
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        assert!(
            !Path::new("/proc").join(pid).join("exe").exists(),
            "{pid} lives"
        );
    }
    pushing.says("cancelled by");
    assert_eq!(teal.states(), ["live", "cancelled"]);
    assert_eq!(teal.serves(HOST), "v1");
    let over = ended(4, teal.cli(["cancel", "2"]));
    assert!(over.contains("nothing to cancel"), "{over}");
    assert!(
        over.contains("next: teal status shows what runs and waits"),
        "{over}"
    );
}

#[test]
fn a_deployment_that_waits_is_cancelled_before_it_begins() {
    let (teal, app) = live();
    let good = app.git().head();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    ended(
        0,
        teal.cli(["deploy", "production", "--ref", &good, "--detach"]),
    );
    ended(0, teal.cli(["cancel", "3"]));
    teal.let_go("build");
    assert_eq!(pushing.finish(), 0);
    assert_eq!(teal.states(), ["live", "live", "cancelled"]);
}

#[test]
fn plan_shows_the_recipe_with_its_origins_and_the_steps() {
    let (teal, app) = live();
    let there = ended(0, teal.cli(["plan", "production"]));
    for word in [
        ".teal.toml line 2",
        "/api/health",
        "checkout",
        "takes green",
    ] {
        assert!(there.contains(word), "{word}: {there}");
    }
    let mut here = teal.command(["plan"]);
    let here = ended(0, Outcome::of(here.current_dir(app.path())));
    assert!(here.contains("exec python3 -u app.py"), "{here}");
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn init_starts_a_configuration_and_can_be_typed_again() {
    let teal = Teal::shop();
    let folder = teal.sandbox.dir("fresh");
    let init = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_teal"));
        Outcome::of(
            command
                .current_dir(&folder)
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap())
                .env("HOME", &folder)
                .args(words),
        )
    };
    let nothing = ended(2, init(&["init"]));
    assert!(
        nothing.contains("teal init <name of your app>"),
        "{nothing}"
    );
    assert!(!folder.join("teal.toml").exists());
    // The one that is there is prepared again; what was pushed stays.
    let app = teal.client("shop");
    push(&app);
    let again = ended(0, teal.cli(["init"]));
    let remote = format!(
        "git remote add production {}",
        teal.repository("shop").display()
    );
    assert!(again.contains(&remote), "{again}");
    ended(2, teal.cli(["init", "another"]));
    assert_eq!(teal.tip("shop", "main"), Some(app.git().head()));
}

#[test]
fn the_old_script_deploys_and_passes_the_exit_code_on() {
    let (teal, app) = live();
    let folder = Path::new(env!("CARGO_BIN_EXE_teal")).parent().unwrap();
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = |words: &[&str]| {
        let mut command = Command::new("bash");
        Outcome::of(
            command
                .current_dir(teal.sandbox.path())
                .env_clear()
                .env("PATH", &path)
                .env("HOME", teal.sandbox.dir("home"))
                .arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/scripts/zero-downtime-deploy.sh"
                ))
                .args(words),
        )
    };
    let fast = ended(0, script(&["production", "--fast"]));
    assert!(
        fast.contains("LIVE") && !fast.contains("from scratch"),
        "{fast}"
    );
    let full = ended(0, script(&["production"]));
    assert!(full.contains("from scratch"), "{full}");
    ended(2, script(&[]));
    ended(2, script(&["nowhere"]));
    app.recipe("[build]\nbuild = \"exit 1\"");
    app.git().commit("broken");
    push(&app);
    ended(1, script(&["production", "--fast"]));
}

#[test]
fn the_trace_of_a_deployment_tells_teal_and_the_app_apart() {
    let (teal, app) = live();
    app.recipe("[build]\nbuild = \"sleep 0.2\"");
    app.version("v2");
    push(&app);
    let shown = ended(0, teal.cli(["logs", "2", "--timing"]));
    assert!(shown.contains("push to live"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    let trace = teal.json(["logs", "2", "--timing"]);
    let ms = |at: &Value, name: &str| at[name].as_u64().unwrap();
    let steps = trace["steps"].as_array().unwrap();
    let build = steps.iter().find(|step| step["step"] == "build").unwrap();
    assert!(ms(build, "app_ms") >= 200, "{trace}");
    assert_eq!(
        ms(&trace, "total_ms"),
        ms(&trace, "app_ms") + ms(&trace, "waited_ms") + ms(&trace, "teal_ms")
    );
    let picture = ended(0, teal.cli(["logs", "2", "--timing", "--svg"]));
    assert!(
        picture.starts_with("<svg") && picture.contains(">build<"),
        "{picture}"
    );
    ended(2, teal.cli(["logs", "production", "--timing"]));
}

#[test]
fn the_log_of_a_worker_is_asked_for_by_its_name() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe("[run]\nweb = \"exec python3 -u app.py\"\nmailer = \"echo a mailer speaks; exec sleep 1000\"");
    app.git().commit("with a mailer");
    push(&app);
    wait_until(LONG, "the mailer has spoken", || {
        let said = ended(0, teal.cli(["logs", "production", "--process", "mailer"]));
        said.contains("a mailer speaks")
    });
    let web = ended(0, teal.cli(["logs", "production"]));
    assert!(!web.contains("a mailer speaks"), "{web}");
    let odd = ended(2, teal.cli(["logs", "production", "--process", "../x"]));
    assert!(odd.contains("is no process"), "{odd}");
    ended(2, teal.cli(["logs", "1", "--process", "mailer"]));
}

#[test]
fn who_may_not_look_into_the_folder_gets_the_servers_configuration_and_no_complaint() {
    let sandbox = crate::harness::Sandbox::new();
    let everybody = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sandbox.path(), everybody).unwrap();
    let program = sandbox.join("teal");
    let is_linked = std::fs::hard_link(env!("CARGO_BIN_EXE_teal"), &program).is_ok();
    if !nix::unistd::getuid().is_root() || !is_linked {
        eprintln!("skipped: only root can become somebody else, who may run this program");
        return;
    }
    let home = sandbox.dir("home");
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    // As `sudo -u` does, which leaves its user in a folder that is closed to them.
    let become_them = "import os, sys; os.chdir(sys.argv[1]); os.setuid(int(sys.argv[2])); \
                       os.execv(sys.argv[3], [sys.argv[3], 'doctor'])";
    let mut typed = Command::new("python3");
    typed.args(["-c", become_them]).arg(&home);
    typed.arg(nobody.uid.to_string()).arg(&program);
    let said = Outcome::of(&mut typed);
    assert!(
        said.stdout.contains("configuration"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert!(
        !said.stdout.contains("Permission denied"),
        "{}",
        said.stdout
    );
}
