//! The proxy's limits.

use super::access_log::AccessLog;
use super::tls::Certificates;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Limits that hold for every connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client may take for the head of a request, and stay without a request.
    pub head: Duration,
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
            head: Duration::from_secs(60),
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
