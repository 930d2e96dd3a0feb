use super::exit::Exit;
use super::place::Place;
use super::services::{KILLING, PROMPT, ServiceError, Services};
use super::talk::{self, Unasked};
use super::wire::{How, Order, Reply, State, Status, Stopped};
use crate::system::process::Identity;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One running service. It may be dropped: the service goes on, and [`Services::find`] finds it.
#[derive(Debug, Clone)]
pub struct Service {
    services: Services,
    key: String,
    status: Status,
    seen: Arc<AtomicU64>,
}

impl Service {
    pub(super) fn new(services: Services, key: &str, status: Status) -> Service {
        Service {
            services,
            key: key.to_owned(),
            seen: Arc::new(AtomicU64::new(status.exits)),
            status,
        }
    }

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
            let watch = Order::Watch { after };
            if let Ok(Reply::Exited { count, ended }) =
                talk::converse(&place.socket(), &watch).await
            {
                self.seen.store(count, Ordering::Release);
                return ended.exit;
            }
            if let Some(exit) = self.ended_for_good(&place) {
                return exit;
            }
            if let Ok(None) = self.services.look(&self.key).await
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
                Err(Unasked::NoAnswer | Unasked::Nobody) => {}
            }
            // Its supervisor is gone, or hangs. If the service is not gone, another one stops it.
            if self.services.look(&self.key).await?.is_none() {
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
                Err(Unasked::NoAnswer | Unasked::Nobody) => {}
            }
            if self.services.look(&self.key).await?.is_none() {
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
            // Whoever saw it end is about to write down how.
            Some(last)
                if last.id == self.status.id && last.supervisor.is_some_and(Identity::is_alive) =>
            {
                None
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
