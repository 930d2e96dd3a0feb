//! When a service is ready, and why it is not.

mod probe;
mod verdict;

pub use probe::{Attempt, Probe, probe_once};
pub use verdict::{Cause, NotReady};

use super::running::Service;
use crate::system::{ports, process};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A service that answered as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// How long it took.
    pub took: Duration,
    /// How many probes.
    pub attempts: u32,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ready after {} ms, {} probe{}",
            self.took.as_millis(),
            self.attempts,
            if self.attempts == 1 { "" } else { "s" }
        )
    }
}

/// How long a wrong state that rarely rights itself (another port, a redirect) may last before it is final.
const SETTLED: Duration = Duration::from_secs(10);
/// How soon it is asked again, and how seldom at most.
const SOON: Duration = Duration::from_millis(8);
const SELDOM: Duration = Duration::from_secs(1);
/// How often it is looked where the service listens.
const LOOK: Duration = Duration::from_millis(500);
/// An answer that took less than this is asked for once more.
const QUICK: Duration = Duration::from_millis(100);

/// Probes the service until it is ready, it ends, it is plain that it never will be, or `deadline` has passed.
pub async fn wait_ready(
    service: &Service,
    probe: &Probe,
    deadline: Duration,
) -> Result<Ready, NotReady> {
    let mut wait = Wait::new(service, probe, deadline);
    let exited = service.exited();
    tokio::pin!(exited);
    loop {
        let cause = tokio::select! {
            biased;
            exit = &mut exited => Some(Cause::Exited(exit)),
            step = within(wait.left(), wait.step()) => match step {
                None => Some(wait.at_deadline().await),
                Some(Step::Ready) => None,
                Some(Step::Never(cause)) => Some(cause),
                Some(Step::NotYet) => continue,
            },
        };
        return match cause {
            None => Ok(Ready {
                took: wait.began.elapsed(),
                attempts: wait.attempts,
            }),
            Some(cause) => Err(wait.not_ready(cause)),
        };
    }
}

async fn within<T>(left: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(left, work).await.ok()
}

/// What one probe changed.
enum Step {
    Ready,
    NotYet,
    Never(Cause),
}

/// One wait for readiness.
struct Wait<'a> {
    service: &'a Service,
    probe: &'a Probe,
    deadline: Duration,
    began: Instant,
    attempts: u32,
    last: Option<Attempt>,
    looked: Instant,
    /// Since when every probe met somebody who is not ready.
    answers_since: Option<Instant>,
    /// Since when the service listens on other addresses only, and on which.
    elsewhere: Option<(Instant, Vec<SocketAddr>)>,
    redirects_since: Option<Instant>,
}

impl<'a> Wait<'a> {
    fn new(service: &'a Service, probe: &'a Probe, deadline: Duration) -> Wait<'a> {
        let began = Instant::now();
        Wait {
            service,
            probe,
            deadline,
            began,
            attempts: 0,
            last: None,
            looked: began,
            answers_since: None,
            elsewhere: None,
            redirects_since: None,
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.began.elapsed())
    }

    async fn step(&mut self) -> Step {
        self.attempts += 1;
        let asked = Instant::now();
        let attempt = probe_once(self.probe).await;
        let took = asked.elapsed();
        let step = match &attempt {
            Attempt::Refused(_) => {
                self.answers_since = None;
                self.nobody_answers().await
            }
            answered => {
                self.answers_since.get_or_insert_with(Instant::now);
                match self.somebody_answers(answered.is_ready()).await {
                    Step::Ready if !self.answers_again(took).await => Step::NotYet,
                    step => step,
                }
            }
        };
        self.note_redirect(&attempt);
        self.last = Some(attempt);
        if !matches!(step, Step::NotYet) {
            return step;
        }
        if let Some(since) = self.redirects_since
            && since.elapsed() >= SETTLED
            && let Some(last) = self.last.take()
        {
            return Step::Never(Cause::Answer(last));
        }
        tokio::time::sleep(self.pause()).await;
        Step::NotYet
    }

    /// While nobody listens the app does not notice that it is asked, so it is asked often. One that answers and is not ready
    /// writes each probe into its log, so it is asked less and less: again after a tenth of the time it has had.
    fn pause(&self) -> Duration {
        match self.answers_since {
            Some(since) => (since.elapsed() / 10).clamp(SOON, SELDOM),
            None if self.began.elapsed() < SETTLED => SOON,
            None => SOON * 2,
        }
    }

    fn note_redirect(&mut self, attempt: &Attempt) {
        if !attempt.is_redirect() {
            self.redirects_since = None;
        } else if self.redirects_since.is_none() {
            self.redirects_since = Some(Instant::now());
        }
    }

    async fn nobody_answers(&mut self) -> Step {
        if self.looked.elapsed() < LOOK {
            return Step::NotYet;
        }
        self.looked = Instant::now();
        let others = self.addresses().await;
        if others.is_empty() {
            self.elsewhere = None;
            return Step::NotYet;
        }
        let since = self
            .elsewhere
            .as_ref()
            .map_or_else(Instant::now, |(since, _)| *since);
        self.elsewhere = Some((since, others.clone()));
        if since.elapsed() < SETTLED {
            return Step::NotYet;
        }
        Step::Never(Cause::Elsewhere {
            port: self.probe.port,
            addresses: others,
        })
    }

    /// An answer counts when it came from the service.
    async fn somebody_answers(&mut self, ready: bool) -> Step {
        self.elsewhere = None;
        let Ok(pids) = self.service.tree().await else {
            // It is ending; its exit says the rest.
            return Step::NotYet;
        };
        let port = self.probe.port;
        let stranger = blocking(move || {
            let uid = pids.first().copied().and_then(process::uid);
            ports::stranger(port, &pids, uid)
        });
        match stranger.await {
            Some(owner) => Step::Never(Cause::Stranger { port, owner }),
            None if ready => Step::Ready,
            None => Step::NotYet,
        }
    }

    /// One that dies of its first answer has none for the second question. One that takes its time to answer is not asked
    /// twice: its users would wait for it.
    async fn answers_again(&self, took: Duration) -> bool {
        took > QUICK || probe_once(self.probe).await.is_ready()
    }

    async fn addresses(&self) -> Vec<SocketAddr> {
        let Ok(pids) = self.service.tree().await else {
            return Vec::new();
        };
        blocking(move || ports::of(&pids).into_iter().collect()).await
    }

    /// The time is over: what was wrong all along?
    async fn at_deadline(&mut self) -> Cause {
        match self.last.take() {
            Some(last @ (Attempt::Answered { .. } | Attempt::Silent(_))) => Cause::Answer(last),
            last => {
                let addresses = within(Duration::from_secs(2), self.addresses()).await;
                match addresses.filter(|addresses| !addresses.is_empty()) {
                    Some(addresses) => Cause::Elsewhere {
                        port: self.probe.port,
                        addresses,
                    },
                    None => last.map_or(Cause::NoProbe, Cause::Answer),
                }
            }
        }
    }

    fn not_ready(&self, cause: Cause) -> NotReady {
        NotReady {
            cause,
            took: self.began.elapsed(),
            attempts: self.attempts,
        }
    }
}

/// Reads `/proc` where that holds nobody up.
async fn blocking<T: Send + Default + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}
