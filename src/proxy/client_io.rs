//! A client's connection: watched for ambiguous requests, and given up when the client takes nothing for too long.

use super::activity::Activity;
use super::framing::Framing;
use super::interim::Interim;
use super::silence::Idle;
use bytes::{Buf, Bytes};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much as is read of a connection before it is known what it speaks, or that it goes on.
const FIRST: usize = 2048;

/// The client's side of a connection.
pub struct ClientIo<S> {
    stream: S,
    /// What was read and given back; it is read again first.
    unread: Bytes,
    framing: Option<Framing>,
    activity: Arc<Activity>,
    interim: Arc<Interim>,
    idle: Idle,
}

impl<S> ClientIo<S> {
    /// Watches the stream; a client that takes nothing for `silence` is cut. What is to be said ahead of an answer goes out
    /// between the writes of the library that serves it.
    pub fn new(
        stream: S,
        activity: Arc<Activity>,
        interim: Arc<Interim>,
        silence: Duration,
    ) -> ClientIo<S> {
        ClientIo {
            stream,
            unread: Bytes::new(),
            framing: Some(Framing::default()),
            activity,
            interim,
            idle: Idle::new(silence),
        }
    }

    /// Gives back what was read last and not used.
    pub fn give_back(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// It does not speak HTTP/1: its requests are framed beyond doubt.
    pub fn stop_watching(&mut self) {
        self.framing = None;
        self.activity.read(false, false);
    }

    fn watch(&mut self, bytes: &[u8]) {
        if let Some(framing) = &mut self.framing {
            framing.follow(bytes);
            let ambiguous = framing.is_ambiguous();
            self.activity.read(framing.is_inside(), ambiguous);
            if ambiguous {
                self.framing = None;
            }
        }
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.activity.written(written.is_pending());
        match written {
            Poll::Ready(done) => {
                self.idle.moved();
                Poll::Ready(done)
            }
            Poll::Pending if self.idle.expired(cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> ClientIo<S> {
    /// Waits for the client's next bytes; they are left to be read again. Nothing when it has ended.
    pub async fn next_bytes(&mut self) -> io::Result<Bytes> {
        let bytes = poll_fn(|cx| {
            // On the stack and not in the connection, of which there are many that wait.
            let mut first = [0; FIRST];
            let mut first = ReadBuf::new(&mut first);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut first))?;
            self.watch(first.filled());
            Poll::Ready(io::Result::Ok(Bytes::copy_from_slice(first.filled())))
        })
        .await?;
        self.unread = match self.unread.is_empty() || bytes.is_empty() {
            true => bytes,
            false => [&self.unread[..], &bytes].concat().into(),
        };
        Ok(self.unread.clone())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.has_remaining() {
            let fits = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(fits));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> ClientIo<S> {
    fn say_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.interim.poll_write(&mut self.stream, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match self.say_first(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write(cx, bytes),
            unsaid => unsaid.map_ok(|()| 0),
        };
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match self.say_first(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
            unsaid => unsaid.map_ok(|()| 0),
        };
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match self.say_first(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(cx),
            unsaid => unsaid,
        };
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
