//! Teams by a workflow that posts adaptive cards: one card for each turn that is heard. All text stands in text runs, which
//! are read literally.

use crate::config::Secret;
use crate::report::News;
use crate::report::escape::literal;
use crate::report::message::message;
use crate::report::wire::{Refusal, Wire};
use crate::report::wording::Tone;
use http::Method;
use serde_json::{Value, json};

/// A channel or chat of Teams.
#[derive(Debug, Clone)]
pub struct Teams {
    wire: Wire,
    url: Secret,
}

/// A card may have 28 KB in all.
const FACT: usize = 800;
const TAIL: usize = 3000;

impl Teams {
    /// What the workflow at that address posts into.
    pub fn new(wire: &Wire, url: &Secret) -> Teams {
        Teams {
            wire: wire.clone(),
            url: url.clone(),
        }
    }

    /// Tells it; what the workflow answered, in words.
    pub async fn tell(&self, news: &News) -> Result<String, Refusal> {
        let request = self.wire.request(Method::POST, self.url.expose());
        self.wire.send(request.json(&card(news))).await?.taken()?;
        Ok("the workflow took the card".to_owned())
    }
}

fn card(news: &News) -> Value {
    let message = message(news);
    let color = match message.tone {
        Tone::Good => "Good",
        Tone::Warning => "Warning",
        Tone::Bad => "Attention",
        Tone::Quiet => "Default",
        Tone::Plain => "Accent",
    };
    let mut title = run(&message.title, 500);
    title["weight"] = json!("Bolder");
    title["size"] = json!("Medium");
    title["color"] = json!(color);
    let mut body = vec![block(vec![title])];
    for (what, text) in &message.facts {
        let mut name = run(&format!("{what}: "), 40);
        name["weight"] = json!("Bolder");
        body.push(block(vec![name, run(text, FACT)]));
    }
    if !message.tail.is_empty() {
        let mut tail = run(&message.tail.join("\n"), TAIL);
        tail["fontType"] = json!("Monospace");
        body.push(block(vec![tail]));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": [
                    { "type": "Action.OpenUrl", "title": "Details", "url": message.page },
                ],
            },
        }],
    })
}

fn block(inlines: Vec<Value>) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn run(text: &str, most: usize) -> Value {
    json!({ "type": "TextRun", "text": literal(text, most) })
}
