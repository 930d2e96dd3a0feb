//! The only writer of deployments: every transition is checked, durable before the act that it announces, and then
//! told to everybody who follows. Telling happens after the commit and can neither fail nor delay it.

use crate::domain::{
    Deployment, DeploymentId, EnvId, Event, Failure, Moment, Receipt, Record, State,
};
use crate::report::Audience;
use crate::store::environments::{self, Standing};
use crate::store::{Handed, Store, StoreError, deployments, events, outbox};
use crate::system::{clock, fault};
use rusqlite::Connection;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::watch;

/// Why a transition was not journaled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// There is no such deployment.
    #[error("there is no deployment {0}")]
    Unknown(DeploymentId),
    /// The move is not legal.
    #[error("deployment {id} is {from}: it cannot become {to}")]
    Illegal {
        /// Which deployment.
        id: DeploymentId,
        /// Where it stands.
        from: State,
        /// Where it should have gone.
        to: State,
    },
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A handle to the journal; clones share it.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    audience: Arc<Audience>,
    newest: Arc<watch::Sender<i64>>,
}

impl Journal {
    /// Opens the journal over a store. What the audience is to be told of an event is stored together with the event.
    pub async fn open(store: Store, audience: Audience) -> Result<Journal, JournalError> {
        let last = store.read(events::last).await?;
        Ok(Journal {
            store,
            audience: Arc::new(audience),
            newest: Arc::new(watch::Sender::new(last)),
        })
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// One deployment as it stands now.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Deployment, JournalError> {
        self.store
            .read(move |c| deployments::get(c, id))
            .await?
            .ok_or(JournalError::Unknown(id))
    }

    /// What is committed about an environment.
    pub async fn standing(&self, env: &EnvId) -> Result<Standing, JournalError> {
        let env = env.clone();
        Ok(self.store.read(move |c| environments::get(c, &env)).await?)
    }

    /// Runs `act` in one transaction; the events that it appends through [`Entry`] are told after the commit.
    pub async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Entry) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        fault::point("journal: before");
        let (value, _) = self.hand_in(act).await?;
        fault::point("journal: after");
        Ok(value)
    }

    /// The same for what nobody acts on, such as the beginning of a step: it is handed in, and the disk is not waited for.
    /// Whatever is written later is never there without it.
    pub fn soon(
        &self,
        act: impl FnOnce(&mut Entry) -> Result<(), JournalError> + Send + 'static,
    ) -> Pending {
        fault::point("journal: before");
        Pending(self.hand_in(act))
    }

    fn hand_in<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Entry) -> Result<T, JournalError> + Send + 'static,
    ) -> Handed<(T, Option<i64>), JournalError> {
        let newest = Arc::clone(&self.newest);
        let audience = Arc::clone(&self.audience);
        self.store.write_then(
            move |connection| {
                let mut entry = Entry {
                    connection,
                    audience: &audience,
                    last: None,
                };
                let value = act(&mut entry)?;
                Ok::<_, JournalError>((value, entry.last))
            },
            move |(_, last)| {
                if let Some(last) = last {
                    newest.send_replace(*last);
                }
            },
        )
    }

    /// Moves a deployment to another state.
    pub async fn move_to(
        &self,
        id: DeploymentId,
        to: State,
        why: Option<String>,
    ) -> Result<Deployment, JournalError> {
        self.write(move |entry| entry.move_to(id, to, why)).await
    }

    /// Ends a deployment that did not become live, with its one failure report.
    pub async fn fail(
        &self,
        id: DeploymentId,
        to: State,
        failure: Failure,
    ) -> Result<Deployment, JournalError> {
        self.write(move |entry| entry.fail(id, to, failure)).await
    }

    /// Makes a remark that people should see.
    pub async fn note(
        &self,
        id: DeploymentId,
        text: impl Into<String>,
    ) -> Result<(), JournalError> {
        let text = text.into();
        self.write(move |entry| entry.tell(id, Event::Note { text }))
            .await
    }

    /// Keeps what the cutover cost.
    pub async fn receipt(&self, id: DeploymentId, receipt: Receipt) -> Result<(), JournalError> {
        self.write(move |entry| {
            entry.change(id, |deployment| deployment.receipt = Some(receipt.clone()))?;
            entry.tell(id, Event::Receipt(receipt))
        })
        .await
    }

    /// Follows one deployment from behind `seq`: all that has happened, then what happens, in order.
    pub fn follow(&self, deployment: DeploymentId, seq: i64) -> Follower {
        Follower {
            store: self.store.clone(),
            newest: self.newest.subscribe(),
            deployment,
            seq,
        }
    }

    /// Waits until anything new is journaled, for those who watch everything.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }
}

/// Something that was handed in and may be durable by now.
pub struct Pending(Handed<((), Option<i64>), JournalError>);

impl Pending {
    /// What became of it, if that is known already.
    pub fn outcome(&mut self) -> Option<Result<(), JournalError>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.0).poll(&mut context) {
            Poll::Ready(outcome) => Some(outcome.map(|_| ())),
            Poll::Pending => None,
        }
    }

    /// Waits until it is durable.
    pub async fn kept(self) -> Result<(), JournalError> {
        self.0.await.map(|_| ())
    }
}

/// One transaction of the journal.
pub struct Entry<'a> {
    connection: &'a Connection,
    audience: &'a Audience,
    last: Option<i64>,
}

impl Entry<'_> {
    /// The connection, for what belongs into the same transaction.
    pub fn connection(&self) -> &Connection {
        self.connection
    }

    /// Adds a deployment in its first state and tells of it, and why it waits if it does.
    pub fn create(
        &mut self,
        deployment: &Deployment,
        why: Option<String>,
    ) -> Result<DeploymentId, JournalError> {
        let id = deployments::insert(self.connection, deployment)?;
        let to = deployment.state;
        self.tell(id, Event::State { to, why })?;
        Ok(id)
    }

    /// Appends an event, and what the audience is to be told of it.
    pub fn tell(&mut self, id: DeploymentId, event: Event) -> Result<(), JournalError> {
        let record = events::append(self.connection, id, clock::now_ms(), event)?;
        self.last = Some(record.seq);
        match Moment::of(&record.event) {
            Some(moment) if !self.audience.is_empty() => self.post(&record, moment),
            _ => Ok(()),
        }
    }

    fn post(&self, record: &Record, moment: Moment) -> Result<(), JournalError> {
        let Some(deployment) = deployments::get(self.connection, record.deployment)? else {
            return Ok(());
        };
        for target in self.audience.of(&deployment, moment) {
            outbox::put(self.connection, target, deployment.id, moment, record.at_ms)?;
        }
        Ok(())
    }

    /// Changes what is known of a deployment, bar its state.
    pub fn change(
        &mut self,
        id: DeploymentId,
        change: impl FnOnce(&mut Deployment),
    ) -> Result<Deployment, JournalError> {
        let mut deployment =
            deployments::get(self.connection, id)?.ok_or(JournalError::Unknown(id))?;
        let state = deployment.state;
        change(&mut deployment);
        deployment.state = state;
        deployments::update(self.connection, &deployment)?;
        Ok(deployment)
    }

    /// Ends a deployment that did not become live, with its one failure report.
    pub fn fail(
        &mut self,
        id: DeploymentId,
        to: State,
        failure: Failure,
    ) -> Result<Deployment, JournalError> {
        let why = Some(failure.cause.clone());
        self.change(id, |deployment| deployment.failure = Some(failure.clone()))?;
        self.tell(id, Event::Failed(failure))?;
        self.move_to(id, to, why)
    }

    /// Moves a deployment to another state, if that is legal, and tells of it.
    pub fn move_to(
        &mut self,
        id: DeploymentId,
        to: State,
        why: Option<String>,
    ) -> Result<Deployment, JournalError> {
        let mut deployment =
            deployments::get(self.connection, id)?.ok_or(JournalError::Unknown(id))?;
        let from = deployment.state;
        if !from.can_become(to) {
            return Err(JournalError::Illegal { id, from, to });
        }
        let now = clock::now_ms();
        deployment.state = to;
        match to {
            // One that was approved goes on: it began before.
            State::Running => deployment.started_ms = deployment.started_ms.or(Some(now)),
            State::Observing => deployment.switched_ms = Some(now),
            _ if to.is_final() => deployment.ended_ms = Some(now),
            _ => {}
        }
        deployments::update(self.connection, &deployment)?;
        self.tell(id, Event::State { to, why })?;
        Ok(deployment)
    }
}

/// The events of one deployment, as they come.
pub struct Follower {
    store: Store,
    newest: watch::Receiver<i64>,
    deployment: DeploymentId,
    seq: i64,
}

impl Follower {
    /// The next events, at least one; waits for them. Empty only when the server is stopping.
    pub async fn next(&mut self) -> Result<Vec<Record>, StoreError> {
        loop {
            self.newest.mark_unchanged();
            let (deployment, seq) = (self.deployment, self.seq);
            let records = self
                .store
                .read(move |c| events::after(c, deployment, seq))
                .await?;
            if let Some(last) = records.last() {
                self.seq = last.seq;
                return Ok(records);
            }
            if self.newest.changed().await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}
