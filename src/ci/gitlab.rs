//! GitLab: the jobs of the ref's pipelines, and the statuses that others have set. The pipeline's own status is not looked
//! at: Teal's status is one of its jobs, and it would wait for itself.

use super::branch_or_tag;
use super::verdict::{Check, Standing};
use crate::config::ForgeApi;
use crate::domain::CommitId;
use crate::report::{GitLabApi, Refusal, Wire};
use serde_json::Value;

const PAGES: u32 = 10;

/// The checks of one project.
#[derive(Debug)]
pub struct GitLab {
    api: GitLabApi,
}

impl GitLab {
    pub(super) fn new(wire: &Wire, api: &ForgeApi) -> GitLab {
        GitLab {
            api: GitLabApi::new(wire, api),
        }
    }

    pub(super) async fn checks(
        &self,
        commit: &CommitId,
        ref_name: &str,
    ) -> Result<Vec<Check>, Refusal> {
        // Without a ref GitLab means the default branch.
        let of_ref = branch_or_tag(ref_name).map_or_else(String::new, |name| {
            let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            format!("&ref={name}")
        });
        let mut all: Vec<Check> = Vec::new();
        for page in 1..=PAGES {
            let path =
                format!("repository/commits/{commit}/statuses?per_page=100&page={page}{of_ref}");
            let answer = self.api.get(&path).await;
            let answer = answer.map_err(|refusal| self.api.advise(refusal))?;
            let found = answer.json.as_array().ok_or_else(|| answer.garbage())?;
            all.extend(found.iter().map(check));
            if found.len() < 100 {
                break;
            }
        }
        Ok(all)
    }
}

fn check(job: &Value) -> Check {
    let text = |key: &str| job[key].as_str().unwrap_or_default();
    let may_fail = job["allow_failure"] == true;
    Check {
        name: text("name").to_owned(),
        standing: match text("status") {
            "success" | "skipped" => Standing::Good,
            "failed" | "canceled" | "manual" if may_fail => Standing::Good,
            other @ ("failed" | "canceled") => Standing::Bad(other.to_owned()),
            _ => Standing::Open,
        },
        page: job["target_url"].as_str().map(str::to_owned),
        is_part: false,
    }
}
