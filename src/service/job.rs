use super::exit::Exit;
use super::wire::{JobOrder, JobOutcome, JobReport, MARKER};
use crate::system::cgroup::Group;
use crate::system::limits::Limits;
use crate::system::process::{self, Tree};
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a job's supervisor may take beyond the deadline: killing, and seeing that nothing is left.
const KILLING: Duration = Duration::from_secs(30);

/// A command that runs to its end: install, build, test, migrate, or one that a person asked for.
#[derive(Clone, Default)]
pub struct Job {
    /// The shell line.
    pub command: String,
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// The file its output is added to as it comes.
    pub log: PathBuf,
    /// How long it may take.
    pub deadline: Duration,
    /// Whether it gives way to what serves.
    pub low_priority: bool,
    /// The user it runs as; absent: the server's own.
    pub run_as: Option<String>,
    /// Values that appear neither in the log nor in the tail.
    pub mask: Vec<String>,
    /// What it may take of the machine.
    pub limits: Limits,
    /// Bytes of its output that the log takes; absent: 50 MB.
    pub log_limit: Option<u64>,
}

/// The environment and the masked values stay unprinted.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("command", &self.command)
            .field("cwd", &self.cwd)
            .field("log", &self.log)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// How a job ended. Nothing of it runs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// By itself or not.
    pub exit: JobExit,
    /// How long the command itself ran.
    pub took: Duration,
    /// The last lines that it printed, fit to be shown anywhere.
    pub tail: Vec<String>,
    /// Why the log misses lines, if it does.
    pub log_trouble: Option<String>,
}

/// What ended a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobExit {
    /// The command itself.
    Exited(Exit),
    /// It took longer than it may, and was killed.
    DeadlinePassed(Duration),
    /// Nobody wanted it any more, and it was killed.
    Cancelled,
}

impl JobExit {
    /// Whether the command ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        matches!(self, JobExit::Exited(exit) if exit.is_success())
    }
}

impl fmt::Display for JobExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobExit::Exited(exit) => exit.fmt(f),
            JobExit::DeadlinePassed(deadline) => {
                write!(
                    f,
                    "was killed because it took longer than {} s",
                    deadline.as_secs_f32()
                )
            }
            JobExit::Cancelled => f.write_str("was cancelled"),
        }
    }
}

/// Why a job could not be run, or not to an end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The supervisor could not be started.
    #[error("cannot run {} supervise: {source}", exe.display())]
    Supervisor {
        /// The program.
        exe: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command could not be started.
    #[error("{0}")]
    NotStarted(String),
    /// The supervisor died; what it ran was killed.
    #[error("the job's supervisor was killed; {0} processes of the job were killed with it")]
    Lost(usize),
    /// Something of the job may still run.
    #[error("the job ended, but not all of it: {0}")]
    Left(String),
}

/// Runs a job until it ends, its deadline passes, or `cancel` is ready. When this returns, nothing of the job is left. When
/// the calling process dies, the job does too.
pub async fn run_job(
    exe: &Path,
    job: Job,
    cancel: impl Future<Output = ()>,
) -> Result<JobEnd, JobError> {
    let order = order(job);
    let failed = |source| JobError::Supervisor {
        exe: exe.to_owned(),
        source,
    };
    let text = serde_json::to_vec(&order).map_err(|error| failed(error.into()))?;
    let mut running = start(exe, text).await.map_err(failed)?;
    let report = running.report(order.deadline, cancel).await;
    let _ = running.supervisor.start_kill();
    let _ = running.supervisor.wait().await;
    let Some(report) = report else {
        let remains = Remains { id: order.id };
        return Err(JobError::Lost(remains.kill().await?));
    };
    if let Some(left) = report.left {
        return Err(JobError::Left(left));
    }
    let exit = match report.end {
        JobOutcome::Exited(exit) => JobExit::Exited(exit),
        JobOutcome::DeadlinePassed => JobExit::DeadlinePassed(order.deadline),
        JobOutcome::Cancelled => JobExit::Cancelled,
        JobOutcome::NotStarted(why) => return Err(JobError::NotStarted(why)),
    };
    Ok(JobEnd {
        exit,
        took: report.took,
        tail: report.tail,
        log_trouble: report.log_trouble,
    })
}

fn order(job: Job) -> JobOrder {
    JobOrder {
        id: format!("job-{}", process::unique()),
        command: job.command,
        cwd: job.cwd,
        env: job.env,
        log: std::path::absolute(&job.log).unwrap_or(job.log),
        deadline: job.deadline,
        low_priority: job.low_priority,
        run_as: job.run_as,
        mask: job.mask,
        limits: job.limits,
        log_limit: job.log_limit,
    }
}

/// A supervisor at work.
struct Running {
    supervisor: Child,
    /// While this is held, the supervisor knows that somebody waits.
    lifeline: Option<ChildStdin>,
    output: ChildStdout,
}

async fn start(exe: &Path, mut order: Vec<u8>) -> io::Result<Running> {
    let mut program = Command::new(exe);
    program
        .args(["supervise", "job"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut supervisor = process::spawn(&mut program)?;
    let missing = || io::Error::other("a pipe is missing");
    let mut lifeline = supervisor.stdin.take().ok_or_else(missing)?;
    let output = supervisor.stdout.take().ok_or_else(missing)?;
    order.push(b'\n');
    lifeline.write_all(&order).await?;
    Ok(Running {
        supervisor,
        lifeline: Some(lifeline),
        output,
    })
}

impl Running {
    /// The supervisor's last word; nothing when it died or hangs.
    async fn report(
        &mut self,
        deadline: Duration,
        cancel: impl Future<Output = ()>,
    ) -> Option<JobReport> {
        let mut text = Vec::new();
        let limit = tokio::time::sleep(deadline.saturating_add(KILLING));
        let read = self.output.read_to_end(&mut text);
        tokio::pin!(read, limit, cancel);
        let mut cancelled = false;
        loop {
            tokio::select! {
                done = &mut read => {
                    done.ok()?;
                    break;
                }
                () = &mut limit => return None,
                () = &mut cancel, if !cancelled => {
                    cancelled = true;
                    self.lifeline = None;
                    limit.as_mut().reset(tokio::time::Instant::now() + KILLING);
                }
            }
        }
        serde_json::from_slice(&text).ok()
    }
}

/// What a job left behind when its supervisor was not there to clean up.
struct Remains {
    id: String,
}

impl Remains {
    async fn kill(self) -> Result<usize, JobError> {
        let killed = tokio::task::spawn_blocking(move || {
            let group = Group::find(&self.id);
            let tree = Tree {
                marker: Some(format!("{MARKER}={}", self.id)),
                group: group.clone(),
                ..Tree::default()
            };
            let killed = tree.kill(KILLING, || ());
            if let Some(group) = group {
                group.remove();
            }
            killed
        });
        let killed = killed.await;
        match killed {
            Ok(Ok(killed)) => Ok(killed),
            Ok(Err(error)) => Err(JobError::Left(error.to_string())),
            Err(error) => Err(JobError::Left(error.to_string())),
        }
    }
}
