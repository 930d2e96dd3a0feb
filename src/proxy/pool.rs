//! Connections to services, kept open between requests. Each worker has a pool of its own, so a connection never
//! changes threads.

use super::upload::Upload;
use crate::system::clock::monotonic_us;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// A connection idle for longer is not used any more: Node's servers close theirs after five seconds.
const MAX_IDLE: Duration = Duration::from_secs(4);
/// How long a request that cannot be sent twice trusts an idle connection.
const MAX_IDLE_ONCE_ONLY: Duration = Duration::from_secs(1);
/// How long one attempt to connect may take; on this machine it takes microseconds or does not happen.
const CONNECT: Duration = Duration::from_secs(2);
/// Idle connections kept per port and worker.
const KEPT: usize = 512;

type Idle = HashMap<u16, Vec<(SendRequest<Upload>, u64)>>;

/// The idle connections of one worker.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<Idle>,
}

/// One connection, used by one request at a time.
pub struct Lease {
    /// Sends the request.
    pub sender: SendRequest<Upload>,
    port: u16,
    pool: Arc<Pool>,
}

impl Pool {
    /// An idle connection to the port, if there is one that can be trusted. A request that may be `repeated` trusts it
    /// for longer.
    pub fn take(self: &Arc<Self>, port: u16, repeated: bool) -> Option<Lease> {
        let trusted = match repeated {
            true => MAX_IDLE,
            false => MAX_IDLE_ONCE_ONLY,
        };
        let mut idle = self.lock();
        let idle = idle.get_mut(&port)?;
        // The last one given back comes first, so when it is too old all others are.
        while let Some((sender, since)) = idle.pop() {
            if !sender.is_ready() {
                continue;
            }
            if aged(since) > trusted {
                idle.push((sender, since));
                return None;
            }
            return Some(Lease {
                sender,
                port,
                pool: self.clone(),
            });
        }
        None
    }

    /// A new connection to the port.
    pub async fn connect(self: &Arc<Self>, port: u16) -> io::Result<Lease> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await??;
        // Connecting to a free port of the range that the kernel hands out may connect a socket to itself.
        if stream.local_addr()? == address {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            // What ends the connection is told to the request that uses it.
            let _ = connection.with_upgrades().await;
        });
        Ok(Lease {
            sender,
            port,
            pool: self.clone(),
        })
    }

    /// Closes what is too old, and what leads to ports that get no requests any more.
    pub fn sweep(&self, wanted: impl Fn(u16) -> bool) {
        self.lock().retain(|port, idle| {
            idle.retain(|(sender, since)| !sender.is_closed() && aged(*since) <= MAX_IDLE);
            wanted(*port) && !idle.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, port: u16, sender: SendRequest<Upload>) {
        let mut idle = self.lock();
        let idle = idle.entry(port).or_default();
        if idle.len() < KEPT {
            idle.push((sender, monotonic_us()));
        }
    }
}

impl Lease {
    /// The answer is complete: the connection is free for another request as soon as it is ready for one.
    pub fn give_back(self) {
        let Lease {
            mut sender,
            port,
            pool,
        } = self;
        if sender.is_ready() {
            pool.put(port, sender);
        } else if !sender.is_closed() {
            tokio::spawn(async move {
                if sender.ready().await.is_ok() {
                    pool.put(port, sender);
                }
            });
        }
    }
}

fn aged(since_us: u64) -> Duration {
    Duration::from_micros(monotonic_us().saturating_sub(since_us))
}
