//! Unix sockets at paths of any length. The kernel takes 107 bytes; `/proc/self/fd/<folder>/<name>` names the same socket
//! through an opened folder and always fits.

use super::fault;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Listens at `path`. A socket that a dead process left there is replaced; one that somebody still answers on is an
/// [`io::ErrorKind::AddrInUse`].
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let place = Place::of(path)?;
    match UnixListener::bind(place.short()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(place.short()).is_ok() {
                return Err(error);
            }
            super::files::remove_if_there(path)?;
            UnixListener::bind(place.short())
        }
        answer => answer,
    }
}

/// Connects to the socket at `path`.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Place::of(path)?.short())
}

/// Whether what is asked changes anything where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A question.
    Asks,
    /// An order.
    Acts,
}

/// One line to whoever listens at `path`, and the line that comes back; empty when the other end closed without one.
pub async fn converse(path: &Path, line: &[u8], weight: Weight) -> io::Result<String> {
    if weight == Weight::Acts {
        fault::point("order: before");
    }
    let stream = connect(path)?;
    stream.set_nonblocking(true)?;
    let mut stream = tokio::net::UnixStream::from_std(stream)?;
    stream.write_all(line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if weight == Weight::Acts {
        fault::point("order: after");
    }
    Ok(answer)
}

/// A socket's folder, held open, and its name therein.
struct Place {
    folder: File,
    name: PathBuf,
}

impl Place {
    fn of(path: &Path) -> io::Result<Place> {
        let name = path.file_name().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a socket's path ends in a name",
            )
        })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok(Place {
            folder: File::open(folder)?,
            name: name.into(),
        })
    }

    fn short(&self) -> PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_path_of_any_length_can_be_listened_on() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("teal.sock");
        let listener = bind(&path).unwrap();
        let mut client = connect(&path).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let first = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(connect(&path).is_err());
        let _second = bind(&path).unwrap();
        connect(&path).unwrap();
    }
}
