//! The words spoken over the proxy's control socket: one line of JSON asks, one line answers.

use super::Measure;
use crate::domain::{Color, EnvId};
use crate::system::socket::{self, Weight};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// What a proxy can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Who are you?
    Identify,
    /// Read the state file again and serve by it.
    Reload,
    /// One environment's counters.
    Measure {
        /// Whose.
        env: EnvId,
    },
    /// Answer as soon as the color has nothing in flight, or when the time is over.
    Drain {
        /// Whose traffic.
        env: EnvId,
        /// The color that should fall silent.
        color: Color,
        /// How long to wait at most, in milliseconds.
        within_ms: u64,
    },
    /// All counters in the text format of Prometheus.
    Metrics,
    /// Give me your listening sockets; [`Command::Release`] on the same connection follows when I serve.
    TakeOver,
    /// I serve now: accept no more, finish what you have, and end.
    Release,
}

/// A proxy's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Command::Identify`].
    Proxy(Identity),
    /// To [`Command::Reload`]: this generation is served from now on.
    Serving {
        /// The table's number.
        generation: u64,
    },
    /// To [`Command::Measure`]; absent for an environment that has no route.
    Measured {
        /// The counters.
        measure: Option<Box<Measure>>,
    },
    /// To [`Command::Drain`]: what is still in flight.
    Left {
        /// Requests without a complete answer.
        requests: u64,
        /// Open upgraded connections.
        tunnels: u64,
    },
    /// To [`Command::Metrics`].
    Metrics {
        /// The exposition.
        text: String,
    },
    /// To [`Command::TakeOver`]: the sockets come as ancillary data with this line, in this order.
    Sockets {
        /// What each is bound to.
        addresses: Vec<SocketAddr>,
    },
    /// To [`Command::Release`].
    Released,
    /// It could not be done.
    Failed {
        /// Why, in one sentence without a full stop.
        cause: String,
    },
}

/// Which program a proxy process runs, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its process id.
    pub pid: u32,
    /// The build: device, inode, size and modification time of the program file.
    pub build: String,
    /// The words that it was started with; none from a build that does not tell.
    #[serde(default)]
    pub words: Vec<String>,
    /// The addresses it accepts on.
    pub listen: Vec<SocketAddr>,
    /// The generation of the table it serves by.
    pub generation: u64,
}

/// The program of this process, even when its file has been replaced or removed meanwhile.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Which build a program file is: one that was replaced has another answer.
pub fn build_of(program: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(program)?;
    let (device, inode, size) = (file.dev(), file.ino(), file.size());
    let (seconds, nanoseconds) = (file.mtime(), file.mtime_nsec());
    Ok(format!("{device}:{inode}:{size}:{seconds}.{nanoseconds}"))
}

/// Asks the proxy at this socket, and waits for its answer for so long.
pub async fn ask(path: &Path, command: &Command, within: Duration) -> io::Result<Reply> {
    let weight = match command {
        Command::Reload => Weight::Acts,
        _ => Weight::Asks,
    };
    let asked = line(command)?;
    let conversation = socket::converse(path, &asked, weight);
    read(&tokio::time::timeout(within, conversation).await??)
}

/// Waits until whoever listens at this path is gone: the kernel closes its sockets at that moment. Returns at once when
/// nobody listens.
pub async fn until_gone(path: &Path) -> io::Result<()> {
    let stream = socket::connect(path)?;
    stream.set_nonblocking(true)?;
    // It says nothing unasked, so whatever ends the reading ends the waiting.
    UnixStream::from_std(stream)?.read_u8().await.map(drop)
}

/// A word as one line.
pub fn line(word: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    Ok(line)
}

/// The word in a line.
pub fn read<'a, T: Deserialize<'a>>(line: &'a str) -> io::Result<T> {
    match line.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(serde_json::from_str(line)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_with_latencies_survives_the_wire() {
        let mut measure = Box::new(Measure::default());
        measure.colors.green.latency.record(1234);
        let reply = Reply::Measured {
            measure: Some(measure),
        };
        let sent = String::from_utf8(line(&reply).unwrap()).unwrap();
        assert_eq!(sent.matches('\n').count(), 1);
        assert_eq!(read::<Reply>(&sent).unwrap(), reply);
    }
}
