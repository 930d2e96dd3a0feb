use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longer than the loopback block waits for the service, so that nginx's own answer arrives.
const PATIENCE: Duration = Duration::from_secs(4);

/// What answered on Teal's own loopback block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A block of Teal's.
    Block(Block),
    /// Something else, or nothing: the words for it.
    Other(String),
}

/// What a block of Teal's says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// The generation that it was written with, or the word of the base block.
    pub generation: String,
    /// The addresses that were asked; none when the block answers by itself.
    pub upstreams: Vec<String>,
    /// Whether the last one of them answered.
    pub answered: bool,
    /// The process id of the worker.
    pub worker: Option<u32>,
}

impl Seen {
    /// One short phrase for an error.
    pub(super) fn words(&self) -> String {
        match self {
            Seen::Other(words) => words.clone(),
            Seen::Block(block) if block.upstreams.is_empty() => {
                format!("generation {} answers, without a service", block.generation)
            }
            Seen::Block(block) => {
                let silent = if block.answered {
                    ""
                } else {
                    ", which did not answer"
                };
                let services = block.upstreams.join(", then ");
                format!("generation {} asks {services}{silent}", block.generation)
            }
        }
    }
}

/// Asks the loopback block of `name`, over a connection of its own: only a new connection is sure to reach a worker that
/// still accepts, and those are what the question is about.
pub(super) async fn ask(verify: SocketAddr, name: &str) -> Seen {
    match tokio::time::timeout(PATIENCE, answer(verify, name)).await {
        Err(_) => Seen::Other(format!("no answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Seen::Other(error.to_string()),
        Ok(Ok(response)) => read(&response),
    }
}

/// Whether something accepts connections on this port of the loopback.
pub(super) async fn accepts(port: u16) -> bool {
    let connected = TcpStream::connect(("127.0.0.1", port));
    matches!(tokio::time::timeout(PATIENCE, connected).await, Ok(Ok(_)))
}

async fn answer(
    verify: SocketAddr,
    name: &str,
) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(verify).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::head("/")
        .header(HOST, name)
        .header(USER_AGENT, "teal")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let mut response = pin!(sender.send_request(request));
    tokio::select! {
        biased;
        response = &mut response => Ok(response?),
        // A connection that ends with the answer may be seen to end first.
        ended = connection => {
            ended?;
            Ok(response.await?)
        }
    }
}

fn read(response: &Response<Incoming>) -> Seen {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    // Addresses and times are lists when nginx tried twice; a time of `-` means that no answer began.
    let list = |name: &str| -> Vec<String> {
        let items = header(name).unwrap_or_default().split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    match header("x-teal-generation") {
        None => Seen::Other(format!(
            "something that is not Teal's block answers with status {}",
            response.status().as_u16()
        )),
        Some(generation) => Seen::Block(Block {
            generation: generation.to_owned(),
            upstreams: list("x-teal-upstream"),
            answered: list("x-teal-answered")
                .last()
                .is_some_and(|time| time != "-"),
            worker: header("x-teal-worker").and_then(|pid| pid.parse().ok()),
        }),
    }
}
