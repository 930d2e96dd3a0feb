use super::http::Connection;
use super::wait::{LONG, wait_until};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a load asks, and how much of it at most.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where.
    pub address: SocketAddr,
    /// The `Host` header.
    pub host: String,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// Keep-alive connections, each with one request at a time.
    pub connections: usize,
    /// The pause between two requests of one connection; a machine with two cores has other work to do.
    pub pace: Duration,
    /// No connection asks more often than this.
    pub requests_each: u64,
    /// Nor longer than this.
    pub at_most: Duration,
}

impl Plan {
    /// Eight connections that ask for `/` every two milliseconds, for two minutes at most.
    pub fn get(address: SocketAddr, host: &str) -> Self {
        Plan {
            address,
            host: host.to_owned(),
            method: "GET",
            path: "/".to_owned(),
            connections: 8,
            pace: Duration::from_millis(2),
            requests_each: 1_000_000,
            at_most: Duration::from_secs(120),
        }
    }
}

/// What the clients saw.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers 2xx.
    pub ok: u64,
    /// Other answers, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Requests without a whole answer, by cause: "connection refused", "reset", "cut before the answer ended".
    pub lost: BTreeMap<String, u64>,
    /// Answers 2xx by body, trimmed: which version answered how often.
    pub bodies: BTreeMap<String, u64>,
}

impl Tally {
    /// Every request that was not answered 2xx.
    pub fn failures(&self) -> u64 {
        self.refused.values().sum::<u64>() + self.lost.values().sum::<u64>()
    }

    /// How often this body was the answer.
    pub fn answered(&self, body: &str) -> u64 {
        self.bodies.get(body).copied().unwrap_or_default()
    }
}

/// A load that runs until it is stopped or its plan ends.
pub struct Load {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<Stop>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts all connections.
    pub fn start(plan: Plan) -> Self {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let stop = Arc::new(Stop::default());
        let clients = (0..plan.connections)
            .map(|_| {
                let (plan, tally, stop) = (plan.clone(), Arc::clone(&tally), Arc::clone(&stop));
                thread::spawn(move || run(&plan, &tally, &stop))
            })
            .collect();
        Load {
            tally,
            stop,
            clients,
        }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Tally {
        self.tally.lock().expect("tally").clone()
    }

    /// Waits until what was seen satisfies `enough`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, enough: impl Fn(&Tally) -> bool) -> &Self {
        wait_until(LONG, what, || enough(&self.tally.lock().expect("tally")));
        self
    }

    /// Waits until `count` more requests were answered 2xx than now.
    #[track_caller]
    pub fn wait_for_more(&self, count: u64) -> &Self {
        let goal = self.seen().ok + count;
        self.wait_for(&format!("{count} more requests are answered"), |seen| {
            seen.ok >= goal
        })
    }

    /// Ends it, each connection after its present request; what was seen in all.
    pub fn stop(mut self) -> Tally {
        self.end();
        self.seen()
    }

    fn end(&mut self) {
        self.stop.say();
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(plan: &Plan, tally: &Mutex<Tally>, stop: &Stop) {
    let began = Instant::now();
    let mut connection = None;
    for _ in 0..plan.requests_each {
        if began.elapsed() > plan.at_most || stop.said_within(plan.pace) {
            return;
        }
        let result = ask(&mut connection, plan);
        let mut tally = tally.lock().expect("tally");
        match result {
            Ok((200..300, body)) => {
                tally.ok += 1;
                *tally.bodies.entry(body.trim().to_owned()).or_default() += 1;
            }
            Ok((status, _)) => *tally.refused.entry(status).or_default() += 1,
            Err(error) => {
                *tally.lost.entry(cause(&error)).or_default() += 1;
            }
        }
    }
}

fn ask(connection: &mut Option<Connection>, plan: &Plan) -> io::Result<(u16, String)> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(plan.address)?,
    };
    let answer = open.ask(plan.method, &plan.host, &plan.path, "")?;
    let closes = answer
        .header("connection")
        .is_some_and(|word| word.eq_ignore_ascii_case("close"));
    if !closes {
        *connection = Some(open);
    }
    Ok((answer.status, answer.body))
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "cut before the answer ended".to_owned(),
        io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        kind => kind.to_string(),
    }
}

#[derive(Default)]
struct Stop {
    said: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Stop {
    fn say(&self) {
        let _held = self.lock.lock();
        self.said.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    fn said_within(&self, pause: Duration) -> bool {
        let held = self.lock.lock().expect("stop");
        let waiting = |_: &mut ()| !self.said.load(Ordering::SeqCst);
        let _ = self.changed.wait_timeout_while(held, pause, waiting);
        self.said.load(Ordering::SeqCst)
    }
}
