//! GitLab: the secret itself in `X-Gitlab-Token`, JSON only. A hook that is answered 4xx four times is switched off by
//! GitLab, so what means nothing here must be answered as taken.

use super::Refusal;
use super::envelope::{is_same_secret, plain, vouching};
use super::said::{Pushed, Said, merged, no_concern, parse};
use http::HeaderMap;
use serde::Deserialize;

pub(super) const EVENT: &str = "x-gitlab-event";
const TOKEN: &str = "X-Gitlab-Token";

/// Checks the token.
pub(super) fn verify(headers: &HeaderMap, secret: &str) -> Result<(), Refusal> {
    let token = vouching(headers, TOKEN)?;
    if is_same_secret(secret, token) {
        Ok(())
    } else {
        Err(Refusal::WrongToken)
    }
}

/// What makes this delivery the same as an earlier one: the key stays over GitLab's own retries.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    ["idempotency-key", "x-gitlab-event-uuid"]
        .into_iter()
        .find_map(|header| plain(headers, header))
        .map(|id| format!("gitlab:{id}"))
}

/// What the delivery says.
pub(super) fn said(event: &str, payload: &[u8]) -> Result<Said, Refusal> {
    match event {
        "Push Hook" | "Tag Push Hook" => parse::<PushHook>(event, payload).map(PushHook::said),
        "Merge Request Hook" => {
            parse::<MergeRequestHook>(event, payload).map(MergeRequestHook::said)
        }
        "Pipeline Hook" | "Job Hook" => Ok(Said::Checks(event.to_owned())),
        _ => Ok(no_concern(event)),
    }
}

#[derive(Deserialize)]
struct PushHook {
    #[serde(rename = "ref")]
    ref_name: String,
    after: String,
    /// The commit behind `after`, which of an annotated tag is the tag object; null when the ref was deleted.
    #[serde(default)]
    checkout_sha: Option<String>,
    #[serde(default)]
    user_username: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

impl PushHook {
    fn said(self) -> Said {
        let deleted = self.after.bytes().all(|b| b == b'0');
        let commit = match self.checkout_sha {
            Some(commit) if !deleted => commit,
            _ => self.after,
        };
        Said::Push(Pushed {
            repository: self.project.path_with_namespace,
            ref_name: self.ref_name,
            commit,
            by: self.user_username.or(self.user_name).unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct MergeRequestHook {
    object_attributes: MergeRequest,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    target_branch: String,
    #[serde(default)]
    action: Option<String>,
}

impl MergeRequestHook {
    fn said(self) -> Said {
        let request = self.object_attributes;
        if request.action.as_deref() == Some("merge") {
            return merged("merge request", request.iid, &request.target_branch);
        }
        Said::Nothing(format!(
            "merge request {} was not merged by this event: nothing to deploy",
            request.iid
        ))
    }
}
