//! One client's connection, from its first byte to its end.

use super::body::Body;
use super::client_io::ClientIo;
use super::exchange;
use super::headers::Peer;
use super::pages::Page;
use super::shared::Phase;
use super::worker::Worker;
use http::{Request, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpStream;

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
}

/// Serves the connection until either side ends it.
pub async fn serve(worker: Arc<Worker>, incoming: Incoming) {
    let address = incoming.peer.ip().to_canonical();
    let trusted = worker.settings.trusted.contains(&address);
    let peer = Arc::new(Peer::new(address, "http", trusted));
    let Ok(stream) = TcpStream::from_std(incoming.stream) else {
        return;
    };
    // Without it answers are only slower.
    let _ = stream.set_nodelay(true);
    match first_bytes(&worker, &stream).await {
        Some(Protocol::Http1) => serve_http1(worker, peer, stream).await,
        Some(Protocol::Http2) => serve_http2(worker, peer, stream).await,
        None => {}
    }
}

enum Protocol {
    Http1,
    Http2,
}

/// Waits for the client to begin, and looks at what it speaks. Until then the connection costs next to nothing.
async fn first_bytes(worker: &Worker, stream: &TcpStream) -> Option<Protocol> {
    let mut phases = worker.shared.phases();
    let finishing = phases.wait_for(|phase| *phase == Phase::Finishing);
    tokio::select! {
        protocol = tokio::time::timeout(worker.settings.head, sniff(stream)) => protocol.ok().flatten(),
        _ = finishing => None,
    }
}

async fn sniff(stream: &TcpStream) -> Option<Protocol> {
    let mut first = [0; HTTP2.len()];
    loop {
        let read = stream.peek(&mut first).await.ok()?;
        match &first[..read] {
            [] => return None,
            HTTP2 => return Some(Protocol::Http2),
            bytes if !HTTP2.starts_with(bytes) => return Some(Protocol::Http1),
            // A client that sends its first letters one by one; peeking again would not wait for more.
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn serve_http1(worker: Arc<Worker>, peer: Arc<Peer>, stream: TcpStream) {
    let io = ClientIo::new(stream, worker.settings.silence);
    let ambiguous = io.ambiguous();
    let service = service_fn(|request| respond(&worker, &peer, &ambiguous, request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(worker.settings.head)
        .max_header_size(worker.settings.head_bytes)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut phases = worker.shared.phases();
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = phases.wait_for(|phase| *phase == Phase::Finishing) => {}
    }
    connection.as_mut().graceful_shutdown();
    // How a client's connection ends is the client's affair.
    let _ = connection.await;
}

async fn serve_http2(worker: Arc<Worker>, peer: Arc<Peer>, stream: TcpStream) {
    let never = Arc::new(AtomicBool::new(false));
    let service = {
        let worker = worker.clone();
        service_fn(move |request| {
            let (worker, peer, never) = (worker.clone(), peer.clone(), never.clone());
            async move { respond(&worker, &peer, &never, request).await }
        })
    };
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(worker.settings.head_bytes as u32)
        .keep_alive_interval(worker.settings.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut phases = worker.shared.phases();
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        // HTTP/2 can say that it ends without losing what is just being sent.
        _ = phases.wait_for(|phase| *phase != Phase::Serving) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn respond(
    worker: &Arc<Worker>,
    peer: &Peer,
    ambiguous: &AtomicBool,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Infallible> {
    if ambiguous.load(Relaxed) {
        let page = Page::BadRequest("It has a length and a transfer coding.");
        return Ok(page.answer(request.headers(), None));
    }
    Ok(exchange::answer(worker, peer, request).await)
}
