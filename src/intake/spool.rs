//! Pushes that landed while no server could be told. The hook keeps what it would have handed over, options and all, in
//! the repository; the server takes it up when it is back. A push whose file is lost is found by reconcile all the same, only
//! without its options.

use super::hook_protocol::{Pushed, Update};
use super::permits::Permits;
use super::received::{self, Received, in_words, target};
use crate::config::{App, Environment, OnPush};
use crate::domain::{Origin, Push};
use crate::queue::Accepted;
use crate::system::files::{self, AtPath, FileError};
use crate::system::{clock, process, users};
use crate::web::Peer;
use crate::worker::Worker;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder, in the bare repository.
const FOLDER: &str = "teal-spool";
/// No push is longer: git itself takes far less of options.
const LONGEST: u64 = 4 << 20;
/// How often it is looked: a server that was too busy to answer has the push here as well.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps a push for later, durably. Called by the hook.
pub fn keep(repository: &Path, pushed: &Pushed) -> Result<(), FileError> {
    let folder = repository.join(FOLDER);
    files::create_dir(&folder, 0o755)?;
    // Names sort by age, and two pushes never share one.
    let name = format!("{:020}-{}.json", clock::now_ms(), process::unique());
    let path = folder.join(name);
    let text = serde_json::to_vec(pushed).map_err(io::Error::from);
    files::write_atomic(&path, &text.at("write", &path)?, 0o644)
}

/// Takes up what was kept, at start and by and by, until the server stops.
pub async fn watch(worker: Worker) {
    loop {
        take_up(&worker).await;
        tokio::time::sleep(AGAIN).await;
    }
}

/// Takes up what was kept, oldest first.
pub async fn take_up(worker: &Worker) {
    let apps: Vec<App> = worker.tools().server.apps.values().cloned().collect();
    for app in apps {
        let folder = worker.tools().repo_path(&app).join(FOLDER);
        for path in kept(&folder) {
            if let Err(why) = take_one(worker, &path).await {
                tracing::warn!(app = %app.name, file = %path.display(), why, "a push that was kept for later is not deployed with its options");
            }
        }
    }
}

fn kept(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut kept: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    kept.sort();
    kept
}

/// One push. Its file goes once its deployments are stored, and is kept under another name if it cannot be used.
async fn take_one(worker: &Worker, path: &Path) -> Result<(), String> {
    let (pushed, peer) = match read(path) {
        Ok(read) => read,
        Err(why) => return Err(set_aside(path, &why)),
    };
    let received = match received::admitted(worker.clone(), &peer, pushed) {
        Ok(received) => received,
        Err((_, why)) => return Err(set_aside(path, &why)),
    };
    for update in &received.updates {
        accept(&received, update).await?;
    }
    files::remove_if_there(path).map_err(|error| error.to_string())
}

/// Only what the ref still points to: a later push has a file of its own, or has been deployed by now.
async fn accept(received: &Received, update: &Update) -> Result<(), String> {
    let Some(commit) = target(update) else {
        return Ok(());
    };
    let is_there = {
        let repo = received.worker.tools().repo(&received.app);
        let repo = repo.map_err(|error| error.to_string())?;
        repo.is_at(&update.ref_name, &commit)
            .map_err(|error| error.to_string())?
    };
    if !is_there {
        return Ok(());
    }
    let push = Push {
        origin: Origin::Reconcile,
        ..received.push(update, commit)
    };
    let mut reporting = received.app.environments_for(&update.ref_name);
    reporting.retain(|env| env.on_push == OnPush::Report);
    let access = received.worker.tools().access();
    let about = received.about(update);
    let permits = Permits::ask(&access, &received.actor, Origin::Hook, &about, &reporting).await;
    for error in &permits.refused {
        tracing::warn!(
            "a push that was kept for later is not deployed: {}",
            in_words(error)
        );
    }
    if permits.are_refused() {
        return Ok(());
    }
    let queue = received.worker.queue();
    let chosen = |env: &Environment| permits.has(&env.id);
    let accepted = queue.accept(push, received.delivery(update), chosen).await;
    if let Accepted::Deployments(made) = accepted.map_err(|error| error.to_string())? {
        permits.made(&made).await;
    }
    Ok(())
}

fn read(path: &Path) -> Result<(Pushed, Peer), String> {
    let facts = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() || facts.len() > LONGEST {
        return Err("it is no file of the hook's".to_owned());
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let pushed = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    // Who wrote it is who pushed, as with the socket.
    let uid = facts.uid();
    let name = users::by_uid(uid).name;
    Ok((
        pushed,
        Peer {
            uid,
            name,
            user: None,
        },
    ))
}

fn set_aside(path: &Path, why: &str) -> String {
    let aside = path.with_extension("refused");
    match std::fs::rename(path, &aside) {
        Ok(()) => format!("{why}; it is kept as {}", aside.display()),
        Err(error) => format!("{why}; it cannot be moved aside: {error}"),
    }
}
