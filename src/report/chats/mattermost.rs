//! Mattermost by an incoming webhook: one message for each turn that is heard.

use super::slack_blocks::mark;
use crate::config::Secret;
use crate::report::News;
use crate::report::escape::{code, markdown};
use crate::report::message::message;
use crate::report::wire::{Refusal, Wire};
use http::Method;
use serde_json::json;
use std::fmt::Write;

/// A channel of Mattermost.
#[derive(Debug, Clone)]
pub struct Mattermost {
    wire: Wire,
    url: Secret,
}

/// Old servers take 4000 characters.
const FACT: usize = 300;
const TAIL: usize = 1200;

impl Mattermost {
    /// The channel of this webhook.
    pub fn new(wire: &Wire, url: &Secret) -> Mattermost {
        Mattermost {
            wire: wire.clone(),
            url: url.clone(),
        }
    }

    /// Tells it; what Mattermost answered, in words.
    pub async fn tell(&self, news: &News) -> Result<String, Refusal> {
        let body = json!({ "text": text(news) });
        let request = self.wire.request(Method::POST, self.url.expose());
        let answer = self.wire.send(request.json(&body)).await?.taken()?;
        match answer.text.trim() {
            "ok" => Ok("it took the message".to_owned()),
            _ => Err(answer.garbage()),
        }
    }
}

fn text(news: &News) -> String {
    let message = message(news);
    let title = markdown(&message.title, 400);
    let mut text = format!(
        "{} **{title}** ([details]({}))\n",
        mark(message.tone),
        message.page
    );
    for (what, fact) in &message.facts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {what}: {}", markdown(fact, FACT));
    }
    if !message.tail.is_empty() {
        let _ = writeln!(text, "```\n{}\n```", code(&message.tail.join("\n"), TAIL));
    }
    text
}
