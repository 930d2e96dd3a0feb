//! Probes the new release until it is ready.

use super::Run;
use super::outcome::{Done, Stop, Trouble};
use super::processes::{self, SETTLE, WEB};
use crate::config::{Environment, OnSwitch, Recipe};
use crate::domain::Color;
use crate::service::{Cause, NotReady, Probe, Service, wait_ready};
use crate::system::clock;
use std::time::Duration;

pub(super) async fn health(run: &mut Run<'_>) -> Result<Done, Stop> {
    let recipe = run.recipe()?.clone();
    let mut told = Vec::new();
    // Workers that have to wait for the switch are not there yet.
    let started = |name: &str, on_switch| name == WEB || on_switch == OnSwitch::Overlap;
    let mut names = processes::names(&recipe, started);
    // The others settle while the one that answers is asked.
    names.sort_by_key(|(name, _)| name != WEB);
    for (name, number) in names {
        let service = processes::find(run.tools, &run.env.id, run.color, &name, number).await?;
        let Some(service) = service else {
            return Err(ended_at_once(run, &name, number)?.into());
        };
        let checked = async {
            match name.as_str() {
                WEB => ready(run, &recipe, &service, number)
                    .await
                    .map(|words| told.push(words)),
                _ => stays(run, &name, number, &service).await,
            }
        };
        tokio::select! {
            checked = checked => checked?,
            why = run.cancel.wait() => return Err(Stop::Cancelled(why)),
        }
    }
    Ok(Done::Ran(told.join(", ")))
}

/// How the web process of that color is probed.
pub(super) fn probe(env: &Environment, color: Color, recipe: &Recipe) -> Probe {
    Probe {
        port: env.ports.of(color),
        host: env.domains.first().cloned(),
        health: recipe.health.clone(),
    }
}

async fn ready(
    run: &Run<'_>,
    recipe: &Recipe,
    service: &Service,
    number: u16,
) -> Result<String, Stop> {
    let mut probe = probe(run.env, run.color, recipe);
    probe.port += number;
    match wait_ready(service, &probe, recipe.health.timeout).await {
        Ok(ready) => {
            run.spent_by_app(ready.took);
            Ok(ready.to_string())
        }
        Err(why) => Err(unready(run, number, &why)?.into()),
    }
}

fn unready(run: &Run<'_>, number: u16, why: &NotReady) -> Result<Trouble, Stop> {
    let (place, name) = (run.place()?, WEB);
    let log = format!(
        "teal logs {} --step service shows what the service printed",
        run.id()
    );
    let next = match &why.cause {
        Cause::Elsewhere { port, .. } => format!(
            "have the app listen on 127.0.0.1 and the port in $PORT (here {port}), and push again; {log}"
        ),
        _ => log,
    };
    Ok(Trouble::new(why)
        .tail(processes::last_lines(&place, name, number))
        .next(next))
}

/// A process that was gone before anybody could look at it.
fn ended_at_once(run: &Run<'_>, name: &str, number: u16) -> Result<Trouble, Stop> {
    let key = processes::key(&run.env.id, run.color, name, number);
    let last = run.tools.services.last(&key)?;
    let exit = last.and_then(|status| Some(status.last.last()?.exit.to_string()));
    let how = exit.unwrap_or_else(|| "ended".to_owned());
    Ok(Trouble::new(format!(
        "the process `{name}` {how} right after it was started"
    ))
    .tail(processes::last_lines(&run.place()?, name, number)))
}

/// A process that nobody can ask counts as well when it does not end at once.
async fn stays(run: &Run<'_>, name: &str, number: u16, service: &Service) -> Result<(), Stop> {
    let place = run.place()?;
    // It has been running while the others were probed.
    let passed = u64::try_from(clock::now_ms() - service.started_ms()).unwrap_or(0);
    let left = SETTLE.saturating_sub(Duration::from_millis(passed));
    match tokio::time::timeout(left, service.exited()).await {
        Err(_) => Ok(()),
        Ok(exit) => Err(Trouble::new(format!(
            "the process `{name}` {exit} right after it was started"
        ))
        .tail(processes::last_lines(&place, name, number))
        .into()),
    }
}
