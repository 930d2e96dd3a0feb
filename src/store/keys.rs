//! The table of keys: which step has succeeded with which inputs. A failed or half-finished step never leaves a key.

use super::StoreError;
use crate::domain::{DeploymentId, Step};
use rusqlite::{Connection, OptionalExtension, params};

/// A success that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The word for all inputs.
    pub key: String,
    /// What the key is made of, as JSON; empty where an older Teal wrote it.
    pub inputs: String,
    /// The deployment whose step succeeded.
    pub deployment: DeploymentId,
}

/// Remembers that the step succeeded with these inputs. `scope` is what the key is valid for: an app or an environment.
pub fn put(
    connection: &Connection,
    scope: &str,
    step: Step,
    known: &Known,
    at_ms: i64,
) -> Result<(), StoreError> {
    let Known {
        key,
        inputs,
        deployment,
    } = known;
    connection
        .prepare_cached("INSERT OR REPLACE INTO keys (scope, step, key, inputs, deployment, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![scope, step.as_str(), key, inputs, deployment, at_ms])?;
    Ok(())
}

/// The deployment whose step succeeded with these inputs, if any did.
pub fn find(
    connection: &Connection,
    scope: &str,
    step: Step,
    key: &str,
) -> Result<Option<DeploymentId>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT deployment FROM keys WHERE scope = ?1 AND step = ?2 AND key = ?3")?
        .query_row(params![scope, step.as_str(), key], |row| row.get(0))
        .optional()?)
}

/// The newest success of the step, if any.
pub fn newest(
    connection: &Connection,
    scope: &str,
    step: Step,
) -> Result<Option<Known>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT key, inputs, deployment FROM keys WHERE scope = ?1 AND step = ?2 ORDER BY at_ms DESC, rowid DESC LIMIT 1")?
        .query_row(params![scope, step.as_str()], |row| {
            Ok(Known {
                key: row.get(0)?,
                inputs: row.get(1)?,
                deployment: row.get(2)?,
            })
        })
        .optional()?)
}

/// The newest success of the step in a deployment after this one, if there is one.
pub fn after(
    connection: &Connection,
    scope: &str,
    step: Step,
    deployment: DeploymentId,
) -> Result<Option<DeploymentId>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT MAX(deployment) FROM keys WHERE scope = ?1 AND step = ?2 AND deployment > ?3",
        )?
        .query_row(params![scope, step.as_str(), deployment], |row| row.get(0))?)
}

/// Forgets every success that counts for this alone.
pub fn forget(connection: &Connection, scope: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM keys WHERE scope = ?1")?
        .execute([scope])?;
    Ok(())
}
