//! Upgraded connections: bytes pass both ways until one side ends it, or until its color has been without traffic for so
//! long that it is asked to go. A WebSocket is asked with a close frame, so that its client comes back at once.

use super::activity::Open;
use super::shared::{Phase, Shared};
use super::stats::Ticket;
use super::websocket::{CLOSE_FROM_CLIENT, CLOSE_FROM_SERVER, Frames};
use crate::domain::EnvId;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long the other side of a WebSocket may take to end when one side has.
const PARTING: Duration = Duration::from_secs(5);
/// The size of one read; a WebSocket that is idle holds two such buffers.
const BUFFER: usize = 4096;

/// What is known about an upgraded connection.
pub struct Tunnel {
    /// The table that says when it has to go.
    pub shared: Arc<Shared>,
    /// The environment it belongs to.
    pub env: EnvId,
    /// The color it leads to.
    pub ticket: Ticket,
    /// Whether it speaks in WebSocket frames.
    pub websocket: bool,
    /// Keeps the client's connection among those that are counted, and from having to make room for another.
    pub _open: Option<Open>,
}

/// Both ends, as soon as they have been upgraded.
pub struct Ends {
    /// The client's.
    pub client: OnUpgrade,
    /// The service's.
    pub service: OnUpgrade,
}

impl Tunnel {
    /// Passes bytes until it is over.
    pub async fn run(self, ends: Ends) {
        let (Ok(client), Ok(service)) = (ends.client.await, ends.service.await) else {
            return;
        };
        let (leave, leaving) = watch::channel(false);
        let mut passing = std::pin::pin!(self.pass(client, service, leaving));
        tokio::select! {
            () = passing.as_mut() => return,
            () = self.time_to_go() => {}
        }
        leave.send_replace(true);
        // What has not parted by then is cut.
        let _ = tokio::time::timeout(PARTING, passing).await;
    }

    async fn pass(&self, client: Upgraded, service: Upgraded, leaving: watch::Receiver<bool>) {
        let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
        let (from_service, to_service) = tokio::io::split(TokioIo::new(service));
        let goodbye = |close: &'static [u8]| self.websocket.then_some(close);
        let down = Direction {
            leaving: leaving.clone(),
            goodbye: goodbye(&CLOSE_FROM_SERVER),
            frames: Frames::default(),
        };
        let up = Direction {
            leaving,
            goodbye: goodbye(&CLOSE_FROM_CLIENT),
            frames: Frames::default(),
        };
        let down = down.pass(from_service, to_client);
        let up = up.pass(from_client, to_service);
        if self.websocket {
            part(down, up).await;
        } else {
            tokio::join!(down, up);
        }
    }

    /// Ends when the color has been without a share for as long as WebSockets may stay, or the process ends.
    async fn time_to_go(&self) {
        let mut tables = self.shared.tables();
        let mut phases = self.shared.phases();
        let mut lost: Option<Instant> = None;
        loop {
            tables.borrow_and_update();
            let phase = *phases.borrow_and_update();
            if phase == Phase::Finishing {
                return;
            }
            let stay = self.may_stay().filter(|_| phase == Phase::Serving);
            let deadline = match stay {
                Some(()) => {
                    lost = None;
                    None
                }
                None => Some(*lost.get_or_insert_with(Instant::now) + self.grace()),
            };
            tokio::select! {
                () = reached(deadline) => return,
                changed = tables.changed() => if changed.is_err() { return },
                changed = phases.changed() => if changed.is_err() { return },
            }
        }
    }

    fn may_stay(&self) -> Option<()> {
        let table = self.shared.table();
        let shares = table.site(&self.env)?.route.shares;
        (*shares.of(self.ticket.color()) > 0).then_some(())
    }

    fn grace(&self) -> Duration {
        let table = self.shared.table();
        let grace = table
            .site(&self.env)
            .map(|site| site.route.drain_websockets_ms);
        Duration::from_millis(grace.unwrap_or(0))
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// When one direction of a WebSocket has ended, the other has a moment left.
async fn part(down: impl Future<Output = ()>, up: impl Future<Output = ()>) {
    let (mut down, mut up) = (std::pin::pin!(down), std::pin::pin!(up));
    let rest = tokio::select! {
        () = down.as_mut() => tokio::time::timeout(PARTING, up).await,
        () = up.as_mut() => tokio::time::timeout(PARTING, down).await,
    };
    // An end that does not come is a cut.
    let _ = rest;
}

/// Ends when it is time to leave.
async fn told(leaving: &mut watch::Receiver<bool>) {
    if leaving.wait_for(|leaving| *leaving).await.is_err() {
        std::future::pending().await
    }
}

/// One direction of a tunnel.
struct Direction {
    leaving: watch::Receiver<bool>,
    goodbye: Option<&'static [u8]>,
    frames: Frames,
}

impl Direction {
    async fn pass(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let told = self.copy(&mut from, &mut to).await.unwrap_or(false);
        // The other side may be gone already; then there is nobody to tell.
        let _ = to.shutdown().await;
        if told {
            // Closing with something unread would take the goodbye back out of the client's hands.
            let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
        }
    }

    /// Copies until the source ends (false), or until it is time to leave and that has been said (true).
    async fn copy(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<bool> {
        let mut buffer = vec![0; BUFFER];
        let mut leaving = self.leaving.clone();
        loop {
            let between = self.goodbye.is_none() || self.frames.at_boundary();
            let read = tokio::select! {
                biased;
                () = told(&mut leaving), if between => {
                    to.write_all(self.goodbye.unwrap_or_default()).await?;
                    to.flush().await?;
                    return Ok(true);
                }
                read = from.read(&mut buffer) => read?,
            };
            if read == 0 {
                return Ok(false);
            }
            let passed = self.passed(&buffer[..read]);
            to.write_all(&buffer[..passed]).await?;
            to.flush().await?;
        }
    }

    /// How much of what was read goes on: all, or when leaving only the rest of the frame that is under way.
    fn passed(&mut self, bytes: &[u8]) -> usize {
        match self.goodbye {
            None => bytes.len(),
            Some(_) if *self.leaving.borrow() => self.frames.follow_frame(bytes),
            Some(_) => {
                self.frames.follow(bytes);
                bytes.len()
            }
        }
    }
}
