use super::world::{World, eventually, soon, text};
use crate::domain::{Color, Upstreams};

#[tokio::test]
async fn a_request_reaches_the_color_that_serves_whatever_name_leads_there() {
    let world = World::new().await;
    for host in ["arq.test", "ARQ.TEST:8080", "production.arq.localhost"] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = world.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("blue"), "{answer}");
    }
    world.switch_to(Color::Green);
    assert!(world.get("/").await.ends_with("green"));
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let world = World::new().await;
    let unknown = world
        .raw("GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n")
        .await;
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    assert!(unknown.contains("other.test"), "{unknown}");
    let moved = world
        .raw("POST /x?y=1 HTTP/1.1\r\nHost: www.arq.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;
    assert!(moved.starts_with("HTTP/1.1 308"), "{moved}");
    assert!(
        moved.contains("location: http://arq.test/x?y=1\r\n"),
        "{moved}"
    );
    world.change(|route| route.shares = Upstreams::default());
    let empty = world.get("/").await;
    assert!(empty.starts_with("HTTP/1.1 503"), "{empty}");
    assert!(empty.contains("arq/production"), "{empty}");
    world.change(|route| route.maintenance = true);
    let maintenance = world.get("/").await;
    assert!(maintenance.contains("retry-after: 30\r\n"), "{maintenance}");
    assert!(maintenance.contains("maintenance"), "{maintenance}");
    world.change(|route| {
        route.maintenance = false;
        route.default = true;
        route.shares = Upstreams::all_to(Color::Blue);
    });
    let default = world.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert!(default.ends_with("blue"), "{default}");
}

#[tokio::test]
async fn a_paused_environment_holds_requests_until_it_goes_on() {
    let world = World::new().await;
    world.change(|route| route.paused = true);
    let mut client = world.client().await;
    let waiting = tokio::spawn(client.send_request(super::world::request("POST", "/", "x")));
    let mut second = world.client().await;
    let also = tokio::spawn(second.send_request(super::world::request("GET", "/", "")));
    world.change(|route| route.shares = Upstreams::all_to(Color::Green));
    eventually("both are held or on their way", || {
        world.measure().colors.blue.begun == 0
    })
    .await;
    world.change(|route| route.paused = false);
    for answer in [waiting, also] {
        assert_eq!(text(soon(answer).await.unwrap().unwrap()).await, "green");
    }
    world.change(|route| {
        route.paused = true;
        route.hold_ms = 0;
    });
    let refused = world.get("/").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert_eq!(world.measure().turned_away, 1);
}

#[tokio::test]
async fn http2_without_tls_is_understood() {
    let world = World::new().await;
    let io = hyper_util::rt::TokioIo::new(world.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    tokio::spawn(connection);
    for method in ["GET", "POST"] {
        let request = http::Request::builder()
            .method(method)
            .uri("http://arq.test/echo")
            .body(http_body_util::Full::new(bytes::Bytes::from_static(
                b"over two",
            )))
            .unwrap();
        let answer = soon(client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(text(answer).await, "over two");
    }
}
