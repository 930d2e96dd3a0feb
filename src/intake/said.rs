//! What a forge's delivery says, in words that all forges share and before it is compared with the app.

use super::Refusal;
use super::shown::shown;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// The claim of a verified delivery.
#[derive(Debug)]
pub(super) enum Said {
    /// "The hook was set up."
    Ping,
    /// A ref has a new value, or none.
    Push(Pushed),
    /// Somebody made a deployment there.
    Deployment(Ordered),
    /// A workflow asks whether it may deploy.
    Question(Question),
    /// There are news of what CI does, by this event.
    Checks(String),
    /// Anything that deploys nothing, with the reason.
    Nothing(String),
}

/// A deployment that somebody made at the forge, as the forge words it.
#[derive(Debug)]
pub(super) struct Ordered {
    /// `owner/name`.
    pub(super) repository: String,
    /// Its number there.
    pub(super) number: u64,
    /// The environment's name there.
    pub(super) label: String,
    /// What was named: a branch, a tag or a commit.
    pub(super) ref_name: String,
    /// The commit that this was then.
    pub(super) commit: String,
    /// The login of who made it.
    pub(super) by: String,
}

/// A workflow that waits for a yes before it deploys.
#[derive(Debug)]
pub(super) struct Question {
    /// `owner/name`.
    pub(super) repository: String,
    /// The number of the workflow's run.
    pub(super) run: u64,
    /// The environment's name there.
    pub(super) label: String,
    /// The login of who began it.
    pub(super) by: String,
}

/// A ref's new value as the forge words it.
#[derive(Debug)]
pub(super) struct Pushed {
    /// `owner/name`, with subgroups where the forge has them.
    pub(super) repository: String,
    /// The full ref.
    pub(super) ref_name: String,
    /// The object the ref points to; zeros for a deletion.
    pub(super) commit: String,
    /// The login of who pushed.
    pub(super) by: String,
}

/// Reads a payload as the shape its event has.
pub(super) fn parse<T: DeserializeOwned>(event: &str, payload: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(payload).map_err(|error| {
        let what = shown(&error.to_string(), 200);
        match error.classify() {
            Category::Data => Refusal::Incomplete {
                event: event.to_owned(),
                what,
            },
            Category::Io | Category::Syntax | Category::Eof => Refusal::NotJson(what),
        }
    })
}

/// The words for an event that nothing here waits for.
pub(super) fn no_concern(event: &str) -> Said {
    Said::Nothing(format!(
        "a `{}` event deploys nothing: only pushes do",
        shown(event, 40)
    ))
}

/// The words for a merge. The push that every merge sends deploys it; were this one to deploy too, a merge would
/// deploy twice.
pub(super) fn merged(what: &str, number: u64, branch: &str) -> Said {
    Said::Nothing(format!(
        "{what} {number} was merged into {}: the merge's own push deploys it (the hook must send push events)",
        shown(branch, 60)
    ))
}
