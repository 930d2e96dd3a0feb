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
