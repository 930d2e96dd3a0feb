use crate::domain::KeyName;
use crate::system::files::FileError;
use std::path::PathBuf;

/// Why a key was not added, listed or removed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no public key.
    #[error("that is not a public ssh key")]
    NoKey,
    /// The text is a private key.
    #[error("that is a private key, which has to stay where it is")]
    Private,
    /// The same key is in the file without Teal's limits, and sshd takes the first line that fits.
    #[error("{} lets this key in without limits (line {line})", file.display())]
    Unlimited {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The same key has another name already.
    #[error("this key is there already, by the name {0}")]
    Named(KeyName),
    /// Nobody knows the user who owns the server's state.
    #[error("this machine knows no user of the number {0}, who owns the server's state")]
    NoOwner(u32),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}
