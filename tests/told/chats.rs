use super::service::{Reply, Stateful};
use crate::harness::Request;
use serde_json::{Value, json};

/// Discord: one channel behind the webhook `/api/webhooks/1/token`.
#[derive(Default)]
pub struct Discord {
    /// The messages by number, with what they say now.
    pub messages: Vec<(u64, Value)>,
    /// Which messages were edited, in order.
    pub edits: Vec<u64>,
}

impl Stateful for Discord {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        let rest = request.path.strip_prefix("/api/webhooks/1/token")?;
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        if body["allowed_mentions"] != json!({ "parse": [] }) || too_long(&body) {
            return Some(Reply::json(
                400,
                json!({ "code": 50_035, "message": "Invalid Form Body" }),
            ));
        }
        match (request.method.as_str(), rest.strip_prefix("/messages/")) {
            ("POST", None) if request.query == "wait=true" => {
                let id = 1_234_567_890_123_000_000 + self.messages.len() as u64;
                self.messages.push((id, body));
                Some(Reply::json(200, json!({ "id": id.to_string() })))
            }
            ("PATCH", Some(id)) => {
                let id: u64 = id.parse().ok()?;
                let Some(known) = self.messages.iter_mut().find(|(known, _)| *known == id) else {
                    let unknown = json!({ "code": 10_008, "message": "Unknown Message" });
                    return Some(Reply::json(404, unknown));
                };
                known.1 = body;
                self.edits.push(id);
                Some(Reply::json(200, json!({ "id": id.to_string() })))
            }
            _ => None,
        }
    }
}

fn too_long(body: &Value) -> bool {
    let length = |text: &Value| text.as_str().unwrap_or_default().chars().count();
    body["embeds"].as_array().is_some_and(|all| {
        all.iter().any(|embed| {
            let fields = embed["fields"].as_array().cloned().unwrap_or_default();
            let each = fields
                .iter()
                .any(|field| length(&field["value"]) > 1024 || length(&field["value"]) == 0);
            let sum: usize = fields
                .iter()
                .map(|f| length(&f["name"]) + length(&f["value"]))
                .sum();
            let (title, text) = (length(&embed["title"]), length(&embed["description"]));
            each || fields.len() > 25 || title > 256 || text > 4096 || sum + title + text > 6000
        })
    })
}

/// Something that takes posted JSON and says one word: Mattermost's webhook, a workflow of Teams.
pub struct Inbox {
    /// Where it takes it.
    pub path: &'static str,
    /// What it says, and with which status.
    pub says: (u16, &'static str),
    /// What it took, with the headers.
    pub taken: Vec<(Vec<(String, String)>, Value)>,
    /// The bodies as they came.
    pub raw: Vec<Vec<u8>>,
}

impl Inbox {
    pub fn new(path: &'static str, status: u16, says: &'static str) -> Inbox {
        Inbox {
            path,
            says: (status, says),
            taken: Vec::new(),
            raw: Vec::new(),
        }
    }
}

impl Stateful for Inbox {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if (request.method.as_str(), request.path.as_str()) != ("POST", self.path) {
            return None;
        }
        let body = serde_json::from_slice(&request.body).ok()?;
        self.taken.push((request.headers.clone(), body));
        self.raw.push(request.body.clone());
        Some(Reply::text(self.says.0, self.says.1))
    }
}
