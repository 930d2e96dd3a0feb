//! One request and its answer: admitted to a color, sent to a service that accepts it, and never lost for a reason that
//! waiting can mend.

use super::access_log::Served;
use super::activity::Activity;
use super::body::Body;
use super::headers::{Peer, set_request_id};
use super::inspect::inspect;
use super::interim::Herald;
use super::outgoing::Outgoing;
use super::pages::{Page, redirect};
use super::patience::Patience;
use super::pool::Lease;
use super::shared::{Admission, Phase};
use super::stats::Ticket;
use super::table::{Site, without_port};
use super::tunnel::{Ends, Tunnel};
use super::upload::{Progress, Upload};
use super::worker::Worker;
use crate::domain::Color;
use crate::system::clock::monotonic_us;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often a request that may be repeated is sent again after it may have reached a service.
const RESENDS: u32 = 2;

/// Who asks, and over which connection.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Who.
    pub peer: &'a Peer,
    /// What the connection is doing.
    pub activity: &'a Arc<Activity>,
}

/// Answers one request. The `herald` takes what the service says ahead of its answer.
pub async fn answer(
    worker: &Arc<Worker>,
    client: Client<'_>,
    herald: Option<Herald>,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let id = set_request_id(request.headers_mut());
    let version = request.version();
    let log = worker.settings.access_log.as_ref();
    let entry = log.map(|log| log.entry(client.peer, &request, &id));
    let mut response = match inspect(&mut request) {
        Ok(host) => {
            Exchange::new(worker, client, host, id)
                .run(request, herald)
                .await
        }
        Err(page) => page.answer(request.headers(), Some(&id)),
    };
    if let Some(mut entry) = entry {
        entry.answered(&response);
        response = response.map(|body| body.noted(entry));
    }
    if worker.shared.phase() == Phase::Yielding && version < Version::HTTP_2 {
        let headers = response.headers_mut();
        // A tunnel's head says `upgrade` there, and its connection is no HTTP connection any more.
        headers
            .entry(CONNECTION)
            .or_insert(HeaderValue::from_static("close"));
    }
    response
}

struct Exchange<'a> {
    worker: &'a Arc<Worker>,
    client: Client<'a>,
    host: HeaderValue,
    id: HeaderValue,
    arrived_us: u64,
}

/// How one attempt to get an answer ended.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every attempt ends with the large one, and it is moved once"
)]
enum Attempt {
    /// With an answer for the client.
    Answered(Response<Body>),
    /// No service of the color accepted it; nothing was sent.
    Unreached(Ticket),
    /// The connection was closed before the request was taken from it; nothing was sent.
    Unsent(Ticket),
    /// It may have reached a service, which gave no answer; it may be sent again.
    Broken(Ticket),
}

impl<'a> Exchange<'a> {
    fn new(
        worker: &'a Arc<Worker>,
        client: Client<'a>,
        host: HeaderValue,
        id: HeaderValue,
    ) -> Self {
        Exchange {
            worker,
            client,
            host,
            id,
            arrived_us: monotonic_us(),
        }
    }

    async fn run(&self, request: Request<Incoming>, herald: Option<Herald>) -> Response<Body> {
        let host = self.host.to_str().unwrap_or_default();
        let settings = &self.worker.settings;
        if let Some(elsewhere) = self.to_https(host, &request) {
            return elsewhere;
        }
        let mut outgoing = Outgoing::new(request, self.client.peer, &self.host, settings.silence);
        outgoing.herald = herald;
        let mut patience = Patience::new(&self.worker.shared);
        let mut tried = None;
        let mut fresh = false;
        let mut resent = 0;
        loop {
            let (site, ticket) = match self.worker.shared.admit(host, tried) {
                Admission::Enter(site, ticket) => (site, ticket),
                Admission::Wait(site) => {
                    if patience.next_table(hold(&site)).await {
                        continue;
                    }
                    site.stats.turned_away.fetch_add(1, Relaxed);
                    return self.page(&outgoing, Page::HoldRanOut);
                }
                Admission::Redirect(to) => {
                    let scheme = self.client.peer.scheme(&outgoing.parts.headers);
                    return redirect(scheme, &to, &outgoing.parts.uri);
                }
                Admission::Maintenance => return self.page(&outgoing, Page::Maintenance),
                Admission::NothingDeployed(env) => {
                    return self.page(&outgoing, Page::NothingDeployed(env));
                }
                Admission::UnknownHost => {
                    return self.page(&outgoing, Page::UnknownHost(host.to_owned()));
                }
            };
            tried = Some(ticket.color());
            let ticket = match self.attempt(&site, ticket, &mut outgoing, fresh).await {
                Attempt::Answered(response) => return response,
                // An idle connection that was just being closed: a fresh one is tried at once.
                Attempt::Unsent(_) if !fresh => {
                    fresh = true;
                    continue;
                }
                Attempt::Unsent(ticket) | Attempt::Unreached(ticket) => ticket,
                Attempt::Broken(_) if resent < RESENDS => {
                    resent += 1;
                    fresh = true;
                    continue;
                }
                Attempt::Broken(ticket) => {
                    ticket.lost();
                    return self.page(&outgoing, Page::BadGateway);
                }
            };
            fresh = true;
            let place = Place::of(&site, ticket);
            if !patience.back_off(hold(&site)).await {
                place.lost();
                return self.page(&outgoing, Page::HoldRanOut);
            }
        }
    }

    /// The redirect to `https`, where the configuration wants it and the name leads anywhere.
    fn to_https(&self, host: &str, request: &Request<Incoming>) -> Option<Response<Body>> {
        let port = self.worker.settings.https_port?;
        if self.client.peer.scheme(request.headers()) == "https" {
            return None;
        }
        self.worker.shared.table().find(host)?;
        let name = without_port(host);
        let name = match name.contains(':') {
            true => format!("[{name}]"),
            false => name.to_owned(),
        };
        let target = match port {
            443 => name,
            port => format!("{name}:{port}"),
        };
        Some(redirect("https", &target, request.uri()))
    }

    fn page(&self, outgoing: &Outgoing, page: Page) -> Response<Body> {
        page.answer(&outgoing.parts.headers, Some(&self.id))
    }

    async fn attempt(
        &self,
        site: &Arc<Site>,
        ticket: Ticket,
        outgoing: &mut Outgoing,
        fresh: bool,
    ) -> Attempt {
        let repeatable = outgoing.repeatable();
        let Some(mut lease) = self.lease(site, &ticket, repeatable, fresh).await else {
            return Attempt::Unreached(ticket);
        };
        let Some(request) = outgoing.request() else {
            // The body went with the first attempt; nobody calls this twice then.
            ticket.lost();
            return Attempt::Answered(self.page(outgoing, Page::BadGateway));
        };
        let progress = request.body().progress();
        let sent = self.send(&mut lease, request, &progress).await;
        match sent {
            Ok(response) => {
                Attempt::Answered(self.pass_on(site, ticket, lease, outgoing, response))
            }
            Err(Failure::Unsent(request)) => {
                outgoing.take_back(*request);
                Attempt::Unsent(ticket)
            }
            Err(Failure::Broken) if progress.silent.load(Relaxed) => {
                Attempt::Answered(self.page(outgoing, Page::TooSlow))
            }
            Err(Failure::Broken) if progress.broken.load(Relaxed) => {
                let why = "Its body breaks off, or is not what its headers say.";
                Attempt::Answered(self.page(outgoing, Page::BadRequest(why)))
            }
            Err(Failure::Broken) if repeatable => Attempt::Broken(ticket),
            Err(Failure::Broken) => {
                ticket.lost();
                Attempt::Answered(self.page(outgoing, Page::BadGateway))
            }
            Err(Failure::Silent) => {
                ticket.lost();
                Attempt::Answered(self.page(outgoing, Page::GatewayTimeout))
            }
        }
    }

    /// A connection to one of the color's services.
    async fn lease(
        &self,
        site: &Site,
        ticket: &Ticket,
        repeated: bool,
        fresh: bool,
    ) -> Option<Lease> {
        let pool = &self.worker.pool;
        for port in site.ports(ticket.color()) {
            let idle = if fresh {
                None
            } else {
                pool.take(port, repeated)
            };
            if let Some(lease) = idle {
                return Some(lease);
            }
            match pool.connect(port).await {
                Ok(lease) => return Some(lease),
                Err(_) => ticket.stats().connect_failed(),
            }
        }
        None
    }

    /// Sends the request and waits for the head of the answer, for as long as something moves.
    async fn send(
        &self,
        lease: &mut Lease,
        request: Request<Upload>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let limit = self.worker.settings.silence;
        let mut answer = std::pin::pin!(lease.sender.try_send_request(request));
        let mut patience = limit;
        loop {
            match tokio::time::timeout(patience, answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(Failure::from(error)),
                Err(_) => {}
            }
            let silent_us = monotonic_us().saturating_sub(progress.moved_us.load(Relaxed));
            patience = limit.saturating_sub(Duration::from_micros(silent_us));
            if patience.is_zero() {
                return Err(Failure::Silent);
            }
        }
    }

    fn pass_on(
        &self,
        site: &Arc<Site>,
        ticket: Ticket,
        lease: Lease,
        outgoing: &mut Outgoing,
        mut response: Response<Incoming>,
    ) -> Response<Body> {
        let latency_us = monotonic_us().saturating_sub(self.arrived_us);
        ticket.answered(latency_us, response.status().is_server_error());
        if self.worker.settings.access_log.is_some() {
            response.extensions_mut().insert(Served {
                env: site.route.env.clone(),
                color: ticket.color(),
            });
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return self.upgrade(site, ticket, outgoing, response);
        }
        super::headers::remove_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        let silence = self.worker.settings.silence;
        response.map(|body| Body::answer(body, ticket, lease, silence))
    }

    /// The service agreed to speak another protocol: from now on bytes pass as they come.
    fn upgrade(
        &self,
        site: &Arc<Site>,
        ticket: Ticket,
        outgoing: &mut Outgoing,
        mut response: Response<Incoming>,
    ) -> Response<Body> {
        let Some(client) = outgoing.upgrade.take() else {
            ticket.lost();
            return self.page(outgoing, Page::BadGateway);
        };
        let service = hyper::upgrade::on(&mut response);
        let protocol = response.headers().get(UPGRADE).cloned();
        super::headers::remove_hop_by_hop(response.headers_mut());
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        let websocket = protocol
            .as_ref()
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        let tunnel = Tunnel {
            shared: self.worker.shared.clone(),
            env: site.route.env.clone(),
            ticket: ticket.into_tunnel(),
            websocket,
            // The request is still open, so its connection does not have to go.
            _open: self.client.activity.begin(),
        };
        self.worker.open.spawn(tunnel.run(Ends { client, service }));
        response.map(|_| Body::page(bytes::Bytes::new()))
    }
}

/// Why there is no answer.
enum Failure {
    /// The request was not taken by the connection: it comes back.
    Unsent(Box<Request<Upload>>),
    /// The connection broke; the request may have reached the service.
    Broken,
    /// Nothing moved for too long.
    Silent,
}

impl From<TrySendError<Request<Upload>>> for Failure {
    fn from(mut error: TrySendError<Request<Upload>>) -> Failure {
        match error.take_message() {
            Some(request) => Failure::Unsent(Box::new(request)),
            None => Failure::Broken,
        }
    }
}

/// A color that a request waits for without being in flight there: it never reached a service, so nobody who drains the
/// color has to wait for it.
struct Place {
    site: Arc<Site>,
    color: Color,
}

impl Place {
    fn of(site: &Arc<Site>, ticket: Ticket) -> Place {
        Place {
            site: site.clone(),
            color: ticket.color(),
        }
    }

    fn lost(&self) {
        self.site.stats.enter(self.color).lost();
    }
}

fn hold(site: &Site) -> Duration {
    Duration::from_millis(site.route.hold_ms)
}
