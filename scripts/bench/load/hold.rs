//! Connections that are opened and kept, to see what they cost.

use super::{Visit, answer, say, told_to_end};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// Connections from one address; a port is taken for each.
const PER_ADDRESS: usize = 5_000;

/// Opens the connections, says `open`, and keeps them until it is told to end.
pub async fn run(whom: Visit) -> io::Result<()> {
    let mut open = Vec::with_capacity(whom.connections);
    for number in 0..whom.connections {
        let mut stream = connect(&whom, number).await?;
        if whom.ask {
            let request = format!("GET /{number} HTTP/1.1\r\nHost: {}\r\n\r\n", whom.host);
            stream.write_all(request.as_bytes()).await?;
            answer::read(&mut stream, &mut Vec::new()).await?;
        }
        open.push(stream);
    }
    say("open")?;
    told_to_end().await;
    Ok(())
}

/// A connection from one of several loopback addresses, so that ports suffice.
async fn connect(whom: &Visit, number: usize) -> io::Result<TcpStream> {
    let last = u8::try_from(2 + number / PER_ADDRESS).map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    socket.connect(whom.target).await
}
