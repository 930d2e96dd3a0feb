//! Gitea and Forgejo: everything is a commit status, that of their own Actions too, which all are there from the beginning.

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

fn check(status: &Value) -> Check {
    let text = |key: &str| status[key].as_str().unwrap_or_default();
    let name = text("context");
    Check {
        name: name.to_owned(),
        // What is sent as `state` comes back as `status`.
        standing: match text("status") {
            "success" | "skipped" | "warning" => Standing::Good,
            "pending" => Standing::Open,
            other => Standing::Bad(other.to_owned()),
        },
        page: Some(text("target_url"))
            .filter(|page| page.starts_with("http"))
            .map(str::to_owned),
        is_part: OF_A_PULL_REQUEST.iter().any(|end| name.ends_with(end)),
    }
}
