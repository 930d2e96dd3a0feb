//! Gitea and Forgejo: commit statuses.

use super::gitea_api::GiteaApi;
use super::state::{State, context};
use crate::config::ForgeApi;
use crate::report::News;
use crate::report::message::summary;
use crate::report::wire::{Refusal, Wire};
use serde_json::{Value, json};

/// A repository at Gitea or Forgejo.
#[derive(Debug, Clone)]
pub struct Gitea {
    api: GiteaApi,
}

const DESCRIPTION: usize = 200;

impl Gitea {
    /// The repository that the API names.
    pub fn new(wire: &Wire, api: &ForgeApi) -> Gitea {
        Gitea {
            api: GiteaApi::new(wire, api),
        }
    }

    /// Tells it; what the forge answered, in words.
    pub async fn tell(&self, news: &News) -> Result<String, Refusal> {
        let sha = news.deployment.commit.as_str();
        let context = context(&self.api.api, news);
        let state = State::of(news.moment).status();
        let description = summary(news, DESCRIPTION);
        if news.again && self.has(sha, &context, state, &description).await? {
            return Ok("it has this status already".to_owned());
        }
        let body = json!({
            "state": state,
            "context": context,
            "description": description,
            "target_url": news.page,
        });
        self.api.post(&format!("statuses/{sha}"), &body).await?;
        let short = news.deployment.commit.short();
        Ok(format!("it shows {context} as {state} on {short}"))
    }

    /// Asks what the token may do, and tells nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        let answer = self.api.get("").await?;
        let project = &self.api.api.project;
        match answer
            .json
            .pointer("/permissions/push")
            .and_then(Value::as_bool)
        {
            Some(true) => Ok(format!("its token's user may write to {project}")),
            Some(false) => Err(Refusal::later(format!(
                "its token's user may read {project} and not write to it"
            ))),
            None => Err(answer.garbage()),
        }
    }

    async fn has(
        &self,
        sha: &str,
        context: &str,
        state: &str,
        description: &str,
    ) -> Result<bool, Refusal> {
        let path = format!("commits/{sha}/statuses?sort=recentupdate&limit=50");
        let answer = self.api.get(&path).await?;
        let all = answer
            .json
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own = all.iter().filter(|one| one["context"] == context);
        let newest = own.max_by_key(|one| one["id"].as_u64());
        // What is sent as `state` comes back as `status`.
        let same = |one: &Value| one["status"] == state && one["description"] == description;
        Ok(newest.is_some_and(same))
    }
}
