//! Every deployment and every plan says of each step whether it runs, and why, in words that name what changed.

use crate::harness::{App, Teal};

/// What installs and builds, leaves a trace of each run in `ran`, and sees the settings `VITE_*`.
fn recipe(teal: &Teal) -> String {
    let ran = teal.sandbox.join("ran").display().to_string();
    format!(
        "[build]\ninstall = \"mkdir -p node_modules; echo install >> {ran}\"\ndeps = [\"node_modules\"]\n\
         build = \"mkdir -p dist; echo build >> {ran}\"\noutputs = [\"dist\"]\n\
         test = \"echo test >> {ran}\"\nignore = [\"docs/**\", \"version.txt\"]\nenv = [\"VITE_*\"]"
    )
}

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe(&recipe(&teal));
    app.git().write("package.json", "{ \"name\": \"shop\" }");
    app.git().write("package-lock.json", "{}");
    app.version("v2");
    app.git().push(["production", "main"]).ok();
    (teal, app)
}

/// What a step was said to do in a push: all behind its name and its time.
#[track_caller]
fn said(told: &str, step: &str) -> String {
    let line = told.lines().find_map(|line| {
        let words = line
            .strip_prefix("remote: ")
            .unwrap_or(line)
            .strip_prefix("  ")?;
        words.strip_prefix(step)?.strip_prefix(' ')
    });
    let line = line.unwrap_or_else(|| panic!("no {step}: {told}")).trim();
    let (how, why) = match line.split_once("  ") {
        Some((how, why)) => (how, why.trim()),
        None => (line, ""),
    };
    // What is in the slot already need not be copied; which of the two it is depends on what was done between two pushes.
    let why = why.trim_end_matches(": copied");
    let how = if how == "skipped" { "skipped" } else { "ran" };
    format!("{how}: {why}")
}

#[track_caller]
fn pushed(app: &App) -> [String; 3] {
    let told = app.git().push(["production", "main"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    ["deps", "build", "test"].map(|step| said(&told.stderr, step))
}

fn ran(teal: &Teal) -> usize {
    let ran = std::fs::read_to_string(teal.sandbox.join("ran"));
    ran.unwrap_or_default().lines().count()
}

#[test]
fn what_changed_is_named_step_by_step() {
    let (teal, app) = live();
    app.git().write("docs/readme.txt", "more");
    app.version("v3");
    assert_eq!(
        pushed(&app),
        [
            "skipped: same inputs as deployment 1",
            "skipped: same inputs as deployment 1",
            "skipped: the same inputs passed in deployment 1"
        ]
    );
    assert_eq!(ran(&teal), 3);
    app.git().write("src/a.ts", "1");
    app.git().commit("one file");
    assert_eq!(
        pushed(&app),
        [
            "skipped: same inputs as deployment 1",
            "ran: 1 file changed: src/a.ts",
            "ran: 1 file changed: src/a.ts"
        ]
    );
    app.git().write("package-lock.json", "{ }");
    for name in ["a", "b", "c"] {
        app.git().write(&format!("src/{name}.ts"), "2");
    }
    app.git().commit("a dependency and more");
    assert_eq!(
        pushed(&app),
        [
            "ran: lockfile changed: package-lock.json",
            "ran: lockfile changed: package-lock.json; 4 files changed: package-lock.json, src/a.ts, …",
            "ran: lockfile changed: package-lock.json; 4 files changed: package-lock.json, src/a.ts, …"
        ]
    );
}

#[test]
fn a_changed_command_is_shown_as_it_was_and_as_it_is() {
    let (teal, app) = live();
    let changed = recipe(&teal).replace("build = \"mkdir", "build = \"true; mkdir");
    app.recipe(&changed);
    app.git().commit("another command");
    let [deps, build, _] = pushed(&app);
    assert_eq!(deps, "skipped: same inputs as deployment 1");
    assert!(
        build.starts_with("ran: build command changed: `"),
        "{build}"
    );
    assert!(build.ends_with("1 file changed: .teal.toml"), "{build}");
}

#[test]
fn a_setting_that_the_build_sees_is_named_without_its_value() {
    let (teal, app) = live();
    let set = |pair: &str| teal.cli(["env", "set", "production", pair]).ok();
    set("OTHER=unseen");
    app.version("v3");
    assert!(pushed(&app)[1].starts_with("skipped"));
    set("VITE_API=https://api.test");
    app.version("v4");
    assert_eq!(pushed(&app)[1], "ran: VITE_API is new");
    set("VITE_API=https://other.test");
    let planned = teal.cli(["plan", "production"]).ok();
    assert!(planned.contains("VITE_API changed"), "{planned}");
    assert!(!planned.contains("other.test"), "{planned}");
}

#[test]
fn a_plan_says_the_same_as_the_deployment_and_does_nothing() {
    let (teal, app) = live();
    app.git().write("src/a.ts", "1");
    let commit = app.git().commit("one file");
    let planned = app.git().push(["production", "main", "-o", "plan"]);
    assert_eq!(planned.code, 1, "{}", planned.stderr);
    let [deps, build, test] = ["deps", "build", "test"].map(|step| {
        let line = planned
            .stderr
            .lines()
            .find(|line| line.contains(&format!("  {step} ")));
        line.unwrap_or_default()
            .split_whitespace()
            .skip(2)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let copied = deps.trim_end_matches(": copied");
    assert_eq!(copied, "skip same inputs as deployment 1");
    assert_eq!(build, "run 1 file changed: src/a.ts");
    assert_eq!(test, "run 1 file changed: src/a.ts");
    assert_eq!((ran(&teal), teal.states().len()), (3, 1));
    app.git()
        .run(["push", "production", "main:refs/heads/aside"])
        .ok();
    let named = teal.cli(["plan", "production", "--ref", "aside"]).ok();
    assert!(named.contains(&commit[..9]), "{named}");
    assert!(named.contains("1 file changed: src/a.ts"), "{named}");
    assert_eq!((ran(&teal), teal.states().len()), (3, 1));
}

#[test]
fn a_revert_builds_nothing_and_what_follows_is_compared_with_it() {
    let (_teal, app) = live();
    app.git().write("src/a.ts", "1");
    app.git().commit("one file");
    pushed(&app);
    app.git().run(["rm", "-q", "src/a.ts"]).ok();
    app.git().commit("the file goes");
    let [_, build, test] = pushed(&app);
    assert_eq!(build, "skipped: same inputs as deployment 1");
    assert_eq!(test, "skipped: the same inputs passed in deployment 1");
    app.git().write("src/b.ts", "1");
    app.git().commit("another file");
    let [_, build, _] = pushed(&app);
    assert_eq!(build, "ran: 1 file changed: src/b.ts");
}

#[test]
fn a_program_that_is_missing_is_told_by_the_plan() {
    let (_teal, app) = live();
    app.git()
        .write(".teal.toml", "[run]\nweb = \"exec python3 -u app.py\"\n");
    app.git().write("bun.lock", "");
    app.git().run(["rm", "-q", "package-lock.json"]).ok();
    app.git().commit("another manager");
    let planned = app.git().push(["production", "main", "-o", "plan"]);
    let told = "`bun` is not installed on this server (bun.lock needs it)";
    assert!(planned.stderr.contains(told), "{}", planned.stderr);
}
