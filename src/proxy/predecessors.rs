//! Proxies that this one has replaced and that still finish their requests. They follow route changes too, and what
//! they have in flight counts. Each listens on the control socket's path with its process id behind it.

use crate::traffic::{Command, Reply, ask};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the process of this id listens after it was replaced.
pub fn path_of(socket: &Path, pid: u32) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(format!(".{pid}"));
    name.into()
}

/// Asks all that live. What a dead one left behind is removed.
pub async fn ask_all(
    socket: &Path,
    own_pid: u32,
    command: &Command,
    within: Duration,
) -> Vec<io::Result<Reply>> {
    let mut replies = Vec::new();
    for path in find(socket, own_pid) {
        match ask(&path, command, within).await {
            Err(error) if is_gone(&error) => {
                // Left to the next one who looks, if it cannot be removed now.
                let _ = fs::remove_file(&path);
            }
            reply => replies.push(reply),
        }
    }
    replies
}

fn find(socket: &Path, own_pid: u32) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Vec::new();
    };
    let prefix = format!("{}.", name.to_string_lossy());
    let pid_in = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(&prefix)?.parse::<u32>().ok()
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| pid_in(path).is_some_and(|pid| pid != own_pid))
        .collect()
}

/// Whether nobody listens there any more, or its process ended while it was asked.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionRefused | ConnectionReset | NotFound | UnexpectedEof
    )
}
