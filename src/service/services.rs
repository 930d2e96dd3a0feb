use super::exit::Exit;
use super::place::Place;
use super::talk::{self, Unasked};
use super::wire::{Hello, Order, Reply, State, Status};
use crate::system::files::FileError;
use crate::system::process::PidFd;
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// How long a supervisor may take for an answer that it has at hand.
pub(super) const PROMPT: Duration = Duration::from_secs(10);
/// How long the end of a service may take beyond its drain: killing, and seeing that nothing is left.
pub(super) const KILLING: Duration = Duration::from_secs(30);

/// The services of this machine that run under a supervisor of Teal's.
#[derive(Debug, Clone)]
pub struct Services {
    /// Where supervisors have their sockets and keep what they know: `<state_dir>/run`.
    pub run_dir: PathBuf,
    /// The program whose `supervise` is the supervisor: this one.
    pub exe: PathBuf,
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
    /// How the service of this name does, if it runs; one whose supervisor is gone, or hangs, gets a new one.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Status>, ServiceError> {
        const TRIES: usize = 100;
        let place = self.place(key)?;
        let mut dismissed = false;
        for _ in 0..TRIES {
            match self.ask(key, &Order::Status, PROMPT).await {
                Ok(Reply::Status(status)) => return Ok(Some(status)),
                Ok(other) => return Err(self.broken(key, &format!("answered {other:?}"))),
                Err(Unasked::NoAnswer) if !dismissed => {
                    self.dismiss(key, &place)?;
                    dismissed = true;
                }
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
                Hello::Up(status) => return Ok(Some(status)),
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

    /// Ends a supervisor that hangs. Its service goes on, as it does whenever a supervisor dies.
    fn dismiss(&self, key: &str, place: &Place) -> Result<(), ServiceError> {
        let hangs = place.read_status().and_then(|status| status.supervisor);
        let held = hangs.and_then(|who| PidFd::open(who).ok().flatten());
        let Some(held) = held else {
            return Err(self.broken(key, "does not answer"));
        };
        tracing::warn!(
            service = key,
            "its supervisor does not answer; it is replaced"
        );
        match held.signal(Signal::SIGKILL) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.broken(key, &format!("does not answer, nor end: {error}"))),
        }
    }

    /// What is known of the last start of the service of this name, whether or not it runs.
    pub fn last(&self, key: &str) -> Result<Option<Status>, ServiceError> {
        Ok(self.place(key)?.read_status())
    }

    pub(super) fn place(&self, key: &str) -> Result<Place, ServiceError> {
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

    pub(super) fn broken(&self, key: &str, what: &str) -> ServiceError {
        ServiceError::Supervisor {
            key: key.to_owned(),
            what: what.to_owned(),
        }
    }

    /// Starts a supervisor and hears how that went.
    pub(super) async fn launch(
        &self,
        mode: &str,
        key: &str,
        input: &[u8],
    ) -> Result<Hello, ServiceError> {
        let place = self.place(key)?;
        let heard = tokio::time::timeout(
            PROMPT + KILLING,
            talk::hear(&self.exe, mode, place.dir(), input),
        );
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
    pub(super) async fn ask(
        &self,
        key: &str,
        order: &Order,
        patience: Duration,
    ) -> Result<Reply, Unasked> {
        let place = self.place(key).map_err(|_| Unasked::Nobody)?;
        let socket = place.socket();
        match tokio::time::timeout(patience, talk::converse(&socket, order)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(Unasked::Nobody),
            Err(_) => Err(Unasked::NoAnswer),
        }
    }
}
