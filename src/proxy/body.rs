//! Bodies on their way through: nothing is gathered, every piece goes on as it comes. The end of a body is what ends a
//! request, so a body carries what has to be given back then.

use super::access_log::Entry;
use super::activity::Open;
use super::pool::Lease;
use super::stats::Ticket;
use crate::system::clock::monotonic_us;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender broke off.
    #[error("the sender broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The sender said nothing for too long.
    #[error("the sender said nothing for {0:?}")]
    Silent(Duration),
}

/// The body of an answer. When it is dropped, the request is over.
pub struct Body {
    kind: Kind,
    _open: Option<Open>,
    entry: Option<Box<Entry>>,
}

enum Kind {
    Page(Option<Bytes>),
    Answer(Answer),
}

/// The body of a service's answer, with the place on the color and the connection that it occupies.
struct Answer {
    incoming: Incoming,
    idle: Idle,
    occupied: Option<(Ticket, Lease)>,
}

impl Body {
    /// A page of the proxy's own.
    pub fn page(content: Bytes) -> Body {
        Body::of(Kind::Page(
            Some(content).filter(|content| !content.is_empty()),
        ))
    }

    fn of(kind: Kind) -> Body {
        Body {
            kind,
            _open: None,
            entry: None,
        }
    }

    /// The same body, which keeps its request open as long as it exists.
    pub fn holding(self, open: Open) -> Body {
        let _open = Some(open);
        Body { _open, ..self }
    }

    /// The same body, which is written down when it ends.
    pub fn noted(self, entry: Entry) -> Body {
        let entry = Some(Box::new(entry));
        Body { entry, ..self }
    }

    /// What the service sends. When it has been sent on, the ticket is dropped and the connection is free again.
    pub fn answer(incoming: Incoming, ticket: Ticket, lease: Lease, patience: Duration) -> Body {
        let mut answer = Answer {
            incoming,
            idle: Idle::new(patience),
            occupied: Some((ticket, lease)),
        };
        if http_body::Body::is_end_stream(&answer.incoming) {
            answer.finish();
        }
        Body::of(Kind::Answer(answer))
    }
}

impl Answer {
    fn finish(&mut self) {
        if let Some((ticket, lease)) = self.occupied.take() {
            drop(ticket);
            lease.give_back();
        }
    }

    fn lose(&mut self, error: BodyError) -> BodyError {
        if let Some((ticket, _lease)) = self.occupied.take() {
            ticket.lost();
        }
        error
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.idle.moved();
                if self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.lose(error.into())))),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending if self.idle.expired(cx) => {
                let silent = BodyError::Silent(self.idle.limit);
                Poll::Ready(Some(Err(self.lose(silent))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

use http_body::Body as HttpBody;

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match &mut self.kind {
            Kind::Page(content) => Poll::Ready(content.take().map(|all| Ok(Frame::data(all)))),
            Kind::Answer(answer) => answer.poll(cx),
        };
        if let (Some(entry), Poll::Ready(Some(Ok(frame)))) = (&mut self.entry, &next) {
            entry.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Page(content) => content.is_none(),
            Kind::Answer(answer) => answer.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Page(content) => {
                SizeHint::with_exact(content.as_ref().map_or(0, |all| all.len() as u64))
            }
            Kind::Answer(answer) => answer.incoming.size_hint(),
        }
    }
}

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
    /// The client broke off or fell silent.
    pub failed: AtomicBool,
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
            Poll::Pending if idle.expired(cx) => Some(Err(BodyError::Silent(idle.limit))),
            Poll::Pending => return Poll::Pending,
        };
        if matches!(next, Some(Err(_))) {
            this.progress.failed.store(true, Relaxed);
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

/// A limit on silence, not on time: it costs a timer only while somebody is waited for.
pub struct Idle {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// Allows this much silence.
    pub fn new(limit: Duration) -> Idle {
        Idle { limit, timer: None }
    }

    /// Something came.
    pub fn moved(&mut self) {
        self.timer = None;
    }

    /// Nothing came: whether that has been so for too long. Wakes the task when it will have.
    pub fn expired(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        timer.as_mut().poll(cx).is_ready()
    }
}
