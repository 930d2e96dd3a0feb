//! Deployments that somebody made at GitHub go live here and are told there, and workflows that ask whether they may deploy
//! are answered.

use super::github::GitHub;
use super::hearing_forges::World;
use super::service::{Fault, Reply, Service};
use super::{HOST, openapi};
use crate::harness::{Answer, Delivery, Sender, Teal};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const KEYS: &str = "api_token = { env = \"TOKEN\" }\nstatuses = false";
const TRIGGERS: &str = "triggers = [\"push\", \"deployment\"]";

fn at_github(plan: crate::harness::TealPlan, production: &str) -> (Service<GitHub>, World) {
    let github = Service::start(GitHub::default());
    let api = github.url("/api/v3");
    let world = World::having(plan, "github", &api, KEYS, production);
    (github, world)
}

/// Somebody makes a deployment at GitHub, which tells of it. A number that is not the newest was delivered late.
fn made(world: &World, github: &Service<GitHub>, number: u64, sha: &str) -> Answer {
    let deployment = json!({
        "id": number, "sha": sha, "ref": "main", "task": "deploy", "payload": {}, "environment": "production",
        "creator": { "login": "grace" },
    });
    github.look(|github| {
        if !github.deployments.iter().any(|one| one["id"] == number) {
            github.deployments.push(deployment.clone());
        }
    });
    deliver(world, number, deployment)
}

fn deliver(world: &World, number: u64, deployment: Value) -> Answer {
    let payload = json!({
        "action": "created", "deployment": deployment, "repository": { "full_name": "blue/shop" },
    });
    Delivery::of(Sender::GitHub, "deployment", &payload)
        .id(u32::try_from(number).unwrap())
        .send(world.teal.listen(), "shop")
}

#[test]
fn a_deployment_made_at_github_goes_live_once_and_is_told_under_its_own_number() {
    let (github, world) = at_github(Teal::plan(), TRIGGERS);
    let sha = world.push();
    let told = made(&world, &github, 7, &sha);
    assert_eq!(told.status, 202, "{}", told.body);
    world.teal.wait_for_states(&["live"]);
    assert_eq!(world.teal.serves(HOST), "v1");
    let first = &world.teal.history()[0];
    assert_eq!(
        (&first["by"], &first["origin"]),
        (&json!("grace"), &json!("deployment"))
    );
    github.wait("GitHub shows it as live", |github| {
        github.states() == [vec!["queued", "in_progress", "success"]]
            || github.states() == [vec!["in_progress", "success"]]
            || github.states() == [vec!["success"]]
    });
    assert_eq!(github.look(|github| github.deployments.len()), 1);

    // Delivered again, also under another name, it changes nothing.
    let again = made(&world, &github, 7, &sha);
    assert_eq!((again.status, &again.body), (202, &told.body));
    // Neither does what GitHub says of the deployments that Teal itself makes there, or of other environments.
    for (number, key, value) in [
        (8, "payload", json!({ "teal": "a 1" })),
        (9, "environment", json!("review")),
        (10, "task", json!("rollback")),
    ] {
        let mut other = json!({ "id": number, "sha": sha, "ref": "main", "task": "deploy", "payload": {},
            "environment": "production", "creator": { "login": "grace" } });
        other[key] = value;
        let told = deliver(&world, number, other);
        assert_eq!(told.status, 200, "{}", told.body);
    }
    assert_eq!(world.teal.states(), ["live"]);
    openapi::check_some("/api/v3", &github.log(), 2);
}

#[test]
fn an_older_commit_may_be_meant_and_what_comes_late_changes_nothing() {
    let (github, world) = at_github(Teal::plan(), "triggers = \"deployment\"");
    let old = world.push();
    world.app.version("v2");
    let new = world.push();
    // Where only deployments count, a push does nothing.
    let push = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &new);
    let told = push.send(world.teal.listen(), "shop");
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(
        told.body.contains("production takes no pushes"),
        "{}",
        told.body
    );
    assert_eq!(made(&world, &github, 21, &new).status, 202);
    world.teal.wait_for_states(&["live"]);
    assert_eq!(made(&world, &github, 22, &old).status, 202);
    world.teal.wait_for_states(&["live", "live"]);
    assert_eq!(world.teal.serves(HOST), "v1");
    let late = made(&world, &github, 20, &new);
    assert_eq!(late.status, 200);
    assert!(
        late.body.contains("the newer deployment 22"),
        "{}",
        late.body
    );
    // A commit that is nowhere fails by name, and GitHub is told.
    let nowhere = "1".repeat(40);
    assert_eq!(made(&world, &github, 23, &nowhere).status, 202);
    world.teal.wait_for_states(&["live", "live", "failed"]);
    github.wait("GitHub shows that it failed", |github| {
        github
            .states()
            .last()
            .is_some_and(|last| last.last().is_some_and(|word| word == "failure"))
    });
    assert_eq!(world.teal.serves(HOST), "v1");
}

#[test]
fn only_those_who_may_deploy_may_do_so_from_there() {
    let people = "people.ada.github = \"ada\"";
    let keys = format!("{TRIGGERS}\nallow = \"ada\"");
    let (github, world) = at_github(Teal::plan().top(people), &keys);
    let sha = world.push();
    let told = made(&world, &github, 7, &sha);
    assert_eq!(told.status, 403, "{}", told.body);
    assert!(
        told.body
            .contains("grace may not deploy to shop/production"),
        "{}",
        told.body
    );
    assert!(world.teal.states().is_empty());
    // A workflow of somebody who may not is told no.
    ask(&world, 1, 41, "mallory");
    github.wait("the workflow is rejected", |github| {
        github.reviews.len() == 1
    });
    let (run, state, why) = github.look(|github| github.reviews[0].clone());
    assert_eq!((run, state.as_str()), (41, "rejected"));
    assert!(
        why.contains("mallory may not deploy to shop/production"),
        "{why}"
    );
}

/// A workflow asks whether it may deploy.
fn ask(world: &World, number: u32, run: u64, login: &str) {
    let payload = json!({
        "action": "requested", "environment": "production", "event": "push",
        "deployment_callback_url": format!("http://127.0.0.1:9/repos/blue/shop/actions/runs/{run}/deployment_protection_rule"),
        "deployment": { "id": 5, "creator": { "login": login } },
        "repository": { "full_name": "blue/shop" }, "sender": { "login": "github-actions[bot]" },
    });
    let told = Delivery::of(Sender::GitHub, "deployment_protection_rule", &payload)
        .id(number)
        .send(world.teal.listen(), "shop");
    assert_eq!(told.status, 202, "{}", told.body);
}

#[test]
fn a_workflow_that_asks_waits_for_the_end_of_a_freeze_and_is_answered_once() {
    let (github, mut world) = at_github(Teal::plan(), "");
    ask(&world, 1, 41, "grace");
    github.wait("it is approved", |github| github.reviews.len() == 1);
    world
        .teal
        .cli(["freeze", "production", "-m", "the fair"])
        .ok();
    github.fault(Fault::Answers(Reply::text(503, "")));
    ask(&world, 2, 42, "grace");
    github.wait("it is told why it waits", |github| {
        github.reviews.len() == 2
    });
    // It is kept: a server that was killed answers when it is back.
    world.teal.stop(Signal::SIGKILL);
    world.teal.serve();
    ask(&world, 2, 42, "grace");
    world.teal.cli(["freeze", "production", "--lift"]).ok();
    github.wait("it is approved", |github| {
        let last = github.reviews.last().cloned().unwrap_or_default();
        (last.0, last.1.as_str()) == (42, "approved")
    });
    let mut reviews = github.look(|github| github.reviews.clone());
    // A server that dies before it knows that it was heard says once more why it waits.
    reviews.dedup();
    let told: Vec<String> = { reviews.iter() }
        .map(|(run, state, why)| format!("{run} {state}: {why}"))
        .collect();
    let told = told.join("\n").replace(&crate::people::me(), "[USER]");
    insta::assert_snapshot!(told, @"
    41 approved: nothing holds deployments to shop/production back
    42 waits: shop/production is frozen by [USER] until it is lifted: the fair
    42 approved: nothing holds deployments to shop/production back
    ");
    openapi::check_some("/api/v3", &github.log(), 3);
}
