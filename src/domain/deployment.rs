use super::{Asked, Ci, Color, CommitId, EnvId, Origin};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a deployment: counted over all environments of a server, never reused.
pub type DeploymentId = i64;

/// One attempt to make a commit live in one environment. Its `state` is written by the journal alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// Where it deploys to.
    pub env: EnvId,
    /// What kind of attempt it is.
    pub kind: Kind,
    /// The commit it makes live.
    pub commit: CommitId,
    /// The ref that was pushed, or the word that `teal deploy --ref` was given.
    pub ref_name: String,
    /// Who asked for it.
    pub by: String,
    /// By which door they asked.
    pub origin: Origin,
    /// Incremental or from scratch.
    pub mode: Mode,
    /// Deploy although the commit serves already.
    pub redeploy: bool,
    /// Leave the test step out.
    pub skip_tests: bool,
    /// Where it stands.
    pub state: State,
    /// The slot it takes, once it has one.
    pub color: Option<Color>,
    /// The version of the app's own configuration that its release runs with.
    pub env_digest: Option<String>,
    /// What `[migrate] backup` said about the restore point that it made before the migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_point: Option<String>,
    /// The interrupted deployment that this one tries again.
    pub retry_of: Option<DeploymentId>,
    /// CI's word that it waits for or waited for, where its environment wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<Ci>,
    /// The yes that it waits for or waited for, where its environment wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Asked>,
    /// When it was asked for, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it left the queue.
    pub started_ms: Option<i64>,
    /// When its release began to serve.
    pub switched_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Why it did not become live.
    pub failure: Option<Failure>,
    /// What its cutover cost.
    pub receipt: Option<Receipt>,
}

/// What kind of attempt a deployment is; every kind runs through the same pipeline, with the steps that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Check out and build a commit.
    Deploy,
    /// Put a release that served back: the warm one, or the backup of this name.
    Rollback {
        /// `backup-YYYYMMDD-HHMMSS`; absent: the warm release of the other color.
        backup: Option<String>,
    },
    /// The release that serves once more, through the standby slot, with the configuration as it is now.
    Restart,
    /// Check out and build the commit that another environment of the app serves, with what that one can lend.
    Promote {
        /// The environment that served it.
        from: EnvId,
        /// The deployment that made it live there.
        deployment: DeploymentId,
    },
}

impl Kind {
    /// Whether the release is made from a commit, instead of being one that was made before.
    pub fn is_made_here(&self) -> bool {
        matches!(self, Kind::Deploy | Kind::Promote { .. })
    }
}

/// How much is done again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only what changed.
    #[default]
    Fast,
    /// Everything, in a clean slot.
    Full,
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Held back before the queue: for CI or by a freeze.
    Waiting,
    /// Waits for its environment.
    Queued,
    /// Prepares its release in the standby slot.
    Running,
    /// Built and probed; somebody has to say yes.
    Approval,
    /// Moves the traffic.
    Switching,
    /// Serves, and is watched.
    Observing,
    /// Served through the observation: done.
    Live,
    /// Ended before the switch; what served before serves on.
    Failed,
    /// Ended after the switch; what served before serves again.
    RolledBack,
    /// A newer push took its place before it took a slot.
    Superseded,
    /// Somebody stopped it.
    Cancelled,
    /// The server stopped under it; a retry is a new deployment.
    Interrupted,
}

impl State {
    /// Every state, in the order of a deployment's life.
    pub const ALL: [State; 12] = [
        State::Waiting,
        State::Queued,
        State::Running,
        State::Approval,
        State::Switching,
        State::Observing,
        State::Live,
        State::Failed,
        State::RolledBack,
        State::Superseded,
        State::Cancelled,
        State::Interrupted,
    ];

    /// Whether a deployment may go from here to `next`. The only place that says so.
    pub fn can_become(self, next: State) -> bool {
        use State::*;
        match self {
            Waiting => matches!(next, Queued | Failed | Superseded | Cancelled),
            Queued => matches!(next, Running | Failed | Superseded | Cancelled),
            Running => matches!(
                next,
                Approval | Switching | Failed | Cancelled | Interrupted
            ),
            Approval => matches!(
                next,
                Running | Failed | Superseded | Cancelled | Interrupted
            ),
            Switching => matches!(next, Observing | Failed | Cancelled | Interrupted),
            Observing => matches!(next, Live | RolledBack),
            Live | Failed | RolledBack | Superseded | Cancelled | Interrupted => false,
        }
    }

    /// Whether nothing more happens to a deployment in this state.
    pub fn is_final(self) -> bool {
        !State::ALL.into_iter().any(|next| self.can_become(next))
    }

    /// The word users see and the database keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Queued => "queued",
            State::Running => "running",
            State::Approval => "approval",
            State::Switching => "switching",
            State::Observing => "observing",
            State::Live => "live",
            State::Failed => "failed",
            State::RolledBack => "rolled_back",
            State::Superseded => "superseded",
            State::Cancelled => "cancelled",
            State::Interrupted => "interrupted",
        }
    }

    /// The end of "deployment 42 is …".
    pub fn phrase(self) -> &'static str {
        match self {
            State::Approval => "waiting for approval",
            State::RolledBack => "rolled back",
            other => other.as_str(),
        }
    }

    /// The state of that word, if it is one.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One named part of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Brings the commit into the bare repository.
    Fetch,
    /// Empties the standby slot.
    Vacate,
    /// Makes the standby's tracked files equal the commit's tree.
    Checkout,
    /// Fills the standby slot from a sealed release instead of from git.
    Restore,
    /// Makes sure that the release that serves now is sealed.
    Backup,
    /// Installs dependencies.
    Deps,
    /// Builds.
    Build,
    /// Runs the app's tests.
    Test,
    /// Moves the database forward.
    Migrate,
    /// Starts the service on the standby port.
    Start,
    /// Probes it until it is ready.
    Health,
    /// Waits for somebody's yes, where the environment wants one.
    Approval,
    /// The commit point.
    Switch,
    /// Watches the new release.
    Observe,
}

impl Step {
    /// The word users see, that names the step's log, and that the database keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Fetch => "fetch",
            Step::Vacate => "vacate",
            Step::Checkout => "checkout",
            Step::Restore => "restore",
            Step::Backup => "backup",
            Step::Deps => "deps",
            Step::Build => "build",
            Step::Test => "test",
            Step::Migrate => "migrate",
            Step::Start => "start",
            Step::Health => "health",
            Step::Approval => "approval",
            Step::Switch => "switch",
            Step::Observe => "observe",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a deployment did not become live: the facts of the one failure report. `report` words it for each place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step that failed; absent when it ended outside a step (cancelled in the queue, say).
    pub step: Option<Step>,
    /// What happened, in one sentence without a full stop: "`npm run build` exited with code 2".
    pub cause: String,
    /// The last lines of what the command or the service printed, already masked and free of control characters.
    pub tail: Vec<String>,
    /// What serves now: "blue serves 1a2b3c4d5 (deployment 41)" or "nothing serves yet".
    pub serving: String,
    /// The command or act that helps next.
    pub next: String,
}

/// What a cutover cost, as measured at the proxy. Under nginx nothing is measured and every field is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Requests that began during the cutover.
    pub requests: Option<u64>,
    /// Requests in flight on the old color at the moment of the switch.
    pub in_flight: Option<u64>,
    /// Requests that got no answer, or a gateway error of the proxy's own, during the cutover.
    pub lost: Option<u64>,
    /// Answers 5xx of the old color during the cutover.
    pub old_5xx: Option<u64>,
    /// Answers 5xx of the new color during the cutover.
    pub new_5xx: Option<u64>,
    /// Median latency before the switch, in microseconds; absent without requests.
    pub p50_before_us: Option<u64>,
    /// 99th percentile before the switch, in microseconds.
    pub p99_before_us: Option<u64>,
    /// Median latency after the switch, in microseconds.
    pub p50_after_us: Option<u64>,
    /// 99th percentile after the switch, in microseconds.
    pub p99_after_us: Option<u64>,
    /// Microseconds in which both colors answered new requests.
    pub overlap_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_has_no_way_out_and_every_state_can_end() {
        for state in State::ALL {
            let ways = State::ALL
                .iter()
                .filter(|next| state.can_become(**next))
                .count();
            assert_eq!(state.is_final(), ways == 0, "{state}");
            assert!(!state.can_become(state), "{state} to itself");
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
    }

    #[test]
    fn what_serves_can_only_become_live_or_be_rolled_back() {
        let next: Vec<_> = State::ALL
            .into_iter()
            .filter(|next| State::Observing.can_become(*next))
            .collect();
        assert_eq!(next, [State::Live, State::RolledBack]);
    }
}
