//! GitLab: commit statuses, environments and deployments.

use super::gitlab_api::{GitLabApi, query};
use super::state::{State, context};
use crate::config::ForgeApi;
use crate::report::memory::Memory;
use crate::report::message::summary;
use crate::report::wire::{Refusal, Wire};
use crate::report::{DEPLOYMENTS, News};
use http::Method;
use serde_json::{Value, json};

/// One of the two things that GitLab is told about an app.
#[derive(Debug, Clone)]
pub struct GitLab {
    api: GitLabApi,
    deployments: bool,
}

const DESCRIPTION: usize = 200;

impl GitLab {
    /// Tells what the last part of a target's name says.
    pub fn new(wire: &Wire, api: &ForgeApi, what: &str) -> GitLab {
        GitLab {
            api: GitLabApi::new(wire, api),
            deployments: what == DEPLOYMENTS,
        }
    }

    /// Tells it; what GitLab answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let told = match (self.deployments, news.test) {
            (false, _) => self.status(news).await,
            (true, true) => self.look().await,
            (true, false) => self.deployment(news, memory).await,
        };
        told.map_err(|refusal| self.api.advise(refusal))
    }

    /// Asks what the token may do, and until when; tells nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        self.rights()
            .await
            .map_err(|refusal| self.api.advise(refusal))
    }

    async fn rights(&self) -> Result<String, Refusal> {
        const DEVELOPER: u64 = 30;
        let project = &self.api.api.project;
        let request = self.api.request(Method::GET, "");
        let answer = self.api.send(request).await?.taken()?;
        let level = |whose: &str| answer.number(&format!("/permissions/{whose}/access_level"));
        let levels = [level("project_access"), level("group_access")];
        let level = levels.into_iter().flatten().max().unwrap_or(0);
        if level < DEVELOPER {
            return Err(Refusal::later(format!(
                "its token may do less in {project} than the role Developer"
            )));
        }
        // Tokens of jobs and of older versions do not know themselves; then there is nothing more to be said of them.
        let url = format!("{}/personal_access_tokens/self", self.api.api.url);
        let own = self
            .api
            .send(self.api.authorized(Method::GET, &url))
            .await?;
        let scopes = own.json["scopes"].as_array();
        if scopes.is_some_and(|all| !all.iter().any(|one| one == "api")) {
            return Err(Refusal::later("its token lacks the scope `api`"));
        }
        let until = match own.str("/expires_at") {
            Some(day) => format!(" until {day}"),
            None => String::new(),
        };
        Ok(format!("{project} is open to its token{until}"))
    }

    async fn look(&self) -> Result<String, Refusal> {
        self.api.get("deployments?per_page=1").await?;
        Ok("it lets Teal read; an example would be seen by everybody, so none was made".to_owned())
    }

    async fn status(&self, news: &News) -> Result<String, Refusal> {
        let sha = news.deployment.commit.as_str();
        let context = context(&self.api.api, news);
        let state = State::of(news.moment).gitlab();
        let short = news.deployment.commit.short();
        if news.again && self.newest(sha, &context).await?.as_deref() == Some(state) {
            return Ok("it has this status already".to_owned());
        }
        let body = json!({
            "state": state,
            "name": context,
            "description": summary(news, DESCRIPTION),
            "target_url": news.page,
        });
        let request = self
            .api
            .request(Method::POST, &format!("statuses/{sha}"))
            .json(&body);
        let answer = self.api.send(request).await?;
        if !answer.status.is_success() && answer.text.contains("Cannot transition") {
            // GitLab has no way from a state to itself; what it has is looked at.
            return match self.newest(sha, &context).await? {
                Some(now) if now == state => Ok("it has this status already".to_owned()),
                _ => Err(answer.refusal()),
            };
        }
        answer.taken()?;
        Ok(format!("it shows {context} as {state} on {short}"))
    }

    async fn newest(&self, sha: &str, context: &str) -> Result<Option<String>, Refusal> {
        let name = query(context);
        let answer = self
            .api
            .get(&format!(
                "repository/commits/{sha}/statuses?name={name}&per_page=100"
            ))
            .await?;
        let all = answer.json.as_array().ok_or_else(|| answer.garbage())?;
        let own = all.iter().filter(|one| one["name"] == context);
        let newest = own.max_by_key(|one| one["id"].as_u64());
        Ok(newest
            .and_then(|one| one["status"].as_str())
            .map(str::to_owned))
    }

    async fn deployment(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let state = State::of(news.moment);
        let env = self.api.api.label(news.env());
        if state == State::Waiting {
            return Ok("GitLab's deployments begin when they run".to_owned());
        }
        let word = state.gitlab();
        let subject = format!("deployment {}", news.deployment.id);
        let known: Option<u64> = memory.recall(subject.clone()).await?;
        if let Some(id) = known {
            let request = self.api.request(Method::PUT, &format!("deployments/{id}"));
            let answer = self
                .api
                .send(request.json(&json!({ "status": word })))
                .await?;
            if !answer.text.contains("Cannot transition") {
                answer.taken()?;
            }
            return Ok(format!("it shows {env} as {word}"));
        }
        if state == State::Over {
            return Ok("it never heard of this deployment".to_owned());
        }
        self.environment(&env, news).await?;
        let found = match news.again {
            true => self.find(&env, word, news).await?,
            false => None,
        };
        let id = match found {
            Some(id) => id,
            None => self.create(&env, word, news).await?,
        };
        memory.remember(subject, id).await?;
        Ok(format!("it shows {env} as {word}"))
    }

    async fn create(&self, env: &str, word: &str, news: &News) -> Result<u64, Refusal> {
        let name = &news.deployment.ref_name;
        let tag = name.starts_with("refs/tags/");
        let short = { name.strip_prefix("refs/heads/") }
            .or_else(|| name.strip_prefix("refs/tags/"))
            .unwrap_or(name);
        let body = json!({
            "environment": env,
            "sha": news.deployment.commit.as_str(),
            "ref": short,
            "tag": tag,
            "status": word,
        });
        let request = self.api.request(Method::POST, "deployments").json(&body);
        self.api.send(request).await?.taken()?.id("/id")
    }

    /// The deployment that an earlier try made although its answer was lost: the newest one, when it is of this commit and
    /// in this state.
    async fn find(&self, env: &str, word: &str, news: &News) -> Result<Option<u64>, Refusal> {
        let path = format!(
            "deployments?environment={}&order_by=id&sort=desc&per_page=1",
            query(env)
        );
        let answer = self.api.get(&path).await?;
        let newest = answer.json.pointer("/0").unwrap_or(&Value::Null);
        let own = newest["sha"] == news.deployment.commit.as_str() && newest["status"] == word;
        Ok(newest["id"].as_u64().filter(|_| own))
    }

    /// Makes sure that the environment is there, with the address that people reach it by.
    async fn environment(&self, env: &str, news: &News) -> Result<(), Refusal> {
        let found = self
            .api
            .get(&format!("environments?name={}", query(env)))
            .await?;
        if found.json.as_array().is_some_and(|all| !all.is_empty()) {
            return Ok(());
        }
        let body = json!({ "name": env, "external_url": news.url });
        let request = self.api.request(Method::POST, "environments").json(&body);
        let answer = self.api.send(request).await?;
        // Somebody else made it meanwhile.
        if answer.text.contains("already been taken") {
            return Ok(());
        }
        answer.taken().map(|_| ())
    }
}
