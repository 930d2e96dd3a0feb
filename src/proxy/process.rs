//! `teal proxy` from start to end: takes the sockets of the proxy that it replaces, serves, and hands them on.

use super::args::Args;
use super::control::{Control, read_routes};
use super::error::ProxyError;
use super::predecessors;
use super::server::{Door, ProxyServer};
use super::shared::Phase;
use super::tls::Certificates;
use crate::system::standing::{Standing, Whereabouts};
use crate::system::{handover, limits, socket};
use crate::traffic::{Command, Reply, THIS_PROGRAM, build_of, line, read};
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, Notify};

/// How long the proxy that is replaced may take to hand over and to step back.
const HANDED_OVER: Duration = Duration::from_secs(5);

/// How often the files of the certificates are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Runs the process with the words after `teal proxy`, until it is told to end or a successor has taken over.
pub fn main(words: &[OsString]) -> ExitCode {
    let words = [OsString::from("teal proxy")]
        .into_iter()
        .chain(words.iter().cloned());
    // Mistakes of usage end here, with clap's words and exit code 2.
    let args = Args::parse_from(words);
    // Only the first logger of a process counts, and this is the first.
    let _ = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<(), ProxyError> {
    // Its own session: what ends the one who started it does not end it. A process that leads a group has one already.
    let _ = nix::unistd::setsid();
    limits::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<(), ProxyError> {
    let routes = read_routes(&args.state).map_err(ProxyError::State)?;
    // Before anything is taken over: what cannot be used must not cost the proxy that runs.
    let settings = args.settings()?;
    let (predecessor, mut inherited) = take_over(&args.socket).map_err(ProxyError::HandOver)?;
    let mut listeners = Vec::new();
    for (address, _) in args.addresses() {
        listeners.push(listener(address, &mut inherited)?);
    }
    drop(inherited);
    let server = ProxyServer::start(doors(args, &listeners)?, routes, settings.clone())?;
    if let Some(certificates) = settings.tls.clone() {
        tokio::spawn(refresh(certificates));
    }
    let answering = listen(&args.socket)?;
    let control = control(args, &server, listeners, answering.whereabouts())?;
    let answering = tokio::spawn(control.clone().serve(answering));
    if let Some(predecessor) = predecessor {
        release(predecessor).map_err(ProxyError::HandOver)?;
        // Routes may have changed between the first look at the file and now.
        let routes = read_routes(&args.state).map_err(ProxyError::State)?;
        let _turn = control.reloading.lock().await;
        server.shared().swap(routes);
    }
    tracing::info!(pid = std::process::id(), listen = ?args.listen, "proxy serves");
    let mut signals = Signals::new()?;
    let phase = signals.end_of_service(&control).await;
    tracing::info!(pid = std::process::id(), ?phase, "proxy accepts no more");
    control.close_listeners();
    if phase == Phase::Finishing {
        answering.abort();
        // Whether it ended by itself or was aborted, the socket is closed now and a new proxy may take its place.
        let _ = answering.await;
        let _ = std::fs::remove_file(&args.socket);
        server.end(phase, &settings).await;
        return Ok(());
    }
    let shared = server.shared().clone();
    let mut ending = std::pin::pin!(server.end(phase, &settings));
    tokio::select! {
        () = ending.as_mut() => {}
        () = signals.end() => {
            shared.enter_phase(Phase::Finishing);
            ending.await;
        }
    }
    let aside = predecessors::path_of(&args.socket, std::process::id());
    // Whoever looks for it next finds that nobody answers, and removes it.
    let _ = std::fs::remove_file(aside);
    Ok(())
}

fn control(
    args: &Args,
    server: &ProxyServer,
    listeners: Vec<TcpListener>,
    at: Whereabouts,
) -> Result<Arc<Control>, ProxyError> {
    Ok(Arc::new(Control {
        shared: server.shared().clone(),
        state: args.state.clone(),
        socket: args.socket.clone(),
        at,
        build: build_of(Path::new(THIS_PROGRAM))?,
        words: spoken_words(),
        listeners: listeners.into(),
        released: Notify::new(),
        reloading: Mutex::new(()),
    }))
}

/// The words that this process was started with, after `teal proxy`.
fn spoken_words() -> Vec<String> {
    let words = std::env::args_os().skip(2);
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// What ends the process from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits until a successor serves, or until somebody wants this process to end.
    async fn end_of_service(&mut self, control: &Control) -> Phase {
        tokio::select! {
            () = control.released.notified() => Phase::Yielding,
            () = self.end() => Phase::Finishing,
        }
    }
}

/// The sockets of the proxy that answers at `path`, and the conversation with it; nothing when nobody answers there.
fn take_over(path: &Path) -> io::Result<(Option<UnixStream>, Vec<TcpListener>)> {
    let Ok(mut stream) = socket::connect(path) else {
        return Ok((None, Vec::new()));
    };
    stream.set_read_timeout(Some(HANDED_OVER))?;
    stream.write_all(&line(&Command::TakeOver)?)?;
    let (answer, sockets) = handover::receive(&stream)?;
    let answer = String::from_utf8_lossy(&answer);
    match read::<Reply>(&answer)? {
        Reply::Sockets { .. } => {
            let listeners = sockets.into_iter().map(TcpListener::from).collect();
            Ok((Some(stream), listeners))
        }
        other => Err(io::Error::other(format!("it answered {other:?}"))),
    }
}

/// Tells the predecessor that this process serves, and waits until it has heard it.
fn release(mut predecessor: UnixStream) -> io::Result<()> {
    predecessor.write_all(&line(&Command::Release)?)?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while answer.last() != Some(&b'\n') && predecessor.read(&mut byte)? > 0 {
        answer.push(byte[0]);
    }
    match read::<Reply>(&String::from_utf8_lossy(&answer))? {
        Reply::Released => Ok(()),
        other => Err(io::Error::other(format!("it answered {other:?}"))),
    }
}

/// A listener on the address: an inherited one if there is one, so that nobody who connects meanwhile is refused.
fn listener(
    wanted: SocketAddr,
    inherited: &mut Vec<TcpListener>,
) -> Result<TcpListener, ProxyError> {
    let fits = |listener: &TcpListener| match listener.local_addr() {
        Ok(bound) => bound.ip() == wanted.ip() && [0, bound.port()].contains(&wanted.port()),
        Err(_) => false,
    };
    if let Some(found) = inherited.iter().position(fits) {
        return Ok(inherited.remove(found));
    }
    TcpListener::bind(wanted).map_err(|source| ProxyError::Listen {
        address: wanted,
        source,
    })
}

fn listen(path: &Path) -> Result<Standing, ProxyError> {
    // Only who owns it, and who may do everything, can ask there.
    Standing::bind(path, 0o600).map_err(|source| ProxyError::Control {
        path: path.to_owned(),
        source,
    })
}

fn doors(args: &Args, listeners: &[TcpListener]) -> io::Result<Vec<Door>> {
    let doors = args.addresses().zip(listeners);
    let opened = doors.map(|((_, tls), listener)| {
        let listener = listener.try_clone()?;
        Ok(Door { listener, tls })
    });
    opened.collect()
}

/// Follows changes of the certificates' files. What cannot be used is told once, and looked at again.
async fn refresh(certificates: Arc<Certificates>) {
    let mut told = None;
    loop {
        tokio::time::sleep(LOOK).await;
        match certificates.refresh() {
            Ok(true) => tracing::info!("the certificates were read again"),
            Ok(false) => {}
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    tracing::error!("the certificates stay as they were: {error}");
                }
                told = Some(error);
                continue;
            }
        }
        told = None;
    }
}
