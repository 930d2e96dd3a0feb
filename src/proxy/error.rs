//! Why a proxy does not serve, in words for whoever reads its log.

use super::tls::TlsError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the proxy cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The state file cannot be read or is not one.
    #[error("{0}")]
    State(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot listen on the control socket {}: {source}", path.display())]
    Control {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another proxy answers on the control socket and does not hand over.
    #[error("the proxy that runs does not hand over its sockets: {0}")]
    HandOver(io::Error),
    /// The certificates cannot be shown.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The access log cannot be written.
    #[error("cannot write the access log {}: {source}", path.display())]
    AccessLog {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that every process needs.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need `setcap cap_net_bind_service=+ep` on the program"
        }
        io::ErrorKind::AddrInUse => "; `ss -ltnp` names the process that does",
        _ => "",
    }
}
