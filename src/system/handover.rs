//! Listening sockets handed from one process to another, over a unix socket.

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// The most sockets that one message takes along.
pub const MOST: usize = 64;

/// Sends the line, and with its first byte these sockets.
pub fn send(stream: &UnixStream, line: &[u8], sockets: &[impl AsRawFd]) -> io::Result<()> {
    if sockets.len() > MOST {
        return Err(io::Error::other(format!(
            "{} sockets are more than the {MOST} that can be handed over",
            sockets.len()
        )));
    }
    let raw: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let sent = sendmsg::<()>(
        stream.as_raw_fd(),
        &[IoSlice::new(line)],
        &rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    io::Write::write_all(&mut &*stream, &line[sent..])
}

/// Receives one line and the sockets that came with it.
pub fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut line = Vec::new();
    let mut sockets = Vec::new();
    while line.last() != Some(&b'\n') {
        let read = receive_some(stream, &mut line, &mut sockets)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((line, sockets))
}

fn receive_some(
    stream: &UnixStream,
    line: &mut Vec<u8>,
    sockets: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut bytes = [0; 4096];
    let mut space = nix::cmsg_space!([RawFd; MOST]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let read = message.bytes;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel has just made these descriptors for us; nobody else knows them.
            sockets.extend(
                received
                    .into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
            );
        }
    }
    line.extend_from_slice(&bytes[..read]);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_goes_through_and_still_listens() {
        let (here, there) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        send(&here, b"one\n", &[listener.as_raw_fd(); 2]).unwrap();
        drop(listener);
        let (line, mut sockets) = receive(&there).unwrap();
        assert_eq!(line, b"one\n");
        assert_eq!(sockets.len(), 2);
        let listener = TcpListener::from(sockets.remove(0));
        let _client = std::net::TcpStream::connect(address).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn half_a_line_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        send(&here, b"half", &[] as &[OwnedFd]).unwrap();
        drop(here);
        assert!(receive(&there).is_err());
    }
}
