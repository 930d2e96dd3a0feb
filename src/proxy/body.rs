//! Answers on their way through: nothing is gathered, every piece goes on as it comes. The end of a body is what ends a
//! request, so a body carries what has to be given back then.

use super::access_log::Entry;
use super::activity::Open;
use super::pool::Lease;
use super::silence::{BodyError, Idle};
use super::stats::Ticket;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

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
        if answer.incoming.is_end_stream() {
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
                let silent = BodyError::Silent(self.idle.limit());
                Poll::Ready(Some(Err(self.lose(silent))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

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
