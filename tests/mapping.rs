//! Which push goes where: branches, tags and patterns, several environments and apps, and who waits for whom.

use crate::harness::{App, Daemon, Teal};
use nix::sys::signal::Signal;

fn push(app: &App, refspec: &str) -> String {
    let pushed = app.git().push(["production", refspec]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

/// Starts a push and does not wait for it.
fn begin(app: &App, refspec: &str) -> Daemon {
    let mut command = app.git().command();
    command.args(["push", "production", refspec]);
    Daemon::spawn("git push", &mut command)
}

/// The environment and ref of each deployment, oldest first.
fn deployed(teal: &Teal) -> Vec<String> {
    let told = |one: &serde_json::Value| {
        let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("env"), word("ref_name"))
    };
    teal.history().iter().map(told).collect()
}

#[test]
fn a_push_that_maps_to_nothing_lands_and_says_what_would() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment(
            "shop",
            "staging",
            "branch = [\"develop\", \"feature/*\"]\ntag = \"rc-*\"",
        )
        .start();
    let app = teal.client("shop");
    let said = push(&app, "main:experiment");
    assert!(
        said.contains("experiment maps to no environment of shop: production takes main; staging takes develop, feature/*, "),
        "{said}"
    );
    assert_eq!(teal.tip("shop", "experiment"), Some(app.git().head()));
    assert_eq!(teal.states(), [""; 0]);
}

#[test]
fn patterns_and_tags_map_and_an_annotated_tag_deploys_its_commit() {
    let teal = Teal::plan()
        .environment("shop", "production", "tag = \"v*\"")
        .environment("shop", "staging", "branch = \"feature/*\"")
        .start();
    let app = teal.client("shop");
    let commit = app.git().head();
    app.git().run(["tag", "-a", "v1.0", "-m", "the first"]).ok();
    push(&app, "v1.0");
    app.git().run(["tag", "v1.1"]).ok();
    push(&app, "v1.1");
    push(&app, "main:feature/cart");
    // `*` stays within one part of a name.
    let deeper = push(&app, "main:feature/a/b");
    assert!(deeper.contains("maps to no environment"), "{deeper}");
    // An environment with a tag and no branch takes no branch.
    let main = push(&app, "main");
    assert!(main.contains("maps to no environment"), "{main}");
    assert_eq!(
        deployed(&teal),
        [
            "shop/production refs/tags/v1.0",
            "shop/production refs/tags/v1.1",
            "shop/staging refs/heads/feature/cart"
        ]
    );
    for one in teal.history() {
        assert_eq!(one["commit"], commit.as_str());
        assert_eq!(one["state"], "live");
    }
}

#[test]
fn a_deleted_branch_deploys_nothing_and_what_serves_goes_on() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"feature/*\"")
        .start();
    let app = teal.client("shop");
    push(&app, "main:feature/cart");
    let said = push(&app, ":feature/cart");
    assert!(
        said.contains("feature/cart is deleted here; what serves goes on serving"),
        "{said}"
    );
    assert_eq!(teal.serves("staging.shop.test"), "v1");
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn one_push_of_several_refs_deploys_each_where_it_belongs() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let app = teal.client("shop");
    app.git().run(["branch", "develop"]).ok();
    app.version("v2");
    let pushed = app.git().push(["production", "main", "develop"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves("production.shop.test"), "v2");
    assert_eq!(teal.serves("staging.shop.test"), "v1");
    assert_eq!(teal.states(), ["live", "live"]);
}

#[test]
fn one_branch_may_go_to_several_environments() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "mirror", "branch = \"main\"")
        .start();
    let app = teal.client("shop");
    push(&app, "main");
    assert_eq!(teal.serves("production.shop.test"), "v1");
    assert_eq!(teal.serves("mirror.shop.test"), "v1");
    // Only the named one is deployed again.
    push(&app, "main:refs/deploy/mirror");
    assert_eq!(teal.states().len(), 3);
    assert_eq!(teal.history()[2]["env"], "shop/mirror");
}

#[test]
fn apps_are_apart() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("blog", "production", "")
        .start();
    let shop = teal.client("shop");
    let blog = teal.client("blog");
    blog.version("the blog");
    push(&shop, "main");
    push(&blog, "main");
    assert_eq!(teal.serves("production.shop.test"), "v1");
    assert_eq!(teal.serves("production.blog.test"), "the blog");
    let ambiguous = teal.cli(["deploy", "production"]);
    assert_eq!(ambiguous.code, 2, "{}", ambiguous.stderr);
    assert!(
        ambiguous.stderr.contains("blog/production"),
        "{}",
        ambiguous.stderr
    );
    teal.cli(["deploy", "production", "--app", "blog"]).ok();
    teal.cli(["deploy", "shop/production"]).ok();
    assert_eq!(deployed(&teal).len(), 4);
}

#[test]
fn environments_are_deployed_side_by_side() {
    let teal = Teal::plan()
        .top("build_slots = 2")
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let app = teal.client("shop");
    app.git().run(["checkout", "--quiet", "-b", "develop"]).ok();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("develop")));
    app.git().commit("develop");
    let mut first = begin(&app, "develop");
    teal.wait_for_waiting("develop");
    app.git().run(["checkout", "--quiet", "main"]).ok();
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("main")));
    app.git().commit("main");
    let mut second = begin(&app, "main");
    // Both builds run now: each waits, and none has ended.
    teal.wait_for_waiting("main");
    assert_eq!(teal.states(), ["running", "running"]);
    teal.let_go("main");
    assert_eq!(second.finish(), 0, "{}", second.output());
    assert_eq!(teal.states(), ["running", "live"]);
    teal.let_go("develop");
    assert_eq!(first.finish(), 0, "{}", first.output());
    assert_eq!(teal.states(), ["live", "live"]);
}

#[test]
fn no_more_builds_run_at_a_time_than_there_are_slots() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let app = teal.client("shop");
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.git().commit("wait");
    let mut first = begin(&app, "main");
    teal.wait_for_waiting("build");
    let mut second = begin(&app, "main:develop");
    second.says("waiting for a build slot");
    teal.let_go("build");
    assert_eq!((first.finish(), second.finish()), (0, 0));
    assert_eq!(teal.states(), ["live", "live"]);
}

#[test]
fn the_newest_push_supersedes_what_waits() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v1");
    let mut first = begin(&app, "main");
    teal.wait_for_waiting("build");
    app.recipe("");
    app.version("v2");
    let mut second = begin(&app, "main");
    second.says("deployment 2 of");
    app.version("v3");
    let mut third = begin(&app, "main");
    second.says("superseded by deployment 3");
    assert_eq!(second.finish(), 0);
    // One at a time: the third waits for the first.
    assert_eq!(teal.states(), ["running", "superseded", "queued"]);
    teal.let_go("build");
    assert_eq!((first.finish(), third.finish()), (0, 0));
    assert_eq!(teal.states(), ["live", "superseded", "live"]);
    assert_eq!(teal.serves("production.shop.test"), "v3");
}

#[test]
fn a_changed_value_does_not_take_the_place_of_a_push_that_waits() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app, "main");
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let mut first = begin(&app, "main");
    teal.wait_for_waiting("build");
    app.version("v3");
    let mut second = begin(&app, "main");
    second.says("deployment 3 of");
    teal.cli(["env", "set", "production", "APP_COLOUR=red", "--detach"])
        .ok();
    teal.let_go("build");
    assert_eq!((first.finish(), second.finish()), (0, 0));
    teal.wait_for_states(&["live", "live", "live", "live"]);
    assert_eq!(teal.serves("production.shop.test"), "v3");
    let env = teal.visit("production.shop.test", "/env").body;
    assert!(env.contains("\"APP_COLOUR\": \"red\""), "{env}");
}

#[test]
fn what_was_interrupted_does_not_take_the_place_of_a_newer_push() {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe(&format!("[build]\nbuild = \"{}\"", teal.waiting("build")));
    app.version("v1");
    let mut first = begin(&app, "main");
    teal.wait_for_waiting("build");
    app.recipe("");
    app.version("v2");
    let mut second = begin(&app, "main");
    second.says("deployment 2 of");
    teal.stop(Signal::SIGKILL);
    assert_eq!((first.finish(), second.finish()), (0, 0));
    teal.let_go("build");
    teal.serve();
    teal.wait_for_states(&["interrupted", "live"]);
    assert_eq!(teal.serves("production.shop.test"), "v2");
}
