//! Deliveries for tests: an app, and payloads in each forge's shape with headers that vouch for them.

use crate::config::{App, Credentials, Forge, Secret, Server};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::path::Path;

pub(super) const SECRET: &str = "correct horse";
pub(super) const COMMIT: &str = "1111111111222222222233333333334444444444";
pub(super) const ZEROS: &str = "0000000000000000000000000000000000000000";

pub(super) const FORGES: [Forge; 4] = [Forge::GitHub, Forge::Gitea, Forge::Forgejo, Forge::GitLab];

pub(super) fn app(forge: Option<Forge>) -> App {
    App {
        name: "shop".parse().unwrap(),
        forge,
        repo: Some("https://forge.example/Blue/Shop.git".to_owned()),
        webhook_secret: Some(Secret::new(SECRET)),
        credentials: Credentials::None,
        api: None,
        largest_push: 1 << 30,
        environments: Vec::new(),
    }
}

/// An app at GitHub that takes deployments made there, and waits for CI.
pub(super) fn deploying_app() -> App {
    let text = "[apps.shop]\nforge = 'github'\nrepo = 'https://forge.example/Blue/Shop.git'\n\
        webhook_secret = { env = 'S' }\ntoken = { env = 'S' }\n\
        [apps.shop.environments.production]\ntriggers = ['push', 'deployment']\nafter = 'ci'\n";
    let secret = |_: &str| Some(SECRET.to_owned());
    let server = Server::parse(text, Path::new("teal.toml"), &secret).unwrap();
    server.apps.into_values().next().unwrap()
}

/// A deployment that somebody made at GitHub.
pub(super) fn deployment() -> Value {
    json!({
        "action": "created",
        "deployment": {
            "id": 42, "sha": COMMIT, "ref": "main", "task": "deploy", "environment": "production",
            "payload": {}, "creator": { "login": "ada" },
        },
        "repository": { "full_name": "blue/shop" },
    })
}

/// A workflow at GitHub that asks whether it may deploy.
pub(super) fn question() -> Value {
    json!({
        "action": "requested", "environment": "production",
        "deployment_callback_url": "https://elsewhere.example/actions/runs/41/deployment_protection_rule",
        "deployment": { "creator": { "login": "ada" } },
        "repository": { "full_name": "blue/shop" },
    })
}

/// A push in the shape of GitHub and its relatives.
pub(super) fn push(ref_name: &str, after: &str) -> Value {
    json!({
        "ref": ref_name,
        "before": ZEROS,
        "after": after,
        "commits": [],
        "head_commit": null,
        "repository": { "full_name": "blue/shop", "clone_url": "https://elsewhere.example/x.git" },
        "pusher": { "name": "ada", "email": "ada@example.org" },
    })
}

/// A push in GitLab's shape: of an annotated tag when `checkout` differs from `after`.
pub(super) fn gitlab_push(ref_name: &str, after: &str, checkout: Option<&str>) -> Value {
    json!({
        "object_kind": "push",
        "ref": ref_name,
        "before": ZEROS,
        "after": after,
        "checkout_sha": checkout,
        "user_username": "ada",
        "project": { "path_with_namespace": "blue/shop", "git_http_url": "https://elsewhere.example/x.git" },
    })
}

pub(super) fn pull_request(action: &str, is_merged: bool) -> Value {
    json!({
        "action": action,
        "pull_request": { "number": 7, "merged": is_merged, "base": { "ref": "main" } },
        "repository": { "full_name": "blue/shop" },
    })
}

pub(super) fn hmac(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

/// Headers as that forge sends them with a JSON body.
pub(super) fn signed(forge: Forge, event: &str, body: &[u8]) -> HeaderMap {
    let hex = hmac(SECRET, body);
    let hub = format!("sha256={hex}");
    let own: &[(&'static str, &str)] = match forge {
        Forge::GitHub => &[
            ("x-github-event", event),
            ("x-github-delivery", "guid-1"),
            ("x-github-hook-id", "9"),
            ("x-hub-signature-256", &hub),
        ],
        Forge::Gitea => &[
            ("x-github-event", event),
            ("x-github-delivery", "guid-1"),
            ("x-hub-signature-256", &hub),
            ("x-gitea-event", event),
            ("x-gitea-delivery", "guid-1"),
            ("x-gitea-signature", &hex),
            ("x-gogs-event", event),
        ],
        Forge::Forgejo => &[
            ("x-github-event", event),
            ("x-gitea-event", event),
            ("x-forgejo-event", event),
            ("x-forgejo-delivery", "guid-1"),
            ("x-forgejo-signature", &hex),
        ],
        Forge::GitLab => &[
            ("x-gitlab-event", event),
            ("idempotency-key", "guid-1"),
            ("x-gitlab-token", SECRET),
        ],
    };
    let mut all = headers(own);
    all.insert(
        "content-type",
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    all
}
