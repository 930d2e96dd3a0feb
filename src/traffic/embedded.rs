//! Teal's own data plane, seen from the server: a process that is started once, told of every route change, and replaced
//! when the program is.

use super::control::{Command, Identity, Reply, ask, build_of, until_gone};
use super::measure::Measure;
use super::{STATE_FILE, TrafficError};
use crate::config;
use crate::domain::{Color, EnvId};
use crate::system::files::{self, AtPath};
use crate::system::process;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command as Program};
use tokio::time::Instant;

/// How long a proxy that was started may take to answer.
const START: Duration = Duration::from_secs(10);
/// How long between two looks at a proxy that is starting.
const LOOK: Duration = Duration::from_millis(20);
/// How long any answer may take that the proxy does not wait for itself.
const ANSWER: Duration = Duration::from_secs(5);
/// How much of its log an error shows.
const TAIL: usize = 5;

/// The way to `teal proxy`.
#[derive(Debug)]
pub struct Embedded {
    program: PathBuf,
    settings: config::Embedded,
    state_file: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Embedded {
    /// The proxy that `program` runs with these settings; its routes, socket and log are in the state folder.
    pub fn new(program: PathBuf, settings: &config::Embedded, state_dir: &Path) -> Embedded {
        Embedded {
            program,
            settings: settings.clone(),
            state_file: state_dir.join(STATE_FILE),
            socket: state_dir.join("run/proxy.sock"),
            log: state_dir.join("run/proxy.log"),
        }
    }

    /// Starts the proxy if none answers, and replaces one that is of another build or was started with other words.
    pub async fn ensure_running(&self) -> Result<(), TrafficError> {
        let build = build_of(&self.program).map_err(TrafficError::Program)?;
        match self.identify().await {
            Ok(identity) if identity.build == build && identity.words == self.words() => Ok(()),
            Ok(old) => self.start(Some(old.pid)).await,
            Err(_) => self.start(None).await,
        }
    }

    /// Waits until the proxy that answers now is gone.
    pub async fn gone(&self) {
        // However the waiting ends, the proxy is looked at next.
        let _ = until_gone(&self.socket).await;
    }

    /// The addresses that the proxy accepts on.
    pub async fn listening(&self) -> Result<Vec<SocketAddr>, TrafficError> {
        Ok(self.identify().await?.listen)
    }

    /// Has the proxy read its state file, and waits until it serves by this generation.
    pub async fn reload(&self, generation: u64) -> Result<(), TrafficError> {
        match self.ask(&Command::Reload, ANSWER).await? {
            Reply::Serving { generation: now } if now >= generation => Ok(()),
            Reply::Serving { generation: now } => Err(TrafficError::Proxy(format!(
                "it serves generation {now} of its routes instead of {generation}"
            ))),
            other => Err(unexpected(other)),
        }
    }

    /// The environment's counters.
    pub async fn measure(&self, env: &EnvId) -> Result<Option<Measure>, TrafficError> {
        let command = Command::Measure { env: env.clone() };
        match self.ask(&command, ANSWER).await? {
            Reply::Measured { measure } => Ok(measure.map(|measure| *measure)),
            other => Err(unexpected(other)),
        }
    }

    /// Waits until the color has nothing in flight, or the time is over; how much is left.
    pub async fn drained(
        &self,
        env: &EnvId,
        color: Color,
        within: Duration,
    ) -> Result<u64, TrafficError> {
        let command = Command::Drain {
            env: env.clone(),
            color,
            within_ms: within.as_millis().try_into().unwrap_or(u64::MAX),
        };
        match self.ask(&command, within + ANSWER).await? {
            Reply::Left { requests, tunnels } => Ok(requests + tunnels),
            other => Err(unexpected(other)),
        }
    }

    /// All counters in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, TrafficError> {
        match self.ask(&Command::Metrics, ANSWER).await? {
            Reply::Metrics { text } => Ok(text),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&self, command: &Command, within: Duration) -> Result<Reply, TrafficError> {
        ask(&self.socket, command, within)
            .await
            .map_err(|source| TrafficError::Silent {
                socket: self.socket.clone(),
                source,
            })
    }

    async fn identify(&self) -> Result<Identity, TrafficError> {
        match self.ask(&Command::Identify, ANSWER).await? {
            Reply::Proxy(identity) => Ok(identity),
            other => Err(unexpected(other)),
        }
    }

    /// What the proxy is started with, after `proxy`.
    fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let settings = &self.settings;
        let mut words = vec!["--state".to_owned(), path(&self.state_file)];
        words.extend(["--socket".to_owned(), path(&self.socket)]);
        list(&mut words, "--listen", &settings.listen);
        list(&mut words, "--trusted", &settings.trusted);
        if let Some(tls) = &settings.tls {
            list(&mut words, "--tls-listen", &tls.listen);
            for pair in &tls.certificates {
                words.extend([
                    "--certificate".to_owned(),
                    path(&pair.cert),
                    path(&pair.key),
                ]);
            }
        }
        if settings.redirect_http {
            words.push("--redirect-http".to_owned());
        }
        if let Some(log) = &settings.access_log {
            words.extend(["--access-log".to_owned(), path(log)]);
        }
        words
    }

    /// Starts a proxy and waits until it answers; when it replaces one, until that one has stepped back.
    async fn start(&self, replaced: Option<u32>) -> Result<(), TrafficError> {
        let written = self.log_file()?;
        let mut child = self.spawn(&written)?;
        let deadline = Instant::now() + START;
        loop {
            let answering = self.identify().await.ok().map(|identity| identity.pid);
            if answering.is_some() && answering != replaced && answering == child.id() {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(self.not_started(format!("it ended with {status}")));
            }
            if Instant::now() > deadline {
                // One that comes up later would be a second one.
                let _ = child.start_kill();
                return Err(self.not_started(format!("it does not answer after {START:?}")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn spawn(&self, log: &File) -> Result<Child, TrafficError> {
        let mut program = Program::new(&self.program);
        program
            .arg0("teal")
            .arg("proxy")
            .args(self.words())
            // It outlives the one who starts it, so it takes nothing of it along.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(TrafficError::Program)?)
            .stderr(log.try_clone().map_err(TrafficError::Program)?);
        process::spawn(&mut program).map_err(TrafficError::Program)
    }

    fn log_file(&self) -> Result<File, TrafficError> {
        if let Some(folder) = self.log.parent() {
            files::create_dir(folder, 0o755)?;
        }
        let mut options = OpenOptions::new();
        let opened = options
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.log);
        Ok(opened.at("open", &self.log)?)
    }

    fn not_started(&self, cause: String) -> TrafficError {
        TrafficError::NotStarted {
            cause,
            log: self.log.clone(),
            tail: tail(&self.log).unwrap_or_default(),
        }
    }
}

/// The option with all its values, if it has any.
fn list(words: &mut Vec<String>, option: &str, values: &[impl ToString]) {
    if !values.is_empty() {
        words.push(option.to_owned());
        words.extend(values.iter().map(ToString::to_string));
    }
}

fn unexpected(reply: Reply) -> TrafficError {
    match reply {
        Reply::Failed { cause } => TrafficError::Proxy(cause),
        other => TrafficError::Proxy(format!("it answered {other:?}")),
    }
}

/// The last lines of the log.
fn tail(log: &Path) -> io::Result<String> {
    let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL)..];
    Ok(last.iter().map(|line| format!("\n  {line}")).collect())
}
