//! The data plane's process: `teal proxy`.

mod body;
mod client_io;
mod connection;
mod control;
mod exchange;
mod framing;
mod headers;
mod inspect;
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
mod tunnel;
mod upload;
mod websocket;
mod worker;

#[cfg(test)]
mod tests;

pub use process::{ProxyError, main};
pub use server::ProxyServer;
pub use settings::Settings;
pub use shared::Phase;
