//! A program of one's own, by a signed request. Its body is documented in `config/webhook.json`.

use super::message::message;
use super::news::News;
use super::wire::{Refusal, Wire};
use crate::config::Secret;
use crate::system::clock;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

/// A program that takes signed requests.
#[derive(Debug, Clone)]
pub struct Webhook {
    wire: Wire,
    url: Secret,
    secret: Secret,
}

impl Webhook {
    /// The program at that address.
    pub fn new(wire: &Wire, url: &Secret, secret: &Secret) -> Webhook {
        Webhook {
            wire: wire.clone(),
            url: url.clone(),
            secret: secret.clone(),
        }
    }

    /// Tells it; what it answered, in words.
    pub async fn tell(&self, news: &News) -> Result<String, Refusal> {
        let body = body(news, clock::now_ms());
        let text = body.to_string();
        let id = body["id"].as_str().unwrap_or_default();
        let request = self
            .wire
            .request(Method::POST, self.url.expose())
            .header("content-type", "application/json")
            .header("x-teal-event", body["event"].as_str().unwrap_or_default())
            .header("idempotency-key", id)
            .header("x-teal-signature", sign(&self.secret, text.as_bytes()));
        let answer = self.wire.send(request.body(text)).await?.taken()?;
        Ok(format!("it answered {}", answer.status.as_u16()))
    }
}

/// `sha256=` and the HMAC of the body as it goes over the wire.
pub(super) fn sign(secret: &Secret, body: &[u8]) -> String {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// The body. Keys are only ever added.
fn body(news: &News, now_ms: i64) -> Value {
    let deployment = &news.deployment;
    let message = message(news);
    let event = match (news.test, news.recovers()) {
        (true, _) => "test",
        (false, Some(_)) => "recovered",
        (false, None) => news.moment.as_str(),
    };
    json!({
        "id": format!("{}#{}", news.page, event),
        "event": event,
        "sent_ms": now_ms,
        "title": message.title,
        "app": deployment.env.app,
        "environment": deployment.env.env,
        "url": news.url,
        "deployment": {
            "number": deployment.id,
            "page": news.page,
            "state": deployment.state,
            "kind": deployment.kind,
            "commit": deployment.commit,
            "subject": news.subject,
            "ref": deployment.ref_name,
            "by": deployment.by,
            "created_ms": deployment.created_ms,
            "started_ms": deployment.started_ms,
            "switched_ms": deployment.switched_ms,
            "ended_ms": deployment.ended_ms,
        },
        "failure": deployment.failure,
        "repeats": news.repeats().map_or(0, |heard| heard.count),
        "changes": news.changes.as_ref().map(|changes| json!({
            "since_deployment": changes.since,
            "commits": changes.commits,
            "more_commits": changes.more,
            "lockfiles": changes.lockfiles,
            "settings": changes.settings,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn the_documented_body_is_what_is_sent() {
        let mut news = example::failed();
        news.test = false;
        let sent = body(&news, 1_795_000_000_000);
        let documented = include_str!("../../config/webhook.json");
        let documented: Value = serde_json::from_str(documented).unwrap();
        assert_eq!(sent, documented, "{sent:#}");
    }

    #[test]
    fn a_signature_can_be_checked_by_others() {
        let secret = Secret::new("It's a Secret to Everybody");
        assert_eq!(
            sign(&secret, b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
