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
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpSocket;

    const QUICK: Limits = Limits {
        connections: 6,
        per_peer: 3,
        head: Duration::from_millis(100),
        silence: Duration::from_secs(1),
    };

    const LONG: Limits = Limits {
        head: Duration::from_secs(60),
        ..QUICK
    };

    const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";

    /// An answer that begins and does not end.
    async fn slow() -> Body {
        let (mut sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(1);
        let _ = sender.send_data("begun".into()).await;
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        Body::new(body.map_err(|never| match never {}).map_frame(|f| f))
    }

    async fn server(limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route(
                "/",
                get(|| async { "here" }).post(|_: String| async { "there" }),
            )
            .route("/slow", get(slow));
        tokio::spawn(serve_tcp(listener, app, limits));
        address
    }

    async fn from(peer: &str, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{peer}:0").parse().unwrap()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn said(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        // A connection that is reset after its answer has had its answer.
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_head_that_never_ends_is_given_up() {
        let to = server(QUICK).await;
        let mut slow = from("127.0.0.1", to).await;
        slow.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        let answer = said(slow).await;
        assert!(!answer.contains("here"), "{answer}");
        // So is a connection on which nothing is ever asked.
        assert_eq!(said(from("127.0.0.1", to).await).await, "");
    }

    /// Takes a peer's three seats with connections that send only this.
    async fn stuck(to: SocketAddr, begun: &[u8]) -> Vec<TcpStream> {
        let mut stuck = Vec::new();
        for _ in 0..3 {
            let mut one = from("127.0.0.1", to).await;
            one.write_all(begun).await.unwrap();
            stuck.push(one);
        }
        stuck
    }

    async fn asks(peer: &str, to: SocketAddr) -> String {
        let mut other = from(peer, to).await;
        other.write_all(ASK).await.unwrap();
        said(other).await
    }

    #[tokio::test]
    async fn one_peer_that_takes_all_its_seats_keeps_nobody_out() {
        let to = server(LONG).await;
        for begun in [&b"GET / HTTP/1.1\r\n"[..], b"", UPLOAD] {
            let stuck = stuck(to, begun).await;
            for peer in ["127.0.0.1", "127.0.0.2", "127.0.0.1"] {
                let answer = asks(peer, to).await;
                assert!(answer.ends_with("here"), "{answer}");
            }
            drop(stuck);
        }
    }

    #[tokio::test]
    async fn whoever_is_being_answered_keeps_the_seat() {
        let to = server(LONG).await;
        let served = stuck(
            to,
            b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await;
        for one in &served {
            one.readable().await.unwrap();
        }
        let full = asks("127.0.0.1", to).await;
        assert!(full.starts_with("HTTP/1.1 503"), "{full}");
        assert!(asks("127.0.0.2", to).await.ends_with("here"));
        drop(served);
    }

    #[tokio::test]
    async fn a_head_of_any_size_is_not_kept() {
        let to = server(QUICK).await;
        let mut long = from("127.0.0.1", to).await;
        let _ = long.write_all(b"GET / HTTP/1.1\r\n").await;
        let line = format!("X: {}\r\n", "x".repeat(HEAD));
        let _ = long.write_all(line.as_bytes()).await;
        let answer = said(long).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
}
