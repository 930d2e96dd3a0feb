//! The table of pushes: every verified wish, stored before its sender is answered, and what became of it.

use super::{StoreError, from_json, to_json};
use crate::domain::{AppName, DeploymentId, Push};
use rusqlite::{Connection, OptionalExtension, params};

/// Keeps a push with the deployments that it made. `delivery` is the forge's own name of the delivery, for [`seen`].
pub fn insert(
    connection: &Connection,
    push: &Push,
    delivery: Option<&str>,
    received_ms: i64,
    deployments: &[DeploymentId],
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO pushes (app, delivery, received_ms, body, deployments) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            push.app.as_str(),
            delivery,
            received_ms,
            to_json(push)?,
            to_json(&deployments)?,
        ])?;
    Ok(())
}

/// What a delivery made when it came the first time; nothing when it is new.
pub fn seen(
    connection: &Connection,
    app: &AppName,
    delivery: &str,
) -> Result<Option<Vec<DeploymentId>>, StoreError> {
    let made: Option<String> = connection
        .prepare_cached("SELECT deployments FROM pushes WHERE app = ?1 AND delivery = ?2")?
        .query_row(params![app.as_str(), delivery], |row| row.get(0))
        .optional()?;
    made.as_deref().map(from_json).transpose()
}
