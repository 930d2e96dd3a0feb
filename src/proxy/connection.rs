//! One client's connection, from its first byte to its end. While the client sends nothing, only its socket is kept:
//! ten thousand connections that rest cost little.

use super::activity::Activity;
use super::body::Body;
use super::client_io::ClientIo;
use super::exchange;
use super::headers::Peer;
use super::interim::{Herald, Interim};
use super::pages::Page;
use super::shared::Phase;
use super::tls;
use super::worker::Worker;
use crate::system::seats::Seat;
use bytes::Bytes;
use http::{Request, Response, Version};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;
/// How the first line of HTTP/2 begins; no method of HTTP/1 is called so.
const HTTP2: &[u8] = b"PRI ";

/// A connection that was just accepted.
pub struct Incoming {
    /// The connection.
    pub stream: StdTcpStream,
    /// Who opened it.
    pub peer: SocketAddr,
    /// Whether it came to an address where TLS is spoken.
    pub tls: bool,
    /// Its place among the others.
    pub seat: Seat<()>,
}

/// Serves the connection until either side ends it.
pub async fn serve(worker: Arc<Worker>, incoming: Incoming) {
    let Ok(stream) = TcpStream::from_std(incoming.stream) else {
        return;
    };
    // Without it answers are only slower.
    let _ = stream.set_nodelay(true);
    let address = incoming.peer.ip().to_canonical();
    let trusted = worker.settings.is_trusted(address);
    let scheme = if incoming.tls { "https" } else { "http" };
    let connection = Arc::new(Connection {
        worker,
        peer: Peer::new(address, scheme, trusted),
        activity: Arc::new(Activity::of(incoming.seat)),
        interim: Arc::default(),
    });
    let activity = connection.activity.clone();
    let serving = async move {
        match incoming.tls {
            false => connection.run(stream, None).await,
            // Apart, because it is larger than what most connections need.
            true => Box::pin(connection.run_tls(stream)).await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = activity.told_to_leave() => {}
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

/// What is known about a connection.
struct Connection {
    worker: Arc<Worker>,
    peer: Peer,
    activity: Arc<Activity>,
    interim: Arc<Interim>,
}

impl Connection {
    async fn run_tls(self: Arc<Self>, stream: TcpStream) {
        let settings = &self.worker.settings;
        let Some(certificates) = &settings.tls else {
            return;
        };
        let accepted = tls::acceptor(certificates).accept(stream);
        let Some(Ok(stream)) = self.in_time(settings.head, accepted).await else {
            return;
        };
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Some(Protocol::Http2),
            Some(_) => Some(Protocol::Http1),
            None => None,
        };
        self.run(stream, protocol).await;
    }

    async fn run<S>(self: Arc<Self>, stream: S, agreed: Option<Protocol>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = self.worker.settings.clone();
        let silence = settings.silence;
        let mut io = ClientIo::new(stream, self.activity.clone(), self.interim.clone(), silence);
        let protocol = match agreed {
            Some(protocol) => Some(protocol),
            None => self.protocol(&mut io).await,
        };
        match protocol {
            None => {}
            Some(Protocol::Http2) => Box::pin(self.http2(io)).await,
            Some(Protocol::Http1) => {
                // What serves requests is made anew after each rest, so that nothing of it is kept meanwhile.
                while let Some(resting) = Box::pin(self.http1(io)).await {
                    io = resting;
                    if self.next_bytes(settings.idle, &mut io).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for the client to begin, and looks at what it speaks.
    async fn protocol<S>(&self, io: &mut ClientIo<S>) -> Option<Protocol>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            let first = self.next_bytes(self.worker.settings.head, io).await?;
            if first.starts_with(HTTP2) {
                return Some(Protocol::Http2);
            }
            if !HTTP2.starts_with(&first) {
                return Some(Protocol::Http1);
            }
        }
    }

    /// What the client sends next; nothing when it or this process ends first, or when it takes too long.
    async fn next_bytes<S>(&self, within: Duration, io: &mut ClientIo<S>) -> Option<Bytes>
    where
        S: AsyncRead + Unpin,
    {
        let bytes = self.in_time(within, io.next_bytes()).await?.ok()?;
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The result, unless that takes longer than this, or the process ends first.
    async fn in_time<T>(&self, within: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut phases = self.worker.shared.phases();
        tokio::select! {
            done = tokio::time::timeout(within, work) => done.ok(),
            _ = phases.wait_for(|phase| *phase == Phase::Finishing) => None,
        }
    }

    /// Serves requests until the connection ends (nothing) or rests (what it was).
    async fn http1<S>(&self, io: ClientIo<S>) -> Option<ClientIo<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.respond(request));
        let mut connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.worker.settings.head)
            .max_header_size(self.worker.settings.head_bytes)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut phases = self.worker.shared.phases();
        let begun = self.activity.begun();
        let rests = tokio::select! {
            // In this order: whether it rests is looked at when it has done what it can.
            biased;
            _ = &mut connection => return None,
            () = self.rest(begun) => true,
            _ = phases.wait_for(|phase| *phase == Phase::Finishing) => false,
        };
        if rests {
            let parts = connection.into_parts()?;
            let mut io = parts.io.into_inner();
            io.give_back(parts.read_buf);
            return Some(io);
        }
        Pin::new(&mut connection).graceful_shutdown();
        // How a client's connection ends is the client's affair.
        let _ = connection.await;
        None
    }

    /// Ends when requests came after the `first` ones, all have been answered and nothing more has come for a while.
    async fn rest(&self, first: u64) {
        let activity = &self.activity;
        let (rest, crowd) = (self.worker.settings.rest, self.worker.settings.crowd);
        let mut seen = first;
        let mut look = pin!(tokio::time::sleep(rest));
        poll_fn(|cx| {
            let begun = activity.begun();
            let at_rest = begun > first && activity.is_at_rest();
            if at_rest && self.worker.open.len() > crowd {
                return Poll::Ready(());
            }
            while look.as_mut().poll(cx).is_ready() {
                if at_rest && begun == seen {
                    return Poll::Ready(());
                }
                seen = begun;
                look.as_mut().reset(Instant::now() + rest);
            }
            Poll::Pending
        })
        .await;
    }

    async fn http2<S>(self: &Arc<Self>, mut io: ClientIo<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        io.stop_watching();
        let service = {
            let this = self.clone();
            service_fn(move |request| {
                let this = this.clone();
                async move { this.respond(request).await }
            })
        };
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(self.worker.settings.head_bytes as u32)
            .keep_alive_interval(self.worker.settings.idle)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let mut phases = self.worker.shared.phases();
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = self.unused() => {}
            // HTTP/2 can say that it ends without losing what is just being sent.
            _ = phases.wait_for(|phase| *phase != Phase::Serving) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    /// Ends when no request was open for as long as a connection may be without one.
    async fn unused(&self) {
        let mut seen = self.activity.begun();
        loop {
            tokio::time::sleep(self.worker.settings.idle).await;
            let begun = self.activity.begun();
            if self.activity.is_idle() && begun == seen {
                return;
            }
            seen = begun;
        }
    }

    async fn respond(
        &self,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let Some(open) = self.activity.begin() else {
            // The connection is being closed: there is nobody to answer.
            return std::future::pending().await;
        };
        let response = match self.activity.is_ambiguous() {
            true => Page::BadRequest("It has a length and a transfer coding.")
                .answer(request.headers(), None),
            false => {
                let herald = self.herald(request.version()).await;
                let client = exchange::Client {
                    peer: &self.peer,
                    activity: &self.activity,
                };
                exchange::answer(&self.worker, client, herald, request).await
            }
        };
        Ok(response.map(|body| body.holding(open)))
    }

    /// Who speaks to the client ahead of an answer, where it understands that and the library leaves room for it.
    async fn herald(&self, version: Version) -> Option<Herald> {
        if version != Version::HTTP_11 {
            return None;
        }
        // The task that serves this request is the one that writes to its client.
        poll_fn(|cx| {
            let herald = Herald::new(&self.interim, &self.activity, cx.waker());
            Poll::Ready(Some(herald))
        })
        .await
    }
}
