//! The service behind the proxies: it answers with its name, the path and the body, and takes WebSockets.

use super::answer::header;
use memchr::memmem;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves until it is killed.
pub async fn run(listen: SocketAddr, name: String) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    super::say("listens")?;
    let name: Rc<str> = name.into();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let name = name.clone();
        tokio::task::spawn_local(async move {
            // How a connection ends is counted by the other side.
            let _ = serve(stream, &name).await;
        });
    }
}

async fn serve(mut stream: TcpStream, name: &str) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let Some(head) = memmem::find(&buffer, b"\r\n\r\n").map(|end| end + 4) else {
            match stream.read_buf(&mut buffer).await? {
                0 => return Ok(()),
                _ => continue,
            }
        };
        let text = std::str::from_utf8(&buffer[..head]).map_err(io::Error::other)?;
        if header(text, "upgrade").is_some() {
            return silent(stream).await;
        }
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let length = header(text, "content-length").map_or(Ok(0), str::parse);
        let length: usize = length.map_err(io::Error::other)?;
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body = String::from_utf8_lossy(&buffer[head..head + length]).into_owned();
        buffer.drain(..head + length);
        let said = format!("{name} {path} {body}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Agrees to a WebSocket and keeps it until the other side ends it.
async fn silent(mut stream: TcpStream) -> io::Result<()> {
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    stream.write_all(agreed.as_bytes()).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
