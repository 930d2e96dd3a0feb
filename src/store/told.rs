//! The table of what targets were told: the number under which a target knows a message, so that it is changed instead of
//! repeated, and what it last heard of an environment.

use super::{StoreError, from_json, to_json};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is remembered of the target about this subject.
pub fn recall<T: DeserializeOwned>(
    connection: &Connection,
    target: &str,
    subject: &str,
) -> Result<Option<T>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM told WHERE target = ?1 AND subject = ?2")?
        .query_row(params![target, subject], |row| row.get(0))
        .optional()?;
    body.as_deref().map(from_json).transpose()
}

/// Remembers it in place of what was there.
pub fn remember<T: Serialize>(
    connection: &Connection,
    target: &str,
    subject: &str,
    value: &T,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO told (target, subject, body) VALUES (?1, ?2, ?3)")?
        .execute(params![target, subject, to_json(value)?])?;
    Ok(())
}

/// Forgets it.
pub fn forget(connection: &Connection, target: &str, subject: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM told WHERE target = ?1 AND subject = ?2")?
        .execute(params![target, subject])?;
    Ok(())
}
