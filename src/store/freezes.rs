//! The table of freezes: environments that nothing is pushed into until somebody, or the clock, says otherwise.

use super::StoreError;
use crate::domain::EnvId;
use rusqlite::{Connection, OptionalExtension, params};

/// One environment's freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Who froze it.
    pub by: String,
    /// What for, in their words.
    pub why: Option<String>,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
    /// When it ends by itself; absent: when it is lifted.
    pub until_ms: Option<i64>,
}

/// The freeze of the environment, over or not.
pub fn get(connection: &Connection, env: &EnvId) -> Result<Option<Freeze>, StoreError> {
    let found = connection
        .prepare_cached("SELECT by, why, since_ms, until_ms FROM freezes WHERE env = ?1")?
        .query_row([env.to_string()], |row| {
            Ok(Freeze {
                by: row.get(0)?,
                why: row.get(1)?,
                since_ms: row.get(2)?,
                until_ms: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Freezes the environment; an earlier freeze gives way.
pub fn put(connection: &Connection, env: &EnvId, freeze: &Freeze) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO freezes (env, by, why, since_ms, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            env.to_string(),
            freeze.by,
            freeze.why,
            freeze.since_ms,
            freeze.until_ms,
        ])?;
    Ok(())
}

/// Ends the freeze; false where there was none.
pub fn lift(connection: &Connection, env: &EnvId) -> Result<bool, StoreError> {
    let gone = connection
        .prepare_cached("DELETE FROM freezes WHERE env = ?1")?
        .execute([env.to_string()])?;
    Ok(gone > 0)
}
