//! How connections are taken, on every socket of the server's: so many at a time from one peer, so many in all, a head of
//! limited size within a deadline, and an end for whoever takes no answer. A peer that is stuck costs the others nothing,
//! not even those who come from the same address, as everybody does behind a proxy: when there is no more room, whoever
//! has asked nothing yet makes room.

use super::Peer;
use crate::system::clock::Seldom;
use crate::system::seats::{Asking, Seat, Seats, Sending};
use crate::system::standing::Standing;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Extension};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::libc;
use std::convert::Infallible;
use std::hash::Hash;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address, or from one user of this machine.
    pub per_peer: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head: Duration,
    /// How long a peer may take no byte of what was sent.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1024,
            per_peer: 128,
            head: Duration::from_secs(15),
            silence: Duration::from_secs(60),
        }
    }
}

/// The longest head of a request.
const HEAD: usize = 64 * 1024;

/// What somebody is told who comes when there is no room.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The address that a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Remote(pub IpAddr);

/// Answers on a TCP address for ever.
pub async fn serve_tcp(listener: TcpListener, app: Router, limits: Limits) {
    let seats = Seats::new(limits.connections, limits.per_peer);
    let mut seldom = Seldom::default();
    loop {
        let Some((stream, from)) = taken(listener.accept().await, &mut seldom).await else {
            continue;
        };
        let Some(seat) = seats.take(from.ip()).await else {
            turn_away(stream).await;
            continue;
        };
        prepare(&stream, limits);
        let app = app
            .clone()
            .layer(Extension(Remote(from.ip())))
            .layer(Extension(ConnectInfo::<SocketAddr>(from)));
        answer(stream, app, limits, seat);
    }
}

/// Answers on a socket of this machine for ever.
pub async fn serve_unix(mut listener: Standing, app: Router, limits: Limits) {
    let seats = Seats::new(limits.connections, limits.per_peer);
    let mut seldom = Seldom::default();
    loop {
        let Some(stream) = taken(listener.accept().await, &mut seldom).await else {
            continue;
        };
        let peer = Peer::of(&stream);
        let Some(seat) = seats.take(peer.uid).await else {
            turn_away(stream).await;
            continue;
        };
        let app = app.clone().layer(Extension(ConnectInfo::<Peer>(peer)));
        answer(stream, app, limits, seat);
    }
}

/// The connection, unless it was gone already. Where the process has no descriptor left, others have to end first.
async fn taken<T>(accepted: io::Result<T>, seldom: &mut Seldom) -> Option<T> {
    const AGAIN: Duration = Duration::from_millis(200);
    match accepted {
        Ok(connection) => Some(connection),
        Err(error) => {
            let gone = [
                io::ErrorKind::ConnectionAborted,
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::ConnectionRefused,
            ];
            if !gone.contains(&error.kind()) {
                if seldom.is_due() {
                    tracing::error!(%error, "a connection cannot be taken");
                }
                tokio::time::sleep(AGAIN).await;
            }
            None
        }
    }
}

fn prepare(stream: &TcpStream, limits: Limits) {
    // Without them the connection works as well, only with less care.
    let _ = stream.set_nodelay(true);
    let silence = libc::c_uint::try_from(limits.silence.as_millis()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: the descriptor is open as long as the stream, and the option takes exactly this number.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_USER_TIMEOUT,
            (&raw const silence).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        );
    }
}

async fn turn_away(mut stream: impl AsyncWrite + Unpin) {
    // The few bytes fit any socket's buffer: nobody is waited for.
    let _ = tokio::time::timeout(Duration::from_millis(50), stream.write_all(FULL)).await;
}

fn answer<S, K>(stream: S, app: Router, limits: Limits, seat: Seat<K>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    K: Eq + Hash + Clone + Send + Sync + 'static,
{
    tokio::spawn(async move {
        let service = service_fn(|request| respond(&app, &seat, request));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(HEAD);
        let connection = http
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::select! {
            // Whoever breaks the protocol or goes away has had their answer.
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended badly");
            },
            () = seat.told_to_leave() => tracing::debug!("a connection made room for another"),
        }
    });
}

/// The answer to a request. Its connection stays until all of it is sent; while the request's own body has not come, it
/// may still have to make room.
async fn respond<K: Eq + Hash + Clone>(
    app: &Router,
    seat: &Seat<K>,
    request: http::Request<Incoming>,
) -> Result<Response, Infallible> {
    let Some(asking) = seat.ask() else {
        // The connection is being closed: there is nobody to answer.
        return std::future::pending().await;
    };
    let sending = (!request.body().is_end_stream()).then(|| asking.sending());
    let request = request.map(|body| Body::new(body.map_frame(during::<Sending, _>(sending))));
    let response = TowerToHyperService::new(app.clone()).call(request).await?;
    Ok(response.map(|body| Body::new(body.map_frame(during::<Asking, _>(Some(asking))))))
}

/// Holds this for as long as a body is kept.
fn during<T, F>(held: Option<T>) -> impl FnMut(F) -> F {
    move |frame| {
        let _ = &held;
        frame
    }
}

#[cfg(test)]
mod tests;
