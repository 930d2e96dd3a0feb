//! Connections between requests: they give up what they hold and go on as if they had not. And what is written down of
//! their requests.

use super::websockets;
use super::world::{World, eventually, soon};
use crate::proxy::access_log::AccessLog;
use crate::proxy::{Phase, Settings};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &str = "GET /headers HTTP/1.1\r\nHost: arq.test\r\n\r\n";

/// Reads one answer with a length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        assert!(soon(stream.read_buf(&mut read)).await.unwrap() > 0);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().parse().unwrap() {
            return text;
        }
    }
}

/// Every connection rests after every answer.
async fn restless() -> World {
    let settings = Settings {
        crowd: 0,
        ..Settings::default()
    };
    World::with(settings).await
}

#[tokio::test]
async fn a_connection_that_rested_goes_on_with_whatever_comes() {
    let world = restless().await;
    let mut stream = world.connect().await;
    for piece in [1, 3, 17, REQUEST.len()] {
        for bytes in REQUEST.as_bytes().chunks(piece) {
            stream.write_all(bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let two = [REQUEST, REQUEST].concat();
    stream.write_all(two.as_bytes()).await.unwrap();
    let mut read = String::new();
    while read.matches("HTTP/1.1 200").count() < 2 {
        let mut more = [0; 4096];
        let count = soon(stream.read(&mut more)).await.unwrap();
        assert!(count > 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&more[..count]));
    }
}

#[tokio::test]
async fn a_connection_that_rested_takes_uploads_and_lies_as_before() {
    let world = restless().await;
    let mut stream = world.connect().await;
    let upload = "POST /read HTTP/1.1\r\nHost: arq.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nkept\r\n0\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(upload.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("kept"));
    }
    let lie = "POST /read HTTP/1.1\r\nHost: arq.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(lie.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 400"));
    let mut end = Vec::new();
    soon(stream.read_to_end(&mut end)).await.unwrap();
}

#[tokio::test]
async fn connections_that_rest_are_closed_when_the_process_ends() {
    let world = restless().await;
    let mut stream = world.connect().await;
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    answer(&mut stream).await;
    soon(world.server.end(Phase::Finishing, &world.settings)).await;
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn each_answer_is_one_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let settings = Settings {
        access_log: Some(AccessLog::open(&path).unwrap()),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    world.get("/x?y=1").await;
    world
        .raw("GET / HTTP/1.1\r\nHost: evil.test\r\nX-Request-Id: abc\r\nConnection: close\r\n\r\n")
        .await;
    let lines = || std::fs::read_to_string(&path).unwrap();
    eventually("both are written", || lines().lines().count() == 2).await;
    let lines: Vec<Value> = lines()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let first = &lines[0];
    for (key, value) in [
        ("client", "127.0.0.1"),
        ("method", "GET"),
        ("scheme", "http"),
        ("host", "arq.test"),
        ("path", "/x?y=1"),
        ("environment", "arq/production"),
        ("color", "blue"),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    assert_eq!(
        (&first["status"], &first["bytes"]),
        (&200.into(), &4.into())
    );
    assert_eq!(
        (&lines[1]["status"], &lines[1]["id"]),
        (&404.into(), &"abc".into())
    );
    assert_eq!(lines[1]["environment"], Value::Null);
}

/// HTTP/2 keeps a connection open for requests to come; one on which none come is ended, in the protocol's own words.
#[tokio::test]
async fn an_http2_connection_without_requests_is_ended_in_time() {
    let settings = Settings {
        idle: Duration::from_millis(50),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let io = TokioIo::new(world.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://arq.test/")
        .body(Full::default())
        .unwrap();
    let answer = soon(client.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    // An error here would be a connection that was cut.
    soon(connection).await.unwrap().unwrap();
}

/// When there is no more room, whoever never asked goes first, then whoever asks nothing; a tunnel and an answer under way
/// stay, and whoever comes then waits for a seat.
#[tokio::test]
async fn a_full_house_makes_room_for_those_who_ask() {
    let settings = Settings {
        connections: 4,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let mut tunnel = websockets::open(&world).await;
    let mut kept = world.connect().await;
    kept.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    let mut half = Vec::new();
    for _ in 0..40 {
        let mut one = world.connect().await;
        one.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
        half.push(one);
        assert!(world.get("/").await.starts_with("HTTP/1.1 200"));
    }
    kept.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    tunnel.write_all(websockets::FROM_CLIENT).await.unwrap();
    let mut frame = [0; 4];
    soon(tunnel.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame, websockets::FROM_SERVER);
}
