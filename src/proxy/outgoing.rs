//! A client's request in the form that it is sent to a service, as often as that is allowed.

use super::headers::{Peer, has_word, join_cookies, remove_hop_by_hop, set_forwarded};
use super::interim::Herald;
use super::upload::Upload;
use http::header::{CONNECTION, EXPECT, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long a body is held back for a service that was asked whether it wants it and does not say.
const ASKED: Duration = Duration::from_secs(1);

/// A request that waits to be sent.
pub struct Outgoing {
    /// Its head, as the service will see it.
    pub parts: Parts,
    /// The client's side of another protocol, if it asked for one.
    pub upgrade: Option<OnUpgrade>,
    /// Who passes on what the service says ahead of its answer; nobody where the client does not understand it.
    pub herald: Option<Herald>,
    /// What the client sends; gone once a service has begun to read it.
    body: Option<Upload>,
    repeatable: bool,
}

impl Outgoing {
    /// Makes a client's request ready for a service.
    pub fn new(
        mut request: Request<Incoming>,
        peer: &Peer,
        host: &HeaderValue,
        silence: Duration,
    ) -> Outgoing {
        let protocol = wanted_protocol(&request);
        let upgrade = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, incoming) = request.into_parts();
        let empty = incoming.is_end_stream();
        let chunked = !empty && incoming.size_hint().exact().is_none();
        prepare(&mut parts.headers, protocol, chunked);
        if parts.version == Version::HTTP_2 {
            join_cookies(&mut parts.headers);
        }
        set_forwarded(&mut parts.headers, peer, host);
        parts.version = Version::HTTP_11;
        let body = match empty {
            true => Upload::default(),
            false => Upload::new(incoming, silence),
        };
        Outgoing {
            repeatable: empty && is_idempotent(&parts.method),
            parts,
            upgrade,
            herald: None,
            body: Some(body),
        }
    }

    /// Whether it may be sent again although it may have reached a service.
    pub fn repeatable(&self) -> bool {
        self.repeatable
    }

    /// The request to send; nothing when it was sent and cannot be sent again.
    pub fn request(&mut self) -> Option<Request<Upload>> {
        let body = match self.repeatable {
            true => Upload::default(),
            false => self.body.take()?,
        };
        let mut request = Request::from_parts(self.parts.clone(), body);
        let asks = !request.body().is_end_stream()
            && has_word(&self.parts.headers, EXPECT, "100-continue");
        let asked = asks.then(|| {
            let asked = Arc::new(Notify::new());
            request.body_mut().wait_for(asked.clone(), ASKED);
            asked
        });
        listen(&mut request, asked, self.herald.clone());
        Some(request)
    }

    /// A request that was not sent after all.
    pub fn take_back(&mut self, request: Request<Upload>) {
        self.body = Some(request.into_body());
    }
}

/// The other protocol that the client wants to speak. HTTP/2 is none: a service that took it up would see requests that
/// nobody has looked at.
fn wanted_protocol<B>(request: &Request<B>) -> Option<HeaderValue> {
    let headers = request.headers();
    let protocol = headers.get(UPGRADE)?;
    let is_http = protocol.as_bytes().to_ascii_lowercase().starts_with(b"h2c");
    let asked = request.version() == Version::HTTP_11 && has_word(headers, CONNECTION, "upgrade");
    (asked && !is_http).then(|| protocol.clone())
}

fn prepare(headers: &mut HeaderMap, protocol: Option<HeaderValue>, chunked: bool) {
    let trailers = has_word(headers, TE, "trailers");
    remove_hop_by_hop(headers);
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    if chunked {
        set(TRANSFER_ENCODING, "chunked");
    }
    match protocol {
        Some(protocol) => {
            set(CONNECTION, "upgrade");
            headers.insert(UPGRADE, protocol);
        }
        None if trailers => {
            set(TE, "trailers");
            set(CONNECTION, "te");
        }
        None => {}
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}

/// Listens to what the service says ahead of its answer. A client that `asked` whether its body is wanted leaves that to the
/// service: the body goes when it says so, and stays when it answers instead.
fn listen(request: &mut Request<Upload>, asked: Option<Arc<Notify>>, herald: Option<Herald>) {
    if asked.is_none() && herald.is_none() {
        return;
    }
    hyper::ext::on_informational(request, move |interim| {
        if let Some(asked) = asked
            .as_ref()
            .filter(|_| interim.status() == StatusCode::CONTINUE)
        {
            asked.notify_one();
        }
        if let Some(herald) = &herald {
            herald.pass_on(interim.status(), interim.headers());
        }
    });
}
