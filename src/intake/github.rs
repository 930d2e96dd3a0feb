//! GitHub: `X-Hub-Signature-256` over the body as it was sent, whatever its encoding.

use super::Refusal;
use super::envelope::{Envelope, is_signed, plain, vouching};
use super::github_deployments;
use super::said::{Pushed, Said, merged, no_concern, parse};
use http::HeaderMap;
use serde::Deserialize;

pub(super) const EVENT: &str = "x-github-event";
const SIGNATURE: &str = "X-Hub-Signature-256";

/// Checks the signature.
pub(super) fn verify(
    headers: &HeaderMap,
    secret: &str,
    envelope: &Envelope<'_>,
) -> Result<(), Refusal> {
    match vouching(headers, SIGNATURE)?.strip_prefix(b"sha256=") {
        Some(hex) if is_signed(secret, envelope.raw(), hex) => Ok(()),
        _ => Err(Refusal::WrongSignature { header: SIGNATURE }),
    }
}

/// What makes this delivery the same as an earlier one: all hooks that saw an event share its GUID, and a redelivery
/// keeps it.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    let guid = plain(headers, "x-github-delivery")?;
    let hook = plain(headers, "x-github-hook-id").unwrap_or("-");
    Some(format!("github:{hook}:{guid}"))
}

/// What the delivery says.
pub(super) fn said(event: &str, payload: &[u8]) -> Result<Said, Refusal> {
    match event {
        "ping" => Ok(Said::Ping),
        "push" => parse::<PushEvent>(event, payload).map(PushEvent::said),
        "pull_request" => parse::<PullRequestEvent>(event, payload).map(PullRequestEvent::said),
        "deployment" => github_deployments::made(event, payload),
        "deployment_protection_rule" => github_deployments::asked(event, payload),
        "workflow_run" | "check_run" | "check_suite" | "status" => {
            Ok(Said::Checks(event.to_owned()))
        }
        "create" | "delete" => Ok(Said::Nothing(format!(
            "a `{event}` event deploys nothing: the push that comes with it says the same"
        ))),
        _ => Ok(no_concern(event)),
    }
}

/// A push, in the fields that GitHub and its relatives share. The list of commits is cut short by all of them, so it is
/// not even read.
#[derive(Deserialize)]
pub(super) struct PushEvent {
    #[serde(rename = "ref")]
    ref_name: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    repository: Repository,
    #[serde(default)]
    pusher: Option<Person>,
    #[serde(default)]
    sender: Option<Person>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Person {
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl Person {
    fn login(self) -> Option<String> {
        self.login.or(self.username).or(self.name)
    }
}

impl PushEvent {
    pub(super) fn said(self) -> Said {
        let by = self
            .pusher
            .and_then(Person::login)
            .or_else(|| self.sender.and_then(Person::login));
        let commit = if self.deleted {
            "0".repeat(40)
        } else {
            self.after
        };
        Said::Push(Pushed {
            repository: self.repository.full_name,
            ref_name: self.ref_name,
            commit,
            by: by.unwrap_or_default(),
        })
    }
}

/// A pull request's news, in the fields that GitHub and its relatives share.
#[derive(Deserialize)]
pub(super) struct PullRequestEvent {
    action: String,
    pull_request: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    #[serde(default)]
    merged: Option<bool>,
    base: Base,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: String,
}

impl PullRequestEvent {
    pub(super) fn said(self) -> Said {
        let request = self.pull_request;
        if self.action == "closed" && request.merged == Some(true) {
            return merged("pull request", request.number, &request.base.branch);
        }
        Said::Nothing(format!(
            "pull request {} was not merged by this event: nothing to deploy",
            request.number
        ))
    }
}
