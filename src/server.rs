//! `teal serve`: puts the parts together, recovers, and answers until it is told to stop. Services and the proxy are
//! processes of their own and live on when it ends.

use crate::config::Server;
use crate::domain::{EnvId, Route, Upstreams};
use crate::journal::{Journal, JournalError};
use crate::pipeline::{Tools, Turns};
use crate::queue::Queue;
use crate::report::Audience;
use crate::service::Services;
use crate::setup::{self, SetupError};
use crate::store::{Store, StoreError};
use crate::system::lock::{self, Lock, LockError};
use crate::system::standing::Standing;
use crate::system::{notify, reserve};
use crate::traffic::{self, Traffic, TrafficError};
use crate::worker::Worker;
use crate::{
    caretaker, cutover, gatekeeper, intake, landing, lookout, messenger, reconcile, recovery,
    teller, tracer, web,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A folder or repository.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no database, although releases serve.
    #[error(
        "there is no database {}, but {env} serves by {}: put back {} (with its -wal, if there is one) from a copy; to begin anew as if nothing had ever been deployed, move {} away too",
        path.display(), routes.display(), path.display(), routes.display()
    )]
    Forgotten {
        /// Where it should be.
        path: PathBuf,
        /// Where the routes are.
        routes: PathBuf,
        /// An environment that serves.
        env: EnvId,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The proxy or nginx.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// Another server has the state folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// An address or socket cannot be listened on.
    #[error("cannot listen on {what}: {source}")]
    Listen {
        /// Which.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Recovery could not put something in order.
    #[error("cannot put in order what the last run left: {0}")]
    Recovery(String),
    /// This program cannot be found on disk.
    #[error("cannot find out where this program is: {0}")]
    Own(std::io::Error),
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(server: Arc<Server>) -> Result<(), ServeError> {
    setup::check_users(&server)?;
    for broken in setup::prepare(&server)?.into_iter().filter_map(Result::err) {
        tracing::error!("an app cannot be pushed to: {broken}");
    }
    let lock = Lock::take(&server.state_dir.join(lock::SERVER))?;
    // The caretaker says why, if it cannot.
    let _ = reserve::keep(&server.state_dir);
    let outside = listen(&server).await?;
    let inside = listen_inside(&server)?;
    let tools = Arc::new(tools(&server).await?);
    let queue = Queue::new(Arc::clone(&server), tools.journal.clone());
    let worker = Worker::new(Arc::clone(&tools), queue.clone());

    // What the last run left, before anything new comes in.
    let open = recovery::left_behind(&tools).await?;
    let at_gates = landing::left_behind(&worker).await?;

    // Pushes are taken from here on; they wait in the queue until recovery is done.
    let answer = answer(worker.clone(), outside, inside);
    let work = async {
        let resumed = recovery::recover(&tools, &queue, open)
            .await
            .map_err(ServeError::Recovery)?;
        tracing::info!(
            listen = %server.listen,
            config = %server.file.display(),
            "Teal {} is ready", env!("CARGO_PKG_VERSION")
        );
        tell_manager(notify::ready());
        intake::spool::take_up(&worker).await;
        tokio::spawn(lock.hold());
        tokio::spawn(intake::spool::watch(worker.clone()));
        tokio::spawn(reconcile::watch(Arc::clone(&tools), queue.clone()));
        tokio::spawn(gatekeeper::answer(Arc::clone(&tools), queue.clone()));
        tokio::spawn(lookout::watch(Arc::clone(&tools), queue.clone()));
        tokio::spawn(caretaker::watch(Arc::clone(&tools)));
        tokio::spawn(cutover::watch(Arc::clone(&tools)));
        tokio::spawn(teller::tell(Arc::clone(&tools)));
        tokio::spawn(tracer::follow(Arc::clone(&tools)));
        landing::settle(&worker, at_gates);
        tokio::spawn(messenger::deliver(Arc::clone(&tools)));
        worker.work(resumed).await;
        Ok(())
    };
    tokio::select! {
        () = answer => Ok(()),
        ended = work => ended,
        () = told_to_stop() => Ok(()),
    }
}

async fn tools(server: &Arc<Server>) -> Result<Tools, ServeError> {
    let traffic = Traffic::open(server)?;
    let database = database(server, &traffic).await?;
    let journal = Journal::open(Store::open(&database)?, Audience::of_server(server)).await?;
    let exe = std::env::current_exe().map_err(ServeError::Own)?;
    let routes = routes(server, &journal).await?;
    traffic.begin_with(routes.clone()).await?;
    traffic.ensure_running().await?;
    traffic.declare(routes).await?;
    Ok(Tools {
        builds: Turns::new(server.build_slots),
        services: Services {
            run_dir: server.state_dir.join("run"),
            exe: exe.clone(),
        },
        fetching: server
            .apps
            .keys()
            .map(|app| (app.clone(), Default::default()))
            .collect(),
        server: Arc::clone(server),
        journal,
        traffic,
        exe,
    })
}

/// The database's file. A new one would know of no release, and the traffic would be taken from those that serve.
async fn database(server: &Server, traffic: &Traffic) -> Result<PathBuf, ServeError> {
    let path = server.state_dir.join("teal.db");
    match traffic.served().await {
        Some(env) if !path.exists() => Err(ServeError::Forgotten {
            routes: server.state_dir.join(traffic::STATE_FILE),
            path,
            env,
        }),
        _ => Ok(path),
    }
}

/// The routes that the configuration declares, to what is committed. An environment without a domain is reached as
/// `<environment>.<app>.localhost`, and the only one of the server also by every name that nobody else has.
async fn routes(server: &Server, journal: &Journal) -> Result<Vec<Route>, JournalError> {
    let nameless = server
        .environments()
        .filter(|env| env.domains.is_empty())
        .count();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut routes = Vec::new();
    for env in server.environments() {
        let active = journal.standing(&env.id).await?.active;
        routes.push(Route {
            env: env.id.clone(),
            domains: env.domains.clone(),
            default: nameless == 1 && env.domains.is_empty(),
            redirects: env.redirects.clone(),
            upstreams: Upstreams {
                blue: vec![env.ports.blue],
                green: vec![env.ports.green],
            },
            shares: active.map(Upstreams::all_to).unwrap_or_default(),
            hold_ms: ms(env.hold),
            drain_websockets_ms: ms(env.drain_websockets),
            paused: false,
            maintenance: false,
        });
    }
    Ok(routes)
}

async fn listen(server: &Server) -> Result<TcpListener, ServeError> {
    TcpListener::bind(server.listen)
        .await
        .map_err(|source| ServeError::Listen {
            what: format!("{} (`listen` in {})", server.listen, server.file.display()),
            source,
        })
}

fn listen_inside(server: &Server) -> Result<Standing, ServeError> {
    let path: PathBuf = server.state_dir.join(crate::intake::hook_protocol::SOCKET);
    Standing::bind(&path, 0o660).map_err(|source| ServeError::Listen {
        what: path.display().to_string(),
        source,
    })
}

async fn answer(worker: Worker, outside: TcpListener, inside: Standing) {
    let socket = web::inside(&worker)
        .merge(intake::hooks())
        .with_state(worker.clone());
    let page = web::outside(&worker)
        .merge(intake::webhooks())
        .with_state(worker);
    tokio::join!(
        web::serve_unix(inside, socket, web::Limits::default()),
        web::serve_tcp(outside, page, web::Limits::default()),
    );
}

async fn told_to_stop() {
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without signals it can still be killed, which it survives.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping; services and proxy go on");
    tell_manager(notify::stopping());
}

/// A service manager that cannot be told waits in vain; its own deadline says so then, and the log says why.
fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager at $NOTIFY_SOCKET");
    }
}
