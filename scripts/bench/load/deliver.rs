//! Webhooks as a forge sends them: signed before the clock starts, so that what is measured is the receiver.

use super::{answer, now_ns, say};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What to deliver, and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct Deliver {
    /// The receiver.
    #[arg(long)]
    target: SocketAddr,
    /// The path of its hook.
    #[arg(long)]
    path: String,
    /// What deliveries are signed with.
    #[arg(long)]
    secret: String,
    /// The ref that was pushed to.
    #[arg(long, default_value = "refs/heads/main")]
    ref_name: String,
    /// Signs with another secret.
    #[arg(long)]
    forged: bool,
    /// How many bytes each body has.
    #[arg(long, default_value_t = 10_240)]
    size: usize,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many different bodies take turns; each names another commit.
    #[arg(long, default_value_t = 2_000)]
    bodies: usize,
    /// For how many seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

struct State {
    how: Deliver,
    bodies: Vec<(String, String)>,
    sent: Cell<usize>,
    until: Instant,
    took_ns: RefCell<Vec<u64>>,
    answers: RefCell<BTreeMap<String, u64>>,
}

/// Delivers, then says in one line of JSON how many were answered how, and how long that took.
pub async fn run(how: Deliver) -> io::Result<()> {
    let bodies = (0..how.bodies)
        .map(|number| signed(&how, number))
        .collect::<Result<_, _>>()?;
    let begun = Instant::now();
    let state = Rc::new(State {
        until: begun + Duration::from_secs(how.seconds),
        how,
        bodies,
        sent: Cell::new(0),
        took_ns: RefCell::default(),
        answers: RefCell::default(),
    });
    let senders: Vec<_> = (0..state.how.connections)
        .map(|_| tokio::task::spawn_local(deliver(state.clone())))
        .collect();
    for sender in senders {
        sender.await.map_err(io::Error::other)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut took = state.took_ns.borrow_mut();
    took.sort_unstable();
    let at = |part: f64| {
        let nth = (took.len() as f64 * part) as usize;
        took.get(nth.min(took.len().saturating_sub(1)))
            .map_or(0.0, |ns| *ns as f64 / 1e6)
    };
    say(&serde_json::json!({
        "per_second": took.len() as f64 / seconds,
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "max_ms": at(1.0),
        "answers": *state.answers.borrow(),
    })
    .to_string())
}

/// A push event of GitHub's of the wanted size, and its signature.
fn signed(how: &Deliver, number: usize) -> io::Result<(String, String)> {
    let commit = format!("{:040x}", number + 1);
    let ref_name = &how.ref_name;
    let head = format!(
        "{{\"ref\":\"{ref_name}\",\"before\":\"{:040}\",\"after\":\"{commit}\",\"deleted\":false,\
         \"repository\":{{\"full_name\":\"bench/bench\"}},\"pusher\":{{\"name\":\"ada\"}},\"padding\":\"",
        0
    );
    let room = how.size.saturating_sub(head.len() + 2);
    let body = format!("{head}{}\"}}", "x".repeat(room));
    let secret = if how.forged {
        "somebody else's"
    } else {
        &how.secret
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(io::Error::other)?;
    mac.update(body.as_bytes());
    Ok((body, hex::encode(mac.finalize().into_bytes())))
}

async fn deliver(state: Rc<State>) {
    let mut open: Option<(TcpStream, Vec<u8>)> = None;
    while Instant::now() < state.until {
        let number = state.sent.get();
        state.sent.set(number + 1);
        let begun = now_ns();
        let said = match send(&state, &mut open, number).await {
            Ok(status) => status.to_string(),
            Err(error) => {
                open = None;
                error.kind().to_string()
            }
        };
        state.took_ns.borrow_mut().push(now_ns() - begun);
        *state.answers.borrow_mut().entry(said).or_default() += 1;
    }
}

async fn send(
    state: &State,
    open: &mut Option<(TcpStream, Vec<u8>)>,
    number: usize,
) -> io::Result<u16> {
    let (stream, buffer) = match open {
        Some(open) => open,
        None => {
            let stream = TcpStream::connect(state.how.target).await?;
            stream.set_nodelay(true)?;
            open.insert((stream, Vec::new()))
        }
    };
    let (body, signature) = &state.bodies[number % state.bodies.len()];
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: bench.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: {:08x}-0000-4000-8000-{number:012x}\r\n\
         X-Hub-Signature-256: sha256={signature}\r\n\r\n",
        state.how.path,
        body.len(),
        std::process::id(),
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(body.as_bytes());
    stream.write_all(&request).await?;
    let answer = answer::read(stream, buffer).await?;
    if answer.closes {
        *open = None;
    }
    Ok(answer.status)
}
