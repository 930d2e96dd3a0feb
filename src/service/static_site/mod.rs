//! `teal static`: the service of an app that is only files. It serves one folder on `$PORT` of 127.0.0.1, and nothing
//! outside of it.

mod answer;
mod body;
mod kind;
mod path;
mod range;
mod root;
#[cfg(test)]
mod tests;

pub use root::Root;

use body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

/// How long a client may take to send a request's head, and how long a connection may wait for the next request.
const HEAD: Duration = Duration::from_secs(30);
/// Connections at a time; more of them wait.
const CONNECTIONS: usize = 4096;

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StaticError {
    /// The command line is not understood.
    #[error("`{0}` is not known here; it is `teal static [--dir FOLDER] [--single-page]`")]
    Usage(String),
    /// No port.
    #[error("PORT is not set to a port")]
    Port,
    /// The folder cannot be opened.
    #[error("cannot serve {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The port is not to be had.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// Which.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No runtime.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
}

/// Runs `teal static <args>` until SIGTERM, and says on the error output why it cannot.
pub fn run(args: &[OsString]) -> ExitCode {
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            // With nobody to read it there is nothing else to do.
            let _ = writeln!(io::stderr(), "teal static: {error}");
            ExitCode::from(2)
        }
    }
}

fn try_run(args: &[OsString]) -> Result<(), StaticError> {
    let (dir, is_single_page) = words(args)?;
    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or(StaticError::Port)?;
    let shared = std::env::var_os("TEAL_SHARED_DIR").map(PathBuf::from);
    let root = Root::open(&dir, shared.as_deref()).map_err(|source| StaticError::Folder {
        path: dir.clone(),
        source,
    })?;
    let root = root.single_page(is_single_page);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(StaticError::Runtime)?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|source| StaticError::Listen { port, source })?;
        let mut term = signal(SignalKind::terminate()).map_err(StaticError::Runtime)?;
        serve(listener, root, async move {
            term.recv().await;
        })
        .await;
        Ok(())
    })
}

/// The folder, and whether every address that no file has is a page of its one page.
fn words(args: &[OsString]) -> Result<(PathBuf, bool), StaticError> {
    let mut dir = PathBuf::from(".");
    let mut is_single_page = false;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let text = arg.to_string_lossy();
        if text == "--dir" {
            let usage = || StaticError::Usage("--dir without a folder".to_owned());
            dir = rest.next().map(PathBuf::from).ok_or_else(usage)?;
        } else if let Some(path) = text.strip_prefix("--dir=") {
            dir = Path::new(path).to_owned();
        } else if text == "--single-page" {
            is_single_page = true;
        } else {
            return Err(StaticError::Usage(text.into_owned()));
        }
    }
    Ok((dir, is_single_page))
}

/// Serves the folder until `end` is ready; answers that have begun are finished.
pub async fn serve(listener: TcpListener, root: Root, end: impl Future<Output = ()>) {
    let root = Arc::new(root);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = accept(&listener, &room) => accepted,
        };
        if let Some((stream, place)) = accepted {
            let connection = connection(stream, Arc::clone(&root));
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that goes away in the middle is no error of ours.
                let _ = watched.await;
                drop(place);
            });
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(_) => {
            // Out of descriptors, most likely: some will come free.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn connection(
    stream: TcpStream,
    root: Arc<Root>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Without it small answers wait for nothing; with it they do not.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let root = Arc::clone(&root);
        async move {
            Ok::<Response<Body>, std::convert::Infallible>(answer::answer(&root, &request).await)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
