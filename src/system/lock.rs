//! A lock that is a lease of a process: the kernel lets go of it when the process ends, however it ends, so it never has
//! to be removed by hand. The file says who holds it: the process's number, and when it started, which tells it from every
//! later one of that number.

use super::clock;
use super::process::Identity;
use super::standing::{LOOK, is_gone, make_room};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The lock of the server that runs, below the state folder.
pub const SERVER: &str = "run/serve.lock";

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("another Teal server ({holder}) has {}: stop it first, or give this one another `state_dir`", path.display())]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Who.
        holder: String,
    },
    /// The file cannot be used.
    #[error("cannot lock {}: {source}", path.display())]
    File {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process's number.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub start: u64,
    /// When it took the lock, in milliseconds since the epoch.
    pub since_ms: i64,
}

impl Holder {
    /// Whoever holds the lock of this file; nothing when that process is gone.
    pub fn of(path: &Path) -> Option<Holder> {
        let holder: Holder = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        let (pid, start) = (holder.pid, holder.start);
        Identity { pid, start }.is_alive().then_some(holder)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}, since {}", self.pid, clock::local(self.since_ms))
    }
}

/// Held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let failed = |source| LockError::File {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
            |(_, error)| match error {
                nix::errno::Errno::EWOULDBLOCK => LockError::Held {
                    path: path.to_owned(),
                    // It may have taken the lock just now, and not have written its name yet.
                    holder: Holder::of(path).map_or_else(
                        || "it is only starting".to_owned(),
                        |holder| holder.to_string(),
                    ),
                },
                error => failed(error.into()),
            },
        )?;
        let who = Identity::own();
        let own = serde_json::to_string(&Holder {
            pid: who.map_or(0, |who| who.pid),
            start: who.map_or(0, |who| who.start),
            since_ms: clock::now_ms(),
        });
        let own = own.map_err(|error| failed(error.into()))? + "\n";
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(own.as_bytes()))
            .map_err(failed)?;
        Ok(Lock {
            path: path.to_owned(),
            _file: file,
        })
    }

    /// Holds it for ever. When somebody removes its file, where nobody else would find it taken, it is taken again.
    pub async fn hold(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !is_gone(&self.path) {
                continue;
            }
            match make_room(&self.path).map(|()| Lock::take(&self.path)) {
                Ok(Ok(again)) => self = again,
                Ok(Err(error)) => tracing::error!(%error, "the lock's file was removed"),
                Err(error) => tracing::error!(%error, "the lock's folder was removed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_the_lock_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serve.lock");
        let first = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("pid {}", std::process::id())),
            "{refused}"
        );
        assert_eq!(Holder::of(&path).unwrap().pid, std::process::id() as i32);
        drop(first);
        Lock::take(&path).unwrap();
        // A later process of the same number does not hold it.
        let text = std::fs::read_to_string(&path).unwrap();
        let start = Identity::own().unwrap().start.to_string();
        std::fs::write(&path, text.replace(&start, "1")).unwrap();
        assert_eq!(Holder::of(&path), None);
    }
}
