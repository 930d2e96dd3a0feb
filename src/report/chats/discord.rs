//! Discord by a webhook: one message for each deployment, edited.

use super::kept;
use crate::config::Secret;
use crate::report::News;
use crate::report::escape::{code, discord};
use crate::report::memory::Memory;
use crate::report::message::{Message, message};
use crate::report::wire::{Refusal, Wire};
use crate::report::wording::Tone;
use http::Method;
use serde_json::{Value, json};

/// A channel of Discord.
#[derive(Debug, Clone)]
pub struct Discord {
    wire: Wire,
    url: Secret,
}

/// An embed takes 25 fields, 256 characters of title, 4096 of description, 1024 of a field, and 6000 in all.
const TITLE: usize = 250;
const FIELD: usize = 450;
const TAIL: usize = 1400;
const ALL_FIELDS: usize = 3600;

impl Discord {
    /// The channel of this webhook.
    pub fn new(wire: &Wire, url: &Secret) -> Discord {
        Discord {
            wire: wire.clone(),
            url: url.clone(),
        }
    }

    /// Tells it; what Discord answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let (subject, known) = kept::<String>(news, memory).await?;
        let body = body(&message(news));
        if let Some(id) = known {
            let request = self.request(Method::PATCH, &format!("/messages/{id}"))?;
            let answer = self.wire.send(request.json(&body)).await?;
            // 10008 is "Unknown Message": somebody removed it, and it is written anew.
            if answer.number("/code") != Some(10_008) {
                answer.taken()?;
                return Ok("it shows the message anew".to_owned());
            }
        }
        let request = self.request(Method::POST, "")?;
        let answer = self.wire.send(request.json(&body)).await?.taken()?;
        let Some(id) = answer.str("/id") else {
            return Err(answer.garbage());
        };
        memory.remember(subject, id.to_owned()).await?;
        Ok("it shows the message".to_owned())
    }

    /// Asks what the webhook is, and tells nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        let request = self.wire.request(Method::GET, self.url.expose());
        let answer = self.wire.send(request).await?.taken()?;
        match answer.str("/channel_id") {
            Some(_) => Ok("its webhook is there".to_owned()),
            None => Err(answer.garbage()),
        }
    }

    /// `wait` makes Discord answer with the message's number. What else stands in the address (a thread) is kept.
    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, Refusal> {
        let mut url = reqwest::Url::parse(self.url.expose())
            .map_err(|error| Refusal::later(format!("its address is none: {error}")))?;
        let longer = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&longer);
        if path.is_empty() {
            url.query_pairs_mut().append_pair("wait", "true");
        }
        Ok(self.wire.request(method, url.as_str()))
    }
}

fn body(message: &Message) -> Value {
    let color = match message.tone {
        Tone::Good => 0x2e_b6_7d,
        Tone::Warning => 0xec_b2_2e,
        Tone::Bad => 0xe0_1e_5a,
        Tone::Quiet => 0x99_99_99,
        Tone::Plain => 0x36_8f_d6,
    };
    let mut room = ALL_FIELDS;
    let mut fields = Vec::new();
    for (what, text) in message.facts.iter().take(25) {
        let value = discord(text, FIELD.min(room));
        room = room.saturating_sub(value.chars().count() + what.len());
        if value.is_empty() || room == 0 {
            continue;
        }
        let inline = text.chars().count() < 40;
        fields.push(json!({ "name": what, "value": value, "inline": inline }));
    }
    let mut embed = json!({
        "title": discord(&message.title, TITLE),
        "url": message.page,
        "color": color,
        "fields": fields,
    });
    if !message.tail.is_empty() {
        let tail = code(&message.tail.join("\n"), TAIL);
        embed["description"] = json!(format!("```\n{tail}\n```"));
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}
