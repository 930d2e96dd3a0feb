//! What chats hear of an app that is well, fails, goes on failing and recovers.

use super::chats::{Discord, Inbox};
use super::service::Service;
use super::slack::{CHANNEL, Slack, TOKEN};
use super::{notify, plain, push, telling};
use crate::harness::{App, Teal};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// A commit subject as somebody would write it who wants to be heard by everybody.
const HOSTILE: &str = "<!channel> @everyone **<b>look** [here](http://evil.test) `x` & #1";

/// Live, failed twice, live again.
fn life(teal: &Teal, app: &App) {
    push(app);
    app.git().write("fault.txt", "exit");
    app.git().write("package-lock.json", "{}\n");
    app.git().commit(HOSTILE);
    push(app);
    app.git().write("version.txt", "v3\n");
    app.git().commit("another try");
    push(app);
    app.fault("");
    push(app);
    teal.wait_for_states(&["live", "failed", "failed", "live"]);
}

/// The blocks of a message, line by line: how each text is read, and what it says.
fn blocks(message: &Value) -> String {
    let line = |text: &Value| {
        let words = text["text"].as_str().unwrap();
        let (kind, words) = (
            text["type"].as_str().unwrap(),
            words.replacen('\n', ": ", 1),
        );
        format!("{kind}| {words}")
    };
    let mut lines = Vec::new();
    for block in message["blocks"].as_array().unwrap() {
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        lines.extend(fields.iter().map(line));
        lines.extend(
            Some(&block["text"])
                .filter(|text| !text.is_null())
                .map(line),
        );
    }
    lines.join("\n")
}

#[test]
fn slack_keeps_one_message_for_each_change_and_counts_repeats() {
    let slack = Service::start(Slack::default());
    let keys = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"#deploys\"\napi_url = \"{}\"",
        slack.url("/api")
    );
    let plan = Teal::plan().top(&notify(&keys)).variable("SLACK", TOKEN);
    let (teal, app) = telling(plan);
    life(&teal, &app);
    slack.wait("the recovery is told in full", |slack| {
        slack.top().len() == 3 && slack.messages.len() == 6
    });
    let top = slack.look(|slack| slack.top());
    let titles: Vec<&str> = top
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    insta::assert_snapshot!(plain(&teal, &titles.join("\n")), @r"
    shop/production: deployment 1 is live after [TIME]
    shop/production: deployment 3 failed at health after [TIME] (2 times in a row): the service exited with code 3 (after [TIME] and [N] probes)
    shop/production: deployment 4 is live after [TIME], all is well again after 2 failures (since deployment 2)
    ");
    insta::assert_snapshot!(plain(&teal, &blocks(&top[1])), @r#"
    mrkdwn| 🔴 *shop/production: deployment 3 failed at health after [TIME] (2 times in a row)*: <http://127.0.0.1:[PORT]/deployments/3|details>
    plain_text| commit: [COMMIT] "another try"
    plain_text| by: [USER]
    plain_text| serving now: blue serves [COMMIT] (deployment 1), untouched
    plain_text| lockfile: package-lock.json
    plain_text| cause: the service exited with code 3 (after [TIME] and [N] probes)
    plain_text| changed: 2 commits since deployment 1: [COMMIT] another try (Ada); [COMMIT] <!channel> @everyone **<b>look** [here](http://evil.test) `x` & #1 (Ada)
    plain_text| next: teal logs 3 --step service shows what the service printed
    mrkdwn| ```[WHEN] [teal] started as process [PID]: [WHEN] cannot read the configuration
    [WHEN] [teal] the service exited with code 3```
    "#);
    let (details, updates) = slack.look(|slack| (slack.messages.clone(), slack.updates.clone()));
    assert_eq!(updates, [top[1]["ts"].as_str().unwrap()]);
    let threads: Vec<&Value> = details
        .iter()
        .filter(|one| !one["thread_ts"].is_null())
        .collect();
    assert_eq!(threads[1]["thread_ts"], top[1]["ts"]);
    assert_eq!(threads[1]["channel"], CHANNEL);
    let story = threads[1]["text"].as_str().unwrap();
    assert!(
        story.starts_with("```deployment 2 of shop/production"),
        "{story}"
    );
    assert!(story.contains("FAILED at "), "{story}");
    assert!(!story.contains("<!channel>"), "{story}");
}

#[test]
fn a_live_message_follows_the_steps() {
    let slack = Service::start(Slack::default());
    let keys = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"{CHANNEL}\"\napi_url = \"{}\"\nevents = [\"started\", \"live\"]",
        slack.url("/api")
    );
    let plan = Teal::plan().top(&notify(&keys)).variable("SLACK", TOKEN);
    let (teal, app) = telling(plan);
    app.recipe(&format!("[build]\ninstall = \"{}\"", teal.waiting("build")));
    app.version("v2");
    let pusher = std::thread::spawn({
        let git = app.git().clone();
        move || git.push(["production", "main"])
    });
    teal.wait_for_waiting("build");
    slack.wait("the message names the step that runs", |slack| {
        let top = slack.top();
        top.len() == 1
            && top[0]["text"]
                .as_str()
                .unwrap()
                .ends_with("is on its way: deps")
    });
    teal.let_go("build");
    assert_eq!(pusher.join().unwrap().code, 0);
    slack.wait("the same message says that it is live", |slack| {
        let top = slack.top();
        top.len() == 1 && top[0]["text"].as_str().unwrap().contains("is live after")
    });
    slack.wait("the story stands in its thread", |slack| {
        slack.messages.len() == 2
    });
}

#[test]
fn what_cannot_be_edited_is_said_once() {
    let slack = Service::start(Slack::default());
    let discord = Service::start(Discord::default());
    let mattermost = Service::start(Inbox::new("/hooks/x", 200, "ok"));
    let teams = Service::start(Inbox::new("/workflows/x", 202, ""));
    let own = Service::start(Inbox::new("/teal", 204, ""));
    let chat = |kind: &str| {
        notify(&format!(
            "kind = \"{kind}\"\nwebhook = {{ env = \"{}\" }}",
            kind.to_uppercase()
        ))
    };
    let webhook = format!(
        "kind = \"webhook\"\nurl = \"{}\"\nsecret = {{ env = \"SECRET\" }}\nevents = [\"live\", \"failed\", \"recovered\"]",
        own.url("/teal")
    );
    let plan = Teal::plan()
        .top(&chat("slack"))
        .top(&chat("discord"))
        .top(&chat("mattermost"))
        .top(&chat("teams"))
        .top(&notify(&webhook))
        .variable("SLACK", &slack.url("/services/T/B/X"))
        .variable("DISCORD", &discord.url("/api/webhooks/1/token"))
        .variable("MATTERMOST", &mattermost.url("/hooks/x"))
        .variable("TEAMS", &teams.url("/workflows/x"))
        .variable("SECRET", "s3cret");
    let (teal, app) = telling(plan);
    life(&teal, &app);

    slack.wait("Slack heard all", |slack| slack.hooked.len() == 3);
    discord.wait("Discord heard all", |discord| discord.messages.len() == 3);
    mattermost.wait("Mattermost heard all", |inbox| inbox.taken.len() == 3);
    teams.wait("Teams heard all", |inbox| inbox.taken.len() == 3);
    own.wait("the program heard all", |inbox| inbox.taken.len() == 4);

    let (messages, edits) =
        discord.look(|discord| (discord.messages.clone(), discord.edits.clone()));
    assert_eq!(
        edits,
        [messages[1].0],
        "the second failure is counted in the first one's message"
    );
    let embed = &messages[1].1["embeds"][0];
    let fields = embed["fields"].as_array().unwrap().iter();
    let fields = fields.map(|one| {
        format!(
            "{}: {}",
            one["name"].as_str().unwrap(),
            one["value"].as_str().unwrap()
        )
    });
    let mut lines = vec![embed["title"].as_str().unwrap().to_owned()];
    lines.extend(fields);
    lines.push(embed["description"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(plain(&teal, &lines.join("\n")), @r#"
    shop/production\: deployment 3 failed at health after [TIME] \(2 times in a row\)
    commit: [COMMIT] "another try"
    by: [USER]
    cause: the service exited with code 3 \(after [TIME] and [N] probes\)
    serving now: blue serves [COMMIT] \(deployment 1\), untouched
    changed: 2 commits since deployment 1\: [COMMIT] another try \(Ada\); [COMMIT] \<!channel\> @[ZWSP]everyone \*\*\<b\>look\*\* \[here\]\(http\://evil.test\) \`x\` & \#1 \(Ada\)
    lockfile: package-lock.json
    next: teal logs 3 --step service shows what the service printed
    ```
    [WHEN] [teal] started as process [PID]
    [WHEN] cannot read the configuration
    [WHEN] [teal] the service exited with code 3
    ```
    "#);
    let text = mattermost.look(|inbox| inbox.taken[1].1["text"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(plain(&teal, &text), @r#"
    🔴 **shop/production: deployment 2 failed at health after [TIME]** ([details](http://127.0.0.1:[PORT]/deployments/2))
    - commit: [COMMIT] "&lt;\!channel&gt; @[ZWSP]everyone \*\*&lt;b&gt;look\*\* \[here\]\(http://evil.test\) \`x\` &amp; #[ZWSP]1"
    - by: [USER]
    - cause: the service exited with code 3 \(after [TIME] and [N] probes\)
    - serving now: blue serves [COMMIT] \(deployment 1\), untouched
    - changed: 1 commit since deployment 1: [COMMIT] &lt;\!channel&gt; @[ZWSP]everyone \*\*&lt;b&gt;look\*\* \[here\]\(http://evil.test\) \`x\` &amp; #[ZWSP]1 \(Ada\)
    - lockfile: package-lock.json
    - next: teal logs 2 --step service shows what the service printed
    ```
    [WHEN] [teal] started as process [PID]
    [WHEN] cannot read the configuration
    [WHEN] [teal] the service exited with code 3
    ```
    "#);
    let card = teams.look(|inbox| inbox.taken[1].1["attachments"][0]["content"]["body"].clone());
    let runs: Vec<String> = { card.as_array().unwrap().iter() }
        .map(|block| {
            let runs = block["inlines"].as_array().unwrap().iter();
            runs.map(|run| run["text"].as_str().unwrap()).collect()
        })
        .collect();
    insta::assert_snapshot!(plain(&teal, &runs.join("\n")), @r#"
    shop/production: deployment 2 failed at health after [TIME]
    commit: [COMMIT] "<!channel> @everyone **<b>look** [here](http://evil.test) `x` & #1"
    by: [USER]
    cause: the service exited with code 3 (after [TIME] and [N] probes)
    serving now: blue serves [COMMIT] (deployment 1), untouched
    changed: 1 commit since deployment 1: [COMMIT] <!channel> @everyone **<b>look** [here](http://evil.test) `x` & #1 (Ada)
    lockfile: package-lock.json
    next: teal logs 2 --step service shows what the service printed
    [WHEN] [teal] started as process [PID]
    [WHEN] cannot read the configuration
    [WHEN] [teal] the service exited with code 3
    "#);

    let heard = own.look(|inbox| inbox.taken.clone());
    let events: Vec<&str> = heard
        .iter()
        .map(|(_, body)| body["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["live", "failed", "failed", "recovered"]);
    let repeats: Vec<&Value> = heard.iter().map(|(_, body)| &body["repeats"]).collect();
    assert_eq!(repeats, [0, 0, 1, 0]);
    let raw = own.look(|inbox| inbox.raw.clone());
    for ((headers, body), raw) in heard.iter().zip(&raw) {
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(raw);
        let signed = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(header("x-teal-signature"), signed);
        assert_eq!(header("idempotency-key"), body["id"].as_str().unwrap());
    }
}

#[test]
fn an_example_is_sent_on_demand_and_the_answer_is_reported() {
    let slack = Service::start(Slack::default());
    let teams = Service::start(Inbox::new("/workflows/x", 202, ""));
    let bot = format!(
        "kind = \"slack\"\ntoken = {{ env = \"SLACK\" }}\nchannel = \"#elsewhere\"\napi_url = \"{}\"",
        slack.url("/api")
    );
    let plan = Teal::plan()
        .top(&notify(&bot))
        .top(&notify(
            "kind = \"teams\"\nname = \"ops\"\nwebhook = { env = \"TEAMS\" }",
        ))
        .variable("SLACK", TOKEN)
        .variable("TEAMS", &teams.url("/workflows/x"));
    let (teal, _) = telling(plan);
    insta::assert_snapshot!(teal.cli(["notify", "list"]).ok(), @r"
    TARGET  IS                 WAITING
    slack   slack, #elsewhere  0
    ops     teams              0
    ");
    insta::assert_snapshot!(teal.cli(["notify", "test", "ops"]).ok(), @r"ok     ops: the workflow took the card");
    let title =
        teams.look(|inbox| inbox.taken[0].1["attachments"][0]["content"]["body"][0].clone());
    let title = title["inlines"][0]["text"].as_str().unwrap();
    assert!(
        title.starts_with("Only an example: shop/production: deployment 42 failed"),
        "{title}"
    );
    let all = teal.cli(["notify", "test"]);
    assert_eq!(all.code, 1);
    insta::assert_snapshot!(all.stdout, @r"
    failed slack: it said no: channel_not_found; the bot sees no channel #elsewhere: give the channel's id, and invite the bot if it is private
    ok     ops: the workflow took the card
    ");
    let nobody = teal.cli(["notify", "test", "nobody"]);
    assert_eq!(nobody.code, 2);
    insta::assert_snapshot!(nobody.stderr, @r"
    error: nobody is called `nobody`
      next: one of: slack, ops
    ");
}

#[test]
fn a_live_message_of_an_app_that_goes_on_failing_says_its_own_end() {
    let discord = Service::start(Discord::default());
    let keys =
        "kind = \"discord\"\nwebhook = { env = \"DISCORD\" }\nevents = [\"started\", \"failed\"]";
    let plan = Teal::plan()
        .top(&notify(keys))
        .variable("DISCORD", &discord.url("/api/webhooks/1/token"));
    let (teal, app) = telling(plan);
    push(&app);
    for version in ["v2", "v3"] {
        app.git().write("fault.txt", "exit");
        app.version(version);
        app.recipe(&format!("[build]\ninstall = \"{}\"", teal.waiting(version)));
        app.version(version);
        let pusher = std::thread::spawn({
            let git = app.git().clone();
            move || git.push(["production", "main"])
        });
        teal.wait_for_waiting(version);
        let open = |discord: &mut Discord| {
            let last = discord
                .messages
                .last()
                .map(|(_, body)| body["embeds"][0]["title"].to_string());
            last.is_some_and(|title| title.contains("is on its way"))
        };
        discord.wait("it says that it is on its way", open);
        teal.let_go(version);
        assert_eq!(pusher.join().unwrap().code, 0);
        let over = |discord: &mut Discord| {
            let last = discord
                .messages
                .last()
                .map(|(_, body)| body["embeds"][0]["title"].to_string());
            last.is_some_and(|title| title.contains("failed at"))
        };
        discord.wait("the same message says how it ended", over);
    }
}
