//! Many pushes at once, and pushes whose commit goes away; migrations that fail, hang or break what serves.

use crate::harness::{App, Daemon, LONG, Teal, wait_until};

const HOST: &str = "production.shop.test";

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

fn begin(app: &App, words: &[&str]) -> Daemon {
    let mut command = app.git().command();
    command.arg("push").args(words);
    Daemon::spawn("git push", &mut command)
}

#[test]
fn ten_pushes_in_a_second_end_with_the_newest() {
    let (teal, app) = live();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut pushes = vec![begin(&app, &["production", "main"])];
    teal.wait_for_waiting("build");
    app.recipe("");
    for n in 3..=12 {
        app.version(&format!("v{n}"));
        let mut push = begin(&app, &["production", "main"]);
        push.says(&format!("deployment {n} of"));
        pushes.push(push);
    }
    teal.let_go("build");
    for mut push in pushes {
        assert_eq!(push.finish(), 0, "{}", push.output());
    }
    let mut expected = vec!["live", "live"];
    expected.extend(["superseded"; 9]);
    expected.push("live");
    assert_eq!(teal.states(), expected);
    assert_eq!(teal.serves(HOST), "v12");
}

#[test]
fn a_commit_that_a_forced_push_removed_fails_clearly() {
    let (teal, app) = live();
    let first = app.git().head();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut running = begin(&app, &["production", "main"]);
    teal.wait_for_waiting("build");
    app.recipe("");
    app.version("v3");
    let commit = app.git().head();
    let mut waiting = begin(&app, &["production", "main"]);
    waiting.says("deployment 3 of");
    // The branch goes back past both, in the way of somebody who works on the server, and what it left is collected.
    let bare = teal.bare("shop");
    bare.run(["update-ref", "refs/heads/main", &first]).ok();
    bare.run(["reflog", "expire", "--expire=now", "--all"]).ok();
    bare.run(["-c", "gc.pruneExpire=now", "gc", "--quiet", "--prune=now"])
        .ok();
    teal.let_go("build");
    running.finish();
    waiting.finish();
    teal.wait_for_states(&["live", "live", "failed"]);
    let cause = teal.failures()[0]["cause"].as_str().unwrap().to_owned();
    let words = format!("commit {} is not in", &commit[..9]);
    assert!(
        cause.contains(&words) && cause.contains("removed"),
        "{cause}"
    );
    // What runs already is held, whatever becomes of the branch.
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn a_branch_that_is_deleted_while_it_is_deployed_goes_live() {
    let (teal, app) = live();
    teal.bare("shop")
        .run(["symbolic-ref", "HEAD", "refs/heads/other"])
        .ok();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut running = begin(&app, &["production", "main"]);
    teal.wait_for_waiting("build");
    let deleted = app.git().push(["production", "--delete", "main"]);
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    teal.let_go("build");
    assert_eq!(running.finish(), 0);
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
}

/// A release whose health depends on a file in `shared/`, as an app's does on its database.
const NEEDS_A_TABLE: &str = "import os\nfrom http.server import *\nclass H(BaseHTTPRequestHandler):\n    def do_GET(self):\n        \
     gone = os.path.exists(os.environ['TEAL_SHARED_DIR'] + '/dropped') and VERSION == 'v1'\n        \
     self.send_response(500 if gone else 200)\n        self.end_headers()\n        self.wfile.write(VERSION.encode())\n    \
     def log_message(self, *a): pass\nVERSION = open('version.txt').read().strip()\n\
     ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n";

#[test]
fn a_migration_that_fails_or_hangs_leaves_the_old_release_serving() {
    let (teal, app) = live();
    for (command, words) in [
        ("echo no such column >&2; exit 3", "exited with code 3"),
        ("sleep 600 & sleep 600", "did not end within 1.0 s"),
        ("kill -9 $$", "SIGKILL"),
    ] {
        app.recipe(&format!(
            "[migrate]\ncommand = \"{command}\"\n[timeouts]\nmigrate = \"1s\""
        ));
        app.version("v2");
        let pushed = app.git().push(["production", "main"]);
        assert!(
            pushed.stderr.contains("FAILED at migrate"),
            "{}",
            pushed.stderr
        );
        assert!(pushed.stderr.contains(words), "{}", pushed.stderr);
        assert_eq!(teal.serves(HOST), "v1");
    }
    let sleeps = teal.sandbox.processes().into_iter();
    let left: Vec<_> = sleeps.filter(|(_, line)| line.contains("sleep")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_migration_that_breaks_the_old_release_stops_the_deployment() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.git().write("app.py", NEEDS_A_TABLE);
    let health = "[health]\npath = \"/\"\n";
    app.recipe(health);
    app.version("v1");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.recipe(&format!(
        "[migrate]\ncommand = \"touch $TEAL_SHARED_DIR/dropped\"\n{health}"
    ));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        pushed.stderr.contains("FAILED at migrate"),
        "{}",
        pushed.stderr
    );
    assert!(
        pushed
            .stderr
            .contains("the old release is degraded after migrate"),
        "{}",
        pushed.stderr
    );
    assert_eq!(teal.states(), ["live", "failed"]);
    std::fs::remove_file(teal.root("shop", "production").join("shared/dropped")).unwrap();
    wait_until(LONG, "the old release serves", || teal.serves(HOST) == "v1");
}
