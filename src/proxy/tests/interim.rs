//! What services say ahead of their answers.

use super::world::{World, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: x-own\r\n\
                     X-Own: 1\r\nContent-Length: 7\r\n\r\n";
const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A world whose blue service is written out word by word, by the test.
async fn scripted() -> (World, TcpListener) {
    let world = World::new().await;
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = service.local_addr().unwrap().port();
    world.change(|route| route.upstreams.blue = vec![port]);
    (world, service)
}

/// Reads until this was said; gives all that was read.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).ends_with(end) {
        let count = soon(stream.read_buf(&mut read)).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&read));
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn early_hints_pass_before_the_answer_is_made() {
    let (world, service) = scripted().await;
    let mut client = world.connect().await;
    let mut there = None;
    // Twice on one connection: what was said ahead of the first answer has nothing to do with the second.
    for _ in 0..2 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: arq.test\r\n\r\n")
            .await
            .unwrap();
        let there = match &mut there {
            Some(there) => there,
            empty => empty.insert(soon(service.accept()).await.unwrap().0),
        };
        until(there, "\r\n\r\n").await;
        for hints in 1..=2 {
            there.write_all(HINTS.as_bytes()).await.unwrap();
            let seen = until(&mut client, "\r\n\r\n").await;
            let expected = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
            assert_eq!(seen, expected, "hints {hints}");
        }
        there.write_all(FINAL.as_bytes()).await.unwrap();
        let answer = until(&mut client, "ok").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn hints_and_answer_in_one_piece_stay_in_order() {
    let (world, service) = scripted().await;
    let mut client = world.connect().await;
    let request = b"GET / HTTP/1.1\r\nHost: arq.test\r\nConnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (mut there, _) = soon(service.accept()).await.unwrap();
    until(&mut there, "\r\n\r\n").await;
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    let all = [processing, HINTS, FINAL].concat();
    there.write_all(all.as_bytes()).await.unwrap();
    let answer = until(&mut client, "ok").await;
    let statuses: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("HTTP/"))
        .collect();
    let expected = [
        "HTTP/1.1 102 Processing",
        "HTTP/1.1 103 Early Hints",
        "HTTP/1.1 200 OK",
    ];
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn a_client_of_http_1_0_hears_only_the_answer() {
    let (world, service) = scripted().await;
    let mut client = world.connect().await;
    let request = b"GET / HTTP/1.0\r\nHost: arq.test\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (mut there, _) = soon(service.accept()).await.unwrap();
    until(&mut there, "\r\n\r\n").await;
    let all = [HINTS, FINAL].concat();
    there.write_all(all.as_bytes()).await.unwrap();
    let answer = until(&mut client, "ok").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
}
