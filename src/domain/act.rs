use super::{DeploymentId, EnvId, Origin};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What somebody can want of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Make a commit live.
    Deploy,
    /// Go back to an earlier release.
    Rollback,
    /// Start the release that serves anew.
    Restart,
    /// Stop a deployment.
    Cancel,
    /// Change the app's settings.
    Settings,
    /// See the values of the app's settings.
    Secrets,
    /// Run a one-off command with the app's settings.
    Run,
    /// Show visitors the maintenance page, or stop showing it.
    Maintenance,
    /// Say yes or no to a deployment that waits for it.
    Approve,
    /// Hold deployments back, or let them go on.
    Freeze,
    /// Take the environment down, with everything that was made for it.
    Destroy,
}

impl Act {
    /// The word that is stored and shown in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Act::Deploy => "deploy",
            Act::Rollback => "rollback",
            Act::Restart => "restart",
            Act::Cancel => "cancel",
            Act::Settings => "settings",
            Act::Secrets => "secrets",
            Act::Run => "run",
            Act::Maintenance => "maintenance",
            Act::Approve => "approve",
            Act::Freeze => "freeze",
            Act::Destroy => "destroy",
        }
    }

    /// The end of "ada may not …".
    pub fn to(self, env: &EnvId) -> String {
        match self {
            Act::Deploy => format!("deploy to {env}"),
            Act::Rollback => format!("roll {env} back"),
            Act::Restart => format!("restart {env}"),
            Act::Cancel => format!("cancel deployments of {env}"),
            Act::Settings => format!("change the settings of {env}"),
            Act::Secrets => format!("see the settings of {env}"),
            Act::Run => format!("run commands in {env}"),
            Act::Maintenance => format!("change the maintenance page of {env}"),
            Act::Approve => format!("approve deployments to {env}"),
            Act::Freeze => format!("freeze {env}"),
            Act::Destroy => format!("destroy {env}"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether somebody was let.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// They were.
    Allowed,
    /// They were not, and nothing happened.
    Refused,
}

/// One line of the audit trail: who wanted what, when, and through which door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// Its place in the order.
    pub seq: i64,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The person's name, or the account's where no person is known.
    pub who: String,
    /// How the door knew them: `the ssh key laptop`.
    pub account: String,
    /// The door.
    pub door: Origin,
    /// What they wanted.
    pub act: Act,
    /// Of which environment.
    pub env: EnvId,
    /// Whether they were let.
    pub verdict: Verdict,
    /// The deployment that came of it, or that it was about.
    pub deployment: Option<DeploymentId>,
    /// What more there is to say: the ref, the backup, the names of changed settings (never their values).
    pub about: String,
}
