//! Gitea, Forgejo, and what still speaks their parent's tongue (Gogs): a bare hexadecimal signature over the decoded
//! payload, even when the payload came in a form.

use super::Refusal;
use super::envelope::{Envelope, is_signed, plain, vouching};
use super::github::{PullRequestEvent, PushEvent};
use super::said::{Said, no_concern, parse};
use http::HeaderMap;

pub(super) const FORGEJO_EVENT: &str = "x-forgejo-event";
pub(super) const GITEA_EVENT: &str = "x-gitea-event";
pub(super) const GOGS_EVENT: &str = "x-gogs-event";

/// Every name under which the one signature comes, the sender's own first.
const SIGNATURES: [&str; 3] = [
    "X-Forgejo-Signature",
    "X-Gitea-Signature",
    "X-Gogs-Signature",
];

/// Checks the signature.
pub(super) fn verify(
    headers: &HeaderMap,
    secret: &str,
    envelope: &Envelope<'_>,
) -> Result<(), Refusal> {
    let header = SIGNATURES
        .into_iter()
        .find(|header| headers.contains_key(*header))
        .unwrap_or("X-Gitea-Signature");
    let hex = vouching(headers, header)?;
    if is_signed(secret, envelope.payload(), hex) {
        Ok(())
    } else {
        Err(Refusal::WrongSignature { header })
    }
}

/// What makes this delivery the same as an earlier one.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    ["x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery"]
        .into_iter()
        .find_map(|header| plain(headers, header))
        .map(|id| format!("gitea:{id}"))
}

/// What the delivery says.
pub(super) fn said(event: &str, payload: &[u8]) -> Result<Said, Refusal> {
    match event {
        "push" => parse::<PushEvent>(event, payload).map(PushEvent::said),
        "pull_request" => parse::<PullRequestEvent>(event, payload).map(PullRequestEvent::said),
        "create" => Ok(Said::Nothing(
            "a `create` event deploys nothing: the push that comes with it does".to_owned(),
        )),
        "delete" => Ok(Said::Nothing(
            "a deleted ref deploys nothing, and what serves goes on serving".to_owned(),
        )),
        "status" | "workflow_run" | "workflow_job" | "action_run_success"
        | "action_run_failure" | "action_run_recover" => Ok(Said::Checks(event.to_owned())),
        _ => Ok(no_concern(event)),
    }
}
