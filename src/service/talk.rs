//! Words to and from supervisors.

use super::wire::{Hello, Order, Reply};
use crate::system::process;
use crate::system::socket::{self, Weight};
use std::io;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Why there is no answer to an order.
pub(super) enum Unasked {
    /// There is no supervisor, or it went away.
    Nobody,
    /// There is one, and it is silent.
    NoAnswer,
}

/// One order to the supervisor at this socket, one answer.
pub(super) async fn converse(supervisor: &Path, order: &Order) -> io::Result<Reply> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    let weight = match order {
        Order::KeepAlive { .. } | Order::Stop { .. } => Weight::Acts,
        Order::Status | Order::Tree | Order::Watch { .. } => Weight::Asks,
    };
    let answer = socket::converse(supervisor, &line, weight).await?;
    serde_json::from_str(&answer).map_err(io::Error::from)
}

/// Runs `teal supervise <mode> <dir>` with this input, and reads its first word.
pub(super) async fn hear(exe: &Path, mode: &str, dir: &Path, input: &[u8]) -> io::Result<Hello> {
    let mut program = tokio::process::Command::new(exe);
    program
        .args(["supervise", mode])
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = process::spawn(&mut program)?;
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
