use super::service::{Reply, Stateful};
use crate::harness::Request;
use serde_json::{Value, json};

/// Gitea or Forgejo: the repository `blue/shop`.
#[derive(Default)]
pub struct Gitea {
    /// Commit statuses, oldest first.
    pub statuses: Vec<Value>,
    /// Whether the token's user may only read.
    pub reader: bool,
    /// Runs of Actions, where the version lists them.
    pub runs: Option<Vec<Value>>,
}

impl Stateful for Gitea {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if request.path == "/api/v1/repos/blue/shop" {
            let rights = json!({ "permissions": { "pull": true, "push": !self.reader } });
            return Some(Reply::json(200, rights));
        }
        let path = request.path.strip_prefix("/api/v1/repos/blue/shop/")?;
        if request.header("authorization") != "token forge-token" {
            return Some(Reply::json(401, json!({ "message": "token is required" })));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        match (request.method.as_str(), path.split_once('/')?) {
            ("POST", ("statuses", sha)) => {
                let states = ["pending", "success", "error", "failure", "warning"];
                if !states.iter().any(|state| body["state"] == *state) {
                    return None;
                }
                // What comes in as `state` goes out as `status`.
                let status = json!({
                    "id": self.statuses.len() + 1,
                    "sha": sha,
                    "status": body["state"],
                    "context": body["context"],
                    "description": body["description"],
                    "target_url": body["target_url"],
                });
                self.statuses.push(status.clone());
                Some(Reply::json(201, status))
            }
            ("GET", ("actions", "runs")) => Some(match &self.runs {
                Some(runs) => Reply::json(200, json!({ "workflow_runs": runs })),
                None => Reply::json(404, json!({ "message": "not found" })),
            }),
            ("GET", ("commits", rest)) if rest.ends_with("/status") => {
                let sha = rest.trim_end_matches("/status");
                let own: Vec<&Value> = { self.statuses.iter() }
                    .filter(|one| one["sha"] == sha)
                    .collect();
                let statuses = if own.is_empty() {
                    Value::Null
                } else {
                    json!(own)
                };
                let all = json!({ "state": "", "total_count": own.len(), "statuses": statuses });
                Some(Reply::json(200, all))
            }
            ("GET", ("commits", _)) => Some(Reply::json(200, json!(self.statuses))),
            _ => None,
        }
    }
}

/// GitLab: the project `blue/shop`.
#[derive(Default)]
pub struct GitLab {
    /// Commit statuses, oldest first; a changed one keeps its place.
    pub statuses: Vec<Value>,
    /// Environments.
    pub environments: Vec<Value>,
    /// Deployments, oldest first.
    pub deployments: Vec<Value>,
    /// The token's access level in the project, as GitLab counts them.
    pub level: u64,
}

const PROJECT: &str = "/api/v4/projects/blue%2Fshop/";

impl GitLab {
    fn status(&mut self, sha: &str, body: &Value) -> Reply {
        let name = &body["name"];
        let mut own = self.statuses.iter_mut();
        let open = own.rfind(|one| one["name"] == *name && one["sha"] == sha);
        if let Some(open) = open {
            if open["status"] == body["state"] {
                let why = format!("Cannot transition status via :run from :{}", open["status"]);
                return Reply::json(400, json!({ "message": why }));
            }
            if open["status"] == "running" || open["status"] == "pending" {
                open["status"] = body["state"].clone();
                open["description"] = body["description"].clone();
                return Reply::json(201, open.clone());
            }
        }
        let status = json!({
            "id": self.statuses.len() + 1,
            "sha": sha,
            "name": name,
            "status": body["state"],
            "description": body["description"],
            "target_url": body["target_url"],
        });
        self.statuses.push(status.clone());
        Reply::json(201, status)
    }
}

impl Stateful for GitLab {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if request.path == PROJECT.trim_end_matches('/') {
            let level =
                json!({ "project_access": null, "group_access": { "access_level": self.level } });
            return Some(Reply::json(200, json!({ "permissions": level })));
        }
        if request.path == "/api/v4/personal_access_tokens/self" {
            let own = json!({ "scopes": ["api"], "expires_at": "2027-01-31" });
            return Some(Reply::json(200, own));
        }
        let path: Vec<&str> = request.path.strip_prefix(PROJECT)?.split('/').collect();
        if request.header("private-token") != "forge-token" {
            return Some(Reply::json(401, json!({ "message": "401 Unauthorized" })));
        }
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        Some(match (request.method.as_str(), path.as_slice()) {
            ("POST", ["statuses", sha]) => self.status(sha, &body),
            ("GET", ["repository", "commits", sha, "statuses"]) => {
                let own = self.statuses.iter().filter(|one| one["sha"] == *sha);
                Reply::json(200, own.cloned().collect())
            }
            ("GET", ["environments"]) => Reply::json(200, json!(self.environments)),
            ("POST", ["environments"]) => {
                self.environments.push(body.clone());
                Reply::json(201, body)
            }
            ("GET", ["deployments"]) => {
                let newest: Vec<&Value> = self.deployments.iter().rev().take(1).collect();
                Reply::json(200, json!(newest))
            }
            ("POST", ["deployments"]) => {
                body["id"] = json!(self.deployments.len() + 1);
                self.deployments.push(body.clone());
                Reply::json(201, body)
            }
            ("PUT", ["deployments", id]) => {
                let id: u64 = id.parse().ok()?;
                let known = self.deployments.iter_mut().find(|one| one["id"] == id)?;
                known["status"] = body["status"].clone();
                Reply::json(200, known.clone())
            }
            _ => return None,
        })
    }
}
