//! WebSockets that say nothing, to see how long they live and how they end.

use super::{Visit, answer, now_ns, say, told_to_end};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The first byte of a close frame.
const CLOSE: u8 = 0x88;

/// Opens the WebSockets, says `open`, and says how and when each ended: `close` with a close frame, `cut` without.
pub async fn run(whom: Visit) -> io::Result<()> {
    let mut open = JoinSet::new();
    for _ in 0..whom.connections {
        let (stream, rest) = upgrade(&whom).await?;
        open.spawn(end_of(stream, rest));
    }
    say("open")?;
    let mut told = std::pin::pin!(told_to_end());
    loop {
        tokio::select! {
            () = told.as_mut() => return say(&format!("left {}", open.len())),
            ended = open.join_next() => match ended {
                Some(ended) => say(&ended.map_err(io::Error::other)?)?,
                None => return say("left 0"),
            },
        }
    }
}

async fn upgrade(whom: &Visit) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(whom.target).await?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        whom.host
    );
    stream.write_all(request.as_bytes()).await?;
    let mut rest = Vec::new();
    let answer = answer::read(&mut stream, &mut rest).await?;
    match answer.status {
        101 => Ok((stream, rest)),
        other => Err(io::Error::other(format!("no WebSocket but {other}"))),
    }
}

async fn end_of(mut stream: TcpStream, mut received: Vec<u8>) -> String {
    // A reset ends it as well.
    let _ = stream.read_to_end(&mut received).await;
    let how = match received.first() {
        Some(&CLOSE) => "close",
        _ => "cut",
    };
    format!("{how} {}", now_ns())
}
