//! Requests' bodies on their way to a service.

use super::silence::{BodyError, Idle};
use crate::system::clock::monotonic_us;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;

/// The body of a request on its way to the service.
#[derive(Default)]
pub struct Upload {
    client: Option<(Incoming, Idle)>,
    gate: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    progress: Arc<Progress>,
}

/// How an upload is doing, for the one who waits for the answer.
#[derive(Debug, Default)]
pub struct Progress {
    /// What came is no body, or it was broken off.
    pub broken: AtomicBool,
    /// The client fell silent.
    pub silent: AtomicBool,
    /// When a piece was passed on last.
    pub moved_us: AtomicU64,
}

impl Upload {
    /// What the client sends.
    pub fn new(incoming: Incoming, patience: Duration) -> Upload {
        Upload {
            client: Some((incoming, Idle::new(patience))),
            ..Upload::default()
        }
    }

    /// How this upload is doing.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Holds the body back until the service asks for it, or `at_most` so long for services that never do.
    pub fn wait_for(&mut self, asked: Arc<Notify>, at_most: Duration) {
        self.gate = Some(Box::pin(async move {
            // Either way the body may go.
            let _ = tokio::time::timeout(at_most, asked.notified()).await;
        }));
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some((incoming, idle)) = &mut this.client else {
            return Poll::Ready(None);
        };
        if let Some(gate) = &mut this.gate {
            std::task::ready!(gate.as_mut().poll(cx));
            this.gate = None;
        }
        let next = match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => Some(Err(BodyError::from(error))),
            Poll::Ready(Some(Ok(frame))) => {
                idle.moved();
                this.progress.moved_us.store(monotonic_us(), Relaxed);
                Some(Ok(frame))
            }
            Poll::Ready(None) => None,
            Poll::Pending if idle.expired(cx) => Some(Err(BodyError::Silent(idle.limit()))),
            Poll::Pending => return Poll::Pending,
        };
        match next {
            Some(Err(BodyError::Broken(_))) => this.progress.broken.store(true, Relaxed),
            Some(Err(BodyError::Silent(_))) => this.progress.silent.store(true, Relaxed),
            _ => {}
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        let ended = |(incoming, _): &(Incoming, Idle)| incoming.is_end_stream();
        self.client.as_ref().is_none_or(ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.client {
            Some((incoming, _)) => incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
