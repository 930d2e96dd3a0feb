//! Files that grow: whoever follows one is woken when something was written, and not before.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A folder that is watched for files that appear in it and for what is written to them.
pub struct Watched {
    events: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Watches this folder; what happens from now on is told.
    pub fn folder(path: &Path) -> io::Result<Watched> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let what = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
        inotify::add_watch(&events, path, what)?;
        // SAFETY: the descriptor is owned by what is made here, and closed by nobody else before it.
        let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE)? };
        Ok(Watched { events })
    }

    /// Waits until something has happened since the last time; what it was does not matter to who looks anyway.
    pub async fn changed(&self) -> io::Result<()> {
        let mut ready = self.events.readable().await?;
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        loop {
            match rustix::io::read(self.events.get_ref(), &mut buffer) {
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn who_follows_is_woken_by_a_new_file_and_by_what_is_added_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let watched = Watched::folder(dir.path()).unwrap();
        let mut file = std::fs::File::create(dir.path().join("log")).unwrap();
        watched.changed().await.unwrap();
        file.write_all(b"more").unwrap();
        watched.changed().await.unwrap();
        assert!(Watched::folder(&dir.path().join("none")).is_err());
    }
}
