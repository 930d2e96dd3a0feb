//! The processes of a release: which there are, where they log, how they come and go.

use super::Tools;
use super::place::{Place, Sight};
use crate::config::{Environment, OnSwitch, Recipe};
use crate::domain::{Color, EnvId};
use crate::service::{self, Service, ServiceError, Spec};
use crate::system::limits::Limits;
use std::time::Duration;
use tokio::task::JoinSet;

/// The process that is probed and gets the traffic.
pub const WEB: &str = "web";

/// The name that one process of one color has among all services.
pub fn key(env: &EnvId, color: Color, process: &str, number: u16) -> String {
    format!("{}.{color}.{process}.{number}", env.key())
}

/// The names and numbers of the recipe's processes that `chosen` picks.
pub fn names(recipe: &Recipe, chosen: impl Fn(&str, OnSwitch) -> bool) -> Vec<(String, u16)> {
    recipe
        .processes
        .iter()
        .filter(|(name, process)| chosen(name, process.on_switch))
        .flat_map(|(name, process)| (0..process.count).map(move |n| (name.clone(), n)))
        .collect()
}

/// Whether it is a worker of which the old one has to be gone when the new one runs.
pub fn makes_room(name: &str, on_switch: OnSwitch) -> bool {
    name != WEB && on_switch != OnSwitch::Overlap
}

/// Starts one process of the release.
pub async fn start(place: &Place<'_>, name: &str, number: u16) -> Result<Service, ServiceError> {
    let mut env = place.environment(Sight::App);
    let port = place.env.ports.of(place.color) + number;
    for (variable, value) in &mut env {
        if variable == "PORT" {
            *value = port.to_string();
        }
    }
    let command = place
        .release
        .recipe
        .processes
        .get(name)
        .map(|process| process.command.clone())
        .unwrap_or_default();
    let (log, pid_file) = files(place, name, number);
    place
        .tools
        .services
        .start(&Spec {
            key: key(&place.env.id, place.color, name, number),
            command,
            cwd: place.app_dir(),
            env,
            log,
            pid_file,
            drain: place.env.drain,
            run_as: place.env.run_as.clone(),
            mask: place.secrets(),
            limits: Limits {
                memory: place.env.limits.memory,
                processes: Some(place.env.limits.processes),
                low: false,
            },
        })
        .await
}

/// `blue-service.log` and `blue.pid` for `web`; other processes carry their name, further ones their number.
pub fn files(
    place: &Place<'_>,
    name: &str,
    number: u16,
) -> (std::path::PathBuf, std::path::PathBuf) {
    let shared = place.slots.shared();
    let nth = if number == 0 {
        String::new()
    } else {
        format!("-{}", number + 1)
    };
    let color = place.color;
    match name {
        WEB => (
            shared.join(format!("{color}-service{nth}.log")),
            shared.join(format!("{color}{nth}.pid")),
        ),
        name => (
            shared.join(format!("{color}-{name}{nth}.log")),
            shared.join(format!("{color}-{name}{nth}.pid")),
        ),
    }
}

/// What the process printed last.
pub fn last_lines(place: &Place<'_>, name: &str, number: u16) -> Vec<String> {
    service::last_lines(&files(place, name, number).0)
}

/// The running service of that name, if it runs.
pub async fn find(
    tools: &Tools,
    env: &EnvId,
    color: Color,
    name: &str,
    number: u16,
) -> Result<Option<Service>, ServiceError> {
    tools.services.find(&key(env, color, name, number)).await
}

/// Whether every process of the release that can be warm runs in that color. Workers that have to make room are started
/// at the switch, so they do not count.
pub async fn all_run(
    tools: &Tools,
    env: &EnvId,
    color: Color,
    recipe: &Recipe,
) -> Result<bool, ServiceError> {
    for (name, number) in names(recipe, |_, on_switch| on_switch == OnSwitch::Overlap) {
        if find(tools, env, color, &name, number).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stops whatever runs in that color: no new requests come, those in flight finish, then SIGTERM, `drain`, SIGKILL.
/// Says what it did; empty when nothing ran.
pub async fn retire(
    tools: &Tools,
    env: &Environment,
    color: Color,
) -> Result<Vec<String>, ServiceError> {
    let prefix = format!("{}.{color}.", env.id.key());
    let mut told = Vec::new();
    let running = tools.services.running(&prefix).await?;
    if running.is_empty() {
        return Ok(told);
    }
    drained(tools, &env.id, color, env.drain).await;
    let mut stops = JoinSet::new();
    for service in running {
        let (drain, name) = (
            env.drain,
            service.key().trim_start_matches(&prefix).to_owned(),
        );
        stops.spawn(async move { (name, service.stop(drain).await) });
    }
    while let Some(stopped) = stops.join_next().await {
        if let Ok((name, stopped)) = stopped {
            told.push(format!("{name} {}", stopped?));
        }
    }
    Ok(told)
}

/// Waits until nothing is in flight on the color, but no longer than `within`. A proxy that does not answer has nothing in
/// flight.
pub async fn drained(tools: &Tools, env: &EnvId, color: Color, within: Duration) {
    if let Err(error) = tools.traffic.drained(env, color, within).await {
        tracing::warn!(%env, %color, %error, "the proxy could not be asked what is in flight");
    }
}

/// Stops the named processes of one color, at once for all of them; gives back what was running.
pub async fn stop_some(
    tools: &Tools,
    env: &Environment,
    color: Color,
    chosen: Vec<(String, u16)>,
) -> Result<Vec<(String, u16)>, ServiceError> {
    let mut stopped = Vec::new();
    for (name, number) in chosen {
        if let Some(service) = find(tools, &env.id, color, &name, number).await? {
            service.stop(env.drain).await?;
            stopped.push((name, number));
        }
    }
    Ok(stopped)
}

/// Brings every process of a committed release back that does not run: after a reboot, after a crash of a supervisor.
/// Each is kept alive from then on.
pub async fn revive(place: &Place<'_>) -> Result<usize, ServiceError> {
    let mut started = 0;
    for (name, number) in names(&place.release.recipe, |_, _| true) {
        let found = find(place.tools, &place.env.id, place.color, &name, number).await?;
        let service = match found {
            Some(service) => service,
            None => {
                started += 1;
                start(place, &name, number).await?
            }
        };
        service.keep_alive(true).await?;
    }
    Ok(started)
}

/// How long a worker that was just started is watched before it counts as running.
pub const SETTLE: Duration = Duration::from_millis(300);
