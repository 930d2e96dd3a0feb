//! The table of events: what happened, in order. Only the journal writes here.

use super::{StoreError, from_json, to_json};
use crate::domain::{DeploymentId, EnvId, Event, Record};
use rusqlite::{Connection, params};

/// Adds an event and gives it back with its place in the order.
pub fn append(
    connection: &Connection,
    deployment: DeploymentId,
    at_ms: i64,
    event: Event,
) -> Result<Record, StoreError> {
    connection
        .prepare_cached("INSERT INTO events (deployment, at_ms, body) VALUES (?1, ?2, ?3)")?
        .execute(params![deployment, at_ms, to_json(&event)?])?;
    Ok(Record {
        seq: connection.last_insert_rowid(),
        deployment,
        at_ms,
        event,
    })
}

/// The events of one deployment behind `seq`, in order.
pub fn after(
    connection: &Connection,
    deployment: DeploymentId,
    seq: i64,
) -> Result<Vec<Record>, StoreError> {
    let sql = "SELECT seq, deployment, at_ms, body FROM events WHERE deployment = ?1 AND seq > ?2 ORDER BY seq";
    select(connection, sql, params![deployment, seq])
}

/// All events behind `seq`, of whatever deployment, in order; a thousand at most.
pub fn since(connection: &Connection, seq: i64) -> Result<Vec<Record>, StoreError> {
    let sql =
        "SELECT seq, deployment, at_ms, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT 1000";
    select(connection, sql, params![seq])
}

/// The same with each event's environment and when its deployment was made.
pub fn with_environment(
    connection: &Connection,
    seq: i64,
) -> Result<Vec<(EnvId, i64, Record)>, StoreError> {
    let sql = "SELECT env, created_ms, seq, deployment, at_ms, events.body FROM events \
               JOIN deployments ON deployments.id = deployment WHERE seq > ?1 ORDER BY seq LIMIT 1000";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([seq], |row| {
        let record = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok((row.get(0)?, row.get(1)?, record))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (env, created_ms, (seq, deployment, at_ms, body)): (String, _, (_, _, _, String)) =
            row?;
        let env = env
            .parse()
            .map_err(|_| StoreError::Content(format!("`{env}` is no environment")))?;
        let event = from_json(&body)?;
        let record = Record {
            seq,
            deployment,
            at_ms,
            event,
        };
        found.push((env, created_ms, record));
    }
    Ok(found)
}

fn select(
    connection: &Connection,
    sql: &str,
    with: &[&dyn rusqlite::ToSql],
) -> Result<Vec<Record>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(with, |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    rows.map(|row| {
        let (seq, deployment, at_ms, body) = row?;
        Ok(Record {
            seq,
            deployment,
            at_ms,
            event: from_json(&body)?,
        })
    })
    .collect()
}

/// The number of the last event of all.
pub fn last(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?
        .query_row([], |row| row.get(0))?)
}
