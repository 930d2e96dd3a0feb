//! Asks the kernel for the TCP sockets that listen, and for no others: `/proc/net/tcp` walks through all connections that
//! the machine could have, which takes milliseconds even where it has none. See sock_diag(7).

use super::Listening;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// The head of each message: length, type, flags, sequence number, sender (`struct nlmsghdr`).
const HEAD: usize = 16;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// `struct inet_diag_msg`.
const ANSWER: usize = 72;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const ALL_OF_THEM: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const TCP: u8 = 6;
const VERSION_4: u8 = 2;
const VERSION_6: u8 = 10;
/// One bit per state of a connection; `TCP_LISTEN` is number 10.
const LISTENS: u32 = 1 << 10;

/// All listening TCP sockets. An error where the kernel answers no such questions.
pub(super) fn listening() -> io::Result<Vec<Listening>> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let mut found = Vec::new();
    for family in [VERSION_4, VERSION_6] {
        send(&kernel, &question(family), SendFlags::empty())?;
        answers(&kernel, &mut found)?;
    }
    Ok(found)
}

fn question(family: u8) -> [u8; HEAD + REQUEST] {
    let mut message = [0; HEAD + REQUEST];
    message[..4].copy_from_slice(&((HEAD + REQUEST) as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&ALL_OF_THEM.to_ne_bytes());
    message[HEAD] = family;
    message[HEAD + 1] = TCP;
    message[HEAD + 4..HEAD + 8].copy_from_slice(&LISTENS.to_ne_bytes());
    message
}

/// Reads until the kernel says that these were all.
fn answers(kernel: &OwnedFd, found: &mut Vec<Listening>) -> io::Result<()> {
    let mut buffer = [0; 32 * 1024];
    loop {
        let (_, length) = recv(kernel, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = buffer.get(..length).ok_or_else(garbled)?;
        while !rest.is_empty() {
            let (kind, body, next) = message(rest).ok_or_else(garbled)?;
            match kind {
                DONE => return Ok(()),
                ERROR => {
                    let code = number(body, 0).map_or(0, |code| code.cast_signed());
                    return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
                }
                SOCK_DIAG_BY_FAMILY => found.extend(socket(body)),
                _ => {}
            }
            rest = next;
        }
    }
}

/// The first message's type and body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEAD..length)?;
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, next))
}

fn socket(body: &[u8]) -> Option<Listening> {
    let body = body.get(..ANSWER)?;
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let address: [u8; 16] = body.get(8..24)?.try_into().ok()?;
    let ip = match body.first()? {
        &VERSION_4 => IpAddr::V4(Ipv4Addr::new(
            address[0], address[1], address[2], address[3],
        )),
        _ => IpAddr::V6(Ipv6Addr::from(address)),
    };
    Some(Listening {
        address: SocketAddr::new(ip, port),
        uid: number(body, 64)?,
        inode: u64::from(number(body, 68)?),
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn those_that_listen_are_found_and_connections_are_not() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("[::]:0").unwrap();
        let connected = TcpStream::connect(one.local_addr().unwrap()).unwrap();
        let found = listening().unwrap();
        let has = |address: SocketAddr| found.iter().any(|socket| socket.address == address);
        assert!(has(one.local_addr().unwrap()) && has(other.local_addr().unwrap()));
        assert!(!has(connected.local_addr().unwrap()));
    }

    #[test]
    fn it_says_what_the_table_of_the_kernel_says() {
        let _one = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = |all: Vec<Listening>| -> BTreeSet<Listening> {
            let held: BTreeSet<u64> =
                crate::system::ports::sockets(std::process::id().cast_signed())
                    .into_iter()
                    .collect();
            all.into_iter()
                .filter(|socket| held.contains(&socket.inode))
                .collect()
        };
        // Other tests of this process open and close sockets meanwhile.
        let agreed = (0..100).any(|_| {
            let asked = own(listening().unwrap());
            !asked.is_empty() && asked == own(crate::system::ports::from_tables())
        });
        assert!(agreed);
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        assert!(message(&[]).is_none());
        let mut long = [0; 20];
        long[..4].copy_from_slice(&200_u32.to_ne_bytes());
        assert!(message(&long).is_none());
        assert!(socket(&[2; ANSWER - 1]).is_none());
    }
}
