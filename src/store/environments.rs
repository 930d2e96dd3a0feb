//! The table of environments: which color serves, and which release each slot holds.

use super::{StoreError, from_json, parse, to_json};
use crate::config::Recipe;
use crate::domain::{Color, CommitId, DeploymentId, EnvId, Upstreams};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// A release in a slot, with all that is needed to start it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The deployment that built it.
    pub deployment: DeploymentId,
    /// Its commit.
    pub commit: CommitId,
    /// The ref that was pushed.
    pub ref_name: String,
    /// How it is started and probed.
    pub recipe: Recipe,
    /// The version of the app's own configuration that it runs with.
    pub env_digest: String,
    /// The backup that seals it, once there is one.
    pub backup: Option<String>,
    /// Whether it has ever served.
    pub served: bool,
}

/// What is committed about one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The color that serves; none before the first deployment.
    pub active: Option<Color>,
    /// Until when the service of the other color stays up, in milliseconds since the epoch; absent: it is not kept.
    pub warm_until_ms: Option<i64>,
    /// The whole release that each slot holds; none while a slot is empty or being filled.
    pub slots: Upstreams<Option<Release>>,
}

impl Standing {
    /// The release that serves.
    pub fn serving(&self) -> Option<&Release> {
        self.slots.of(self.active?).as_ref()
    }

    /// The slot that the next deployment takes.
    pub fn standby(&self) -> Color {
        self.active.map_or(Color::Blue, Color::other)
    }
}

/// What is committed about the environment; an unknown one has nothing.
pub fn get(connection: &Connection, env: &EnvId) -> Result<Standing, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT active, warm_until_ms, blue, green FROM environments WHERE env = ?1",
        )?
        .query_row([env.to_string()], |row| {
            Ok((
                row.get::<_, Option<String>>(0)?,
                row.get(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get::<_, Option<String>>(3)?,
            ))
        })
        .optional()?;
    let Some((active, warm_until_ms, blue, green)) = row else {
        return Ok(Standing::default());
    };
    Ok(Standing {
        active: active.as_deref().map(parse).transpose()?,
        warm_until_ms,
        slots: Upstreams {
            blue: blue.as_deref().map(from_json).transpose()?,
            green: green.as_deref().map(from_json).transpose()?,
        },
    })
}

/// Replaces what is committed about the environment.
pub fn put(connection: &Connection, env: &EnvId, standing: &Standing) -> Result<(), StoreError> {
    let slot = |color| standing.slots.of(color).as_ref().map(to_json).transpose();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO environments (env, active, warm_until_ms, blue, green) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            env.to_string(),
            standing.active.map(Color::as_str),
            standing.warm_until_ms,
            slot(Color::Blue)?,
            slot(Color::Green)?,
        ])?;
    Ok(())
}

/// The environments in which something serves.
pub fn serving(connection: &Connection) -> Result<Vec<EnvId>, StoreError> {
    let mut found = connection
        .prepare_cached("SELECT env FROM environments WHERE active IS NOT NULL ORDER BY env")?;
    let names = found.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| parse(&name?)).collect()
}

/// Forgets the environment: nothing is committed about it.
pub fn forget(connection: &Connection, env: &EnvId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM environments WHERE env = ?1")?
        .execute([env.to_string()])?;
    Ok(())
}

/// Changes what is committed about the environment, and gives the new standing back.
pub fn change(
    connection: &Connection,
    env: &EnvId,
    change: impl FnOnce(&mut Standing),
) -> Result<Standing, StoreError> {
    let mut standing = get(connection, env)?;
    change(&mut standing);
    put(connection, env, &standing)?;
    Ok(standing)
}
