use super::service::{Reply, Stateful};
use crate::harness::Request;
use serde_json::{Value, json};

/// Slack: one workspace with one channel, and an incoming webhook at `/services/T/B/X`.
#[derive(Default)]
pub struct Slack {
    /// Messages by the bot, replies included, oldest first; each with `ts` and perhaps `thread_ts`.
    pub messages: Vec<Value>,
    /// How often each message was changed, by `ts`.
    pub updates: Vec<String>,
    /// What a single user was told.
    pub whispers: Vec<Value>,
    /// What came by the webhook.
    pub hooked: Vec<Value>,
    /// Whether the bot was taken out of the channel.
    pub expelled: bool,
}

pub const TOKEN: &str = "xoxb-token";
pub const CHANNEL: &str = "C0DEPLOYS";

impl Slack {
    /// The messages that stand in the channel itself.
    pub fn top(&self) -> Vec<Value> {
        let top = self
            .messages
            .iter()
            .filter(|one| one["thread_ts"].is_null());
        top.cloned().collect()
    }

    fn checked(body: &Value) -> Result<(), &'static str> {
        let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        if body["text"].as_str().is_none_or(str::is_empty) {
            return Err("no_text");
        }
        let too_long = |text: &Value, most: usize| {
            text["text"].as_str().unwrap_or_default().chars().count() > most
        };
        for block in &blocks {
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            if fields.len() > 10
                || fields.iter().any(|field| too_long(field, 2000))
                || too_long(&block["text"], 3000)
            {
                return Err("invalid_blocks");
            }
        }
        if blocks.len() > 50 {
            return Err("invalid_blocks");
        }
        Ok(())
    }

    fn post(&mut self, mut body: Value) -> Value {
        let ts = format!("1795000000.{:06}", self.messages.len() + 1);
        if self.expelled {
            return json!({ "ok": false, "error": "not_in_channel" });
        }
        if body["channel"] != "#deploys" && body["channel"] != CHANNEL {
            return json!({ "ok": false, "error": "channel_not_found" });
        }
        body["ts"] = json!(ts);
        self.messages.push(body);
        json!({ "ok": true, "channel": CHANNEL, "ts": ts })
    }

    fn update(&mut self, body: Value) -> Value {
        // Only the id of a channel will do here.
        if body["channel"] != CHANNEL {
            return json!({ "ok": false, "error": "channel_not_found" });
        }
        let Some(old) = self.messages.iter_mut().find(|one| one["ts"] == body["ts"]) else {
            return json!({ "ok": false, "error": "message_not_found" });
        };
        *old = body.clone();
        let ts = body["ts"].as_str().unwrap().to_owned();
        self.updates.push(ts.clone());
        json!({ "ok": true, "channel": CHANNEL, "ts": ts })
    }
}

impl Stateful for Slack {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        // Reading takes forms, writing takes JSON.
        let body: Value = match request.path.contains("conversations.") {
            true => {
                let pairs = form_urlencoded::parse(&request.body);
                pairs.map(|(name, value)| (name, json!(value))).collect()
            }
            false => serde_json::from_slice(&request.body).ok()?,
        };
        if request.path == "/services/T/B/X" {
            Slack::checked(&body).ok()?;
            self.hooked.push(body);
            return Some(Reply::text(200, "ok"));
        }
        let method = request.path.strip_prefix("/api/")?;
        if request.header("authorization") != format!("Bearer {TOKEN}") {
            return Some(Reply::json(
                200,
                json!({ "ok": false, "error": "invalid_auth" }),
            ));
        }
        let reply = match (method, Slack::checked(&body)) {
            ("chat.postMessage" | "chat.update", Err(error)) => {
                json!({ "ok": false, "error": error })
            }
            ("auth.test", _) => json!({ "ok": true, "user": "teal", "team": "Blue" }),
            ("chat.postMessage", _) => self.post(body),
            ("chat.update", _) => self.update(body),
            ("chat.postEphemeral", _) => {
                self.whispers.push(body);
                json!({ "ok": true, "message_ts": "1795000002.000001" })
            }
            ("conversations.history" | "conversations.replies", _)
                if body["channel"] != CHANNEL =>
            {
                json!({ "ok": false, "error": "channel_not_found" })
            }
            ("conversations.history", _) => {
                json!({ "ok": true, "messages": self.top().into_iter().rev().collect::<Vec<_>>() })
            }
            ("conversations.replies", _) => {
                let in_thread =
                    |one: &&Value| one["ts"] == body["ts"] || one["thread_ts"] == body["ts"];
                let all: Vec<&Value> = self.messages.iter().filter(in_thread).collect();
                json!({ "ok": true, "messages": all })
            }
            _ => return None,
        };
        Some(Reply::json(200, reply))
    }
}
