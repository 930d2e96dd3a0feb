//! Seals the release as built, then starts its processes on the standby port.

use super::backup::Keys;
use super::outcome::{Done, Stop};
use super::processes::{self, WEB};
use super::results::Results;
use super::{Run, backup, keys, vacate};
use crate::config::OnSwitch;
use crate::domain::Step;
use crate::store::environments;

pub(super) async fn start(run: &mut Run<'_>) -> Result<Done, Stop> {
    vacate::ports_are_free(run).await?;
    seal_and_settle(run).await?;
    run.before = super::end::measure(run).await;
    let exclusive = run
        .recipe()?
        .processes
        .get(WEB)
        .is_some_and(|web| web.on_switch == OnSwitch::Exclusive);
    if exclusive {
        exchange_web(run).await?;
    }
    expect_on_every_port(run).await?;
    let place = run.place()?;
    let now = processes::names(&place.release.recipe, |name, on_switch| {
        name == WEB || on_switch == OnSwitch::Overlap
    });
    let mut started = Vec::new();
    for (name, number) in now {
        let service = processes::start(&place, &name, number).await?;
        started.push(format!("{name} (pid {})", service.pid()));
    }
    Ok(Done::Ran(format!(
        "{} on port {}",
        started.join(", "),
        run.env.ports.of(run.color)
    )))
}

/// From here on the slot holds a whole release: looked at and copied where it changed before anything of it has run, and
/// known by name. The backup is completed while the release starts.
async fn seal_and_settle(run: &mut Run<'_>) -> Result<(), Stop> {
    let mut release = run.release()?.clone();
    // A release that waited for its approval when the machine went down is sealed already.
    if run.deployment.kind.is_made_here() && release.backup.is_none() {
        run.slots.write_build_hash(run.color, &release.commit)?;
        let keys = Keys {
            migrate_key: keys::migrate(run)?.map(|inputs| inputs.key(Step::Migrate)),
            keys: Results::of(run).keys()?,
        };
        let sealing = backup::begin(run).await?;
        release.backup = Some(sealing.name().to_owned());
        run.release = Some(release.clone());
        backup::complete_beside(run, sealing, keys)?;
    }
    let (env, color) = (run.env.id.clone(), run.color);
    let change = run.tools.journal.write(move |entry| {
        Ok(environments::change(
            entry.connection(),
            &env,
            |standing| {
                *standing.slots.of_mut(color) = Some(release);
            },
        )?)
    });
    change.await?;
    Ok(())
}

/// Several web processes of one color listen on its port and the next ones.
async fn expect_on_every_port(run: &Run<'_>) -> Result<(), Stop> {
    let count = run.recipe()?.processes.get(WEB).map_or(1, |web| web.count);
    let ports = run.tools.server.ports(&run.env.id, run.color, count)?;
    let color = run.color;
    let known = run.tools.traffic.route(&run.env.id).await;
    if known.is_some_and(|route| route.upstreams.of(color) != &ports) {
        run.tools
            .traffic
            .apply(&run.env.id, move |route| {
                *route.upstreams.of_mut(color) = ports
            })
            .await?;
    }
    Ok(())
}

/// A service that cannot run twice: the proxy holds new requests while the old one stops and the new one starts.
async fn exchange_web(run: &Run<'_>) -> Result<(), Stop> {
    let Some(from) = run.from() else {
        return Ok(());
    };
    run.tools
        .traffic
        .apply(&run.env.id, |route| route.paused = true)
        .await?;
    let Some(serving) = run.standing.serving() else {
        return Ok(());
    };
    let web = processes::names(&serving.recipe, |name, _| name == WEB);
    processes::drained(run.tools, &run.env.id, from, run.env.drain).await;
    processes::stop_some(run.tools, run.env, from, web).await?;
    Ok(())
}
