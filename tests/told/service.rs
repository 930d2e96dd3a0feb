//! What all stand-ins have in common: a socket, a log of what was asked, and the ways in which a service can misbehave.

use crate::harness::{LONG, Request, wait_until};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// What a service answers.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    /// JSON.
    pub fn json(status: u16, body: Value) -> Reply {
        Reply {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// Text.
    pub fn text(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Reply {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// How a service misbehaves once.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It answers that, and does nothing.
    Answers(Reply),
    /// It does what it was asked for, and the answer is lost.
    Forgets,
    /// It says nothing until the other end gives up.
    Hangs,
}

/// A service as its documentation describes it.
pub trait Stateful: Send + 'static {
    /// Does what is asked for. Nothing: nobody should ever ask that.
    fn answer(&mut self, request: &Request) -> Option<Reply>;
}

/// One asked request, with its body as JSON where it is that.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub json: Value,
    pub status: u16,
}

struct Shared<S> {
    state: S,
    faults: VecDeque<Fault>,
    log: Vec<Asked>,
    unexpected: Vec<String>,
    /// While set, requests are carried out and their answers held back.
    held: bool,
    holding: usize,
}

/// A service on a real socket.
pub struct Service<S> {
    shared: Arc<(Mutex<Shared<S>>, Condvar)>,
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl<S: Stateful> Service<S> {
    /// Starts it.
    pub fn start(state: S) -> Service<S> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            state,
            faults: VecDeque::new(),
            log: Vec::new(),
            unexpected: Vec::new(),
            held: false,
            holding: 0,
        };
        let shared = Arc::new((Mutex::new(shared), Condvar::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let (inner, end) = (Arc::clone(&shared), Arc::clone(&closed));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let inner = Arc::clone(&inner);
                thread::spawn(move || converse(stream, &inner));
            }
        });
        Service {
            shared,
            address,
            closed,
        }
    }

    /// Its address, with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it knows.
    pub fn look<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.lock().state)
    }

    /// Makes it misbehave at its next request, or at the one after those that were said before.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Whether all that was said about misbehaving has happened.
    pub fn behaves(&self) -> bool {
        self.lock().faults.is_empty()
    }

    /// From now on requests are carried out, and their answers held back.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Waits until an answer is held back.
    #[track_caller]
    pub fn wait_for_held(&self) {
        wait_until(LONG, "an answer is held back", || self.lock().holding > 0);
    }

    /// Answers again.
    pub fn release(&self) {
        self.lock().held = false;
        self.shared.1.notify_all();
    }

    /// All that was asked so far.
    pub fn log(&self) -> Vec<Asked> {
        self.lock().log.clone()
    }

    /// Waits until this holds of what it knows.
    #[track_caller]
    pub fn wait(&self, what: &str, mut holds: impl FnMut(&mut S) -> bool) {
        wait_until(LONG, what, || holds(&mut self.lock().state));
    }

    fn lock(&self) -> MutexGuard<'_, Shared<S>> {
        self.shared.0.lock().unwrap()
    }
}

impl<S> Drop for Service<S> {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.shared.1.notify_all();
        if !thread::panicking() {
            let unexpected = self.shared.0.lock().unwrap().unexpected.clone();
            assert!(unexpected.is_empty(), "nobody expected {unexpected:#?}");
        }
    }
}

fn converse<S: Stateful>(mut stream: TcpStream, shared: &(Mutex<Shared<S>>, Condvar)) {
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let mut reading = BufReader::new(reading);
    while let Ok(request) = Request::read(&mut reading) {
        match carry_out(&request, shared) {
            Some(reply) if write(&mut stream, &reply).is_ok() => {}
            _ => return,
        }
    }
}

/// The answer; nothing, where the connection is to be cut.
fn carry_out<S: Stateful>(
    request: &Request,
    (shared, changed): &(Mutex<Shared<S>>, Condvar),
) -> Option<Reply> {
    let mut known = shared.lock().unwrap();
    let fault = known.faults.pop_front();
    let reply = match &fault {
        Some(Fault::Answers(reply)) => reply.clone(),
        Some(Fault::Hangs) => {
            // Nobody wakes it but the end of the test.
            drop(known);
            let (_sender, nothing) = std::sync::mpsc::channel::<()>();
            let _ = nothing.recv_timeout(LONG);
            return None;
        }
        _ => known.state.answer(request).unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let asked = format!(
                "{} {}?{} {body}",
                request.method, request.path, request.query
            );
            known.unexpected.push(asked);
            Reply::text(501, "nobody expected that")
        }),
    };
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    known.log.push(Asked {
        method: request.method.clone(),
        target: format!("{}{query}", request.path),
        json: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        status: reply.status,
    });
    if known.held {
        known.holding += 1;
        known = changed.wait_while(known, |known| known.held).unwrap();
        known.holding -= 1;
    }
    drop(known);
    (!matches!(fault, Some(Fault::Forgets))).then_some(reply)
}

fn write(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} Answer\r\ncontent-length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{}", reply.body).as_bytes())
}
