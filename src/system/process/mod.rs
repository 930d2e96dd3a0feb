//! Processes as the kernel tells them: who one is beyond its number, what it runs, and its place in the tree. A number
//! alone never names a process here, because the kernel gives numbers again; a number with a start time does.

mod pidfd;
mod tree;

pub use pidfd::{PidFd, Reaped};
pub use tree::{KillError, Survivors, Tree};

use super::fault;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

/// One process, told apart from every later one of the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process's number.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub start: u64,
}

impl Identity {
    /// Whoever has this number now.
    pub fn of(pid: i32) -> Option<Identity> {
        Stat::read(pid).map(|stat| stat.identity())
    }

    /// The process that asks.
    pub fn own() -> Option<Identity> {
        i32::try_from(std::process::id())
            .ok()
            .and_then(Identity::of)
    }

    /// Whether this very process still runs; one that ended and waits to be collected does not.
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.identity() == self && stat.runs())
    }
}

/// What `/proc/<pid>/stat` says of a process, as far as it is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process's number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it started, in clock ticks since the machine did.
    pub start: u64,
    state: u8,
    threads: u32,
}

impl Stat {
    /// What is known of the process of this number, if there is one.
    pub fn read(pid: i32) -> Option<Stat> {
        let text = read_at_once(&format!("/proc/{pid}/stat")).ok()?;
        Stat::parse(pid, &text)
    }

    /// All processes that can be seen.
    pub fn all() -> io::Result<Vec<Stat>> {
        let pids = fs::read_dir("/proc")?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(pids.filter_map(Stat::read).collect())
    }

    /// Who it is.
    pub fn identity(&self) -> Identity {
        Identity {
            pid: self.pid,
            start: self.start,
        }
    }

    /// Whether any thread of it still runs. A process whose first thread has ended looks like a zombie while others go on.
    pub fn runs(&self) -> bool {
        !matches!(self.state, b'Z' | b'X') || self.threads > 1
    }

    /// The name stands in parentheses and may itself hold parentheses and spaces: what follows the last one is regular.
    fn parse(pid: i32, text: &[u8]) -> Option<Stat> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        Some(Stat {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            threads: fields.get(17)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

/// A file of the kernel's, whose length nobody knows before: with room enough from the start it takes two reads instead of
/// a dozen, and there are as many files as processes.
fn read_at_once(path: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(4096);
    fs::File::open(path)?
        .take(u64::MAX)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// Starts a program that acts for the server.
pub fn spawn(command: &mut tokio::process::Command) -> io::Result<tokio::process::Child> {
    fault::point("process: before");
    let child = command.spawn();
    fault::point("process: after");
    child
}

/// The command line of a process, word by word; none where it may not be known.
pub fn words(pid: i32) -> Option<Vec<String>> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

/// The command line of a process for people, cut to a readable length; its short name when it has none.
pub fn command(pid: i32) -> Option<String> {
    let line = words(pid).unwrap_or_default();
    let text = if line.is_empty() {
        fs::read_to_string(format!("/proc/{pid}/comm"))
            .ok()?
            .trim_end()
            .to_owned()
    } else {
        line.join(" ")
    };
    Some(
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(120)
            .collect(),
    )
}

/// The number of the user that a process runs as, if it may be known.
pub fn uid(pid: i32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(format!("/proc/{pid}"))
        .ok()
        .map(|meta| meta.uid())
}

/// A word that differs after each start of the machine, so that records of processes from before it are not believed.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A word that is like no other on this machine, to mark processes with.
pub fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let random = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let random: String = random
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    format!("{:x}-{count}-{random}", std::process::id())
}

/// Whether the environment that the process was started with has exactly this `NAME=value`.
pub fn was_started_with(pid: i32, entry: &str) -> bool {
    read_at_once(&format!("/proc/{pid}/environ")).is_ok_and(|environ| {
        environ
            .split(|byte| *byte == 0)
            .any(|had| had == entry.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let text = b"7 (a) (b c)) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9876 1 1";
        let stat = Stat::parse(7, text).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session), (3, 4, 5));
        assert_eq!((stat.start, stat.threads), (9876, 1));
        assert!(stat.runs());
    }

    #[test]
    fn a_number_alone_is_nobody() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        let stranger = Identity {
            start: own.start + 1,
            ..own
        };
        assert!(!stranger.is_alive());
    }

    #[test]
    fn the_command_line_is_readable() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(command(own).unwrap().contains("teal"));
    }
}
