use super::{Answer, Connection};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Whose webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// GitHub.
    GitHub,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// GitLab.
    GitLab,
}

impl Sender {
    /// All of them.
    pub const ALL: [Sender; 4] = [
        Sender::GitHub,
        Sender::Gitea,
        Sender::Forgejo,
        Sender::GitLab,
    ];

    /// What `forge` says in `teal.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Sender::GitHub => "github",
            Sender::Gitea => "gitea",
            Sender::Forgejo => "forgejo",
            Sender::GitLab => "gitlab",
        }
    }
}

/// One delivery of a forge's webhook: event, payload, id and what vouches for it.
#[derive(Debug, Clone)]
pub struct Delivery {
    sender: Sender,
    event: String,
    payload: String,
    id: String,
    secret: String,
    form: bool,
}

/// What the hooks of these tests are signed with.
pub const SECRET: &str = "correct horse battery staple";

const ZEROS: &str = "0000000000000000000000000000000000000000";

impl Delivery {
    /// A delivery of this event.
    pub fn of(sender: Sender, event: &str, payload: &Value) -> Delivery {
        Delivery {
            sender,
            event: event.to_owned(),
            payload: payload.to_string(),
            id: "6f1c2a52-0000-4000-8000-000000000001".to_owned(),
            secret: SECRET.to_owned(),
            form: false,
        }
    }

    /// A push of this ref of the repository `owner/name` to this commit.
    pub fn push(sender: Sender, repository: &str, ref_name: &str, commit: &str) -> Delivery {
        if sender == Sender::GitLab {
            let event = match ref_name.starts_with("refs/tags/") {
                true => "Tag Push Hook",
                false => "Push Hook",
            };
            let payload = json!({
                "object_kind": "push", "ref": ref_name, "before": ZEROS, "after": commit,
                "checkout_sha": if commit == ZEROS { Value::Null } else { json!(commit) },
                "user_username": "ada", "project": { "path_with_namespace": repository },
                "commits": [], "total_commits_count": 0,
            });
            return Delivery::of(sender, event, &payload);
        }
        let payload = json!({
            "ref": ref_name, "before": ZEROS, "after": commit, "commits": [], "head_commit": null,
            "deleted": commit == ZEROS,
            "repository": { "full_name": repository, "clone_url": "http://127.0.0.1:9/elsewhere.git" },
            "pusher": { "name": "ada", "login": "ada", "email": "ada@example.com" },
        });
        Delivery::of(sender, "push", &payload)
    }

    /// A deleted branch.
    pub fn deletion(sender: Sender, repository: &str, ref_name: &str) -> Delivery {
        Delivery::push(sender, repository, ref_name, ZEROS)
    }

    /// A merged pull or merge request into `main`.
    pub fn merged(sender: Sender, repository: &str) -> Delivery {
        if sender == Sender::GitLab {
            let payload = json!({
                "object_kind": "merge_request", "project": { "path_with_namespace": repository },
                "object_attributes": { "iid": 7, "action": "merge", "target_branch": "main" },
            });
            return Delivery::of(sender, "Merge Request Hook", &payload);
        }
        let payload = json!({
            "action": "closed", "number": 7, "repository": { "full_name": repository },
            "pull_request": { "number": 7, "merged": true, "base": { "ref": "main" } },
        });
        Delivery::of(sender, "pull_request", &payload)
    }

    /// The same under another id: what a forge's "redeliver" never does, and an attacker would.
    pub fn id(mut self, last: u32) -> Delivery {
        self.id = format!("6f1c2a52-0000-4000-8000-{last:012}");
        self
    }

    /// The same, signed with another secret.
    pub fn secret(mut self, secret: &str) -> Delivery {
        self.secret = secret.to_owned();
        self
    }

    /// The same as a form.
    pub fn form(mut self) -> Delivery {
        self.form = true;
        self
    }

    /// Sends it to `/hooks/<app>`.
    #[track_caller]
    pub fn send(&self, to: SocketAddr, app: &str) -> Answer {
        let body = self.body();
        let mut request = format!(
            "POST /hooks/{app} HTTP/1.1\r\nHost: teal\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in self.headers(&body) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("\r\n{body}"));
        Connection::open(to)
            .and_then(|mut open| open.send("POST", &request))
            .unwrap_or_else(|error| panic!("the delivery is not answered: {error}"))
    }

    fn body(&self) -> String {
        if !self.form {
            return self.payload.clone();
        }
        form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &self.payload)
            .finish()
    }

    /// GitHub signs the body as it is sent, Gitea and Forgejo sign the payload in it, GitLab shows the secret.
    fn headers(&self, body: &str) -> Vec<(&'static str, String)> {
        let kind = match self.form {
            true => "application/x-www-form-urlencoded",
            false => "application/json",
        };
        let (event, id) = (self.event.clone(), self.id.clone());
        let own = self.signature(&self.payload);
        let hub = format!("sha256={}", self.signature(body));
        let mut headers = vec![("Content-Type", kind.to_owned())];
        let relative = [
            ("X-GitHub-Event", event.clone()),
            ("X-GitHub-Delivery", id.clone()),
            ("X-Hub-Signature-256", format!("sha256={own}")),
            ("X-Gitea-Event", event.clone()),
            ("X-Gitea-Delivery", id.clone()),
            ("X-Gitea-Signature", own.clone()),
        ];
        match self.sender {
            Sender::GitHub => headers.extend([
                ("X-GitHub-Event", event),
                ("X-GitHub-Delivery", id),
                ("X-GitHub-Hook-ID", "292430182".to_owned()),
                ("X-Hub-Signature-256", hub),
            ]),
            Sender::Gitea => headers.extend(relative),
            Sender::Forgejo => {
                headers.extend(relative);
                headers.extend([
                    ("X-Forgejo-Event", event),
                    ("X-Forgejo-Delivery", id),
                    ("X-Forgejo-Signature", own),
                ]);
            }
            Sender::GitLab => headers.extend([
                ("X-Gitlab-Event", event),
                ("Idempotency-Key", id),
                ("X-Gitlab-Token", self.secret.clone()),
            ]),
        }
        headers
    }

    fn signature(&self, text: &str) -> String {
        let mut mac =
            Hmac::<sha2::Sha256>::new_from_slice(self.secret.as_bytes()).expect("a secret");
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}
