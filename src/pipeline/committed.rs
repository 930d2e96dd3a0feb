//! The world as it is committed: which color serves, with which release. Recovery, a failed deployment and a rollback
//! all end by making the world equal it again.

use super::outcome::{Stop, Trouble};
use super::place::Place;
use super::processes::{self, WEB};
use super::{Tools, health};
use crate::config::Environment;
use crate::domain::{Color, Upstreams};
use crate::service::wait_ready;
use crate::store::environments::Standing;

/// Makes route, `current` and the services of the active color equal what is committed. Gives the number of processes
/// that had to be started.
pub async fn uphold(tools: &Tools, env: &Environment) -> Result<usize, Stop> {
    let standing = tools.journal.standing(&env.id).await?;
    keep_apart(tools, env, &standing).await?;
    let started = revive_color(tools, env, standing.active, &standing).await?;
    let shares = standing.active.map(Upstreams::all_to).unwrap_or_default();
    tools
        .traffic
        .apply(&env.id, move |route| {
            route.shares = shares;
            route.paused = false;
        })
        .await?;
    let slots = tools.slots(env);
    match standing.active {
        Some(active) => slots.flip(active)?,
        None => slots.unlink_current()?,
    }
    Ok(started)
}

/// Workers that may not overlap run beside what serves and nowhere else.
async fn keep_apart(tools: &Tools, env: &Environment, standing: &Standing) -> Result<(), Stop> {
    let Some(active) = standing.active else {
        return Ok(());
    };
    let standby = active.other();
    if let Some(release) = standing.slots.of(standby) {
        let leaving = processes::names(&release.recipe, processes::makes_room);
        processes::stop_some(tools, env, standby, leaving).await?;
    }
    Ok(())
}

/// The traffic returns to the release that is committed, where that runs, before whatever else has it is stopped.
pub async fn reroute(tools: &Tools, env: &Environment) -> Result<(), Stop> {
    let Some(active) = tools.journal.standing(&env.id).await?.active else {
        return Ok(());
    };
    let shares = Upstreams::all_to(active);
    let route = tools.traffic.route(&env.id).await;
    let is_there = route.is_some_and(|route| route.shares == shares);
    let runs = processes::find(tools, &env.id, active, WEB, 0).await?;
    if !is_there && runs.is_some() {
        tools
            .traffic
            .apply(&env.id, move |route| route.shares = shares)
            .await?;
    }
    Ok(())
}

/// Starts whatever does not run of the release in that color, and waits until its web process is ready.
pub(super) async fn revive_color(
    tools: &Tools,
    env: &Environment,
    color: Option<Color>,
    standing: &Standing,
) -> Result<usize, Stop> {
    let Some(color) = color else {
        return Ok(0);
    };
    let Some(release) = standing.slots.of(color) else {
        return Err(Trouble::new(format!(
            "{color} should serve, but its slot holds no whole release"
        ))
        .next(format!("teal rollback {} --to a backup", env.id.env))
        .into());
    };
    let variables = tools.variables(&env.id).load(&release.env_digest)?;
    let slots = tools.slots(env);
    let place = Place {
        tools,
        env,
        slots: &slots,
        color,
        release,
        variables: &variables,
    };
    let started = processes::revive(&place).await?;
    if started > 0
        && let Some(web) = processes::find(tools, &env.id, color, WEB, 0).await?
    {
        let probe = health::probe(env, color, &release.recipe);
        if let Err(why) = wait_ready(&web, &probe, release.recipe.health.timeout).await {
            tracing::warn!(env = %env.id, %color, %why, "the service was started again but is not ready yet");
        }
    }
    Ok(started)
}

/// What serves according to a standing, in words.
pub fn serving(standing: &Standing) -> String {
    match (standing.active, standing.serving()) {
        (Some(color), Some(release)) => format!(
            "{color} serves {} (deployment {})",
            release.commit.short(),
            release.deployment
        ),
        _ => "nothing serves yet".to_owned(),
    }
}
