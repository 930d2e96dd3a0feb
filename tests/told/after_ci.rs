//! Pushes that wait for CI: what each forge says of a commit lets it through or turns it down, whatever a delivery claims.

use super::forges::{GitLab, Gitea};
use super::github::GitHub;
use super::hearing_forges::World;
use super::service::{Fault, Reply, Service, Stateful};
use super::{HOST, openapi, plain};
use crate::harness::{Delivery, LONG, Sender, Teal, story, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const TOKEN: &str = "api_token = { env = \"TOKEN\" }\ndeployments = false";
/// Where the checks are named, nothing else is waited for.
const TEST: &str = "after = { ci = \"test\" }";

fn world<S: Stateful>(kind: &str, service: &Service<S>, path: &str, production: &str) -> World {
    let api = service.url(path);
    World::having(Teal::plan(), kind, &api, TOKEN, production)
}

fn at_github(production: &str) -> (Service<GitHub>, World) {
    let github = Service::start(GitHub::default());
    let world = world("github", &github, "/api/v3", production);
    (github, world)
}

impl World {
    /// Pushes and delivers that; the commit.
    fn pushed(&self, sender: Sender, number: u32) -> String {
        let commit = self.push();
        let push = Delivery::push(sender, "blue/shop", "refs/heads/main", &commit);
        let told = push.id(number).send(self.teal.listen(), "shop");
        assert_eq!(told.status, 202, "{}", told.body);
        commit
    }

    /// Delivers that CI has news.
    fn news(&self, sender: Sender, event: &str) {
        let payload = json!({ "action": "completed", "repository": { "full_name": "blue/shop" } });
        let told = Delivery::of(sender, event, &payload).send(self.teal.listen(), "shop");
        assert_eq!(told.status, 200, "{}", told.body);
    }

    /// Waits until this was said of some deployment.
    fn says(&self, words: &str) {
        let log = self
            .teal
            .root("shop", "production")
            .join("shared/deploy.log");
        wait_until(LONG, words, || {
            std::fs::read_to_string(&log).is_ok_and(|log| log.contains(words))
        });
    }
}

/// A run of the workflow `test` for a push of this commit to `main`.
fn run(sha: &str, status: &str, conclusion: Value) -> Value {
    json!({
        "id": 1, "workflow_id": 7, "name": "test", "event": "push", "head_branch": "main", "head_sha": sha,
        "head_repository": { "full_name": "Blue/Shop" }, "check_suite_id": 70, "status": status,
        "conclusion": conclusion, "html_url": "https://github.test/blue/shop/actions/runs/1",
    })
}

#[test]
fn a_push_waits_for_the_whole_of_its_ci_and_goes_on_when_that_is_good() {
    let (github, world) = at_github("after = \"ci\"");
    let sha = world.pushed(Sender::GitHub, 1);
    world.says("no check is known there yet");
    world.teal.wait_for_states(&["waiting"]);
    let status = world.teal.cli(["status"]).ok();
    assert!(status.contains("for CI until"), "{status}");

    // Teal's own statuses do not count, and neither does what another Teal says; those of others do.
    let others = json!({ "sha": sha, "context": "Teal/staging", "state": "failure" });
    let lint = json!({ "sha": sha, "context": "lint", "state": "success" });
    github.look(|github| {
        github.statuses.extend([others, lint]);
        github.runs = vec![run(&sha, "in_progress", Value::Null)];
        // A job of the run is known by the run, and that of a pull request is another commit's.
        let job = |suite: u64, conclusion: &str| {
            json!({ "head_sha": sha, "name": "job", "status": "completed", "conclusion": conclusion,
                    "app": { "slug": "github-actions" }, "check_suite": { "id": suite } })
        };
        github.check_runs = vec![job(70, "success"), job(71, "failure")];
        github.check_runs.push(
            json!({ "head_sha": sha, "name": "scan", "status": "completed",
            "conclusion": "neutral", "app": { "slug": "scanner" }, "check_suite": { "id": 72 } }),
        );
    });
    world.news(Sender::GitHub, "workflow_run");
    world.says("2 of 3 done, waiting for `test`");
    github.look(|github| github.runs = vec![run(&sha, "completed", json!("success"))]);
    world.news(Sender::GitHub, "workflow_run");
    world.teal.wait_for_states(&["live"]);
    assert_eq!(world.teal.serves(HOST), "v1");
    let log = world
        .teal
        .root("shop", "production")
        .join("shared/deploy.log");
    let told = plain(&world.teal, &std::fs::read_to_string(log).unwrap());
    let told: Vec<&str> = { told.lines() }
        .filter_map(|line| line.split_once("  ").map(|(_, rest)| rest))
        // How much is known while checks may still be made is a matter of moments.
        .filter(|line| line.contains("CI") && !line.ends_with("so far"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    waiting: for CI until [DATE] [DATE]
    - CI: no check is known there yet
    - CI: 2 of 3 done, waiting for `test`
    - CI: all 3 checks are good
    ");
    openapi::check("/api/v3", &github.log());
}

#[test]
fn a_red_check_ends_it_by_name_and_a_second_run_brings_it_back() {
    let (github, world) = at_github(TEST);
    let sha = world.pushed(Sender::GitHub, 1);
    github.look(|github| github.runs = vec![run(&sha, "completed", json!("failure"))]);
    world.news(Sender::GitHub, "check_run");
    world.teal.wait_for_states(&["failed"]);
    let logs = world.teal.cli(["logs", "1"]);
    insta::assert_snapshot!(story(&logs.ok(), &world.teal.sandbox), @r#"
    deployment 1 of shop/production: [COMMIT] "v1" by [USER]
    FAILED: CI does not let it through: `test`: failure
      last lines:
      | test: failure https://github.test/blue/shop/actions/runs/1
      serving now: nothing serves yet
      next: mend it and push; or run the check again, this goes live once it is good; or, whatever CI says: teal deploy shop/production --now
    deployment 1 failed; nothing was switched
    "#);
    github.wait("the commit is shown as failed", |github| {
        github
            .words("teal/production")
            .last()
            .is_some_and(|last| last.starts_with("failure"))
    });
    // More of the same changes nothing; somebody runs it once more, and it is good.
    world.news(Sender::GitHub, "check_run");
    github.look(|github| github.runs = vec![run(&sha, "completed", json!("success"))]);
    world.news(Sender::GitHub, "check_run");
    world.teal.wait_for_states(&["failed", "live"]);
    assert_eq!(world.teal.serves(HOST), "v1");
    world.says("CI had turned down deployment 1, and says now: `test` is good");
}

#[test]
fn what_a_stranger_runs_lets_nothing_through() {
    let (github, world) = at_github(TEST);
    let sha = world.pushed(Sender::GitHub, 1);
    let good = |key: &str, value: Value| {
        let mut run = run(&sha, "completed", json!("success"));
        run[key] = value;
        run
    };
    github.look(|github| {
        github.runs = vec![
            good("head_repository", json!({ "full_name": "mallory/shop" })),
            good("event", json!("pull_request")),
            good("head_branch", json!("other")),
        ];
    });
    world.news(Sender::GitHub, "workflow_run");
    world.says("`test` is not known there yet");
    world.teal.wait_for_states(&["waiting"]);
    // Somebody who may not wait says so, and that is kept.
    let now = world.teal.cli(["deploy", "production", "--now"]).ok();
    assert!(now.contains("LIVE"), "{now}");
    world.says("deploys it now, whatever CI says");
}

#[test]
fn the_newest_push_wins_and_an_earlier_yes_is_not_its_own() {
    let (github, world) = at_github(TEST);
    let first = world.pushed(Sender::GitHub, 1);
    world.app.version("v2");
    let second = world.pushed(Sender::GitHub, 2);
    world.teal.wait_for_states(&["superseded", "waiting"]);
    github.look(|github| {
        github.runs = vec![
            run(&first, "completed", json!("success")),
            run(&second, "queued", Value::Null),
        ];
    });
    world.news(Sender::GitHub, "workflow_run");
    world.says("0 of 1 done, waiting for `test`");
    // What is pushed behind it without a delivery is not what CI found good.
    world.app.version("v3");
    world.push();
    github.look(|github| github.runs = vec![run(&second, "completed", json!("success"))]);
    world.news(Sender::GitHub, "workflow_run");
    world.teal.wait_for_states(&["superseded", "cancelled"]);
    world.says("whose own delivery decides whether it may go live here");
}

#[test]
fn it_is_not_waited_for_without_end_and_a_forge_that_is_down_says_neither_yes_nor_no() {
    let (github, world) = at_github("after = { ci = [\"test\"], timeout = \"2s\" }");
    world.pushed(Sender::GitHub, 1);
    world.teal.wait_for_states(&["failed"]);
    let logs = world.teal.cli(["logs", "1"]).ok();
    let why = "CI did not say within 2 s that it is good: `test` is not known there yet";
    assert!(logs.contains(why), "{logs}");
    drop((world, github));

    let (github, mut world) = at_github(TEST);
    github.fault(Fault::Answers(Reply::text(502, "<html>")));
    let sha = world.pushed(Sender::GitHub, 1);
    github.look(|github| github.runs = vec![run(&sha, "queued", Value::Null)]);
    world.news(Sender::GitHub, "workflow_run");
    world.says("0 of 1 done, waiting for `test`");
    // It is a wish that was stored: a server that is killed goes on waiting, and asks again when it is back.
    world.teal.stop(Signal::SIGKILL);
    github.look(|github| github.runs = vec![run(&sha, "completed", json!("success"))]);
    world.teal.serve();
    world.teal.wait_for_states(&["live"]);
}

#[test]
fn a_freeze_and_ci_are_both_waited_for() {
    let (github, world) = at_github(TEST);
    world
        .teal
        .cli(["freeze", "production", "-m", "the fair"])
        .ok();
    let sha = world.pushed(Sender::GitHub, 1);
    github.look(|github| github.runs = vec![run(&sha, "completed", json!("success"))]);
    world.news(Sender::GitHub, "workflow_run");
    world.says("`test` is good");
    world.teal.wait_for_states(&["waiting"]);
    world.teal.cli(["freeze", "production", "--lift"]).ok();
    world.teal.wait_for_states(&["live"]);
}

#[test]
fn gitea_and_gitlab_are_asked_in_their_own_words() {
    let status = |name: &str, key: &str, sha: &str, status: &str| json!({ "id": 9, "sha": sha, name: key, "status": status, "target_url": "https://ci.test/9" });
    for sender in [Sender::Gitea, Sender::Forgejo] {
        let gitea = Service::start(Gitea::default());
        let world = world(sender.word(), &gitea, "/api/v1", "after = \"ci\"");
        let sha = world.pushed(sender, 1);
        let set = |word: &str| {
            let job = status("context", "ci / test (push)", &sha, word);
            let request = status("context", "ci / test (pull_request)", &sha, "failure");
            gitea.look(|gitea| {
                gitea.statuses.retain(|one| one["id"] != 9);
                gitea.statuses.extend([job, request]);
            });
            world.news(sender, "status");
        };
        set("pending");
        world.says("0 of 1 done, waiting for `ci / test (push)`");
        // Its next job has no status yet, and the run goes on: each says so in its own words.
        let run = |status: &str| match sender {
            Sender::Gitea => {
                json!({ "head_sha": sha, "event": "push", "path": "ci.yml@main", "status": status })
            }
            _ => {
                json!({ "commit_sha": sha, "event": "push", "workflow_id": "ci.yml", "status": status })
            }
        };
        gitea.look(|gitea| gitea.runs = Some(vec![run("waiting")]));
        set("success");
        world.says("1 of 2 done, waiting for `ci.yml");
        gitea.look(|gitea| gitea.runs = Some(vec![run("success")]));
        world.news(sender, "action_run_success");
        world.teal.wait_for_states(&["live"]);
    }
    let gitlab = Service::start(GitLab::default());
    let world = world(
        "gitlab",
        &gitlab,
        "/api/v4",
        "after = { ci = [\"test*\", \"lint\"] }",
    );
    let sha = world.pushed(Sender::GitLab, 1);
    let set = |test: &str, lint: &str| {
        let mut may_fail = status("name", "lint", &sha, lint);
        may_fail["allow_failure"] = json!(true);
        gitlab.look(|gitlab| {
            gitlab.statuses.retain(|one| one["id"] != 9);
            gitlab
                .statuses
                .extend([status("name", "test 1/2", &sha, test), may_fail]);
        });
        world.news(Sender::GitLab, "Pipeline Hook");
    };
    set("running", "failed");
    world.says("1 of 2 done, waiting for `test 1/2`");
    set("success", "failed");
    world.teal.wait_for_states(&["live"]);
    world.app.version("v2");
    let sha = world.pushed(Sender::GitLab, 2);
    gitlab.look(|gitlab| {
        gitlab
            .statuses
            .push(status("name", "test 1/2", &sha, "failed"))
    });
    world.news(Sender::GitLab, "Job Hook");
    world.teal.wait_for_states(&["live", "failed"]);
    world.says("CI does not let it through: `test 1/2`: failed");
}

#[test]
fn who_waits_for_no_ci_says_so_to_the_forge() {
    let (_github, world) = at_github("");
    let payload = json!({ "action": "completed" });
    let told =
        Delivery::of(Sender::GitHub, "workflow_run", &payload).send(world.teal.listen(), "shop");
    assert_eq!(told.status, 200);
    assert!(
        told.body.contains("no environment of shop waits for CI"),
        "{}",
        told.body
    );
}

#[test]
fn a_push_straight_to_the_server_does_not_go_around_ci() {
    let (_github, world) = at_github(&format!("{TEST}\non_push = \"gate\""));
    let repo = world.teal.repository("shop");
    let repo = repo.to_str().unwrap();
    for refspec in ["main", "main:refs/deploy/production"] {
        let pushed = world.app.git().run(["push", repo, refspec]);
        assert_ne!(pushed.code, 0);
        let why = "shop/production goes live after CI: push to its forge, or here with -o now";
        assert!(pushed.stderr.contains(why), "{}", pushed.stderr);
    }
    assert!(world.teal.states().is_empty());
}
