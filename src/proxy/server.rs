//! The data plane as one thing: handed its listeners and its routes, it serves until it is told to end.

use super::connection::Incoming;
use super::settings::Settings;
use super::shared::{Phase, Shared};
use super::thread::Handle;
use super::worker::Worker;
use crate::domain::RouteTable;
use crate::system::clock::Seldom;
use crate::system::seats::{Seat, Seats};
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long accepting pauses when the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// A data plane that serves.
pub struct ProxyServer {
    shared: Arc<Shared>,
    acceptors: JoinSet<()>,
    workers: Arc<Workers>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// Where connections come in.
#[derive(Debug)]
pub struct Door {
    /// The socket that listens.
    pub listener: StdTcpListener,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// The workers, who get connections in turn; none once the process accepts no more.
struct Workers(Vec<Handle>);

impl ProxyServer {
    /// Serves these routes at these doors. Has to be called inside a Tokio runtime, which accepts the connections;
    /// they are served by threads of the proxy's own.
    pub fn start(
        doors: Vec<Door>,
        routes: RouteTable,
        settings: Settings,
    ) -> io::Result<ProxyServer> {
        let shared = Shared::new(routes);
        let settings = Arc::new(settings);
        let mut handles = Vec::new();
        for number in 0..settings.workers.max(1) {
            let worker = Worker {
                shared: shared.clone(),
                pool: Arc::default(),
                settings: settings.clone(),
                open: Default::default(),
            };
            handles.push(worker.start(format!("proxy-{number}"))?);
        }
        let workers = Arc::new(Workers(handles));
        let seats = Arc::new(Seats::new(settings.connections, usize::MAX));
        let mut acceptors = JoinSet::new();
        for Door { listener, tls } in doors {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let accepting = Accepting {
                workers: workers.clone(),
                seats: seats.clone(),
                tls,
            };
            acceptors.spawn(accepting.accept(listener, shared.phases()));
        }
        Ok(ProxyServer {
            shared,
            acceptors,
            workers,
            threads: Vec::new(),
        })
    }

    /// The state behind every connection.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Accepts no more, lets each connection end in the phase's way, and returns when the last one has.
    pub async fn end(mut self, phase: Phase, settings: &Settings) {
        self.shared.enter_phase(phase.max(Phase::Yielding));
        while self.acceptors.join_next().await.is_some() {}
        if let Some(workers) = Arc::into_inner(self.workers) {
            self.threads = workers.0.into_iter().map(Handle::close).collect();
        }
        let shared = self.shared;
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| {
                // A thread that panicked has nothing left to finish.
                let _ = thread.join();
            });
        });
        let mut joined = std::pin::pin!(joined);
        if phase == Phase::Yielding {
            let left = tokio::time::timeout(settings.yielding, joined.as_mut()).await;
            if left.is_ok() {
                return;
            }
            shared.enter_phase(Phase::Finishing);
        }
        let _ = joined.await;
    }
}

/// One door's way to the workers.
struct Accepting {
    workers: Arc<Workers>,
    seats: Arc<Seats<()>>,
    tls: bool,
}

impl Accepting {
    async fn accept(self, listener: TcpListener, mut phases: watch::Receiver<Phase>) {
        let (mut turn, mut seldom) = (0, Seldom::default());
        let mut crowded = Seldom::default();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = phases.wait_for(|phase| *phase != Phase::Serving) => break,
            };
            turn += 1;
            match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => {
                    let seat = tokio::select! {
                        seat = self.seat(&mut crowded) => seat,
                        // Whoever was accepted is served.
                        _ = phases.wait_for(|phase| *phase != Phase::Serving) => self.seats.squeeze(()),
                    };
                    self.give(turn, seat, stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if seldom.is_due() {
                        tracing::error!("cannot accept connections: {error}");
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        self.give_the_waiting(listener, *phases.borrow());
    }

    /// A seat for a connection that was accepted. While everybody is being served, it waits, and those behind it wait in
    /// the kernel's queue.
    async fn seat(&self, crowded: &mut Seldom) -> Seat<()> {
        loop {
            if let Some(seat) = self.seats.take(()).await {
                return seat;
            }
            if crowded.is_due() {
                tracing::warn!(
                    "new connections wait: as many as this process has descriptors for are being served (LimitNOFILE)"
                );
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Connections that the kernel has accepted for us would be reset when the listener closes; when a successor has the
    /// same listener, they wait for it there.
    fn give_the_waiting(&self, listener: TcpListener, phase: Phase) {
        if phase == Phase::Yielding {
            return;
        }
        let Ok(listener) = listener.into_std() else {
            return;
        };
        let waiting = std::iter::from_fn(|| listener.accept().ok());
        for (turn, (stream, peer)) in waiting.enumerate() {
            if stream.set_nonblocking(true).is_ok() {
                self.give(turn, self.seats.squeeze(()), stream, peer);
            }
        }
    }

    fn give(&self, turn: usize, seat: Seat<()>, stream: StdTcpStream, peer: SocketAddr) {
        let workers = &self.workers.0;
        if let Some(worker) = workers.get(turn % workers.len().max(1)) {
            let tls = self.tls;
            worker.give(Incoming {
                stream,
                peer,
                tls,
                seat,
            });
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}
