//! The table of cutovers: what the proxy counted while a deployment moved the traffic, moment by moment, for the picture
//! of it.

use super::{StoreError, from_json, to_json};
use crate::domain::{DeploymentId, Upstreams};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// What happened in one interval of a cutover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// When it ended, in milliseconds since the epoch.
    pub at_ms: i64,
    /// How long it was, in milliseconds.
    pub ms: u64,
    /// Each color's part of it.
    pub colors: Upstreams<Counted>,
}

/// What one color did in an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Requests that it was given.
    pub requests: u64,
    /// Requests that were lost, and answers of 500 and above.
    pub errors: u64,
    /// Median latency, in microseconds.
    pub p50_us: Option<u64>,
    /// 99th percentile, in microseconds.
    pub p99_us: Option<u64>,
}

/// Keeps the cutover of a deployment.
pub fn put(
    connection: &Connection,
    deployment: DeploymentId,
    intervals: &[Interval],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO cutovers (deployment, body) VALUES (?1, ?2)")?
        .execute(params![deployment, to_json(&intervals)?])?;
    Ok(())
}

/// The cutover of a deployment; nothing when it was not measured.
pub fn get(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<Option<Vec<Interval>>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM cutovers WHERE deployment = ?1")?
        .query_row([deployment], |row| row.get(0))
        .optional()?;
    body.as_deref().map(from_json).transpose()
}
