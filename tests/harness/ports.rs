use std::fs::{self, File, TryLockError};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports on 127.0.0.1 that were free when taken and that no other test, in this process or another, takes meanwhile.
///
/// Two things make a port that was "free a moment ago" unfree: another test that found it free as well, and the kernel,
/// which lends ports of its ephemeral range to outgoing connections. Hence a lock file per port, which the kernel
/// releases when the process ends however it ends, and only ports below that range.
#[derive(Debug, Default)]
pub struct Ports {
    taken: Vec<(u16, File)>,
}

impl Ports {
    /// `count` ports in a row; the first of them.
    pub fn take(&mut self, count: u16) -> u16 {
        let lowest = 10_240;
        let end = ephemeral_begin().max(lowest + 1000);
        let span = end - lowest - count;
        for _ in 0..span {
            let first = lowest + next_guess() % span;
            if let Some(locks) = lock_all(first, count) {
                self.taken.extend(locks);
                return first;
            }
        }
        panic!("no {count} free ports in a row between {lowest} and {end}");
    }

    /// All that were taken, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.taken.iter().map(|(port, _)| *port)
    }
}

fn lock_all(first: u16, count: u16) -> Option<Vec<(u16, File)>> {
    (first..first + count)
        .map(|port| Some((port, lock(port)?)))
        .collect()
}

fn lock(port: u16) -> Option<File> {
    let file = File::create(registry().join(port.to_string())).expect("a lock file for a port");
    match file.try_lock() {
        Ok(()) => TcpListener::bind(("127.0.0.1", port)).ok().map(|_| file),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => panic!("cannot lock port {port}: {error}"),
    }
}

fn registry() -> PathBuf {
    // Per user, so that files of root do not stand in an ordinary user's way.
    let user = nix::unistd::getuid();
    let folder = std::env::temp_dir().join(format!("teal-test-ports-{user}"));
    fs::create_dir_all(&folder).expect("a folder for port locks");
    folder
}

fn ephemeral_begin() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

fn next_guess() -> u16 {
    static GUESS: AtomicU16 = AtomicU16::new(0);
    // Processes begin at different places, so that they seldom meet; steps by a prime visit every port.
    let start = (std::process::id() as u16).wrapping_mul(7919);
    start.wrapping_add(GUESS.fetch_add(1, Ordering::Relaxed).wrapping_mul(13))
}
