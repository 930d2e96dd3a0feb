use super::exit::Exit;
use crate::system::cgroup::Group;
use crate::system::clock;
use crate::system::limits::Limits;
use crate::system::process::{self, Identity};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What a service is: the command and everything it is given. Nothing else reaches it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The service's name on this machine: small letters, digits, `-`, `_` and `.`.
    pub key: String,
    /// The shell line.
    pub command: String,
    /// The folder it starts in.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where its output goes, each line with its time.
    pub log: PathBuf,
    /// The file that holds its process number while it runs.
    pub pid_file: PathBuf,
    /// How long it may take to end after SIGTERM.
    pub drain: Duration,
    /// The user it runs as; absent: the server's own.
    pub run_as: Option<String>,
    /// Values that never appear in the log.
    pub mask: Vec<String>,
    /// What it may take of the machine.
    #[serde(default)]
    pub limits: Limits,
}

/// The environment and the masked values stay unprinted.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("key", &self.key)
            .field("command", &self.command)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// A spec with the mark that tells this start's processes from all others; what the supervisor is handed.
#[derive(Serialize, Deserialize)]
pub(super) struct Launch {
    pub id: String,
    pub spec: Spec,
}

/// The variable by which a service's or job's processes are recognised wherever they went.
pub(super) const MARKER: &str = "TEAL_SERVICE";

/// What a supervisor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The service runs.
    Running,
    /// The service ended and is started again in a moment.
    Waiting,
    /// The service has been told to end.
    Stopping,
    /// The service has ended for good, and the supervisor with it.
    Ended,
}

/// What a supervisor knows of its service; also kept in a file beside its socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The mark of this start.
    pub id: String,
    /// The machine's start during which this was written.
    pub(super) boot: String,
    /// The supervisor.
    pub supervisor: Option<Identity>,
    /// The service's main process, or its last one.
    pub service: Option<Identity>,
    /// When the main process was started, in milliseconds since the epoch.
    pub started_ms: i64,
    /// What the supervisor is doing.
    pub state: State,
    /// Whether the service is started again when it ends.
    pub keep_alive: bool,
    /// How often the service has ended so far.
    pub exits: u64,
    /// The last times it ended, the latest last.
    pub last: Vec<Ended>,
    /// The service's control group, where there is one.
    pub(super) group: Option<Group>,
    /// Whether the supervisor found the service running instead of starting it.
    pub adopted: bool,
    /// Why the log misses lines, if it does.
    pub log_trouble: Option<String>,
}

impl Status {
    /// Of a service that is about to start under this process.
    pub(super) fn new(id: String, group: Option<Group>) -> Status {
        Status {
            id,
            boot: process::boot_id(),
            supervisor: Identity::own(),
            service: None,
            started_ms: clock::now_ms(),
            state: State::Running,
            keep_alive: false,
            exits: 0,
            last: Vec::new(),
            group,
            adopted: false,
            log_trouble: None,
        }
    }

    /// Whether the machine has not been started again since this was written.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot == process::boot_id()
    }

    /// Whether a new supervisor has something to take over: a service that runs, or one that has to.
    pub(super) fn can_be_adopted(&self) -> bool {
        self.is_of_this_boot()
            && self.state != State::Ended
            && (self.keep_alive || self.service.is_some_and(Identity::is_alive))
    }
}

/// One end of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Which process.
    pub pid: i32,
    /// How.
    pub exit: Exit,
}

/// How a service was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was not running any more.
    Gone,
    /// It ended after SIGTERM.
    Term,
    /// It, or something it had started, had to be killed.
    Kill,
}

/// A service that was stopped, and of which nothing is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// How.
    pub how: How,
    /// How many processes had to be killed.
    pub killed: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How the main process ended.
    pub exit: Option<Exit>,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Gone => f.write_str("had ended"),
            How::Term => f.write_str("stopped"),
            How::Kill => {
                let processes = if self.killed == 1 {
                    "process"
                } else {
                    "processes"
                };
                write!(
                    f,
                    "did not end when asked to and was killed ({} {processes})",
                    self.killed
                )
            }
        }
    }
}

/// One request to a supervisor: a line on its socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(super) enum Order {
    Status,
    Tree,
    KeepAlive { on: bool },
    Stop { drain_ms: u64 },
    Watch { after: u64 },
}

/// One answer of a supervisor: a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Status(Status),
    Tree(Vec<i32>),
    Exited { count: u64, ended: Ended },
    Stopped(Stopped),
    Refused(String),
}

/// What a supervisor says once, on its output, when it has started or could not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hello {
    Up(Status),
    /// Another supervisor already holds this service.
    Held,
    Failed(String),
}

/// A job as its supervisor is handed it.
#[derive(Serialize, Deserialize)]
pub(super) struct JobOrder {
    pub id: String,
    pub command: String,
    pub cwd: PathBuf,
    pub env: Vec<(String, String)>,
    pub log: PathBuf,
    pub deadline: Duration,
    pub low_priority: bool,
    pub run_as: Option<String>,
    pub mask: Vec<String>,
    #[serde(default)]
    pub limits: Limits,
    /// Bytes of its output that the log takes.
    #[serde(default)]
    pub log_limit: Option<u64>,
}

/// What a job's supervisor says at the end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobReport {
    pub end: JobOutcome,
    /// From the start of the command to its end, without what comes before and after.
    pub took: Duration,
    pub tail: Vec<String>,
    /// Why something of the job may be left, if so.
    pub left: Option<String>,
    /// Why the log misses lines, if it does.
    pub log_trouble: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobOutcome {
    Exited(Exit),
    DeadlinePassed,
    Cancelled,
    NotStarted(String),
}
