use crate::domain::{Deployment, DeploymentId, EnvId, Moment, Step, StepEnd};
use serde::{Deserialize, Serialize};

/// What there is to tell one target: a turn of a deployment, and all that is known about it. Everybody's words are made
/// from these facts.
#[derive(Debug, Clone)]
pub struct News {
    /// The turn.
    pub moment: Moment,
    /// The deployment as it stands.
    pub deployment: Deployment,
    /// The first line of its commit's message.
    pub subject: Option<String>,
    /// Where people reach the environment.
    pub url: String,
    /// The deployment's page.
    pub page: String,
    /// The steps so far.
    pub steps: Vec<StepTold>,
    /// Why it stands where it stands, where that is not plain.
    pub why: Option<String>,
    /// All that happened, line by line, in the words of the pusher's terminal.
    pub story: Vec<String>,
    /// What differs from the last good release.
    pub changes: Option<Changes>,
    /// What this target last heard of the environment.
    pub heard: Option<Outcome>,
    /// How the deployment before this one ended, as the history has it.
    pub before: Option<Outcome>,
    /// Whether an earlier try may have reached the target although nobody knows.
    pub again: bool,
    /// Whether it is only an example.
    pub test: bool,
}

/// One step of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTold {
    /// Which.
    pub step: Step,
    /// How it ended; absent while it runs.
    pub end: Option<StepEnd>,
    /// How long it took.
    pub ms: u64,
}

/// How deployments of an environment ended, one after the other with the same end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The end: a [`Moment`]'s word.
    pub moment: String,
    /// The first of them.
    pub first: DeploymentId,
    /// How many there were.
    pub count: u32,
}

/// What differs between a release and the last good one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The deployment of the last good release.
    pub since: DeploymentId,
    /// The new commits, newest first, each as `1a2b3c4d5 subject (author)`; so many at most.
    pub commits: Vec<String>,
    /// Whether there are more.
    pub more: bool,
    /// The lockfiles among the changed files.
    pub lockfiles: Vec<String>,
    /// The names of the app's settings that differ.
    pub settings: Vec<String>,
    /// Why its migration ran, if it did: the database has moved already.
    pub migrated: Option<String>,
}

/// So many commits are listed at most.
pub const COMMITS: usize = 10;

impl News {
    /// Where it happens.
    pub fn env(&self) -> &EnvId {
        &self.deployment.env
    }

    /// What the target heard already, when this says the same once more: an app that goes on failing.
    pub fn repeats(&self) -> Option<&Outcome> {
        let bad = matches!(self.moment, Moment::Failed | Moment::RolledBack);
        self.heard
            .as_ref()
            .filter(|heard| bad && heard.moment == self.moment.as_str())
    }

    /// What went wrong before, when this says that all is well again.
    pub fn recovers(&self) -> Option<&Outcome> {
        let last = self.heard.as_ref().or(self.before.as_ref())?;
        (self.moment == Moment::Live && last.moment != Moment::Live.as_str()).then_some(last)
    }

    /// What the target has heard of the environment once it has heard this; nothing new for what decides nothing.
    pub fn outcome(&self) -> Option<Outcome> {
        self.moment.is_outcome().then(|| match &self.heard {
            Some(heard) if heard.moment == self.moment.as_str() => Outcome {
                count: heard.count + 1,
                ..heard.clone()
            },
            _ => Outcome {
                moment: self.moment.as_str().to_owned(),
                first: self.deployment.id,
                count: 1,
            },
        })
    }

    /// The step that runs, or that it ended with.
    pub fn step(&self) -> Option<Step> {
        let failed = self.deployment.failure.as_ref().and_then(|why| why.step);
        let running = self.steps.iter().rfind(|told| told.end.is_none());
        failed.or(running.map(|told| told.step))
    }

    /// From the push to the switch of what is live, and to the end of what is not, in milliseconds.
    pub fn took_ms(&self) -> Option<u64> {
        let end = match self.moment {
            Moment::Live => self.deployment.switched_ms,
            _ => self.deployment.ended_ms,
        };
        u64::try_from(end? - self.deployment.created_ms).ok()
    }
}
