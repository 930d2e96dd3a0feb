use super::world::{Answer, World, eventually, say, soon};
use crate::domain::Color;
use crate::proxy::websocket::{CLOSE_FROM_CLIENT, CLOSE_FROM_SERVER};
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A frame of two bytes, as a server sends it.
pub const FROM_SERVER: &[u8] = &[0x82, 2, b'h', b'i'];
/// The same, as a client does.
pub const FROM_CLIENT: &[u8] = &[0x82, 0x82, 0, 0, 0, 0, b'h', b'i'];

/// The service's side: for each frame of eight bytes one of four comes back; a close frame ends it.
pub fn accept(mut request: Request<Incoming>) -> Answer {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut client = TokioIo::new(upgrade.await.unwrap());
        let mut frame = [0; 8];
        while client.read_exact(&mut frame).await.is_ok() {
            if frame == CLOSE_FROM_CLIENT {
                // Ended by the proxy, whose end may be gone already.
                let _ = client.write_all(&CLOSE_FROM_SERVER).await;
                return;
            }
            client.write_all(FROM_SERVER).await.unwrap();
        }
    });
    let mut answer = say("");
    *answer.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", "x"),
    ] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

/// A WebSocket to the service behind `/ws`.
pub async fn open(world: &World) -> TcpStream {
    let mut stream = world.connect().await;
    let head = "GET /ws HTTP/1.1\r\nHost: arq.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        assert!(soon(stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
    let seen = String::from_utf8_lossy(&seen).to_lowercase();
    assert!(seen.starts_with("http/1.1 101"), "{seen}");
    assert!(seen.contains("upgrade: websocket\r\n"), "{seen}");
    assert!(seen.contains("sec-websocket-accept: x\r\n"), "{seen}");
    stream
}

async fn hello(stream: &mut TcpStream) {
    stream.write_all(FROM_CLIENT).await.unwrap();
    let mut frame = [0; 4];
    soon(stream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame, FROM_SERVER);
}

#[tokio::test]
async fn a_websocket_stays_with_its_color_until_its_time_and_is_told_to_go() {
    let world = World::new().await;
    world.change(|route| route.drain_websockets_ms = 3_600_000);
    let mut socket = open(&world).await;
    hello(&mut socket).await;
    let blue = || world.measure().colors.blue;
    eventually("it is a tunnel", || {
        (blue().in_flight, blue().tunnels) == (0, 1)
    })
    .await;
    world.switch_to(Color::Green);
    hello(&mut socket).await;
    // Half a frame is under way when its time comes: it is finished first.
    socket.write_all(&FROM_CLIENT[..3]).await.unwrap();
    world.change(|route| route.drain_websockets_ms = 0);
    let mut goodbye = [0; 4];
    soon(socket.read_exact(&mut goodbye)).await.unwrap();
    assert_eq!(goodbye, CLOSE_FROM_SERVER);
    socket.write_all(&FROM_CLIENT[3..]).await.unwrap();
    let mut rest = Vec::new();
    soon(socket.read_to_end(&mut rest)).await.unwrap();
    drop(socket);
    eventually("it is gone", || blue().tunnels == 0).await;
    assert_eq!(world.measure().colors.green.tunnels, 0);
}

#[tokio::test]
async fn a_color_that_gets_its_share_back_keeps_its_websockets() {
    let world = World::new().await;
    world.change(|route| route.drain_websockets_ms = 3_600_000);
    let mut socket = open(&world).await;
    world.switch_to(Color::Green);
    world.switch_to(Color::Blue);
    world.change(|route| route.drain_websockets_ms = 0);
    hello(&mut socket).await;
    drop(socket);
    eventually("the client went", || {
        world.measure().colors.blue.tunnels == 0
    })
    .await;
}
