//! A thread that serves connections. It shares the table and the counters with the others and nothing else, so that a
//! request never changes threads on its way.

use super::connection::{self, Incoming};
use super::shared::Phase;
use super::worker::Worker;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often idle connections are looked over.
const SWEEP: Duration = Duration::from_secs(1);

/// The way to a worker's thread.
pub struct Handle {
    connections: mpsc::UnboundedSender<Incoming>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread. It ends when it is told of no more connections and the last one has ended.
    pub fn start(self, name: String) -> io::Result<Handle> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (connections, arriving) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || runtime.block_on(Arc::new(self).run(arriving)))?;
        Ok(Handle {
            connections,
            thread,
        })
    }

    async fn run(self: Arc<Self>, mut arriving: mpsc::UnboundedReceiver<Incoming>) {
        let sweeper = tokio::spawn(sweep(self.clone(), self.shared.tables()));
        while let Some(incoming) = arriving.recv().await {
            self.open.spawn(connection::serve(self.clone(), incoming));
        }
        self.open.close();
        self.open.wait().await;
        sweeper.abort();
    }
}

impl Handle {
    /// Gives the worker a connection.
    pub fn give(&self, incoming: Incoming) {
        // A worker ends only after this sender is gone.
        let _ = self.connections.send(incoming);
    }

    /// Gives no more connections; the thread to wait for.
    pub fn close(self) -> JoinHandle<()> {
        self.thread
    }
}

/// Closes connections to services that nobody will use: Node waits for them when it is asked to end.
async fn sweep(worker: Arc<Worker>, mut tables: watch::Receiver<u64>) {
    loop {
        let _ = tokio::time::timeout(SWEEP, tables.changed()).await;
        let table = worker.shared.table();
        let wanted = |port| {
            table.sites().any(|site| {
                let serving = |color| *site.route.shares.of(color) > 0;
                let mut colors = crate::domain::Color::BOTH
                    .into_iter()
                    .filter(|c| serving(*c));
                colors.any(|color| site.route.upstreams.of(color).contains(&port))
            })
        };
        worker.pool.sweep(wanted);
        if worker.shared.phase() == Phase::Finishing {
            return;
        }
    }
}
