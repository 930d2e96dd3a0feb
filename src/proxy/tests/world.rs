use crate::domain::{Color, EnvId, Redirect, Route, RouteTable, Upstreams};
use crate::proxy::{Door, ProxyServer, Settings};
use crate::traffic::Measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// No test waits for longer.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub type Answer = Response<BoxBody<Bytes, io::Error>>;

/// Polls until it is so.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(1));
    let seen = async {
        while !is_so() {
            look.tick().await;
        }
    };
    let seen = tokio::time::timeout(DEADLINE, seen).await;
    assert!(seen.is_ok(), "never: {what}");
}

/// The result, or a failed test when it does not come.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("in time")
}

pub fn env() -> EnvId {
    "arq/production".parse().unwrap()
}

/// A proxy with one environment, `arq.test`, and its two services.
pub struct World {
    pub server: ProxyServer,
    pub address: SocketAddr,
    pub blue: Service,
    pub green: Service,
    pub settings: Settings,
    table: Mutex<RouteTable>,
}

impl World {
    pub async fn new() -> World {
        World::with(Settings {
            workers: 2,
            ..Settings::default()
        })
        .await
    }

    pub async fn with(settings: Settings) -> World {
        let (blue, green) = (Service::start("blue").await, Service::start("green").await);
        let route = Route {
            env: env(),
            domains: vec!["arq.test".to_owned()],
            default: false,
            redirects: vec![Redirect {
                from: "www.arq.test".to_owned(),
                to: "arq.test".to_owned(),
            }],
            upstreams: Upstreams {
                blue: vec![blue.port],
                green: vec![green.port],
            },
            shares: Upstreams::all_to(Color::Blue),
            hold_ms: DEADLINE.as_millis() as u64,
            drain_websockets_ms: 0,
            paused: false,
            maintenance: false,
        };
        let table = RouteTable {
            generation: 1,
            routes: vec![route],
        };
        let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door {
            listener,
            tls: settings.tls.is_some(),
        };
        let server = ProxyServer::start(vec![door], table.clone(), settings.clone()).unwrap();
        World {
            server,
            address,
            blue,
            green,
            settings,
            table: Mutex::new(table),
        }
    }

    /// Changes the route and puts it in force.
    pub fn change(&self, change: impl FnOnce(&mut Route)) {
        let mut table = self.table.lock().unwrap();
        change(&mut table.routes[0]);
        table.generation += 1;
        self.server.shared().swap(table.clone());
    }

    pub fn switch_to(&self, color: Color) {
        self.change(|route| route.shares = Upstreams::all_to(color));
    }

    pub fn measure(&self) -> Measure {
        let table = self.server.shared().table();
        table.site(&env()).unwrap().stats.measure()
    }

    /// Sends the bytes and reads until the proxy closes the connection.
    pub async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end as well.
        let _ = soon(stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// `GET path` on a connection of its own.
    pub async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: arq.test\r\nConnection: close\r\n\r\n");
        self.raw(&request).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client that keeps its connection.
    pub async fn client(&self) -> SendRequest<Full<Bytes>> {
        let (client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await))
                .await
                .unwrap();
        tokio::spawn(connection);
        client
    }
}

pub fn request(method: &str, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "arq.test")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

pub async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// A service that says its name and does what the path asks for.
pub struct Service {
    pub port: u16,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

struct State {
    name: &'static str,
    hits: Mutex<HashMap<String, u32>>,
    connections: AtomicU32,
    gate: Semaphore,
}

impl Service {
    pub async fn start(name: &'static str) -> Service {
        Service::start_on(name, 0).await
    }

    pub async fn start_on(name: &'static str, port: u16) -> Service {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            name,
            hits: Mutex::default(),
            connections: AtomicU32::new(0),
            gate: Semaphore::new(0),
        });
        let serving = tokio::spawn(serve(listener, state.clone()));
        Service {
            port,
            state,
            serving,
        }
    }

    /// How often the path was asked for.
    pub fn hits(&self, path: &str) -> u32 {
        self.state
            .hits
            .lock()
            .unwrap()
            .get(path)
            .copied()
            .unwrap_or(0)
    }

    /// How many connections were opened.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(SeqCst)
    }

    /// Lets one waiting request go on.
    pub fn open_gate(&self) {
        self.state.gate.add_permits(1);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, SeqCst);
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            // A connection that the test breaks off is meant to break.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Answer> {
    let path = request.uri().path().to_owned();
    let hits = {
        let mut hits = state.hits.lock().unwrap();
        let hits = hits.entry(path.clone()).or_default();
        *hits += 1;
        *hits
    };
    match path.as_str() {
        "/slow" => {
            state.gate.acquire().await.unwrap().forget();
            Ok(say(state.name))
        }
        "/die" => Err(io::ErrorKind::BrokenPipe.into()),
        "/die-once" if hits == 1 => Err(io::ErrorKind::BrokenPipe.into()),
        "/half" => Ok(half()),
        "/error" => Ok(with_status(500)),
        "/no" => Ok(with_status(417)),
        "/read" => {
            let read = request.into_body().collect().await;
            let read = read.map_err(io::Error::other)?.to_bytes();
            Ok(say(&String::from_utf8_lossy(&read)))
        }
        "/headers" => Ok(say(&format!("{:?}", request.headers()))),
        "/echo" => Ok(Response::new(
            request.into_body().map_err(io::Error::other).boxed(),
        )),
        "/trailers" => {
            let mut answer = Response::new(request.into_body().map_err(io::Error::other).boxed());
            answer
                .headers_mut()
                .insert("trailer", "x-sum".parse().unwrap());
            Ok(answer)
        }
        "/connection" => Ok(super::messages::with_connection_headers()),
        "/ws" => Ok(super::websockets::accept(request)),
        _ => Ok(say(state.name)),
    }
}

pub fn say(text: &str) -> Answer {
    let body = Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {});
    Response::new(body.boxed())
}

fn with_status(status: u16) -> Answer {
    let mut answer = say("no");
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

/// Promises ten bytes, sends four, and breaks off.
fn half() -> Answer {
    let pieces = [
        Ok(Frame::data(Bytes::from_static(b"half"))),
        Err(io::ErrorKind::BrokenPipe.into()),
    ];
    let body = Pieces::new(pieces);
    let mut answer = Response::new(BodyExt::boxed(body));
    answer.headers_mut().insert("content-length", 10.into());
    answer
}

/// A body that is sent in these pieces, each on its own.
pub struct Pieces {
    pieces: VecDeque<io::Result<Frame<Bytes>>>,
    paused: bool,
}

impl Pieces {
    pub fn new(pieces: impl IntoIterator<Item = io::Result<Frame<Bytes>>>) -> Pieces {
        Pieces {
            pieces: pieces.into_iter().collect(),
            paused: true,
        }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.paused = !self.paused;
        if self.paused {
            // What has been given is sent meanwhile.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front())
    }
}
