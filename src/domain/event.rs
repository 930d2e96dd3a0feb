use super::{Color, DeploymentId, Failure, Receipt, State, Step};
use serde::{Deserialize, Serialize};

/// Something that happened to a deployment. Events are journaled in order; everybody who shows or tells something
/// (the pusher's terminal, the dashboard, chats) does it from these and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It moved to another state.
    State {
        /// Where it stands now.
        to: State,
        /// Why, where that is not plain: "superseded by deployment 43".
        why: Option<String>,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A remark of the running step that people should see: "waiting for a build slot (2nd in line)".
    Note {
        /// One sentence.
        text: String,
    },
    /// A step ended.
    StepEnded {
        /// Which.
        step: Step,
        /// How.
        end: StepEnd,
        /// Why it was skipped, what it did, or why it failed; may be empty.
        why: String,
        /// How long it took.
        ms: u64,
    },
    /// The intent to move the traffic is durable; the route may change from now on.
    Switching {
        /// The color that served until now, if any.
        from: Option<Color>,
        /// The color that will serve.
        to: Color,
    },
    /// The commit point: the new color serves.
    Switched {
        /// The color that serves.
        to: Color,
    },
    /// The cutover was measured.
    Receipt(Receipt),
    /// It will not become live, and why.
    Failed(Failure),
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// Its work was done.
    Ran,
    /// There was nothing to do.
    Skipped,
    /// It failed, and the deployment with it.
    Failed,
}

/// An event as it is kept: of which deployment, in which order, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Grows by one with each event of the server; never reused.
    pub seq: i64,
    /// Whose event it is.
    pub deployment: DeploymentId,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
