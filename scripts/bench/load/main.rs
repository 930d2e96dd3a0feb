//! The load of the benchmarks, and the services that it goes to. Every request is numbered, every answer is
//! compared with what was asked, and a connection that breaks counts as much as a wrong status.

mod answer;
mod deliver;
mod drive;
mod hold;
mod service;
mod websockets;

use clap::Parser;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What to do; each ends when its standard input is closed.
#[derive(Debug, Parser)]
enum Work {
    /// Asks as fast as answers come, and writes down every request.
    Drive(Drive),
    /// Opens connections, asks once on each, and keeps them.
    Hold(Visit),
    /// Opens WebSockets, keeps them, and writes down how each ended.
    Websockets(Visit),
    /// Delivers webhooks as fast as they are answered, and says how that went.
    Deliver(deliver::Deliver),
    /// Answers with its name and with what it was asked.
    Service {
        /// Where it listens.
        #[arg(long)]
        listen: SocketAddr,
        /// What it calls itself; its first letter is what the record shows.
        #[arg(long)]
        name: String,
    },
}

/// Whom to visit, and how often.
#[derive(Debug, Clone, clap::Args)]
struct Visit {
    /// The proxy.
    #[arg(long)]
    target: SocketAddr,
    /// The host name to ask for.
    #[arg(long, default_value = "bench.test")]
    host: String,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Whether to send a request on each connection that is held.
    #[arg(long)]
    ask: bool,
}

/// How to load it.
#[derive(Debug, Clone, clap::Args)]
struct Drive {
    #[command(flatten)]
    visit: Visit,
    /// Goes on until so many requests have been sent, even if its standard input is closed.
    #[arg(long, default_value_t = 0)]
    requests: u64,
    /// Ends after so many seconds in any case.
    #[arg(long, default_value_t = 120)]
    at_most: u64,
    /// Every so many requests one is a POST; none with zero.
    #[arg(long, default_value_t = 3)]
    post_every: u64,
    /// How long each connection waits after an answer, in milliseconds; without it, as fast as answers come.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Where to write the requests down.
    #[arg(long)]
    record: PathBuf,
}

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    raise_descriptor_limit();
    runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        match Work::parse() {
            Work::Drive(how) => drive::run(how).await,
            Work::Hold(whom) => hold::run(whom).await,
            Work::Websockets(whom) => websockets::run(whom).await,
            Work::Deliver(how) => deliver::run(how).await,
            Work::Service { listen, name } => service::run(listen, name).await,
        }
    }))
}

fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // With fewer descriptors it opens fewer connections and says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Waits until whoever started this closes its standard input, or has ended.
async fn told_to_end() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Whatever ends the input ends the work.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        ended.send(())
    });
    // A sender that is gone means the same.
    let _ = end.await;
}

/// Writes one line for whoever started this.
fn say(line: &str) -> io::Result<()> {
    use io::Write;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Nanoseconds on the clock that all processes of this machine share.
fn now_ns() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000
            + u64::try_from(now.tv_nsec()).unwrap_or(0)
    })
}
