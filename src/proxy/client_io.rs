//! A client's connection: watched for ambiguous requests, and given up when the client takes nothing for too long.

use super::framing::Framing;
use super::silence::Idle;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The client's side of a connection.
pub struct ClientIo<S> {
    stream: S,
    framing: Option<Framing>,
    ambiguous: Arc<AtomicBool>,
    idle: Idle,
}

impl<S> ClientIo<S> {
    /// Watches the stream; a client that takes nothing for `silence` is cut.
    pub fn new(stream: S, silence: Duration) -> ClientIo<S> {
        ClientIo {
            stream,
            framing: Some(Framing::default()),
            ambiguous: Arc::default(),
            idle: Idle::new(silence),
        }
    }

    /// Becomes true before a request with two lengths is served, and stays so.
    pub fn ambiguous(&self) -> Arc<AtomicBool> {
        self.ambiguous.clone()
    }

    fn watch(&mut self, bytes: &[u8]) {
        if let Some(framing) = &mut self.framing {
            framing.follow(bytes);
            if framing.is_ambiguous() {
                self.ambiguous.store(true, Relaxed);
                self.framing = None;
            }
        }
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
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

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
