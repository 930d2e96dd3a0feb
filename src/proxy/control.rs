//! The proxy's own end of its control socket.

use super::metrics::exposition;
use super::predecessors;
use super::shared::Shared;
use crate::domain::{Color, EnvId, RouteTable};
use crate::system::clock::Seldom;
use crate::system::standing::{Standing, Whereabouts};
use crate::system::{files, handover};
use crate::traffic::{Command, Identity, Measure, Reply, line, read};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, Notify};

/// How long a predecessor may take to follow a route change or to show its counters.
const RELAYED: Duration = Duration::from_secs(2);

/// What the control socket speaks about.
pub struct Control {
    /// The state behind every connection.
    pub shared: Arc<Shared>,
    /// The file with the routes.
    pub state: PathBuf,
    /// Where this socket is, or was before a successor took its place.
    pub socket: PathBuf,
    /// Where it stands now.
    pub at: Whereabouts,
    /// The build that this process runs.
    pub build: String,
    /// The words that it was started with.
    pub words: Vec<String>,
    /// The sockets that a successor gets.
    pub listeners: StdMutex<Vec<TcpListener>>,
    /// Told when a successor serves.
    pub released: Notify,
    /// Held while the routes are exchanged.
    pub reloading: Mutex<()>,
}

impl Control {
    /// Answers on the socket until the task is dropped.
    pub async fn serve(self: Arc<Self>, mut listener: Standing) {
        let mut seldom = Seldom::default();
        loop {
            match listener.accept().await {
                Ok(stream) => {
                    tokio::spawn(self.clone().converse(stream));
                }
                Err(error) => {
                    if seldom.is_due() {
                        tracing::error!("cannot accept on {}: {error}", self.socket.display());
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn converse(self: Arc<Self>, mut stream: UnixStream) {
        let mut lines = BufReader::new(&mut stream);
        let mut asked = String::new();
        loop {
            asked.clear();
            match lines.read_line(&mut asked).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
            let reply = match read::<Command>(&asked) {
                Ok(Command::TakeOver) => break,
                Ok(command) => self.answer(command).await,
                Err(error) => failed(format!("the question is not understood: {error}")),
            };
            let Ok(reply) = line(&reply) else { return };
            if lines.get_mut().write_all(&reply).await.is_err() {
                return;
            }
        }
        if let Err(error) = self.hand_over(stream).await {
            tracing::warn!("the sockets were not handed over: {error}");
        }
    }

    async fn answer(&self, command: Command) -> Reply {
        match command {
            Command::Identify => Reply::Proxy(Identity {
                pid: std::process::id(),
                build: self.build.clone(),
                words: self.words.clone(),
                listen: self.addresses(),
                generation: self.shared.table().generation,
            }),
            Command::Reload => self.reload().await,
            Command::Measure { env } => Reply::Measured {
                measure: self.measure(env).await.map(Box::new),
            },
            Command::Drain {
                env,
                color,
                within_ms,
            } => self.drain(env, color, within_ms).await,
            Command::Metrics => Reply::Metrics {
                text: self.metrics().await,
            },
            Command::TakeOver | Command::Release => failed("that is not asked here".to_owned()),
        }
    }

    async fn reload(&self) -> Reply {
        let _turn = self.reloading.lock().await;
        let routes = match read_routes(&self.state) {
            Ok(routes) => routes,
            Err(cause) => return failed(cause),
        };
        let generation = self.shared.swap(routes);
        for reply in self.relay(&Command::Reload, RELAYED).await {
            match reply {
                Ok(Reply::Serving { .. }) => {}
                Ok(Reply::Failed { cause }) => return failed(cause),
                Ok(other) => return failed(format!("a replaced proxy answered {other:?}")),
                Err(error) => return failed(format!("a replaced proxy does not answer: {error}")),
            }
        }
        Reply::Serving { generation }
    }

    async fn measure(&self, env: EnvId) -> Option<Measure> {
        let mut measure = self.shared.table().site(&env)?.stats.measure();
        for reply in self.relay(&Command::Measure { env }, RELAYED).await {
            match reply {
                Ok(Reply::Measured { measure: theirs }) => {
                    theirs.iter().for_each(|theirs| measure.merge(theirs));
                }
                other => tracing::warn!("the counters lack those of a replaced proxy: {other:?}"),
            }
        }
        Some(measure)
    }

    async fn metrics(&self) -> String {
        let mut environments = Vec::new();
        for site in self.shared.table().sites() {
            let env = site.route.env.clone();
            if let Some(measure) = self.measure(env.clone()).await {
                environments.push((env, measure));
            }
        }
        environments.sort_by(|(one, _), (other, _)| one.cmp(other));
        exposition(&environments)
    }

    async fn drain(&self, env: EnvId, color: Color, within_ms: u64) -> Reply {
        let within = Duration::from_millis(within_ms);
        let table = self.shared.table();
        let command = Command::Drain {
            env: env.clone(),
            color,
            within_ms,
        };
        let theirs = self.relay(&command, within + RELAYED);
        let ours = async {
            let Some(site) = table.site(&env) else {
                return (0, 0);
            };
            // Over in time or not, what is left is counted.
            let _ = tokio::time::timeout(within, site.stats.silent(color)).await;
            site.stats.of(color).left()
        };
        let (theirs, (mut requests, mut tunnels)) = tokio::join!(theirs, ours);
        for reply in theirs.into_iter().flatten() {
            if let Reply::Left {
                requests: more,
                tunnels: open,
            } = reply
            {
                requests += more;
                tunnels += open;
            }
        }
        Reply::Left { requests, tunnels }
    }

    async fn relay(&self, command: &Command, within: Duration) -> Vec<io::Result<Reply>> {
        predecessors::ask_all(&self.socket, std::process::id(), command, within).await
    }

    /// Gives a successor the listening sockets, and ends as soon as it says that it serves. If it never does, this
    /// process goes on as if nothing had been.
    async fn hand_over(&self, stream: UnixStream) -> io::Result<()> {
        let aside = predecessors::path_of(&self.socket, std::process::id());
        self.at.move_to(&aside)?;
        let released = self.give(stream).await;
        match released {
            Ok(()) => self.released.notify_one(),
            Err(_) => self.at.move_to(&self.socket)?,
        }
        released
    }

    async fn give(&self, stream: UnixStream) -> io::Result<()> {
        let sockets = Reply::Sockets {
            addresses: self.addresses(),
        };
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        handover::send(&stream, &line(&sockets)?, &self.listeners())?;
        stream.set_nonblocking(true)?;
        let mut stream = BufReader::new(UnixStream::from_std(stream)?);
        let mut asked = String::new();
        stream.read_line(&mut asked).await?;
        match read::<Command>(&asked)? {
            Command::Release => stream.get_mut().write_all(&line(&Reply::Released)?).await,
            other => Err(io::Error::other(format!("the successor said {other:?}"))),
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.listeners();
        let bound = listeners.iter().map(TcpListener::local_addr);
        bound.flatten().collect()
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up this process's hold on the sockets.
    pub fn close_listeners(&self) {
        self.listeners().clear();
    }
}

/// The routes in the file; none when there is no file yet.
pub fn read_routes(path: &Path) -> Result<RouteTable, String> {
    let text = files::read_if_there(path).map_err(|error| error.to_string())?;
    let Some(text) = text else {
        return Ok(RouteTable::default());
    };
    serde_json::from_str(&text)
        .map_err(|error| format!("{} is not a route table: {error}", path.display()))
}

fn failed(cause: String) -> Reply {
    Reply::Failed { cause }
}
