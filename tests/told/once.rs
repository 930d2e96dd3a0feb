//! The server is killed while it tells: at the restart nothing is lost, and nobody is told twice who can tell.

use super::chats::Inbox;
use super::forges::GitLab;
use super::github::GitHub;
use super::hearing_forges::World;
use super::service::Service;
use super::slack::{CHANNEL, Slack, TOKEN};
use super::{notify, telling};
use crate::harness::{LONG, Teal, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;

/// Kills the server while an answer is held back: the request was carried out, and the server does not know.
fn kill<S: super::service::Stateful>(teal: &mut Teal, service: &Service<S>) {
    service.wait_for_held();
    teal.stop(Signal::SIGKILL);
    service.release();
    teal.serve();
}

/// Waits until nothing is left to tell.
fn all_told(teal: &Teal) {
    wait_until(LONG, "nothing waits any more", || {
        let all = teal.json(["notify", "list"]);
        all.as_array()
            .unwrap()
            .iter()
            .all(|one| one["waiting"] == 0)
    });
}

#[test]
fn a_message_whose_number_was_lost_is_found_again() {
    let slack = Service::start(Slack::default());
    let keys = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"{CHANNEL}\"\napi_url = \"{}\"",
        slack.url("/api")
    );
    let (mut teal, app) = telling(Teal::plan().top(&notify(&keys)).variable("SLACK", TOKEN));
    slack.hold();
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    kill(&mut teal, &slack);
    all_told(&teal);
    let (top, all) = slack.look(|slack| (slack.top(), slack.messages.len()));
    assert_eq!((top.len(), all), (1, 2), "{top:#?}");

    // The same while the story is put into the thread.
    app.version("v2");
    slack.hold();
    app.git().push(["production", "main"]);
    slack.wait_for_held();
    slack.release();
    slack.wait("the second message stands there", |slack| {
        slack.top().len() == 2
    });
    teal.stop(Signal::SIGKILL);
    teal.serve();
    all_told(&teal);
    let (top, all) = slack.look(|slack| (slack.top(), slack.messages.len()));
    assert_eq!((top.len(), all), (2, 4), "{top:#?}");
}

#[test]
fn github_is_told_once_though_every_answer_was_lost() {
    let github = Service::start(GitHub::default());
    let keys = "api_token = { env = \"TOKEN\" }\ncomments = true";
    let mut world = World::new("github", &github.url("/api/v3"), keys);
    let head = world.app.git().head();
    github.look(|github| github.pulls.push((17, head)));
    github.hold();
    assert_eq!(world.deploy(), 0);
    for _ in 0..4 {
        kill(&mut world.teal, &github);
        github.hold();
    }
    github.release();
    all_told(&world.teal);
    let seen = github.look(|github| {
        let words = github.words("teal/production");
        let ends = words.iter().filter(|words| words.starts_with("success"));
        (
            github.deployments.len(),
            github.comments.len(),
            ends.count(),
            github.states(),
        )
    });
    assert_eq!((seen.0, seen.1, seen.2), (1, 1, 1), "{seen:?}");
    let successes = seen.3[0].iter().filter(|state| *state == "success");
    assert_eq!(successes.count(), 1, "{seen:?}");
}

#[test]
fn gitlab_is_told_once_though_answers_were_lost() {
    let gitlab = Service::start(GitLab::default());
    let keys = "api_token = { env = \"TOKEN\" }";
    let mut world = World::new("gitlab", &gitlab.url("/api/v4"), keys);
    gitlab.hold();
    assert_eq!(world.deploy(), 0);
    for _ in 0..3 {
        kill(&mut world.teal, &gitlab);
        gitlab.hold();
    }
    gitlab.release();
    all_told(&world.teal);
    let seen = gitlab.look(|gitlab| {
        (
            gitlab.statuses.len(),
            gitlab.deployments.len(),
            gitlab.environments.len(),
        )
    });
    assert_eq!(seen, (1, 1, 1));
}

#[test]
fn a_program_that_hears_the_same_twice_can_tell() {
    let inbox = Service::start(Inbox::new("/teal", 200, ""));
    let keys = format!(
        "kind = \"webhook\"\nurl = \"{}\"\nsecret = {{ env = \"SECRET\" }}\nevents = [\"live\"]",
        inbox.url("/teal")
    );
    let plan = Teal::plan()
        .top(&notify(&keys))
        .variable("SECRET", "s3cret");
    let (mut teal, app) = telling(plan);
    inbox.hold();
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    for _ in 0..2 {
        kill(&mut teal, &inbox);
        inbox.hold();
    }
    inbox.release();
    all_told(&teal);
    let keys: BTreeSet<String> = inbox.look(|inbox| {
        let taken = inbox.taken.iter();
        let key = |headers: &Vec<(String, String)>| {
            let found = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
            found.unwrap().1.clone()
        };
        taken.map(|(headers, _)| key(headers)).collect()
    });
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn what_nobody_took_before_the_kill_is_told_after_it() {
    let github = Service::start(GitHub {
        token_revoked: true,
        ..GitHub::default()
    });
    let keys = "api_token = { env = \"TOKEN\" }";
    let mut world = World::new("github", &github.url("/api/v3"), keys);
    assert_eq!(world.deploy(), 0);
    world.teal.stop(Signal::SIGKILL);
    github.look(|github| github.token_revoked = false);
    world.teal.serve();
    all_told(&world.teal);
    let told = github.look(|github| (github.words("teal/production").len(), github.states()));
    assert_eq!(told.0, 1, "{told:?}");
    assert_eq!(told.1, [["success"]], "{told:?}");
}
