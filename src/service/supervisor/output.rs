//! The FIFO between a service and its supervisor. The service holds it open for reading too, so that writing into it never
//! kills the service, whatever happens to the supervisor; the next supervisor reads on where the last one ended.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::Uid;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// As much as an ordinary user may have: how far a service can write ahead while nobody reads.
const ROOM: i32 = 1024 * 1024;

/// Makes the FIFO, or finds the one that is there, and opens the reading side.
pub(super) fn reader(path: &Path, owner: Option<Uid>) -> io::Result<File> {
    let is_fifo = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
    if !is_fifo {
        crate::system::files::remove_if_there(path)?;
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    }
    if owner.is_some() {
        // A service may open `/dev/stdout` by name, which is this file.
        nix::unistd::chown(path, owner, None)?;
    }
    let file = open(path, libc::O_NONBLOCK)?;
    // Without the room it works the same, only with less of it.
    let _ = fcntl(&file, FcntlArg::F_SETPIPE_SZ(ROOM));
    Ok(file)
}

/// The FIFO of this path that the process writes to, although somebody has removed it; nothing where it writes to another.
pub(super) fn removed(path: &Path, pid: i32) -> Option<File> {
    let writes_to = format!("/proc/{pid}/fd/1");
    let mut removed = path.as_os_str().to_owned();
    removed.push(" (deleted)");
    let is_it = std::fs::read_link(&writes_to).ok()?.as_os_str() == removed;
    is_it.then(|| reopen(&writes_to, libc::O_NONBLOCK).ok())?
}

/// The service's side: its own opening of the FIFO, because waiting is a property of the opening. It is opened by what is
/// held of it, which nobody can remove.
pub(super) fn writer(reader: &File) -> io::Result<File> {
    reopen(&format!("/proc/self/fd/{}", reader.as_raw_fd()), 0)
}

fn reopen(path: &str, flags: i32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
}

/// A pipe for a job: the reading side, which never waits, and the writing side.
pub(super) fn pipe() -> io::Result<(File, File)> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let reader = File::from(reader);
    fcntl(&reader, FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
    Ok((reader, File::from(writer)))
}

/// Reads what is there now, at most `limit` bytes, piece by piece; false when nobody can write any more.
pub(super) fn pump(mut from: &File, limit: usize, mut take: impl FnMut(&[u8])) -> bool {
    let mut piece = [0; 32 * 1024];
    let mut taken = 0;
    while taken < limit {
        match from.read(&mut piece) {
            Ok(0) => return false,
            Ok(length) => {
                take(&piece[..length]);
                taken += length;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    true
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags | libc::O_NOFOLLOW)
        .open(path)
}
