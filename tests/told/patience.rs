//! Services that misbehave: nothing is lost, nobody is told twice who can tell, and no deployment waits for them.

use super::chats::{Discord, Inbox};
use super::service::{Fault, Reply, Service};
use super::slack::{CHANNEL, Slack, TOKEN};
use super::{notify, push, telling};
use crate::harness::{LONG, Teal, TealPlan, wait_until};
use serde_json::json;

fn bot(slack: &Service<Slack>) -> TealPlan {
    let keys = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"{CHANNEL}\"\napi_url = \"{}\"",
        slack.url("/api")
    );
    Teal::plan().top(&notify(&keys)).variable("SLACK", TOKEN)
}

#[test]
fn whatever_goes_wrong_once_the_message_stands_there_once() {
    let slack = Service::start(Slack::default());
    for fault in [
        Fault::Answers(Reply::text(500, "oops")),
        Fault::Answers(Reply::text(200, "<html>a proxy's page</html>")),
        Fault::Answers(
            Reply::json(429, json!({ "ok": false, "error": "ratelimited" }))
                .header("retry-after", 1),
        ),
        Fault::Forgets,
    ] {
        slack.fault(fault);
    }
    let (teal, app) = telling(bot(&slack));
    push(&app);
    slack.wait("it stands there with its thread", |slack| {
        slack.messages.len() >= 2
    });
    assert!(slack.behaves());
    wait_until(LONG, "nothing waits any more", || {
        teal.json(["notify", "list"])[0]["waiting"] == 0
    });
    assert_eq!(
        slack.look(|slack| (slack.top().len(), slack.messages.len())),
        (1, 2)
    );
}

#[test]
fn what_hangs_delays_nobody() {
    let discord = Service::start(Discord::default());
    for _ in 0..50 {
        discord.fault(Fault::Hangs);
    }
    let keys =
        "kind = \"discord\"\nwebhook = { env = \"DISCORD\" }\nevents = [\"started\", \"live\"]";
    let plan = Teal::plan()
        .top(&notify(keys))
        .variable("DISCORD", &discord.url("/api/webhooks/1/token"));
    let (teal, app) = telling(plan);
    push(&app);
    app.version("v2");
    push(&app);
    teal.wait_for_states(&["live", "live"]);
    // All of it happened while the first request was unanswered.
    assert!(discord.log().len() < 3, "{:?}", discord.log());
}

#[test]
fn what_is_over_is_not_announced() {
    let inbox = Service::start(Inbox::new("/teal", 200, ""));
    inbox.hold();
    let keys = format!(
        "kind = \"webhook\"\nurl = \"{}\"\nsecret = {{ env = \"SECRET\" }}\nevents = [\"started\", \"live\"]",
        inbox.url("/teal")
    );
    let plan = Teal::plan()
        .top(&notify(&keys))
        .variable("SECRET", "s3cret");
    let (teal, app) = telling(plan);
    push(&app);
    inbox.wait_for_held();
    app.version("v2");
    push(&app);
    inbox.release();
    inbox.wait("both ends are told", |inbox| {
        inbox
            .taken
            .iter()
            .filter(|(_, body)| body["event"] == "live")
            .count()
            == 2
    });
    let numbers = |event: &str| -> Vec<u64> {
        inbox.look(|inbox| {
            let own = inbox
                .taken
                .iter()
                .filter(|(_, body)| body["event"] == event);
            own.map(|(_, body)| body["deployment"]["number"].as_u64().unwrap())
                .collect()
        })
    };
    assert_eq!(numbers("live"), [1, 2]);
    assert!(
        !numbers("started").contains(&2),
        "the second one was over when its turn came"
    );
    drop(teal);
}

#[test]
fn what_is_refused_for_good_is_given_up_and_said() {
    let slack = Service::start(Slack::default());
    slack.fault(Fault::Answers(Reply::json(
        200,
        json!({ "ok": false, "error": "msg_too_long" }),
    )));
    let (teal, app) = telling(bot(&slack));
    push(&app);
    wait_until(LONG, "the status says so", || {
        let told = teal.cli(["status"]).ok();
        told.contains("warning: slack was never told of deployment 1: it said no: msg_too_long")
    });
    app.version("v2");
    push(&app);
    slack.wait("what comes next is told", |slack| slack.top().len() == 1);
}

#[test]
fn what_nobody_took_for_a_day_is_given_up_and_said() {
    let slack = Service::start(Slack::default());
    slack.look(|slack| slack.expelled = true);
    let (mut teal, app) = telling(bot(&slack));
    push(&app);
    wait_until(LONG, "it was tried", || !slack.log().is_empty());
    teal.stop(nix::sys::signal::Signal::SIGTERM);
    let database = rusqlite::Connection::open(teal.state_dir().join("teal.db")).unwrap();
    let day = 25 * 3600 * 1000;
    database
        .execute("UPDATE outbox SET at_ms = at_ms - ?1, next_ms = 0", [day])
        .unwrap();
    drop(database);
    teal.serve();
    wait_until(LONG, "the status says so", || {
        let told = teal.cli(["status"]).ok();
        told.contains("warning: slack was never told of deployment 1: it said no: not_in_channel; invite the bot into C0DEPLOYS")
    });
    slack.look(|slack| slack.expelled = false);
    app.version("v2");
    push(&app);
    slack.wait("it is told of what comes next", |slack| {
        slack.top().len() == 1
    });
}
