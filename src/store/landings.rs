//! The table of landings: gated pushes whose refs move once their deployments are live. A row is there from before the
//! first deployment until the ref has moved, or until everything that was deployed for it is taken back.

use super::{StoreError, from_json, to_json};
use crate::domain::{AppName, CommitId, DeploymentId, EnvId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// The number of a landing.
pub type LandingId = i64;

/// A push that waits at the gate of one or more environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The app whose ref is to move.
    pub app: AppName,
    /// The full ref.
    pub ref_name: String,
    /// The object it pointed to when it was pushed; zeros for a new ref.
    pub old: CommitId,
    /// The object it is to point to: for an annotated tag the tag's own.
    pub new: CommitId,
    /// The commit behind `new`.
    pub commit: CommitId,
    /// Who pushed.
    pub by: String,
    /// The environments where it has to be live before the ref moves.
    pub wanted: Vec<EnvId>,
    /// The deployments that were begun for it, in the order of `wanted`.
    pub deployments: Vec<DeploymentId>,
}

/// Keeps a landing; its number.
pub fn insert(connection: &Connection, landing: &Landing) -> Result<LandingId, StoreError> {
    connection
        .prepare_cached("INSERT INTO landings (body) VALUES (?1)")?
        .execute([to_json(landing)?])?;
    Ok(connection.last_insert_rowid())
}

/// Notes that a deployment was begun for it.
pub fn add(
    connection: &Connection,
    id: LandingId,
    deployment: DeploymentId,
) -> Result<(), StoreError> {
    let Some(mut landing) = get(connection, id)? else {
        return Ok(());
    };
    landing.deployments.push(deployment);
    connection
        .prepare_cached("UPDATE landings SET body = ?2 WHERE id = ?1")?
        .execute(params![id, to_json(&landing)?])?;
    Ok(())
}

/// One landing, while it is under way.
pub fn get(connection: &Connection, id: LandingId) -> Result<Option<Landing>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM landings WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    body.as_deref().map(from_json).transpose()
}

/// All that are under way, oldest first.
pub fn all(connection: &Connection) -> Result<Vec<LandingId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM landings ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets a landing that is over.
pub fn remove(connection: &Connection, id: LandingId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM landings WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}
