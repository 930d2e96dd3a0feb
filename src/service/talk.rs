//! Words to and from supervisors.

use super::wire::{Hello, Order, Reply};
use crate::system::socket;
use std::io;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Why there is no answer to an order.
pub(super) enum Unasked {
    /// There is no supervisor, or it went away.
    Nobody,
    /// There is one, and it is silent.
    NoAnswer,
}

/// Opens a supervisor's socket.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = socket::connect(path)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// One order, one answer.
pub(super) async fn converse(mut stream: UnixStream, order: &Order) -> io::Result<Reply> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    serde_json::from_str(&answer).map_err(io::Error::from)
}

/// Runs `teal supervise <mode> <dir>` with this input, and reads its first word.
pub(super) async fn hear(exe: &Path, mode: &str, dir: &Path, input: &[u8]) -> io::Result<Hello> {
    let mut child = tokio::process::Command::new(exe)
        .args(["supervise", mode])
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ended before reading says why on its output.
        let _ = stdin.write_all(input).await;
    }
    let mut word = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut word).await?;
    }
    let status = child.wait().await?;
    if word.is_empty() {
        return Err(io::Error::other(format!(
            "it ended without a word ({status})"
        )));
    }
    serde_json::from_str(&word).map_err(io::Error::from)
}
