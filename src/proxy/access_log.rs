//! The access log: one line of JSON per answered request. A thread of its own writes it, so that a slow disk delays no
//! answer; what does not fit meanwhile is counted instead of waited for.

use super::headers::Peer;
use crate::domain::{Color, EnvId};
use crate::system::clock::{monotonic_us, now_ms, precise};
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Version};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait to be written.
const WAITING: usize = 8192;
/// How long a line waits in memory, and how often it is looked whether the file was moved away.
const FLUSH: Duration = Duration::from_secs(1);

/// The way to the log.
#[derive(Debug, Clone)]
pub struct AccessLog {
    lines: SyncSender<Line>,
    left_out: Arc<AtomicU64>,
}

/// Which release answered a request.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its environment.
    pub env: EnvId,
    /// Its color.
    pub color: Color,
}

/// One line.
#[derive(Debug, Clone, Default, Serialize)]
struct Line {
    at: String,
    client: String,
    method: String,
    scheme: &'static str,
    host: String,
    path: String,
    version: &'static str,
    agent: String,
    status: u16,
    bytes: u64,
    ms: f64,
    id: String,
    environment: Option<String>,
    color: Option<&'static str>,
}

/// A request that will be written down when its answer has been sent, or given up.
#[derive(Debug)]
pub struct Entry {
    log: AccessLog,
    line: Line,
    begun_us: u64,
}

impl AccessLog {
    /// Writes to the end of this file, and anew when it is moved away.
    pub fn open(path: &Path) -> io::Result<AccessLog> {
        let writer = Writer::open(path.to_owned())?;
        let (lines, waiting) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let log = AccessLog {
            lines,
            left_out: left_out.clone(),
        };
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(writer, &waiting, &left_out))?;
        Ok(log)
    }

    /// Begins a request's line.
    pub fn entry<B>(&self, peer: &Peer, request: &Request<B>, id: &HeaderValue) -> Entry {
        let text = |value: Option<&HeaderValue>| {
            let bytes = value.map_or(&[][..], HeaderValue::as_bytes);
            String::from_utf8_lossy(bytes).into_owned()
        };
        let host = request.uri().authority().map(|host| host.to_string());
        let path = request.uri().path_and_query();
        let line = Line {
            at: precise(now_ms()),
            client: peer.client(request.headers()),
            method: request.method().to_string(),
            scheme: peer.scheme(request.headers()),
            host: host.unwrap_or_else(|| text(request.headers().get(HOST))),
            path: path.map_or("/", |path| path.as_str()).to_owned(),
            version: match request.version() {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            },
            agent: text(request.headers().get(USER_AGENT)),
            id: text(Some(id)),
            ..Line::default()
        };
        Entry {
            log: self.clone(),
            line,
            begun_us: monotonic_us(),
        }
    }
}

impl Entry {
    /// The head of the answer is known.
    pub fn answered<B>(&mut self, response: &Response<B>) {
        self.line.status = response.status().as_u16();
        if let Some(served) = response.extensions().get::<Served>() {
            self.line.environment = Some(served.env.to_string());
            self.line.color = Some(served.color.as_str());
        }
    }

    /// So many bytes of the answer's body were passed on.
    pub fn sent(&mut self, bytes: usize) {
        self.line.bytes += bytes as u64;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.line.ms = monotonic_us().saturating_sub(self.begun_us) as f64 / 1000.0;
        if self
            .log
            .lines
            .try_send(std::mem::take(&mut self.line))
            .is_err()
        {
            self.log.left_out.fetch_add(1, Relaxed);
        }
    }
}

/// Writes until nobody can send lines any more.
fn write_all(mut writer: Writer, waiting: &Receiver<Line>, left_out: &AtomicU64) {
    let mut failed = false;
    loop {
        let written = match waiting.recv_timeout(FLUSH) {
            Ok(line) => writer.write(&line),
            Err(RecvTimeoutError::Timeout) => writer.flush(),
            Err(RecvTimeoutError::Disconnected) => {
                // The process ends; there is nobody left to tell.
                let _ = writer.flush();
                return;
            }
        };
        let lost = left_out.swap(0, Relaxed);
        if lost > 0 {
            tracing::warn!(
                "the access log lacks {lost} lines: they came faster than they could be written"
            );
        }
        match written {
            Err(error) if !failed => {
                tracing::error!("cannot write {}: {error}", writer.path.display());
                failed = true;
            }
            Err(_) => {}
            Ok(()) => failed = false,
        }
    }
}

struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    looked_us: u64,
}

impl Writer {
    fn open(path: PathBuf) -> io::Result<Writer> {
        Ok(Writer {
            file: BufWriter::new(open(&path)?),
            path,
            looked_us: monotonic_us(),
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")?;
        match u128::from(monotonic_us() - self.looked_us) > FLUSH.as_micros() {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes out what waits, and follows the name to another file if it has been moved.
    fn flush(&mut self) -> io::Result<()> {
        self.looked_us = monotonic_us();
        self.file.flush()?;
        let open_one = self.file.get_ref().metadata()?.ino();
        if std::fs::metadata(&self.path).is_ok_and(|named| named.ino() == open_one) {
            return Ok(());
        }
        self.file = BufWriter::new(open(&self.path)?);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_moved_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut writer = Writer::open(path.clone()).unwrap();
        let line = |path: &str| Line {
            path: path.to_owned(),
            ..Line::default()
        };
        writer.write(&line("/\"one\n")).unwrap();
        writer.flush().unwrap();
        std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        writer.flush().unwrap();
        writer.write(&line("/two")).unwrap();
        writer.flush().unwrap();
        let read = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
            line["path"].as_str().unwrap().to_owned()
        };
        assert_eq!(
            (read("access.log.1"), read("access.log")),
            ("/\"one\n".into(), "/two".into())
        );
    }
}
