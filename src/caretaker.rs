//! Looks after what runs beside the server: a proxy that died is started again, a service whose supervisor died gets a
//! new one, and every end of a service is logged. Room is kept for the way back. Once a day the repositories are packed.

use crate::pipeline::Tools;
use crate::service::Service;
use crate::store::environments;
use crate::system::clock::Seldom;
use crate::system::{git, reserve};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How often the proxy is looked at while it is well: its end is noticed at once.
const PROXY: Duration = Duration::from_secs(10);
/// How long to wait between two tries to start it, at first.
const AGAIN: Duration = Duration::from_millis(100);
/// How soon after a change it is looked which services run, so that a burst of events is one look.
const SETTLE: Duration = Duration::from_secs(1);
/// How often it is looked when nothing changes.
const QUIET: Duration = Duration::from_secs(60);
/// How often it is looked whether there is room again for the way back.
const ROOM: Duration = Duration::from_secs(10);
/// How often it is looked while a service is missing.
const MISSING: Duration = Duration::from_secs(5);
/// How often repositories are packed, and how long that may take.
const DAY: Duration = Duration::from_secs(24 * 3600);
const PACKING: Duration = Duration::from_secs(1800);

/// Looks until the server stops.
pub async fn watch(tools: Arc<Tools>) {
    tokio::join!(
        proxy(&tools),
        services(&tools),
        repositories(&tools),
        room(&tools)
    );
}

async fn proxy(tools: &Tools) {
    let mut down = false;
    let mut patience = AGAIN;
    loop {
        let answers = tools.traffic.ensure_running().await;
        // Said once: a log that repeats itself every second helps nobody.
        match &answers {
            Ok(()) if down => tracing::info!("what moves the traffic answers again"),
            Err(error) if !down => tracing::error!(%error, "nothing moves the traffic"),
            _ => {}
        }
        down = answers.is_err();
        if down {
            sleep(patience).await;
            patience = (patience * 2).min(PROXY);
            continue;
        }
        patience = AGAIN;
        tokio::select! {
            () = tools.traffic.gone() => tracing::warn!("the proxy is gone; it is started again"),
            () = sleep(PROXY) => {}
        }
    }
}

/// Keeps the room for the way back, and again after it was given up.
async fn room(tools: &Tools) {
    let mut seldom = Seldom::default();
    loop {
        match reserve::keep(&tools.server.state_dir) {
            Ok(true) => tracing::info!("room is kept for the way back"),
            Ok(false) => {}
            Err(error) if seldom.is_due() => {
                tracing::warn!(%error, "no room can be kept for the way back");
            }
            Err(_) => {}
        }
        sleep(ROOM).await;
    }
}

async fn services(tools: &Tools) {
    let mut watched: HashMap<String, JoinHandle<()>> = HashMap::new();
    let mut changes = tools.journal.changes();
    // Whoever is not attended any more may only have seemed to end.
    let left = Arc::new(Notify::new());
    loop {
        watched.retain(|_, watcher| !watcher.is_finished());
        match tools.services.running("").await {
            Ok(running) => {
                for service in running {
                    let key = service.key().to_owned();
                    let left = Arc::clone(&left);
                    watched.entry(key).or_insert_with(|| {
                        tokio::spawn(async move {
                            attend(service).await;
                            left.notify_one();
                        })
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "the services cannot be looked after"),
        }
        sleep(SETTLE).await;
        tokio::select! {
            _ = changes.changed() => {}
            () = left.notified() => {}
            () = sleep(quiet(tools, watched.len()).await) => {}
        }
    }
}

/// How long until the next look. Where fewer run than serve, somebody may have removed what they are found by: it is made
/// again within moments.
async fn quiet(tools: &Tools, watched: usize) -> Duration {
    let serving = tools.journal.store().read(environments::serving).await;
    match serving.is_ok_and(|serving| watched < serving.len()) {
        true => MISSING,
        false => QUIET,
    }
}

/// Waits for each end of a service. Waiting is also what replaces a supervisor that died.
async fn attend(service: Service) {
    loop {
        let exit = service.exited().await;
        let comes_back = service.now().await.is_ok_and(|status| status.keep_alive);
        tracing::warn!(service = service.key(), %exit, comes_back, "a service ended");
        if !comes_back {
            return;
        }
    }
}

async fn repositories(tools: &Tools) {
    loop {
        sleep(DAY).await;
        for app in tools.server.apps.values() {
            if let Err(error) = git::maintain(&tools.repo_path(app), PACKING).await {
                tracing::warn!(app = %app.name, %error, "its repository could not be packed");
            }
        }
    }
}
