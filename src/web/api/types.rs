//! What the API takes and gives, for both ends of the socket.

use crate::domain::{Color, CommitId, Deployment, DeploymentId, EnvId, Record, Right, Role, Step};
use crate::pipeline::Builder;
use crate::report::Changes;
use crate::system::lock::Holder;
use crate::traffic::Measure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which environment is meant: `production`, or `arq/production`, or `production` with an app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Which {
    /// The environment; with or without its app.
    #[serde(default)]
    pub env: String,
    /// The app, where the name of the environment alone does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// `POST /api/v1/deployments`: deploy a ref; absent: what the environment's branch points to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Where.
    #[serde(flatten)]
    pub which: Which,
    /// A branch, a tag or a commit.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub ref_name: Option<String>,
    /// Incremental, whatever the environment's `mode` says.
    #[serde(default)]
    pub fast: bool,
    /// From scratch.
    #[serde(default)]
    pub full: bool,
    /// Without the test step.
    #[serde(default)]
    pub skip_tests: bool,
    /// Although the environment is frozen.
    #[serde(default)]
    pub now: bool,
}

/// What a wish became.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begun {
    /// The number of the deployment.
    pub id: DeploymentId,
    /// Where it deploys to.
    pub env: EnvId,
    /// Its page.
    pub url: String,
}

/// `POST /api/v1/rollback`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RollbackRequest {
    /// Where.
    #[serde(flatten)]
    pub which: Which,
    /// A backup's name or a deployment's number; absent: the warm release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether to go back although the database was migrated since.
    #[serde(default)]
    pub yes: bool,
}

/// `POST /api/v1/destroy`: take the environment down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DestroyRequest {
    /// Which.
    #[serde(flatten)]
    pub which: Which,
    /// Whether that is really meant.
    #[serde(default)]
    pub yes: bool,
}

/// What was taken down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestroyedShown {
    /// Which environment.
    pub env: EnvId,
    /// Whether the configuration still has it: then the next push deploys it anew.
    pub configured: bool,
    /// The processes that were stopped, and how each ended.
    pub stopped: Vec<String>,
    /// What was removed.
    pub removed: Vec<PathBuf>,
    /// What stays in its folder.
    pub kept: Vec<PathBuf>,
}

/// `POST /api/v1/promote`: deploy what one environment serves to another one of the same app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PromoteRequest {
    /// The environment that serves it; with or without its app.
    pub from: String,
    /// The environment that gets it.
    pub to: String,
    /// The app, where the environments' names alone do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Although the environment is frozen.
    #[serde(default)]
    pub now: bool,
}

/// `POST /api/v1/variables`: changes to the app's own configuration; null removes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VariablesRequest {
    /// Where.
    #[serde(flatten)]
    pub which: Which,
    /// The changes by name.
    pub changes: BTreeMap<String, Option<String>>,
}

/// What became of changed configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VariablesChanged {
    /// The version's name.
    pub digest: String,
    /// The deployment that brings it live; absent while nothing serves, or when nothing changed.
    pub begun: Option<Begun>,
}

/// `GET /api/v1/variables`: the app's own configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VariablesShown {
    /// Where.
    pub env: EnvId,
    /// The version's name.
    pub digest: String,
    /// The values.
    pub values: BTreeMap<String, String>,
}

/// `POST /api/v1/run`: what a one-off command is run with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunPlace {
    /// The release's folder.
    pub cwd: String,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// The user that it runs as; absent: the one who owns the server's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
}

/// `POST /api/v1/maintenance`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MaintenanceRequest {
    /// Where.
    #[serde(flatten)]
    pub which: Which,
    /// On or off.
    pub on: bool,
}

/// `POST /api/v1/freeze`: pushes wait; or `lift` that.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FreezeRequest {
    /// Where.
    #[serde(flatten)]
    pub which: Which,
    /// When it ends by itself, in milliseconds since the epoch; absent: when it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// What for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// End it instead.
    #[serde(default)]
    pub lift: bool,
}

/// `POST /api/v1/deployments/{id}/approve` and `/reject`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AnswerRequest {
    /// In what words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of a freeze.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FreezeShown {
    /// Where.
    pub env: EnvId,
    /// What holds pushes there now, in words; absent: nothing.
    pub hold: Option<String>,
    /// Whether there was a freeze to lift.
    pub lifted: bool,
}

/// `GET /api/v1/status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The server's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Who holds the state folder.
    #[serde(default)]
    pub lock: Option<Holder>,
    /// The environments, in the order of the configuration.
    pub environments: Vec<EnvironmentStatus>,
    /// Who builds and who waits for it.
    #[serde(default)]
    pub builds: Builds,
    /// Who could not be told something; those who are told are not listed.
    #[serde(default)]
    pub untold: Vec<UntoldTarget>,
    /// Environments that left the configuration and serve on.
    #[serde(default)]
    pub unconfigured: Vec<EnvId>,
}

/// The builds of [`Status`], over all environments.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Builds {
    /// How many may build at a time.
    pub slots: usize,
    /// Those that build, the longest first.
    pub building: Vec<Builder>,
    /// Those that wait for it, in their order.
    pub waiting: Vec<Builder>,
}

/// Somebody who could not be told something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UntoldTarget {
    /// The target's name, for `teal notify test`.
    pub target: String,
    /// How many messages wait for it.
    pub waiting: u32,
    /// Why it takes nothing now.
    pub failing: Option<String>,
    /// Since when, in milliseconds since the epoch.
    pub failing_since_ms: Option<i64>,
    /// The deployments of which it will not be told any more.
    pub given_up: Vec<DeploymentId>,
    /// Why the last of these was given up.
    pub gave_up_because: Option<String>,
}

/// One target of `GET /api/v1/notify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetShown {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// How many messages wait for it.
    pub waiting: u32,
}

/// `POST /api/v1/notify/test`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NotifyTestRequest {
    /// The target; absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What one target said to an example.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetTested {
    /// Its name.
    pub name: String,
    /// Whether it took it.
    pub taken: bool,
    /// What it answered, in words.
    pub words: String,
}

/// One environment of [`Status`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvironmentStatus {
    /// Which.
    pub env: EnvId,
    /// Where people reach it.
    pub url: String,
    /// The color that serves.
    pub active: Option<Color>,
    /// When it began to serve, in milliseconds since the epoch; absent when nothing does, or when that is long forgotten.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// Both slots.
    pub slots: Vec<SlotStatus>,
    /// Until when the other color stays warm, in milliseconds since the epoch.
    pub warm_until_ms: Option<i64>,
    /// Whether visitors see the maintenance page.
    pub maintenance: bool,
    /// What holds pushes back, in words: a freeze, or the hours; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// What runs or waits, oldest first.
    pub open: Vec<Deployment>,
    /// The last deployment that ended.
    pub last: Option<Deployment>,
    /// What its branch points to.
    #[serde(default)]
    pub desired: Option<Desired>,
    /// What does not fit together: a `current` that somebody moved, or a service that does not run, say.
    pub warnings: Vec<String>,
}

/// What an environment would serve if every push went well.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Desired {
    /// The ref.
    pub ref_name: String,
    /// Its commit.
    pub commit: CommitId,
    /// Whether that commit serves.
    pub serves: bool,
}

/// One slot of [`EnvironmentStatus`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlotStatus {
    /// Which color.
    pub color: Color,
    /// Its port.
    pub port: u16,
    /// Percent of new requests that go to it.
    #[serde(default)]
    pub share: u8,
    /// The commit of the whole release that it holds; absent: empty or being filled.
    pub commit: Option<CommitId>,
    /// The commit's first line.
    pub subject: Option<String>,
    /// The deployment that made it.
    pub deployment: Option<DeploymentId>,
    /// Whether that release ever served: one that failed before is nothing to go back to.
    pub served: bool,
    /// The processes that run, by name, with their pids.
    pub processes: BTreeMap<String, i32>,
}

/// `GET /api/v1/deployments/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentShown {
    /// It.
    pub deployment: Deployment,
    /// The commit's first line.
    pub subject: Option<String>,
    /// Where people reach the environment.
    pub url: String,
    /// Its page.
    pub page: String,
    /// What it changes against the last good release, where it waits or waited for somebody's yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// What happened so far.
    pub events: Vec<Record>,
}

/// One line of `GET /api/v1/deployments/{id}/events`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// What is deployed; the first line.
    Shown(Box<DeploymentShown>),
    /// Something happened.
    Event(Record),
    /// It ended; the last line.
    Ended(Box<Deployment>),
}

/// One backup of `GET /api/v1/backups`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupShown {
    /// Its name, for `teal rollback --to`.
    pub name: String,
    /// The deployment whose release it holds.
    pub deployment: DeploymentId,
    /// The commit.
    pub commit: CommitId,
    /// The commit's first line.
    pub subject: Option<String>,
    /// When it was sealed, in milliseconds since the epoch.
    pub created_ms: i64,
    /// Whether it serves now.
    pub serving: bool,
    /// The newest deployment that migrated the database after this release was built: that step is not undone by going
    /// back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrated_by: Option<DeploymentId>,
}

/// One backup of `GET /api/v1/backups/verify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupVerified {
    /// Its name.
    pub name: String,
    /// How many files and links were compared.
    pub compared: usize,
    /// What is not as it was sealed, a line for each path.
    pub differences: Vec<String>,
}

/// `GET /api/v1/plan`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanShown {
    /// The environment and the commit, in words.
    pub head: String,
    /// The resolved recipe, with the origin of each value.
    pub recipe: String,
    /// What people should know of it and nothing refuses: a program that is not installed, say.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The steps, and why each would run or be skipped.
    pub steps: Vec<PlannedStep>,
}

/// One step of [`PlanShown`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name.
    pub step: String,
    /// Whether it would do something.
    pub runs: bool,
    /// Why, or what.
    pub why: String,
}

/// One environment of `GET /api/v1/now`: what changes from second to second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Now {
    /// Which.
    pub env: EnvId,
    /// The proxy's counters; absent under nginx, which has none, and while the proxy does not answer.
    pub measure: Option<Measure>,
    /// The steps that run.
    pub steps: Vec<StepNow>,
}

/// A step that runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepNow {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Which.
    pub step: Step,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
    /// How long it took in the last deployment that went live; absent where it had nothing to do there.
    pub usual_ms: Option<u64>,
}

/// One thing that `teal doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it belongs to: `configuration`, `ports`, `disk`.
    pub area: String,
    /// How it stands.
    pub health: Health,
    /// What was seen, in words.
    pub what: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How something stands that `teal doctor` looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Good,
    /// It could not be looked at.
    Unknown,
    /// It works, and will or may not for long.
    Warning,
    /// It does not work.
    Problem,
}

impl Finding {
    /// As it should be.
    pub fn good(area: &str, what: impl Into<String>) -> Finding {
        Finding::new(area, Health::Good, what.into(), None)
    }

    /// It could not be looked at; what to do so that it can.
    pub fn unknown(area: &str, what: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(area, Health::Unknown, what.into(), Some(fix.into()))
    }

    /// It works, and will or may not for long.
    pub fn warning(area: &str, what: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(area, Health::Warning, what.into(), Some(fix.into()))
    }

    /// It does not work.
    pub fn problem(area: &str, what: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(area, Health::Problem, what.into(), Some(fix.into()))
    }

    fn new(area: &str, health: Health, what: String, fix: Option<String>) -> Finding {
        Finding {
            area: area.to_owned(),
            health,
            what,
            fix: fix.filter(|fix| !fix.is_empty()),
        }
    }
}

/// `POST /api/v1/users`: lets somebody in, or gives them one more role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserRequest {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where; empty: everywhere.
    #[serde(default)]
    pub env: Vec<String>,
}

/// A one-time link to sign in by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// Whose it is.
    pub name: String,
    /// It.
    pub url: String,
    /// Until when it is good, in milliseconds since the epoch.
    pub expires_ms: i64,
}

/// `GET /api/v1/users`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Users {
    /// By name.
    pub users: Vec<UserShown>,
}

/// One of [`Users`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserShown {
    /// Their name.
    pub name: String,
    /// What they may do, and where.
    pub rights: Vec<Right>,
    /// Their scripts' tokens.
    pub tokens: Vec<TokenShown>,
}

/// A token without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenShown {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
}

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenRequest {
    /// Whose rights it has.
    pub name: String,
    /// What it is for.
    pub label: String,
}

/// A token, told once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewToken {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// The token itself; it is kept nowhere.
    pub token: String,
}
