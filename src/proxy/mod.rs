//! The data plane's process: `teal proxy`.

mod access_log;
mod activity;
mod args;
mod body;
pub mod certificate;
mod client_io;
mod connection;
mod control;
mod error;
mod exchange;
mod framing;
mod headers;
mod inspect;
mod interim;
mod metrics;
mod outgoing;
mod pages;
mod patience;
mod pool;
mod predecessors;
mod process;
mod server;
mod settings;
mod shared;
mod silence;
mod stats;
mod table;
mod thread;
mod tls;
mod tunnel;
mod upload;
mod websocket;
mod worker;

#[cfg(test)]
mod tests;

pub use error::ProxyError;
pub use process::main;
pub use server::{Door, ProxyServer};
pub use settings::Settings;
pub use shared::Phase;
pub use tls::{CertificateFiles, Certificates, TlsError};
