//! Gitea and Forgejo: everything is a commit status, that of their own Actions too. A job that waits for another one need not
//! have its status yet, so that a run of this push which goes on counts as well, where the version lists runs.

use super::verdict::{Check, Standing};
use crate::config::ForgeApi;
use crate::domain::CommitId;
use crate::report::{GiteaApi, Refusal, Wire};
use serde_json::Value;

/// Pages of fifty, the most that a server gives unless it is told otherwise.
const PAGES: u32 = 10;

/// What their Actions write behind the name of a job that a pull request began: it tried another commit than this one, the
/// merge, and may be a stranger's.
const OF_A_PULL_REQUEST: [&str; 3] = [
    "(pull_request)",
    "(pull_request_target)",
    "(pull_request_sync)",
];

/// The checks of one repository.
#[derive(Debug)]
pub struct Gitea {
    api: GiteaApi,
}

impl Gitea {
    pub(super) fn new(wire: &Wire, api: &ForgeApi) -> Gitea {
        Gitea {
            api: GiteaApi::new(wire, api),
        }
    }

    pub(super) async fn checks(&self, commit: &CommitId) -> Result<Vec<Check>, Refusal> {
        // First the runs: what ends in between has its statuses by then.
        let runs = self.runs_that_go_on(commit).await?;
        let mut all = self.statuses(commit).await?;
        all.extend(runs);
        Ok(all)
    }

    /// The runs of Actions for a push of this commit that have not ended. Gitea words them as GitHub does, Forgejo in its own way.
    async fn runs_that_go_on(&self, commit: &CommitId) -> Result<Vec<Check>, Refusal> {
        let path = format!("actions/runs?head_sha={commit}&limit=50");
        let answer = match self.api.get(&path).await {
            Ok(answer) => answer,
            // Older versions list none, and without Actions there are none.
            Err(refusal) if refusal.words.starts_with("it answered 404") => return Ok(Vec::new()),
            Err(refusal) => return Err(refusal),
        };
        let all = answer.json["workflow_runs"].as_array();
        let all = all.map(Vec::as_slice).unwrap_or_default();
        let goes_on = |run: &&Value| {
            let sha = [&run["head_sha"], &run["commit_sha"]];
            let is_own = sha.into_iter().any(|sha| sha == commit.as_str());
            is_own && run["event"] == "push" && !has_ended(text(run, "status"))
        };
        let runs = all.iter().filter(goes_on).map(|run| Check {
            name: { [text(run, "workflow_id"), text(run, "path")] }
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or("Actions")
                .to_owned(),
            standing: Standing::Open,
            page: page(run, "html_url"),
            is_part: false,
        });
        Ok(runs.collect())
    }

    async fn statuses(&self, commit: &CommitId) -> Result<Vec<Check>, Refusal> {
        let mut all: Vec<Check> = Vec::new();
        for page in 1..=PAGES {
            let path = format!("commits/{commit}/status?page={page}&limit=50");
            let answer = self.api.get(&path).await?;
            let found = match &answer.json["statuses"] {
                Value::Array(found) => found,
                // Where there are none it says null.
                Value::Null if answer.json.is_object() => break,
                _ => return Err(answer.garbage()),
            };
            all.extend(found.iter().map(check));
            if found.is_empty() || all.len() as u64 >= total(&answer.json) {
                break;
            }
        }
        Ok(all)
    }
}

fn total(json: &Value) -> u64 {
    json["total_count"].as_u64().unwrap_or(0)
}

/// Whether a run is over, in the words of either.
fn has_ended(status: &str) -> bool {
    ["completed", "success", "failure", "cancelled", "skipped"].contains(&status)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn page(value: &Value, key: &str) -> Option<String> {
    let page = Some(text(value, key));
    page.filter(|page| page.starts_with("http"))
        .map(str::to_owned)
}

fn check(status: &Value) -> Check {
    let name = text(status, "context");
    Check {
        name: name.to_owned(),
        // What is sent as `state` comes back as `status`.
        standing: match text(status, "status") {
            "success" | "skipped" | "warning" => Standing::Good,
            "pending" => Standing::Open,
            other => Standing::Bad(other.to_owned()),
        },
        page: page(status, "target_url"),
        is_part: OF_A_PULL_REQUEST.iter().any(|end| name.ends_with(end)),
    }
}
