use super::world::World;

/// What follows in each shape; it must never be taken for a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: arq.test\r\n\r\n";

/// Known ways to make two servers see different requests in the same bytes.
const SHAPES: &[&str] = &[
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    "Content-Length: 5, 5\r\n\r\n12345",
    "Content-Length: +5\r\n\r\n12345",
    "Content-Length: 0x5\r\n\r\n12345",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: 5 5\r\n\r\n12345",
    "Content-Length : 5\r\n\r\n12345",
    "Content-Length: 99999999999999999999999\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5x\r\n12345\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff1\r\n\r\n0\r\n\r\n",
    "Host: other.test\r\nContent-Length: 0\r\n\r\n",
];

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let world = World::new().await;
    for shape in SHAPES {
        let request = format!("POST / HTTP/1.1\r\nHost: arq.test\r\n{shape}{HIDDEN}");
        let answer = world.raw(&request).await;
        let refused = answer.starts_with("HTTP/1.1 4")
            || answer.starts_with("HTTP/1.1 501")
            || answer.is_empty();
        assert!(refused, "{shape:?} was answered\n{answer}");
        assert_eq!(
            answer.matches("HTTP/1.1").count(),
            1,
            "{shape:?} was answered\n{answer}"
        );
    }
    assert_eq!(world.blue.hits("/hidden"), 0);
}

#[tokio::test]
async fn a_second_request_that_is_ambiguous_is_refused_too() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let first = "POST / HTTP/1.1\r\nHost: arq.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    stream.write_all(first.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let read = super::world::soon(stream.read(&mut answer)).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    let second = format!("POST / HTTP/1.1\r\nHost: arq.test\r\n{}{HIDDEN}", SHAPES[0]);
    stream.write_all(second.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    let _ = super::world::soon(stream.read_to_end(&mut rest)).await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.starts_with("HTTP/1.1 400"), "{rest}");
    assert_eq!(rest.matches("HTTP/1.1").count(), 1, "{rest}");
    assert_eq!(world.blue.hits("/hidden"), 0);
}

#[tokio::test]
async fn methods_that_are_not_for_services_are_refused() {
    let world = World::new().await;
    for line in ["CONNECT arq.test:80", "TRACE /"] {
        let answer = world
            .raw(&format!("{line} HTTP/1.1\r\nHost: arq.test\r\n\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{line}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let world = World::new().await;
    let long = "x".repeat(70_000);
    let answer = world
        .raw(&format!(
            "GET / HTTP/1.1\r\nHost: arq.test\r\nX: {long}\r\n\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_none_is_the_clients_mistake() {
    let world = World::new().await;
    for body in ["5x\r\n12345\r\n0\r\n\r\n", "-1\r\n\r\n0\r\n\r\n"] {
        let head = "POST / HTTP/1.1\r\nHost: arq.test\r\nTransfer-Encoding: chunked";
        let answer = world.raw(&format!("{head}\r\n\r\n{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{body:?}: {answer}");
    }
}
