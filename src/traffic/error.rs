use super::NginxError;
use crate::domain::EnvId;
use crate::system::files::FileError;
use std::io;
use std::path::PathBuf;

/// Why traffic was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// Nobody has declared the environment.
    #[error("{0} has no route")]
    Unknown(EnvId),
    /// The route table, or a file beside it, cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The route table is not one.
    #[error("{} is not a route table: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The proxy does not answer.
    #[error("the proxy does not answer on {}: {source}", socket.display())]
    Silent {
        /// Where it was asked.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The proxy answers, but does not do it.
    #[error("the proxy did not follow: {0}")]
    Proxy(String),
    /// The program cannot be started.
    #[error("cannot start the proxy: {0}")]
    Program(io::Error),
    /// The proxy was started and does not serve.
    #[error("the proxy was started but {cause}; {} ends with:{tail}", log.display())]
    NotStarted {
        /// What became of it.
        cause: String,
        /// Where it writes.
        log: PathBuf,
        /// What it wrote last.
        tail: String,
    },
    /// nginx did not follow.
    #[error(transparent)]
    Nginx(#[from] NginxError),
    /// The change failed and the routes are as before.
    #[error("{cause}; the routes are as before")]
    PutBack {
        /// Why it failed.
        cause: Box<TrafficError>,
    },
    /// The change failed, and so did putting the old routes back: the file has the old ones, but who moves the traffic
    /// has not said that it follows them.
    #[error(
        "{cause}; the old routes were written back, but it is not certain that they are followed: {again}"
    )]
    Uncertain {
        /// Why the change failed.
        cause: Box<TrafficError>,
        /// Why putting back failed.
        again: Box<TrafficError>,
    },
}
