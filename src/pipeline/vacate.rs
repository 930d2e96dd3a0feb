//! Takes the standby slot: what runs there is drained and stopped, and its ports are seen free.

use super::outcome::{Done, Stop, Trouble};
use super::{Run, processes};
use crate::store::environments;
use crate::system::ports;

pub(super) async fn vacate(run: &mut Run<'_>) -> Result<Done, Stop> {
    let (env, color) = (run.env.id.clone(), run.color);
    // From here on the slot holds no whole release, whatever happens to this process.
    let emptied = run.tools.journal.write(move |entry| {
        let standing = environments::change(entry.connection(), &env, |standing| {
            *standing.slots.of_mut(color) = None;
            standing.warm_until_ms = None;
        })?;
        Ok(standing)
    });
    run.standing = emptied.await?;
    let stopped = processes::retire(run.tools, run.env, color).await?;
    ports_are_free(run).await?;
    Ok(match stopped.is_empty() {
        true => Done::Skipped(format!("{color} is empty")),
        false => Done::Ran(format!("{color}: {}", stopped.join(", "))),
    })
}

/// A process on the standby port that is none of ours would answer the probe in our service's name. It is named and left
/// alone.
pub(super) async fn ports_are_free(run: &Run<'_>) -> Result<(), Stop> {
    let port = run.env.ports.of(run.color);
    if let Some(stranger) = ports::owners(port).first() {
        return Err(Trouble::new(format!(
            "port {port} of {} is taken by {stranger}, which Teal did not start",
            run.color
        ))
        .next(format!(
            "stop that process, or give {} another port in {}",
            run.env.id,
            run.tools.server.file.display()
        ))
        .into());
    }
    Ok(())
}
