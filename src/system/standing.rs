//! A socket that stands: when somebody removes it, or the folder around it, it is made again within moments. Otherwise a
//! process that is well could be reached by nobody any more.

use super::clock::Seldom;
use super::files;
use super::socket;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often it is looked whether it is still there.
pub const LOOK: Duration = Duration::from_secs(5);

/// The folder of sockets: everybody may enter it, and each socket says who may speak.
const FOLDER_MODE: u32 = 0o755;

/// A socket that listens at a path for as long as it lives.
pub struct Standing {
    path: Whereabouts,
    mode: u32,
    listener: UnixListener,
    look: Interval,
    seldom: Seldom,
}

/// Where a standing socket is; clones follow it when it is moved.
#[derive(Debug, Clone)]
pub struct Whereabouts(Arc<Mutex<PathBuf>>);

impl Whereabouts {
    /// Moves the socket, and with it the place where it is made again.
    pub fn move_to(&self, to: &Path) -> io::Result<()> {
        let mut path = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fs::rename(&*path, to)?;
        *path = to.to_owned();
        Ok(())
    }
}

impl Standing {
    /// Listens at `path`, which has these permission bits.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Standing> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Standing {
            listener: listen(path, mode)?,
            path: Whereabouts(Arc::new(Mutex::new(path.to_owned()))),
            mode,
            look,
            seldom: Seldom::default(),
        })
    }

    /// Where it is.
    pub fn whereabouts(&self) -> Whereabouts {
        self.path.clone()
    }

    /// The next one who connects.
    pub async fn accept(&mut self) -> io::Result<UnixStream> {
        loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => return accepted.map(|(stream, _)| stream),
                _ = self.look.tick() => self.stand_up(),
            }
        }
    }

    fn stand_up(&mut self) {
        let path = self.path.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_gone(&path) {
            return;
        }
        match make_room(&path).and_then(|()| listen(&path, self.mode)) {
            Ok(listener) => {
                self.listener = listener;
                tracing::warn!("somebody removed {}; it was made again", path.display());
            }
            Err(error) if self.seldom.is_due() => {
                tracing::error!(
                    "{} is gone and cannot be made again: {error}",
                    path.display()
                );
            }
            Err(_) => {}
        }
    }
}

/// Whether there is nothing at this path any more.
pub fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Makes the folder of a socket again, if it is gone too.
pub fn make_room(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| is_gone(folder)) else {
        return Ok(());
    };
    files::create_dir(folder, FOLDER_MODE).map_err(io::Error::other)?;
    // Whatever this process otherwise keeps from others.
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
}

fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let listener = socket::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_whose_folder_was_removed_is_made_again_where_it_is_wanted_now() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("run/a"), dir.path().join("run/b"));
        make_room(&first).unwrap();
        let mut standing = Standing::bind(&first, 0o600).unwrap();
        standing.whereabouts().move_to(&second).unwrap();
        fs::remove_dir_all(dir.path().join("run")).unwrap();
        let connected = async {
            loop {
                if let Ok(stream) = socket::connect(&second) {
                    return stream;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let both = async { tokio::join!(standing.accept(), connected) };
        let (accepted, _client) = tokio::time::timeout(LOOK * 10, both).await.unwrap();
        accepted.unwrap();
        assert!(is_gone(&first));
    }
}
