use super::{Answer, Color, DeploymentId, Failure, Receipt, State, Step};
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
        /// Where that time went, besides Teal's own work.
        #[serde(default, skip_serializing_if = "Spent::is_nothing")]
        spent: Spent,
    },
    /// Somebody said yes or no to it, or nobody did in time.
    Answered(Answer),
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

/// Where the time of a step went, besides Teal's own work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// In the app's own commands, or waiting until its service answered, in milliseconds.
    #[serde(default)]
    pub app_ms: u64,
    /// Waiting for a turn to build, in milliseconds.
    #[serde(default)]
    pub waited_ms: u64,
}

impl Spent {
    /// Whether all of it was Teal's own.
    pub fn is_nothing(&self) -> bool {
        *self == Spent::default()
    }
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
