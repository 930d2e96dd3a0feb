use super::world::{Answer, Pieces, World, eventually, say, soon, text};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub fn with_connection_headers() -> Answer {
    let mut answer = say("x");
    for (name, value) in [
        ("connection", "x-secret"),
        ("x-secret", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("x-kept", "1"),
    ] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

#[tokio::test]
async fn headers_of_the_connection_stop_here_in_both_directions() {
    let world = World::new().await;
    let seen = world
        .raw(
            "GET /headers HTTP/1.1\r\nHost: ARQ.test:80\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\n\
             Proxy-Authorization: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Kept: 1\r\n\r\n",
        )
        .await;
    for gone in [
        "x-secret",
        "proxy-authorization",
        "6.6.6.6",
        "h2c",
        "\"connection\"",
    ] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    for kept in [
        "\"host\": \"ARQ.test:80\"",
        "\"x-kept\": \"1\"",
        "\"x-forwarded-for\": \"127.0.0.1\"",
        "\"x-forwarded-proto\": \"http\"",
        "\"x-forwarded-host\": \"ARQ.test:80\"",
        "\"forwarded\": \"for=127.0.0.1;",
        "\"x-request-id\": ",
    ] {
        assert!(seen.contains(kept), "{kept} not in {seen}");
    }
    let answer = world.get("/connection").await;
    for gone in ["x-secret", "keep-alive", "proxy-authenticate"] {
        assert!(!answer.contains(gone), "{gone} in {answer}");
    }
    assert!(answer.contains("x-kept: 1\r\n"), "{answer}");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let world = World::new().await;
    let answer = world
        .raw("HEAD / HTTP/1.1\r\nHost: arq.test\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.contains("content-length: 4\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn bodies_pass_while_they_are_sent() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: arq.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    for piece in ["first", "other"] {
        stream
            .write_all(format!("5\r\n{piece}\r\n").as_bytes())
            .await
            .unwrap();
        while !String::from_utf8_lossy(&seen).contains(piece) {
            assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    while !seen.ends_with(b"0\r\n\r\n") {
        assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_chunked_get_keeps_its_body() {
    let world = World::new().await;
    let answer = world
        .raw(
            "GET /echo HTTP/1.1\r\nHost: arq.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n0\r\n\r\n",
        )
        .await;
    assert!(answer.contains("abc"), "{answer}");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let world = World::new().await;
    let io = TokioIo::new(world.connect().await);
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())]);
    let pieces = [
        Ok(Frame::data(Bytes::from_static(b"counted"))),
        Ok(Frame::trailers(trailers)),
    ];
    let request = Request::post("/trailers")
        .header("host", "arq.test")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(Pieces::new(pieces))
        .unwrap();
    let answer = soon(client.send_request(request)).await.unwrap();
    assert_eq!(answer.headers()["trailer"], "x-sum");
    let body = soon(answer.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "42");
}

#[tokio::test]
async fn a_body_that_is_asked_about_goes_only_when_the_service_wants_it() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let head =
        "POST /no HTTP/1.1\r\nHost: arq.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"no") {
        assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.starts_with("HTTP/1.1 417"), "{seen}");

    let mut stream = world.connect().await;
    stream
        .write_all(head.replace("/no", "/read").as_bytes())
        .await
        .unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
    assert!(
        seen.starts_with(b"HTTP/1.1 100 Continue"),
        "{}",
        String::from_utf8_lossy(&seen)
    );
    stream.write_all(b"hello").await.unwrap();
    while !seen.ends_with(b"hello") {
        assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn connections_to_services_are_used_again() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..5 {
        let answer = soon(client.send_request(super::world::request("GET", "/", "")))
            .await
            .unwrap();
        assert_eq!(text(answer).await, "blue");
    }
    eventually("all are counted", || {
        world.measure().colors.blue.answered == 5
    })
    .await;
    assert_eq!(world.blue.connections(), 1);
}
