//! The proxy's limits.

use std::net::IpAddr;
use std::time::Duration;

/// Limits that hold for every connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client may take for the head of a request, and stay without a request.
    pub head: Duration,
    /// How long nothing may move in a body, or while an answer is waited for.
    pub silence: Duration,
    /// The longest head of a request, in bytes.
    pub head_bytes: usize,
    /// How many threads serve connections.
    pub workers: usize,
    /// How long a replaced proxy waits for clients that send nothing before it closes their connections.
    pub yielding: Duration,
    /// Peers that are believed when they say for whom they speak.
    pub trusted: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Settings {
            head: Duration::from_secs(60),
            silence: Duration::from_secs(300),
            head_bytes: 64 * 1024,
            workers: cores.max(2),
            yielding: Duration::from_secs(90),
            trusted: Vec::new(),
        }
    }
}
