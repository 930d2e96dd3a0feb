//! The proxy's limits.

use super::access_log::AccessLog;
use super::tls::Certificates;
use crate::system::limits;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Descriptors that the process needs for itself: its listeners, its log, its control socket and who asks there.
const OWN: usize = 64;

/// Limits that hold for every connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client may take to begin, and then for the head of a request.
    pub head: Duration,
    /// How long a client that has asked may stay without a request.
    pub idle: Duration,
    /// Connections of clients at a time. Each has a descriptor, and needs another one toward its service.
    pub connections: usize,
    /// How long nothing may move in a body, or while an answer is waited for.
    pub silence: Duration,
    /// A connection without a request for so long gives its buffers back.
    pub rest: Duration,
    /// With more connections than this on one worker, each gives them back as soon as it has its answer.
    pub crowd: usize,
    /// The longest head of a request, in bytes.
    pub head_bytes: usize,
    /// How many threads serve connections.
    pub workers: usize,
    /// How long a replaced proxy waits for clients that send nothing before it closes their connections.
    pub yielding: Duration,
    /// The networks whose peers are believed when they say for whom they speak.
    pub trusted: Vec<IpNet>,
    /// What is shown to clients that speak TLS.
    pub tls: Option<Arc<Certificates>>,
    /// Where clients that speak without TLS are sent: to `https` on this port.
    pub https_port: Option<u16>,
    /// Where answered requests are written down.
    pub access_log: Option<AccessLog>,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Settings {
            head: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            connections: limits::descriptors().saturating_sub(OWN) / 2,
            silence: Duration::from_secs(300),
            rest: Duration::from_secs(1),
            crowd: 1000,
            head_bytes: 64 * 1024,
            workers: cores.max(2),
            yielding: Duration::from_secs(90),
            trusted: Vec::new(),
            tls: None,
            https_port: None,
            access_log: None,
        }
    }
}

impl Settings {
    /// Whether the peer at this address is believed when it says for whom it speaks.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}
