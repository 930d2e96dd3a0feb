//! Who listens on which TCP port of this machine, and which ports a set of processes listens on.

mod sock_diag;

use super::process;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listening {
    /// The address and port.
    pub address: SocketAddr,
    /// The user it was opened by.
    pub uid: u32,
    inode: u64,
}

impl Listening {
    /// Whether a connection to `127.0.0.1` may end here.
    pub fn takes_loopback(&self) -> bool {
        self.nearness().is_some()
    }

    /// The kernel prefers the exact address to all of version 4, and that to all of version 6.
    fn nearness(&self) -> Option<u8> {
        match self.address.ip() {
            IpAddr::V4(ip) if ip == Ipv4Addr::LOCALHOST => Some(0),
            IpAddr::V6(ip) if ip == Ipv4Addr::LOCALHOST.to_ipv6_mapped() => Some(0),
            IpAddr::V4(ip) if ip.is_unspecified() => Some(1),
            IpAddr::V6(ip) if ip.is_unspecified() => Some(2),
            _ => None,
        }
    }
}

/// The process behind a listening socket, as far as it may be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: Option<i32>,
    /// What it runs.
    pub command: Option<String>,
    /// The user it runs as.
    pub uid: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.command) {
            (Some(pid), Some(command)) => write!(f, "process {pid} (`{command}`)"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => write!(f, "a process of user {}", self.uid),
        }
    }
}

/// Whether a service could listen on this port of `127.0.0.1` now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// All listening TCP sockets.
pub fn listening() -> Vec<Listening> {
    // Some sandboxes refuse the question; the tables can be read everywhere.
    sock_diag::listening().unwrap_or_else(|_| from_tables())
}

fn from_tables() -> Vec<Listening> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|text| text.lines().filter_map(parse).collect::<Vec<_>>())
        .collect()
}

/// The sockets that would answer a connection to `127.0.0.1:<port>`: those with the nearest address.
pub fn answering(port: u16) -> Vec<Listening> {
    let all: Vec<Listening> = listening()
        .into_iter()
        .filter(|socket| socket.address.port() == port)
        .collect();
    let nearest = all.iter().filter_map(Listening::nearness).min();
    all.into_iter()
        .filter(|socket| nearest.is_some() && socket.nearness() == nearest)
        .collect()
}

/// The addresses that these processes listen on.
pub fn of(pids: &[i32]) -> BTreeSet<SocketAddr> {
    let held: BTreeSet<u64> = pids.iter().flat_map(|pid| sockets(*pid)).collect();
    listening()
        .into_iter()
        .filter(|socket| held.contains(&socket.inode))
        .map(|socket| socket.address)
        .collect()
}

/// Who else than `ours` answers on this port of `127.0.0.1`, if anybody does. `uid` is the user that ours run as: a
/// socket of that user whose process may not be looked into is taken for ours.
pub fn stranger(port: u16, ours: &[i32], uid: Option<u32>) -> Option<Owner> {
    let held: BTreeSet<u64> = ours.iter().flat_map(|pid| sockets(*pid)).collect();
    let foreign: Vec<Listening> = answering(port)
        .into_iter()
        .filter(|socket| !held.contains(&socket.inode))
        .collect();
    if foreign.is_empty() {
        return None;
    }
    let holders = holders();
    foreign
        .into_iter()
        .filter(|socket| holders.contains_key(&socket.inode) || uid != Some(socket.uid))
        .map(|socket| owner(&socket, &holders))
        .next()
}

/// Who listens on this port, on any address.
pub fn owners(port: u16) -> Vec<Owner> {
    let mut found = listening();
    found.retain(|socket| socket.address.port() == port);
    if found.is_empty() {
        // To find a holder costs a look at every process of the machine.
        return Vec::new();
    }
    let holders = holders();
    let owners = found.iter().map(|socket| owner(socket, &holders));
    owners.collect()
}

fn owner(socket: &Listening, holders: &BTreeMap<u64, i32>) -> Owner {
    let pid = holders.get(&socket.inode).copied();
    Owner {
        pid,
        command: pid.and_then(process::command),
        uid: socket.uid,
    }
}

/// Each socket of the machine that may be seen, with one process that holds it.
fn holders() -> BTreeMap<u64, i32> {
    let Ok(all) = process::Stat::all() else {
        return BTreeMap::new();
    };
    let mut holders = BTreeMap::new();
    for stat in all {
        for inode in sockets(stat.pid) {
            holders.entry(inode).or_insert(stat.pid);
        }
    }
    holders
}

fn sockets(pid: i32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|target| {
            let text = target.to_str()?;
            let inode = text.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        })
        .collect()
}

/// One line of `/proc/net/tcp` or `tcp6`, if its socket listens.
fn parse(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if *words.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = words.get(1)?.split_once(':')?;
    Some(Listening {
        address: SocketAddr::new(parse_address(address)?, u16::from_str_radix(port, 16).ok()?),
        uid: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// The kernel prints each 32-bit word of an address as a number in the machine's own byte order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..text.len() / 8)
        .filter_map(|at| u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok())
        .map(u32::to_ne_bytes)
        .collect();
    match words.as_slice() {
        [word] => Some(IpAddr::V4(Ipv4Addr::from(*word))),
        [a, b, c, d] => {
            let mut bytes = [0; 16];
            for (at, word) in [a, b, c, d].into_iter().enumerate() {
                bytes[at * 4..at * 4 + 4].copy_from_slice(word);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn a_listener_is_found_with_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(!is_free(address.port()));
        assert!(of(&[own()]).contains(&address));
        let who = stranger(address.port(), &[], None).unwrap();
        assert_eq!(who.pid, Some(own()));
        assert!(
            who.to_string()
                .starts_with(&format!("process {} (`", own()))
        );
        assert_eq!(stranger(address.port(), &[own()], None), None);
    }

    #[test]
    fn a_nearer_address_answers_first() {
        let near = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = near.local_addr().unwrap().port();
        let answering = answering(port);
        assert_eq!(answering.len(), 1);
        assert!(answering[0].takes_loopback());
    }

    #[test]
    fn version_6_is_read() {
        let line = "0: 00000000000000000000000001000000:0BBA 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000  1000 0 4711 1 0 100 0 0 10 0";
        let socket = parse(line).unwrap();
        assert_eq!(socket.address.to_string(), "[::1]:3002");
        assert!(!socket.takes_loopback());
        assert_eq!(socket.uid, 1000);
    }
}
