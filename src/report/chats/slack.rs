//! Slack: as a bot, one message for each deployment, kept up to date, with the whole story in its thread; or by an incoming
//! webhook, one message at the end.

use super::kept;
use super::slack_blocks::{blocks, buttons, fallback};
use crate::config::Secret;
use crate::domain::State;
use crate::report::News;
use crate::report::escape::{slack, slack_code};
use crate::report::memory::Memory;
use crate::report::message::message;
use crate::report::one_line;
use crate::report::wire::{Answer, Refusal, Retry, Wire};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Slack as a bot.
#[derive(Debug, Clone)]
pub struct SlackBot {
    wire: Wire,
    token: Secret,
    channel: String,
    api_url: String,
    /// Whether Slack can tell that a button was pressed.
    buttons: bool,
}

/// What is remembered of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Posted {
    channel: String,
    ts: String,
    /// Of which deployments the story stands in the thread.
    told: Vec<i64>,
}

/// What Teal's messages are marked with, so that one whose number was lost is found again.
const MARK: &str = "teal_deployment";

impl SlackBot {
    /// A bot that posts into the channel.
    pub fn new(wire: &Wire, token: &Secret, channel: &str, api_url: &str) -> SlackBot {
        SlackBot {
            wire: wire.clone(),
            token: token.clone(),
            channel: channel.to_owned(),
            api_url: api_url.to_owned(),
            buttons: false,
        }
    }

    /// One whose messages have buttons where a yes is asked for.
    pub fn with_buttons(self) -> SlackBot {
        SlackBot {
            buttons: true,
            ..self
        }
    }

    /// Says something that nobody but this user sees.
    pub async fn whisper(&self, channel: &str, user: &str, words: &str) -> Result<(), Refusal> {
        let body = json!({ "channel": channel, "user": user, "text": slack(words, 1000) });
        self.call("chat.postEphemeral", &body).await.map(drop)
    }

    /// Tells it; what Slack answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let (subject, known) = kept::<Posted>(news, memory).await?;
        let found = match (known, news.again) {
            (None, true) => self.find(news, memory).await?,
            (known, _) => known,
        };
        let posted = match found {
            Some(posted) => self.update(posted, news).await?,
            None => self.post(news).await?,
        };
        memory.remember(subject.clone(), posted.clone()).await?;
        memory
            .remember(self.channel.clone(), posted.channel.clone())
            .await?;
        let words = format!("it shows the message in {}", posted.channel);
        let id = news.deployment.id;
        if news.moment.is_end() && news.repeats().is_none() && !posted.told.contains(&id) {
            self.details(&posted, news).await?;
            let mut posted = posted;
            posted.told.push(id);
            memory.remember(subject, posted).await?;
        }
        Ok(words)
    }

    /// Asks who the bot is and what it may do, and tells nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        let answer = self.call("auth.test", &json!({})).await?;
        let scopes = answer.headers.get("x-oauth-scopes");
        let scopes = scopes.and_then(|scopes| scopes.to_str().ok());
        if scopes.is_some_and(|all| !all.split(',').any(|one| one.trim() == "chat:write")) {
            return Err(Refusal::later("its bot lacks the scope chat:write"));
        }
        let (user, team) = (answer.str("/user"), answer.str("/team"));
        Ok(format!(
            "its bot is {} of {}",
            one_line(user.unwrap_or("?"), 40),
            one_line(team.unwrap_or("?"), 40)
        ))
    }

    async fn post(&self, news: &News) -> Result<Posted, Refusal> {
        let mut body = self.body(news);
        body["channel"] = json!(self.channel);
        body["unfurl_links"] = json!(false);
        body["unfurl_media"] = json!(false);
        let answer = self.call("chat.postMessage", &body).await?;
        let (Some(ts), Some(channel)) = (answer.str("/ts"), answer.str("/channel")) else {
            return Err(answer.garbage());
        };
        Ok(Posted {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
            told: Vec::new(),
        })
    }

    async fn update(&self, posted: Posted, news: &News) -> Result<Posted, Refusal> {
        let mut body = self.body(news);
        body["channel"] = json!(posted.channel);
        body["ts"] = json!(posted.ts);
        match self.call("chat.update", &body).await {
            Ok(_) => Ok(posted),
            // Somebody removed it, or the workspace lets nobody change old messages.
            Err(Refusal { words, .. }) if gone(&words) => self.post(news).await,
            Err(refusal) => Err(refusal),
        }
    }

    async fn details(&self, posted: &Posted, news: &News) -> Result<(), Refusal> {
        if news.again && self.has_details(posted, news).await {
            return Ok(());
        }
        let story = slack_code(&news.story.join("\n"), 2800);
        let text = format!("```{story}```");
        let body = json!({
            "channel": posted.channel,
            "thread_ts": posted.ts,
            "text": text,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": mark(news),
        });
        self.call("chat.postMessage", &body).await.map(|_| ())
    }

    fn body(&self, news: &News) -> Value {
        let message = message(news);
        let mut blocks = blocks(&message);
        if self.buttons
            && news.deployment.state == State::Approval
            && let Some(all) = blocks.as_array_mut()
        {
            all.push(buttons(news.deployment.id));
        }
        json!({
            "text": fallback(&message),
            "blocks": blocks,
            "metadata": mark(news),
        })
    }

    /// The message that an earlier try posted although its answer was lost. A bot that may not read the channel does not
    /// find it, and says the same twice rather than not at all.
    async fn find(&self, news: &News, memory: &Memory) -> Result<Option<Posted>, Refusal> {
        // Slack reads by a channel's id only, which it told when it took an earlier message.
        let id: Option<String> = memory.recall(self.channel.clone()).await?;
        let channel = id.unwrap_or_else(|| self.channel.clone());
        let answer = self.read("conversations.history", &channel, None).await;
        let ts = answer.ok().and_then(|answer| own(&answer, news));
        Ok(ts.map(|ts| Posted {
            channel,
            ts,
            told: Vec::new(),
        }))
    }

    /// What stands in a channel, or in a thread of it. These methods take forms and no JSON.
    async fn read(
        &self,
        method: &str,
        channel: &str,
        thread: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let pairs = [
            ("channel", channel),
            ("limit", "50"),
            ("include_all_metadata", "true"),
        ];
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .extend_pairs(thread.map(|ts| ("ts", ts)))
            .finish();
        let request = self.request(method);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.answer(request.body(form)).await
    }

    async fn has_details(&self, posted: &Posted, news: &News) -> bool {
        let answer = self
            .read("conversations.replies", &posted.channel, Some(&posted.ts))
            .await;
        // The first one is the message itself, which bears the mark as well.
        answer.is_ok_and(|answer| {
            let all = answer.json["messages"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let replies = all.iter().filter(|one| one["ts"] != posted.ts.as_str());
            replies.filter(|one| is_own(one, news)).count() > 0
        })
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Answer, Refusal> {
        self.answer(self.request(method).json(body)).await
    }

    fn request(&self, method: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/{method}", self.api_url);
        let request = self.wire.request(Method::POST, &url);
        request.bearer_auth(self.token.expose())
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
        let answer = self.wire.send(request).await?.taken()?;
        match answer.json["ok"].as_bool() {
            Some(true) => Ok(answer),
            Some(false) => Err(no(&answer, &self.channel)),
            None => Err(answer.garbage()),
        }
    }
}

fn mark(news: &News) -> Value {
    json!({ "event_type": MARK, "event_payload": { "page": news.page } })
}

fn own(answer: &Answer, news: &News) -> Option<String> {
    let all = answer.json["messages"].as_array()?;
    let found = all.iter().find(|one| is_own(one, news))?;
    Some(found["ts"].as_str()?.to_owned())
}

fn is_own(message: &Value, news: &News) -> bool {
    message["metadata"]["event_payload"]["page"] == news.page.as_str()
}

fn gone(words: &str) -> bool {
    [
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
    ]
    .iter()
    .any(|error| words.contains(error))
}

/// Slack says no with status 200 and a word.
fn no(answer: &Answer, channel: &str) -> Refusal {
    let error = answer.str("/error").unwrap_or("no reason");
    let words = format!("it said no: {error}");
    match error {
        "not_in_channel" => {
            Refusal::later(words).hint(&format!("invite the bot into {channel}: /invite @…"))
        }
        "channel_not_found" => Refusal::later(words).hint(&format!(
            "the bot sees no channel {channel}: give the channel's id, and invite the bot if it is private"
        )),
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            Refusal::later(words).hint("the token is wrong or was taken back")
        }
        "missing_scope" => Refusal::later(words).hint("the bot needs the scope `chat:write`"),
        "is_archived" | "restricted_action" | "ekm_access_denied" => Refusal::later(words),
        "ratelimited" | "rate_limited" => Refusal {
            words,
            retry: Retry::After(Duration::from_secs(30)),
        },
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout"
        | "team_added_to_org" => Refusal::later(words),
        _ => Refusal::never(words),
    }
}

/// Slack by an incoming webhook.
#[derive(Debug, Clone)]
pub struct SlackWebhook {
    wire: Wire,
    url: Secret,
}

impl SlackWebhook {
    /// The webhook at that address.
    pub fn new(wire: &Wire, url: &Secret) -> SlackWebhook {
        SlackWebhook {
            wire: wire.clone(),
            url: url.clone(),
        }
    }

    /// Tells it; what Slack answered, in words.
    pub async fn tell(&self, news: &News) -> Result<String, Refusal> {
        let message = message(news);
        let body = json!({ "text": fallback(&message), "blocks": blocks(&message) });
        let request = self.wire.request(Method::POST, self.url.expose());
        let answer = self.wire.send(request.json(&body)).await?.taken()?;
        match answer.text.trim() {
            "ok" => Ok("it took the message".to_owned()),
            _ => Err(answer.garbage()),
        }
    }
}
