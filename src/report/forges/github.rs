//! GitHub: commit statuses, and deployments, which its pages show under "Environments".

use super::github_client::GitHubApi;
use super::github_comment;
use super::state::{State, context};
use crate::config::ForgeApi;
use crate::domain::Kind;
use crate::report::memory::Memory;
use crate::report::message::summary;
use crate::report::wire::{Answer, Refusal};
use crate::report::{COMMENTS, DEPLOYMENTS, News};
use serde_json::{Value, json};

/// One of the three things that GitHub is told about an app.
#[derive(Debug, Clone)]
pub struct GitHub {
    client: GitHubApi,
    api: ForgeApi,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Statuses,
    Deployments,
    Comments,
}

/// Longer descriptions are answered with 422.
const DESCRIPTION: usize = 140;

impl GitHub {
    /// Tells what the last part of a target's name says.
    pub fn new(api: &ForgeApi, what: &str) -> Result<GitHub, Refusal> {
        Ok(GitHub {
            client: GitHubApi::new(api)?,
            api: api.clone(),
            what: match what {
                DEPLOYMENTS => What::Deployments,
                COMMENTS => What::Comments,
                _ => What::Statuses,
            },
        })
    }

    /// Tells it; what GitHub answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let told = match self.what {
            What::Statuses => self.status(news).await,
            What::Deployments if news.test => self.look().await,
            What::Deployments => self.deployment(news, memory).await,
            What::Comments if news.test => self.look().await,
            What::Comments => {
                github_comment::tell(&self.client, &self.api.project, news, memory).await
            }
        };
        told.map_err(|refusal| self.advise(refusal))
    }

    fn advise(&self, refusal: Refusal) -> Refusal {
        let right = match self.what {
            What::Statuses => "Commit statuses: write",
            What::Deployments => "Deployments: write",
            What::Comments => "Pull requests: write",
        };
        let project = &self.api.project;
        if refusal.words.starts_with("it answered 401") {
            return refusal.hint("the token is wrong or has expired");
        }
        let hidden = refusal.words.starts_with("it answered 404");
        let forbidden = refusal.words.starts_with("it answered 403")
            && refusal.retry == super::super::wire::Retry::Later;
        if hidden || forbidden {
            return refusal.hint(&format!("the token needs \"{right}\" for {project}"));
        }
        refusal
    }

    /// Asks what the token may do, and tells nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        self.rights().await.map_err(|refusal| self.advise(refusal))
    }

    async fn rights(&self) -> Result<String, Refusal> {
        let project = &self.api.project;
        let answer = self.client.get(&format!("/repos/{project}")).await?;
        let answer = answer.taken()?;
        // Only classic tokens have scopes. Others are granted each right by itself, which GitHub tells nobody before it is used.
        let scopes = answer.headers.get("x-oauth-scopes");
        let scopes = scopes
            .and_then(|scopes| scopes.to_str().ok())
            .map(str::trim);
        let (enough, named) = match self.what {
            What::Statuses => (["repo", "repo:status"], "repo:status"),
            What::Deployments => (["repo", "repo_deployment"], "repo_deployment"),
            What::Comments => (["repo", "public_repo"], "repo"),
        };
        match scopes.filter(|scopes| !scopes.is_empty()) {
            Some(scopes) if !scopes.split(',').any(|one| enough.contains(&one.trim())) => {
                Err(Refusal::later(format!(
                    "its token has the scopes {scopes}; it needs {named}"
                )))
            }
            Some(scopes) => Ok(format!("{project} is open to its token ({scopes})")),
            None => Ok(format!("{project} is open to its token")),
        }
    }

    /// Looks without telling: deployments and comments have no place where an example disturbs nobody.
    async fn look(&self) -> Result<String, Refusal> {
        let path = format!("/repos/{}/deployments?per_page=1", self.api.project);
        self.client.get(&path).await?.taken()?;
        Ok("it lets Teal read; an example would be seen by everybody, so none was made".to_owned())
    }

    async fn status(&self, news: &News) -> Result<String, Refusal> {
        let sha = news.deployment.commit.as_str();
        let context = context(&self.api, news);
        let state = State::of(news.moment).status();
        let description = summary(news, DESCRIPTION);
        if news.again && self.has_status(sha, &context, state, &description).await? {
            return Ok("it has this status already".to_owned());
        }
        let path = format!("/repos/{}/statuses/{sha}", self.api.project);
        let body = json!({
            "state": state,
            "context": context,
            "description": description,
            "target_url": news.page,
        });
        self.client.post(&path, &body).await?.taken()?;
        let short = news.deployment.commit.short();
        Ok(format!("it shows {context} as {state} on {short}"))
    }

    async fn has_status(
        &self,
        sha: &str,
        context: &str,
        state: &str,
        description: &str,
    ) -> Result<bool, Refusal> {
        let path = format!(
            "/repos/{}/commits/{sha}/statuses?per_page=100",
            self.api.project
        );
        let answer = self.client.get(&path).await?.taken()?;
        let all = answer
            .json
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        // The newest one of a context comes first, and counts; upper and lower case are one to GitHub.
        let newest = all
            .iter()
            .find(|one| text(one, "context").eq_ignore_ascii_case(context));
        Ok(newest.is_some_and(|one| {
            text(one, "state") == state && text(one, "description") == description
        }))
    }

    async fn deployment(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let subject = format!("deployment {}", news.deployment.id);
        let state = State::of(news.moment);
        let known: Option<u64> = memory.recall(subject.clone()).await?;
        let id = match known {
            Some(id) => id,
            None if state == State::Over => {
                return Ok("it never heard of this deployment".to_owned());
            }
            None => {
                let found = match news.again {
                    true => self.find(news).await?,
                    false => None,
                };
                let id = match found {
                    Some(id) => id,
                    None => self.create(news).await?,
                };
                memory.remember(subject, id).await?;
                id
            }
        };
        self.set(id, state.deployment(), news).await?;
        if state == State::Good {
            let live = format!("live {}", news.env());
            let before: Option<u64> = memory.recall(live.clone()).await?;
            if let Some(before) = before.filter(|before| *before != id) {
                self.retire(before, news).await?;
            }
            memory.remember(live, id).await?;
        }
        let env = self.api.label(news.env());
        Ok(format!("it shows {env} as {}", state.deployment()))
    }

    async fn create(&self, news: &News) -> Result<u64, Refusal> {
        let env = self.api.label(news.env());
        let task = match news.deployment.kind {
            Kind::Deploy => "deploy",
            Kind::Rollback { .. } => "rollback",
            Kind::Restart => "restart",
            Kind::Promote { .. } => "promote",
        };
        // With contexts required, one's own pending status makes a conflict; an automatic merge is no deployment at all.
        let body = json!({
            "ref": news.deployment.commit.as_str(),
            "task": task,
            "auto_merge": false,
            "required_contexts": [],
            "environment": env,
            "description": format!("deployment {}", news.deployment.id),
            "payload": { "teal": mark(news) },
            "transient_environment": false,
            "production_environment": news.env().env.as_str() == "production",
        });
        let path = format!("/repos/{}/deployments", self.api.project);
        let answer = self.client.post(&path, &body).await?.taken()?;
        match answer.status.as_u16() {
            201 => answer.id("/id"),
            _ => Err(answer.garbage()),
        }
    }

    /// The deployment that an earlier try made although its answer was lost.
    async fn find(&self, news: &News) -> Result<Option<u64>, Refusal> {
        let sha = news.deployment.commit.as_str();
        let path = format!(
            "/repos/{}/deployments?sha={sha}&environment={}&per_page=100",
            self.api.project,
            query(&self.api.label(news.env()))
        );
        let answer = self.client.get(&path).await?.taken()?;
        let all = answer
            .json
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own = mark(news);
        let is_own = |one: &&Value| match &one["payload"] {
            // Some versions give the payload back as the text that it was sent as.
            Value::String(text) => text.contains(&own),
            payload => payload["teal"] == own.as_str(),
        };
        Ok(all.iter().find(is_own).and_then(|one| one["id"].as_u64()))
    }

    async fn set(&self, id: u64, state: &str, news: &News) -> Result<Answer, Refusal> {
        let path = format!("/repos/{}/deployments/{id}/statuses", self.api.project);
        if news.again {
            let now = self
                .client
                .get(&format!("{path}?per_page=1"))
                .await?
                .taken()?;
            if now.str("/0/state") == Some(state) {
                return Ok(now);
            }
        }
        // GitHub retires old deployments of its own accord, but never those of production: Teal does it everywhere.
        let body = json!({
            "state": state,
            "log_url": news.page,
            "environment_url": news.url,
            "description": summary(news, DESCRIPTION),
            "auto_inactive": false,
        });
        self.client.post(&path, &body).await?.taken()
    }

    async fn retire(&self, id: u64, news: &News) -> Result<(), Refusal> {
        let path = format!("/repos/{}/deployments/{id}/statuses", self.api.project);
        if news.again {
            let now = self
                .client
                .get(&format!("{path}?per_page=1"))
                .await?
                .taken()?;
            if now.str("/0/state") == Some("inactive") {
                return Ok(());
            }
        }
        let words = format!("deployment {} took its place", news.deployment.id);
        let body = json!({ "state": "inactive", "description": words });
        let answer = self.client.post(&path, &body).await?;
        match answer.status.as_u16() {
            // Somebody removed it there; then it is no longer shown as live either.
            404 => Ok(()),
            _ => answer.taken().map(|_| ()),
        }
    }
}

/// What tells this deployment from those of other servers in the same repository.
fn mark(news: &News) -> String {
    news.page.clone()
}

fn query(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
