//! One comment on the merged pull request, with a line for each environment, edited as deployments go.

use super::github_client::GitHubApi;
use crate::report::News;
use crate::report::escape::markdown;
use crate::report::memory::Memory;
use crate::report::message::message;
use crate::report::wire::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is remembered of a pull request's comment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Comment {
    id: Option<u64>,
    lines: BTreeMap<String, String>,
}

/// By this line an earlier comment is found again whose number was lost; people do not see it.
const MARK: &str = "<!-- teal: deployments -->";

pub(super) async fn tell(
    client: &GitHubApi,
    project: &str,
    news: &News,
    memory: &Memory,
) -> Result<String, Refusal> {
    let Some(pull) = merged(client, project, news).await? else {
        return Ok("no merged pull request has this commit".to_owned());
    };
    let subject = format!("pull {pull}");
    let mut comment: Comment = memory.recall(subject.clone()).await?.unwrap_or_default();
    comment.lines.insert(news.env().to_string(), line(news));
    let body = json!({ "body": text(&comment) });
    if comment.id.is_none() && news.again {
        comment.id = find(client, project, pull).await?;
    }
    if let Some(id) = comment.id {
        let path = format!("/repos/{project}/issues/comments/{id}");
        let answer = client.patch(&path, &body).await?;
        // A comment that somebody deleted is written anew.
        if answer.status.as_u16() != 404 {
            answer.taken()?;
            memory.remember(subject, comment).await?;
            return Ok(format!("it shows the comment on #{pull} anew"));
        }
    }
    let path = format!("/repos/{project}/issues/{pull}/comments");
    let answer = client.post(&path, &body).await?.taken()?;
    comment.id = Some(answer.id("/id")?);
    memory.remember(subject, comment).await?;
    Ok(format!("it shows a comment on #{pull}"))
}

/// The merged pull request that brought the commit.
async fn merged(client: &GitHubApi, project: &str, news: &News) -> Result<Option<u64>, Refusal> {
    let sha = news.deployment.commit.as_str();
    let path = format!("/repos/{project}/commits/{sha}/pulls?per_page=100");
    let answer = client.get(&path).await?.taken()?;
    let all = answer.json.as_array().ok_or_else(|| answer.garbage())?;
    let is_merged = |one: &&Value| one["merged_at"].is_string();
    let brought = |one: &&Value| one["merge_commit_sha"] == sha;
    let merged = all.iter().filter(is_merged);
    let best = merged.clone().find(brought).or(merged.clone().next());
    Ok(best.and_then(|one| one["number"].as_u64()))
}

async fn find(client: &GitHubApi, project: &str, pull: u64) -> Result<Option<u64>, Refusal> {
    let path = format!("/repos/{project}/issues/{pull}/comments?per_page=100");
    let answer = client.get(&path).await?.taken()?;
    let all = answer
        .json
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_own = |one: &&Value| {
        let body = one["body"].as_str().unwrap_or_default();
        body.starts_with(MARK)
    };
    Ok(all.iter().find(is_own).and_then(|one| one["id"].as_u64()))
}

fn line(news: &News) -> String {
    let message = message(news);
    let cause = news.deployment.failure.as_ref();
    let cause = cause.map_or_else(String::new, |why| format!(": {}", why.cause));
    let words = markdown(&format!("{}{cause}", message.title), 600);
    format!("{words} ([details]({}))", news.page)
}

fn text(comment: &Comment) -> String {
    let lines = comment.lines.values().map(|line| format!("- {line}\n"));
    format!("{MARK}\n{}", lines.collect::<String>())
}
