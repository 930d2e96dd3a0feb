//! A release that waits for a yes is asked about in Slack, and answered by a button.

use super::service::Service;
use super::slack::{CHANNEL, Slack, TOKEN};
use super::{HOST, notify, push};
use crate::harness::{Answer, App, Connection, Teal};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Production waits for ada, who is U0ADA in Slack.
fn asking(slack: &Service<Slack>) -> (Teal, App) {
    let keys = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"#deploys\"\napi_url = \"{}\"\nevents = [\"waiting\", \"live\"]\nsigning_secret = {{ env = \"SIGNING\" }}",
        slack.url("/api")
    );
    let people = "[people.ada]\nslack = \"U0ADA\"\n[people.bob]\nslack = \"U0BOB\"\n";
    let teal = Teal::plan()
        .top(&format!("{people}{}", notify(&keys)))
        .variable("SLACK", TOKEN)
        .variable("SIGNING", SECRET)
        .environment("shop", "production", "approval = { by = \"ada\" }")
        .start();
    let app = teal.client("shop");
    (teal, app)
}

/// What Slack sends when this user presses that button, as its documentation has it.
fn body(user: &str, button: &Value) -> String {
    let payload = json!({
        "type": "block_actions",
        "user": { "id": user, "username": "x", "team_id": "T1" },
        "api_app_id": "A1",
        "token": "old",
        "container": { "type": "message", "message_ts": "1795000000.000001" },
        "trigger_id": "1.2.3",
        "team": { "id": "T1", "domain": "example" },
        "channel": { "id": CHANNEL, "name": "deploys" },
        "response_url": "http://127.0.0.1:1/never-asked",
        "actions": [{
            "action_id": button["action_id"], "block_id": "b", "type": "button",
            "value": button["value"], "action_ts": "1795000001.000001",
        }],
    });
    form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload.to_string())
        .finish()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Sends it, signed at that moment with that secret.
#[track_caller]
fn send(teal: &Teal, body: &str, at: i64, secret: &str) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{at}:{body}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let request = format!(
        "POST /hooks/slack/actions HTTP/1.1\r\nHost: teal\r\nX-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: v0={signature}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut open = Connection::open(teal.listen()).unwrap();
    open.send("POST", &request).unwrap()
}

/// The buttons of the newest message, once there are some: yes and no.
#[track_caller]
fn buttons(slack: &Service<Slack>) -> (Value, Value) {
    let found = |slack: &Slack| {
        let message = slack.top().pop()?;
        let blocks = message["blocks"].as_array()?.clone();
        let actions = blocks.iter().find(|one| one["type"] == "actions")?;
        let all = &actions["elements"];
        Some((all[0].clone(), all[1].clone()))
    };
    slack.wait("it asks with buttons", |slack| found(slack).is_some());
    slack.look(|slack| found(slack)).unwrap()
}

#[test]
fn a_yes_is_a_button_for_whom_it_is_asked_of() {
    let slack = Service::start(Slack::default());
    let (teal, app) = asking(&slack);
    push(&app);
    let (yes, _) = buttons(&slack);
    let asked = slack.look(|slack| slack.top().pop()).unwrap();
    let title = asked["text"].as_str().unwrap();
    assert!(
        title.contains("shop/production: deployment 1 waits for approval: by ada until "),
        "{title}"
    );
    let shown = asked.to_string();
    assert!(
        shown.contains("yes: teal approve 1, no: teal reject 1"),
        "{shown}"
    );

    // Somebody else is told why it is not theirs to say, and nothing happens.
    let bobs = body("U0BOB", &yes);
    assert_eq!(send(&teal, &bobs, now(), SECRET).status, 200);
    slack.wait("bob is told", |slack| slack.whispers.len() == 1);
    let whisper = slack.look(|slack| slack.whispers[0].clone());
    assert_eq!(whisper["user"], "U0BOB");
    insta::assert_snapshot!(whisper["text"].as_str().unwrap(), @"bob may not approve deployments to shop/production: you are bob, by the Slack user U0BOB; deployments to shop/production are approved by ada");
    assert_eq!(teal.states(), ["approval"]);

    let adas = body("U0ADA", &yes);
    let pressed = now();
    let answer = send(&teal, &adas, pressed, SECRET);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    teal.wait_for_states(&["live"]);
    assert_eq!(teal.serves(HOST), "v1");
    let approval = &teal.history()[0]["approval"]["answer"];
    assert_eq!(
        (&approval["approved"], &approval["by"]),
        (&true.into(), &"ada".into())
    );
    let trail = teal.json(["history", "--audit", "-n", "1"]);
    assert_eq!(
        (&trail[0]["door"], &trail[0]["act"]),
        (&"chat".into(), &"approve".into())
    );
    slack.wait(
        "the same message says that it is live, without buttons",
        |slack| {
            let top = slack.top();
            let live = |one: &Value| {
                let blocks = one["blocks"].to_string();
                one["text"].as_str().unwrap().contains("is live after")
                    && !blocks.contains("actions")
            };
            top.len() == 1 && live(&top[0])
        },
    );

    // The same press once more: heard, and nothing comes of it but words for whoever pressed.
    assert_eq!(send(&teal, &adas, pressed, SECRET).status, 200);
    slack.wait("ada is told", |slack| slack.whispers.len() == 2);
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn a_no_is_a_button_and_what_nobody_vouches_for_is_none() {
    let slack = Service::start(Slack::default());
    let (teal, app) = asking(&slack);
    push(&app);
    let (yes, no) = buttons(&slack);
    let adas = body("U0ADA", &yes);
    for (at, secret) in [
        (now(), "wrong"),
        (now() - 301, SECRET),
        (now() + 301, SECRET),
    ] {
        assert_eq!(send(&teal, &adas, at, secret).status, 401);
    }
    let bare = teal.ask("POST", "/hooks/slack/actions", &adas);
    assert_eq!(bare.status, 401, "{}", bare.body);
    assert_eq!(send(&teal, "payload=none", now(), SECRET).status, 422);
    // Other buttons are none of Teal's.
    let other = json!({ "action_id": "link", "value": "1" });
    assert_eq!(
        send(&teal, &body("U0ADA", &other), now(), SECRET).status,
        200
    );
    assert_eq!(teal.states(), ["approval"]);
    assert_eq!(send(&teal, &body("U0ADA", &no), now(), SECRET).status, 200);
    teal.wait_for_states(&["cancelled"]);
    slack.wait("the message says so", |slack| {
        let top = slack.top();
        top.len() == 1 && top[0]["text"].as_str().unwrap().contains("rejected by ada")
    });
}
