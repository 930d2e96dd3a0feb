//! GitHub: the answer to a workflow that asks whether it may deploy.

use super::github_client::GitHubApi;
use crate::config::ForgeApi;
use crate::report::wire::Refusal;
use serde_json::json;

/// What a workflow is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// It may deploy.
    Approved,
    /// It may not.
    Rejected,
    /// It has to wait.
    Waits,
}

/// Who answers the workflows of one repository. Only a GitHub App may: a protection rule is made by one.
#[derive(Debug)]
pub struct Reviewer {
    api: GitHubApi,
    config: ForgeApi,
}

impl Reviewer {
    /// The one for this repository.
    pub fn new(config: &ForgeApi) -> Result<Reviewer, Refusal> {
        Ok(Reviewer {
            api: GitHubApi::new(config)?,
            config: config.clone(),
        })
    }

    /// Answers the run that asked for the environment of this name, and says why.
    pub async fn answer(
        &self,
        run: u64,
        label: &str,
        review: Review,
        why: &str,
    ) -> Result<(), Refusal> {
        let project = &self.config.project;
        let path = format!("/repos/{project}/actions/runs/{run}/deployment_protection_rule");
        let mut body = json!({ "environment_name": label, "comment": why });
        match review {
            Review::Approved => body["state"] = json!("approved"),
            Review::Rejected => body["state"] = json!("rejected"),
            Review::Waits => {}
        }
        let answer = self.api.post(&path, &body).await?.taken();
        answer.map(drop).map_err(|refusal| self.advise(refusal))
    }

    fn advise(&self, refusal: Refusal) -> Refusal {
        match refusal.words.get(..15) {
            Some("it answered 401") => refusal.hint("the token is wrong or has expired"),
            Some("it answered 403" | "it answered 404") => refusal.hint(&format!(
                "only an installation of a GitHub App (`github_app`) with \"Deployments: write\" for {} may answer",
                self.config.project
            )),
            _ => refusal,
        }
    }
}
