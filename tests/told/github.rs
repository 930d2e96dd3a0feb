use super::service::{Reply, Stateful};
use crate::harness::Request;
use serde_json::{Value, json};

/// GitHub: the repository `blue/shop` under `/api/v3`, as GitHub Enterprise has it.
#[derive(Default)]
pub struct GitHub {
    /// Commit statuses, oldest first, each with its `sha`.
    pub statuses: Vec<Value>,
    /// Deployments, oldest first.
    pub deployments: Vec<Value>,
    /// Their statuses, oldest first, each with `deployment`.
    pub deployment_statuses: Vec<Value>,
    /// Merged pull requests: number and merge commit.
    pub pulls: Vec<(u64, String)>,
    /// Runs of workflows, as they stand, newest first.
    pub runs: Vec<Value>,
    /// Check runs, each with its `head_sha`.
    pub check_runs: Vec<Value>,
    /// What workflows that asked were answered, oldest first: run, state, comment.
    pub reviews: Vec<(u64, String, String)>,
    /// Comments, oldest first, each with `id`, `issue` and `body`.
    pub comments: Vec<Value>,
    /// Tokens of the app's installation that were given out; only the last one is good.
    pub installation_tokens: usize,
    /// Whether the plain token is accepted.
    pub token_revoked: bool,
    /// Whether the token may not read Actions.
    pub hides_runs: bool,
    /// The scopes of the token, if it is a classic one.
    pub scopes: Option<&'static str>,
}

pub const TOKEN: &str = "ghp_token";
const REPO: &str = "/api/v3/repos/blue/shop/";

impl GitHub {
    /// The words of a commit's statuses, oldest first.
    pub fn words(&self, context: &str) -> Vec<String> {
        let own = self.statuses.iter().filter(|one| one["context"] == context);
        own.map(|one| format!("{}: {}", text(&one["state"]), text(&one["description"])))
            .collect()
    }

    /// Each deployment's states, oldest first.
    pub fn states(&self) -> Vec<Vec<String>> {
        let of = |id: &Value| {
            let own = self
                .deployment_statuses
                .iter()
                .filter(|one| one["deployment"] == *id);
            own.map(|one| text(&one["state"])).collect()
        };
        self.deployments.iter().map(|one| of(&one["id"])).collect()
    }

    fn authorized(&self, request: &Request) -> bool {
        let installation = format!("Bearer ghs_{}", self.installation_tokens);
        let given = request.header("authorization");
        let plain = given == format!("Bearer {TOKEN}") && !self.token_revoked;
        plain || (self.installation_tokens > 0 && given == installation)
    }

    fn app_token(&mut self, request: &Request) -> Reply {
        // A JWT has three parts.
        if request.header("authorization").split('.').count() != 3 {
            return Reply::json(
                401,
                json!({ "message": "A JSON web token could not be decoded" }),
            );
        }
        self.installation_tokens += 1;
        // Already about to end, so that the next request has to ask for another one.
        let token = json!({
            "token": format!("ghs_{}", self.installation_tokens),
            "expires_at": "2020-01-01T00:00:00Z",
            "permissions": { "statuses": "write" },
        });
        Reply::json(201, token)
    }

    fn status(&mut self, sha: &str, mut body: Value) -> Reply {
        if text(&body["description"]).chars().count() > 140 {
            return Reply::json(
                422,
                json!({ "message": "description is too long (maximum is 140 characters)" }),
            );
        }
        body["sha"] = json!(sha);
        body["id"] = json!(self.statuses.len() + 1);
        self.statuses.push(body.clone());
        Reply::json(201, body)
    }

    fn deployment(&mut self, mut body: Value) -> Reply {
        let pending = self.statuses.iter().rfind(|one| one["sha"] == body["ref"]);
        let pending = pending.is_some_and(|one| one["state"] == "pending");
        if pending && body["required_contexts"] != json!([]) {
            return Reply::json(
                409,
                json!({ "message": "Conflict: Commit status checks failed" }),
            );
        }
        if body["auto_merge"] != false {
            return Reply::json(202, json!({ "message": "Auto-merged" }));
        }
        body["id"] = json!(1000 + self.deployments.len());
        self.deployments.push(body.clone());
        Reply::json(201, body)
    }

    fn deployment_status(&mut self, id: u64, mut body: Value) -> Reply {
        if !self.deployments.iter().any(|one| one["id"] == id) {
            return missing();
        }
        body["deployment"] = json!(id);
        self.deployment_statuses.push(body.clone());
        Reply::json(201, body)
    }

    /// The newest status of each context, as GitHub combines them.
    fn combined(&self, sha: &str) -> Reply {
        let mut newest: Vec<&Value> = Vec::new();
        for status in self.statuses.iter().rev().filter(|one| one["sha"] == sha) {
            if !newest.iter().any(|one| one["context"] == status["context"]) {
                newest.push(status);
            }
        }
        let all = json!({ "state": "pending", "sha": sha, "total_count": newest.len(), "statuses": newest });
        Reply::json(200, all)
    }

    fn listed(&self, key: &str, all: &[Value], sha: &str) -> Reply {
        let own: Vec<&Value> = all.iter().filter(|one| one["head_sha"] == sha).collect();
        Reply::json(200, json!({ "total_count": own.len(), key: own }))
    }

    fn review(&mut self, run: u64, body: &Value) -> Reply {
        if body["environment_name"] != "production" {
            return Reply::json(422, json!({ "message": "No such environment" }));
        }
        let state = body["state"].as_str().unwrap_or("waits").to_owned();
        self.reviews.push((run, state, text(&body["comment"])));
        Reply::text(204, "")
    }

    fn comment(&mut self, issue: u64, body: &Value) -> Reply {
        let id = 500 + self.comments.len();
        let comment = json!({ "id": id, "issue": issue, "body": body["body"] });
        self.comments.push(comment.clone());
        Reply::json(201, comment)
    }

    fn edit(&mut self, id: u64, body: &Value) -> Reply {
        match self.comments.iter_mut().find(|one| one["id"] == id) {
            Some(comment) => {
                comment["body"] = body["body"].clone();
                Reply::json(200, comment.clone())
            }
            None => missing(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn missing() -> Reply {
    Reply::json(404, json!({ "message": "Not Found" }))
}

fn newest_first<'a>(all: impl DoubleEndedIterator<Item = &'a Value>) -> Reply {
    Reply::json(200, Value::Array(all.rev().cloned().collect()))
}

impl Stateful for GitHub {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if request.path == "/api/v3/app/installations/7/access_tokens" {
            return Some(self.app_token(request));
        }
        if !self.authorized(request) {
            return Some(Reply::json(401, json!({ "message": "Bad credentials" })));
        }
        if request.path == REPO.trim_end_matches('/') {
            let shown = Reply::json(200, json!({ "full_name": "blue/shop" }));
            return Some(match &self.scopes {
                Some(scopes) => shown.header("x-oauth-scopes", scopes),
                None => shown,
            });
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let path: Vec<&str> = request.path.strip_prefix(REPO)?.split('/').collect();
        Some(match (request.method.as_str(), path.as_slice()) {
            ("POST", ["statuses", sha]) => self.status(sha, body),
            ("GET", ["commits", sha, "statuses"]) => {
                newest_first(self.statuses.iter().filter(|one| one["sha"] == *sha))
            }
            ("GET", ["commits", sha, "status"]) => self.combined(sha),
            ("GET", ["commits", sha, "check-runs"]) => {
                self.listed("check_runs", &self.check_runs, sha)
            }
            ("GET", ["actions", "runs"]) if self.hides_runs => {
                let why = "Resource not accessible by personal access token";
                Reply::json(403, json!({ "message": why }))
            }
            ("GET", ["actions", "runs"]) => {
                let (sha, _) = request.query.split_once("head_sha=")?.1.split_once('&')?;
                self.listed("workflow_runs", &self.runs, sha)
            }
            ("POST", ["actions", "runs", run, "deployment_protection_rule"]) => {
                self.review(run.parse().ok()?, &body)
            }
            ("POST", ["deployments"]) => self.deployment(body),
            ("GET", ["deployments"]) => newest_first(self.deployments.iter()),
            ("POST", ["deployments", id, "statuses"]) => {
                self.deployment_status(id.parse().ok()?, body)
            }
            ("GET", ["deployments", id, "statuses"]) => {
                let id: u64 = id.parse().ok()?;
                let own = self.deployment_statuses.iter();
                newest_first(own.filter(|one| one["deployment"] == id))
            }
            ("GET", ["commits", sha, "pulls"]) => {
                let merged = self.pulls.iter().filter(|(_, merge)| merge == sha);
                let shown = merged.map(|(number, merge)| {
                    json!({ "number": number, "merged_at": "2026-11-23T08:00:00Z", "merge_commit_sha": merge })
                });
                Reply::json(200, shown.collect())
            }
            ("POST", ["issues", issue, "comments"]) => self.comment(issue.parse().ok()?, &body),
            ("GET", ["issues", issue, "comments"]) => {
                let issue: u64 = issue.parse().ok()?;
                let own: Vec<&Value> = { self.comments.iter() }
                    .filter(|one| one["issue"] == issue)
                    .collect();
                Reply::json(200, json!(own))
            }
            ("PATCH", ["issues", "comments", id]) => self.edit(id.parse().ok()?, &body),
            _ => return None,
        })
    }
}
