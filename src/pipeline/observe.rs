//! Watches the new release while the old one is warm. A process that ends, or probes that keep failing, end it.

use super::outcome::{Done, Stop, Trouble};
use super::processes::{self, WEB};
use super::{Run, health};
use crate::config::OnSwitch;
use crate::service::{self, Service, State, probe_once};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often the new release is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How many failed probes in a row it takes: one may be a hiccup.
const PATIENCE: u32 = 3;
/// When a process is watched here, in words.
const WHEN: &str = "after the switch";

/// One process that is watched.
#[derive(Clone)]
pub(super) struct Watched {
    name: String,
    service: Service,
    log: PathBuf,
}

pub(super) async fn observe(run: &mut Run<'_>) -> Result<Done, Stop> {
    let end = Instant::now() + run.env.observe;
    let recipe = run.recipe()?.clone();
    let watched = watched(run, WHEN, |_, _| true).await?;
    let told = AtomicBool::new(false);
    let probed = watched.iter().any(|process| process.name == WEB);
    tokio::select! {
        () = sleep_until(end) => {}
        trouble = any_ends(&watched, WHEN) => return Err(trouble.into()),
        trouble = keeps_answering(run, &recipe), if probed => return Err(trouble.into()),
        why = run.cancel.wait() => return Err(Stop::Cancelled(why)),
        () = tell_cost(run, end, &told) => {}
    }
    if !told.load(Ordering::Relaxed) {
        super::end::receipt(run).await;
    }
    Ok(Done::quietly())
}

/// The processes that `chosen` picks, all of which have to run; `when` says since when they are watched.
pub(super) async fn watched(
    run: &Run<'_>,
    when: &str,
    chosen: impl Fn(&str, OnSwitch) -> bool,
) -> Result<Vec<Watched>, Stop> {
    let mut watched = Vec::new();
    for (name, number) in processes::names(run.recipe()?, chosen) {
        match processes::find(run.tools, &run.env.id, run.color, &name, number).await? {
            Some(service) if service.status().state != State::Waiting => {
                let (log, _) = processes::files(&run.place()?, &name, number);
                watched.push(Watched { name, service, log });
            }
            // One that is about to be started again has ended.
            Some(_) | None => return Err(ended_before(run, &name, number, when)?.into()),
        }
    }
    Ok(watched)
}

/// A process that ended before it was first looked at.
fn ended_before(run: &Run<'_>, name: &str, number: u16, when: &str) -> Result<Trouble, Stop> {
    let key = processes::key(&run.env.id, run.color, name, number);
    let last = run.tools.services.last(&key)?;
    let exit = last.and_then(|status| status.last.last().map(|ended| ended.exit.to_string()));
    let lines = processes::last_lines(&run.place()?, name, number);
    Ok(gone(name, exit, lines, when))
}

/// Journals the receipt as soon as the old color has nothing in flight, then watches on until the end.
async fn tell_cost(run: &Run<'_>, end: Instant, told: &AtomicBool) {
    if let Some(from) = run.from() {
        let left = end
            .saturating_duration_since(Instant::now())
            .min(run.env.drain);
        super::processes::drained(run.tools, &run.env.id, from, left).await;
    }
    told.store(true, Ordering::Relaxed);
    super::end::receipt(run).await;
    sleep_until(end).await;
}

/// Waits until one of the processes ends.
pub(super) async fn any_ends(watched: &[Watched], when: &'static str) -> Trouble {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let mut watchers = tokio::task::JoinSet::new();
    for process in watched.iter().cloned() {
        let tell = tell.clone();
        watchers.spawn(async move {
            let exit = process.service.exited().await;
            let lines = service::last_lines(&process.log);
            // Only the first one counts.
            let _ = tell.try_send(gone(&process.name, Some(exit.to_string()), lines, when));
        });
    }
    match told.recv().await {
        Some(trouble) => trouble,
        None => std::future::pending().await,
    }
}

fn gone(name: &str, how: Option<String>, lines: Vec<String>, when: &str) -> Trouble {
    let how = how.unwrap_or_else(|| "is not running".to_owned());
    Trouble::new(format!("the process `{name}` {how} {when}")).tail(lines)
}

async fn keeps_answering(run: &Run<'_>, recipe: &crate::config::Recipe) -> Trouble {
    let probe = health::probe(run.env, run.color, recipe);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = 0;
    loop {
        ticks.tick().await;
        let attempt = probe_once(&probe).await;
        failed = if attempt.is_ready() { 0 } else { failed + 1 };
        if failed == PATIENCE {
            return Trouble::new(format!(
                "{PATIENCE} probes in a row failed after the switch: it {attempt}"
            ));
        }
    }
}
