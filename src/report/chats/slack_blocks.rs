use crate::domain::DeploymentId;
use crate::report::escape::{literal, slack, slack_code};
use crate::report::message::Message;
use crate::report::wording::Tone;
use serde_json::{Value, json};

/// Slack takes 50 blocks, 10 fields of 2000 characters, and texts of 3000.
const FIELDS: usize = 10;
const FIELD: usize = 600;
const TEXT: usize = 2800;

/// The message in Slack's form. Strangers' words stand in `plain_text`, which is read literally, or in code, escaped.
pub(super) fn blocks(message: &Message) -> Value {
    let title = slack(&message.title, 2000);
    let link = slack(&message.page, 500);
    let mut blocks = vec![json!({
        "type": "section",
        "text": { "type": "mrkdwn", "text": format!("{} *{title}*\n<{link}|details>", mark(message.tone)) },
    })];
    let (long, short): (Vec<_>, Vec<_>) = message.facts.iter().partition(|(what, _)| is_long(what));
    let fields: Vec<Value> = { short.iter().take(FIELDS) }
        .map(|(what, text)| plain(&format!("{what}\n{text}"), FIELD))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    for (what, text) in long {
        let text = plain(&format!("{what}: {text}"), TEXT);
        blocks.push(json!({ "type": "section", "text": text }));
    }
    if !message.tail.is_empty() {
        let tail = slack_code(&message.tail.join("\n"), TEXT);
        blocks.push(json!({
            "type": "section",
            "text": { "type": "mrkdwn", "text": format!("```{tail}```") },
        }));
    }
    Value::Array(blocks)
}

/// What the button that says yes is called in what Slack sends.
pub const APPROVE: &str = "teal_approve";
/// The same for the one that says no.
pub const REJECT: &str = "teal_reject";

/// The buttons below a message that asks for a yes. What a press sends names the deployment, never a command.
pub(super) fn buttons(id: DeploymentId) -> Value {
    let button = |name: &str, text: &str, style: &str| {
        json!({
            "type": "button",
            "action_id": name,
            "style": style,
            "text": { "type": "plain_text", "text": text },
            "value": id.to_string(),
        })
    };
    json!({
        "type": "actions",
        "elements": [button(APPROVE, "Approve", "primary"), button(REJECT, "Reject", "danger")],
    })
}

/// What needs the whole width.
fn is_long(what: &str) -> bool {
    matches!(what, "cause" | "changed" | "next" | "receipt")
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": literal(text, most), "emoji": false })
}

/// What stands in front of a title where there are no colours.
pub(super) fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "\u{2705}",
        Tone::Warning => "\u{1f7e1}",
        Tone::Bad => "\u{1f534}",
        Tone::Quiet => "\u{26aa}",
        Tone::Plain => "\u{1f535}",
    }
}

/// What is shown where blocks are not: in notifications.
pub(super) fn fallback(message: &Message) -> String {
    let cause = message.facts.iter().find(|(what, _)| *what == "cause");
    let cause = cause.map_or_else(String::new, |(_, cause)| format!(": {cause}"));
    slack(&format!("{}{cause}", message.title), 1000)
}
