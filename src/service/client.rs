use super::place::Place;
use super::wire::{Exit, Hello, How, Launch, Order, Reply, Spec, State, Status, Stopped};
use crate::system::files::FileError;
use crate::system::process::Identity;
use crate::system::{clock, socket};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How long a supervisor may take for an answer that it has at hand.
const PROMPT: Duration = Duration::from_secs(10);
/// How long the end of a service may take beyond its drain: killing, and seeing that nothing is left.
const KILLING: Duration = Duration::from_secs(30);

/// The services of this machine that run under a supervisor of Teal's.
#[derive(Debug, Clone)]
pub struct Services {
    /// Where supervisors have their sockets and keep what they know: `<state_dir>/run`.
    pub run_dir: PathBuf,
    /// The program whose `supervise` is the supervisor: this one.
    pub exe: PathBuf,
}

/// One running service. It may be dropped: the service goes on, and [`Services::find`] finds it.
#[derive(Debug, Clone)]
pub struct Service {
    services: Services,
    key: String,
    status: Status,
    seen: Arc<AtomicU64>,
}

/// Why a service could not be started, found or ordered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A name that is no file name.
    #[error("`{0}` cannot name a service: small letters, digits, `-`, `_` and `.` can")]
    Key(String),
    /// The service's folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is there already.
    #[error("the service {0} runs already")]
    Running(String),
    /// The supervisor said why it did not start.
    #[error("the service {key} could not be started: {why}")]
    Start {
        /// Which.
        key: String,
        /// In the supervisor's words.
        why: String,
    },
    /// The supervisor did not answer in time, or with something else than an answer.
    #[error("the supervisor of the service {key} {what}")]
    Supervisor {
        /// Of which service.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// It has ended.
    #[error("the service {key} does not run any more: it {exit}")]
    Ended {
        /// Which.
        key: String,
        /// How it ended.
        exit: Exit,
    },
}

impl Services {
    /// Starts a service under a new supervisor. It is not restarted when it ends, until [`Service::keep_alive`] says so.
    pub async fn start(&self, spec: &Spec) -> Result<Service, ServiceError> {
        let place = self.place(&spec.key)?;
        place.create()?;
        let launch = Launch {
            id: format!(
                "{}-{:x}-{:x}",
                spec.key,
                clock::now_ms(),
                std::process::id()
            ),
            spec: spec.clone(),
        };
        let text = serde_json::to_vec(&launch)
            .map_err(|error| self.broken(&spec.key, &error.to_string()))?;
        match self.launch("service", &spec.key, &text).await? {
            Hello::Up(status) => Ok(self.service(&spec.key, status)),
            Hello::Held => Err(ServiceError::Running(spec.key.clone())),
            Hello::Failed(why) => Err(ServiceError::Start {
                key: spec.key.clone(),
                why,
            }),
        }
    }

    /// The service of this name, if it runs; one whose supervisor is gone gets a new one.
    pub async fn find(&self, key: &str) -> Result<Option<Service>, ServiceError> {
        const TRIES: usize = 100;
        let place = self.place(key)?;
        for _ in 0..TRIES {
            match self.ask(key, &Order::Status, PROMPT).await {
                Ok(Reply::Status(status)) => return Ok(Some(self.service(key, status))),
                Ok(other) => return Err(self.broken(key, &format!("answered {other:?}"))),
                Err(Unasked::NoAnswer) => return Err(self.broken(key, "does not answer")),
                Err(Unasked::Nobody) => {}
            }
            if !place
                .read_status()
                .is_some_and(|last| last.can_be_adopted())
            {
                return Ok(None);
            }
            match self.launch("adopt", key, b"").await? {
                Hello::Up(status) if status.state == State::Ended => return Ok(None),
                Hello::Up(status) => return Ok(Some(self.service(key, status))),
                // It ended meanwhile, and the files say so by now.
                Hello::Failed(why) if place.read_status().is_some_and(|s| s.can_be_adopted()) => {
                    return Err(self.broken(key, &format!("could not be replaced: {why}")));
                }
                Hello::Failed(_) => return Ok(None),
                // Another supervisor is about to open its socket, or about to end.
                Hello::Held => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Err(self.broken(key, "holds the service and does not open its socket"))
    }

    /// What is known of the last start of the service of this name, whether or not it runs.
    pub fn last(&self, key: &str) -> Result<Option<Status>, ServiceError> {
        Ok(self.place(key)?.read_status())
    }

    /// The services whose names begin so and that run; those whose supervisor is gone get a new one.
    pub async fn running(&self, prefix: &str) -> Result<Vec<Service>, ServiceError> {
        let folder = self.run_dir.join("services");
        let mut names: Vec<String> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.starts_with(prefix) && !name.ends_with(".sock"))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                let (act, path) = ("read", folder);
                return Err(FileError { act, path, source }.into());
            }
        };
        names.sort();
        let mut running = Vec::new();
        for name in names {
            running.extend(self.find(&name).await?);
        }
        Ok(running)
    }

    fn place(&self, key: &str) -> Result<Place, ServiceError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let good =
            !key.is_empty() && key.len() < 200 && !key.starts_with('.') && key.chars().all(fits);
        if !good {
            return Err(ServiceError::Key(key.to_owned()));
        }
        // The supervisor leaves this folder for `/`.
        let run_dir = std::path::absolute(&self.run_dir).unwrap_or_else(|_| self.run_dir.clone());
        Ok(Place::of(&run_dir, key))
    }

    fn service(&self, key: &str, status: Status) -> Service {
        Service {
            services: self.clone(),
            key: key.to_owned(),
            seen: Arc::new(AtomicU64::new(status.exits)),
            status,
        }
    }

    fn broken(&self, key: &str, what: &str) -> ServiceError {
        ServiceError::Supervisor {
            key: key.to_owned(),
            what: what.to_owned(),
        }
    }

    /// Starts a supervisor and hears how that went.
    async fn launch(&self, mode: &str, key: &str, input: &[u8]) -> Result<Hello, ServiceError> {
        let place = self.place(key)?;
        let heard =
            tokio::time::timeout(PROMPT + KILLING, hear(&self.exe, mode, place.dir(), input));
        match heard.await {
            Ok(Ok(hello)) => Ok(hello),
            Ok(Err(error)) => Err(ServiceError::Start {
                key: key.to_owned(),
                why: format!("cannot run {} supervise: {error}", self.exe.display()),
            }),
            Err(_) => Err(self.broken(key, "did not say whether it started")),
        }
    }

    /// One order, one answer.
    async fn ask(&self, key: &str, order: &Order, patience: Duration) -> Result<Reply, Unasked> {
        let place = self.place(key).map_err(|_| Unasked::Nobody)?;
        let asked = async {
            let stream = connect(&place.socket())?;
            converse(stream, order).await
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(Unasked::Nobody),
            Err(_) => Err(Unasked::NoAnswer),
        }
    }
}

/// Why there is no answer to an order.
enum Unasked {
    /// There is no supervisor, or it went away.
    Nobody,
    /// There is one, and it is silent.
    NoAnswer,
}

impl Service {
    /// The name it was started under.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its main process when this was found; a restart by the supervisor changes it.
    pub fn pid(&self) -> i32 {
        self.status.service.map_or(0, |who| who.pid)
    }

    /// When its main process was started, in milliseconds since the epoch.
    pub fn started_ms(&self) -> i64 {
        self.status.started_ms
    }

    /// What the supervisor knew when this was found.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What the supervisor knows now.
    pub async fn now(&self) -> Result<Status, ServiceError> {
        match self.order(&Order::Status).await? {
            Reply::Status(status) => Ok(status),
            other => Err(self.odd(&other)),
        }
    }

    /// Waits for the service's main process to end, and says how it did; at once if it has ended since this was found or last
    /// asked. A supervisor that dies meanwhile is replaced.
    pub async fn exited(&self) -> Exit {
        loop {
            let after = self.seen.load(Ordering::Acquire);
            let place = match self.services.place(&self.key) {
                Ok(place) => place,
                Err(error) => return Exit::unknown(error.to_string()),
            };
            if let Ok(stream) = connect(&place.socket())
                && let Ok(Reply::Exited { count, ended }) =
                    converse(stream, &Order::Watch { after }).await
            {
                self.seen.store(count, Ordering::Release);
                return ended.exit;
            }
            if let Some(exit) = self.ended_for_good(&place) {
                return exit;
            }
            if let Ok(None) = self.services.find(&self.key).await
                && let Some(exit) = self.ended_for_good(&place)
            {
                return exit;
            }
            // Either a new supervisor is there, or none can be started just now (no memory, no processes).
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether the supervisor starts the service again when it ends.
    pub async fn keep_alive(&self, on: bool) -> Result<(), ServiceError> {
        match self.order(&Order::KeepAlive { on }).await? {
            Reply::Status(_) => Ok(()),
            other => Err(self.odd(&other)),
        }
    }

    /// Stops the service: SIGTERM, `drain`, SIGKILL. When this returns, nothing of it is left.
    pub async fn stop(&self, drain: Duration) -> Result<Stopped, ServiceError> {
        const TRIES: usize = 5;
        let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
        let order = Order::Stop { drain_ms };
        for _ in 0..TRIES {
            match self.services.ask(&self.key, &order, drain + KILLING).await {
                Ok(Reply::Stopped(stopped)) => return Ok(stopped),
                Ok(Reply::Refused(why)) => {
                    return Err(self.services.broken(&self.key, &format!("says: {why}")));
                }
                Ok(other) => return Err(self.odd(&other)),
                Err(Unasked::NoAnswer) => {
                    return Err(self.services.broken(&self.key, "does not answer"));
                }
                Err(Unasked::Nobody) => {}
            }
            // Its supervisor is gone. If the service is not, another one stops it.
            if self.services.find(&self.key).await?.is_none() {
                return Ok(Stopped {
                    how: How::Gone,
                    killed: 0,
                    took_ms: 0,
                    exit: self.last_exit(),
                });
            }
        }
        Err(self
            .services
            .broken(&self.key, "ends whenever it is asked to stop the service"))
    }

    /// All processes of the service that run now.
    pub async fn tree(&self) -> Result<Vec<i32>, ServiceError> {
        match self.order(&Order::Tree).await? {
            Reply::Tree(pids) => Ok(pids),
            other => Err(self.odd(&other)),
        }
    }

    async fn order(&self, order: &Order) -> Result<Reply, ServiceError> {
        for _ in 0..2 {
            match self.services.ask(&self.key, order, PROMPT).await {
                Ok(reply) => return Ok(reply),
                Err(Unasked::NoAnswer) => break,
                Err(Unasked::Nobody) => {}
            }
            if self.services.find(&self.key).await?.is_none() {
                let exit = self.last_exit().unwrap_or_else(|| Exit::unknown("ended"));
                let key = self.key.clone();
                return Err(ServiceError::Ended { key, exit });
            }
        }
        Err(self.services.broken(&self.key, "does not answer"))
    }

    /// How this very start ended, when it will not come back.
    fn ended_for_good(&self, place: &Place) -> Option<Exit> {
        let gone = || Exit::unknown("ended together with its supervisor, so how is not known");
        match place.read_status() {
            Some(last) if last.can_be_adopted() && last.id == self.status.id => None,
            Some(last) if last.id == self.status.id && last.state == State::Ended => {
                self.seen.store(last.exits, Ordering::Release);
                Some(
                    last.last
                        .last()
                        .map_or_else(gone, |ended| ended.exit.clone()),
                )
            }
            _ => Some(gone()),
        }
    }

    fn last_exit(&self) -> Option<Exit> {
        let last = self.services.last(&self.key).ok().flatten()?;
        let same = last.id == self.status.id;
        last.last
            .last()
            .filter(|_| same)
            .map(|ended| ended.exit.clone())
    }

    fn odd(&self, reply: &Reply) -> ServiceError {
        self.services
            .broken(&self.key, &format!("answered {reply:?}"))
    }

    /// The main process, told apart from later ones of its number.
    pub fn identity(&self) -> Option<Identity> {
        self.status.service
    }
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = socket::connect(path)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

async fn converse(mut stream: UnixStream, order: &Order) -> io::Result<Reply> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    serde_json::from_str(&answer).map_err(io::Error::from)
}

/// Runs `teal supervise <mode> <dir>` with this input, and reads its first word.
async fn hear(exe: &Path, mode: &str, dir: &Path, input: &[u8]) -> io::Result<Hello> {
    let mut child = tokio::process::Command::new(exe)
        .args(["supervise", mode])
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ended before reading says why on its output.
        let _ = stdin.write_all(input).await;
    }
    let mut word = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut word).await?;
    }
    let status = child.wait().await?;
    if word.is_empty() {
        return Err(io::Error::other(format!(
            "it ended without a word ({status})"
        )));
    }
    serde_json::from_str(&word).map_err(io::Error::from)
}
