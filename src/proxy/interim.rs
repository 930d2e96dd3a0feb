//! Interim answers (`103 Early Hints` and its like), which go to a client of HTTP/1.1 ahead of the answer itself. The HTTP
//! library's server has no words for them (of version 1.12, for HTTP/2 neither), so they are written beside it: between
//! two of its writes, when all that it wrote before has been taken.

use super::activity::Activity;
use super::headers::remove_hop_by_hop;
use bytes::{Buf, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::AsyncWrite;

/// As much as may wait to be written: a service that says more than this ahead of one answer is not listened to.
const WAITING: usize = 16 * 1024;

/// What one connection has still to say ahead of an answer.
#[derive(Debug, Default)]
pub struct Interim {
    some: AtomicBool,
    waiting: Mutex<BytesMut>,
}

/// One request's way to speak ahead of its answer.
#[derive(Debug, Clone)]
pub struct Herald {
    interim: Arc<Interim>,
    activity: Arc<Activity>,
    connection: Waker,
}

impl Herald {
    /// For a request that this connection serves; its task is woken when there is something to say.
    pub fn new(interim: &Arc<Interim>, activity: &Arc<Activity>, connection: &Waker) -> Herald {
        Herald {
            interim: interim.clone(),
            activity: activity.clone(),
            connection: connection.clone(),
        }
    }

    /// Passes an interim answer on, unless it is about the connection to the service alone, or the client has not even
    /// taken what was said before: hints that come too late help nobody.
    pub fn pass_on(&self, status: StatusCode, headers: &HeaderMap) {
        let of_the_connection = [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS];
        if of_the_connection.contains(&status) || self.activity.is_blocked() {
            return;
        }
        self.interim.add(&head(status, headers.clone()));
        self.connection.wake_by_ref();
    }
}

impl Interim {
    /// Writes what waits, before anything else is written.
    pub fn poll_write<S>(&self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        if !self.some.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut waiting = self.lock();
        while waiting.has_remaining() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => waiting.advance(taken),
            }
        }
        *waiting = BytesMut::new();
        self.some.store(false, Relaxed);
        Poll::Ready(Ok(()))
    }

    fn add(&self, head: &[u8]) {
        let mut waiting = self.lock();
        if waiting.len() + head.len() <= WAITING {
            waiting.extend_from_slice(head);
            self.some.store(true, Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The head as it is written on the wire (RFC 9112, section 4); it has no body.
fn head(status: StatusCode, mut headers: HeaderMap) -> Vec<u8> {
    remove_hop_by_hop(&mut headers);
    headers.remove(CONTENT_LENGTH);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in &headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
