//! The load itself: each connection asks again as soon as it has its answer.

use super::{Drive, Visit, answer, now_ns, say, told_to_end};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a connection that was refused waits before it tries again, so that the record stays finite.
const REFUSED: Duration = Duration::from_millis(5);

/// What became of a request. The letters are what the record holds; any other is the first one of a service's name.
mod outcome {
    /// The connection was refused.
    pub const REFUSED: u8 = b'C';
    /// The connection ended before the answer did.
    pub const RESET: u8 = b'R';
    /// No answer in time.
    pub const SILENT: u8 = b'T';
    /// Another status than 200.
    pub const STATUS: u8 = b'5';
    /// The answer to something else.
    pub const WRONG: u8 = b'W';
}

/// One line of the record: 24 bytes.
struct Request {
    begun_ns: u64,
    ended_ns: u64,
    outcome: u8,
    method: u8,
}

struct State {
    how: Drive,
    sent: Cell<u64>,
    ending: Cell<bool>,
    requests: RefCell<Vec<Request>>,
}

/// Drives until it is told to end and has sent what it should, then writes the record.
pub async fn run(how: Drive) -> io::Result<()> {
    let at_most = Duration::from_secs(how.at_most);
    let state = Rc::new(State {
        how,
        sent: Cell::new(0),
        ending: Cell::new(false),
        requests: RefCell::default(),
    });
    let visitors: Vec<_> = (0..state.how.visit.connections)
        .map(|_| tokio::task::spawn_local(visit(state.clone())))
        .collect();
    say("begun")?;
    // Either way it is over.
    let _ = tokio::time::timeout(at_most, told_to_end_and_done(&state)).await;
    state.ending.set(true);
    for visitor in visitors {
        visitor.await.map_err(io::Error::other)?;
    }
    let mut record = BufWriter::new(File::create(&state.how.record)?);
    for request in state.requests.borrow().iter() {
        record.write_all(&request.begun_ns.to_le_bytes())?;
        record.write_all(&request.ended_ns.to_le_bytes())?;
        record.write_all(&[request.outcome, request.method, 0, 0, 0, 0, 0, 0])?;
    }
    record.flush()?;
    say("ended")
}

async fn told_to_end_and_done(state: &State) {
    told_to_end().await;
    while state.sent.get() < state.how.requests {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One connection after another, one request after another.
async fn visit(state: Rc<State>) {
    let mut connection = None;
    while !state.ending.get() {
        let number = state.sent.get();
        state.sent.set(number + 1);
        let every = state.how.post_every;
        let method = if every > 0 && number.is_multiple_of(every) {
            b'P'
        } else {
            b'G'
        };
        let begun_ns = now_ns();
        let asked = ask(&state.how.visit, &mut connection, number, method);
        let outcome = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => outcome::REFUSED,
            Ok(Err(_)) => outcome::RESET,
            Err(_) => outcome::SILENT,
        };
        state.requests.borrow_mut().push(Request {
            begun_ns,
            ended_ns: now_ns(),
            outcome,
            method,
        });
        if outcome.is_ascii_uppercase() {
            connection = None;
        }
        if state.how.pause > 0 {
            tokio::time::sleep(Duration::from_millis(state.how.pause)).await;
        }
        if outcome == outcome::REFUSED {
            tokio::time::sleep(REFUSED).await;
        }
    }
}

async fn ask(
    whom: &Visit,
    connection: &mut Option<(TcpStream, Vec<u8>)>,
    number: u64,
    method: u8,
) -> io::Result<u8> {
    let (stream, buffer) = match connection {
        Some(open) => open,
        None => {
            let stream = TcpStream::connect(whom.target).await?;
            stream.set_nodelay(true)?;
            connection.insert((stream, Vec::new()))
        }
    };
    let host = &whom.host;
    let request = match method {
        b'P' => format!(
            "POST /{number} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 16\r\n\r\n{number:016}"
        ),
        _ => format!("GET /{number} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    };
    stream.write_all(request.as_bytes()).await?;
    let answer = answer::read(stream, buffer).await?;
    if answer.closes {
        *connection = None;
    }
    if answer.status != 200 {
        return Ok(outcome::STATUS);
    }
    let expected = match method {
        b'P' => format!(" /{number} {number:016}"),
        _ => format!(" /{number} "),
    };
    Ok(match answer.body.first() {
        Some(name) if answer.body.ends_with(expected.as_bytes()) => *name,
        _ => outcome::WRONG,
    })
}
