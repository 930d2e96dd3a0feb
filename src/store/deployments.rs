//! The table of deployments. Only the journal writes here.

use super::{StoreError, from_json, to_json};
use crate::domain::{CommitId, Deployment, DeploymentId, EnvId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Adds a deployment; its `id` is chosen here and returned.
pub fn insert(
    connection: &Connection,
    deployment: &Deployment,
) -> Result<DeploymentId, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO deployments (env, state, commit_id, created_ms, body) VALUES (?1, ?2, ?3, ?4, '{}')",
        )?
        .execute(params![
            deployment.env.to_string(),
            deployment.state.as_str(),
            deployment.commit.as_str(),
            deployment.created_ms,
        ])?;
    let id = connection.last_insert_rowid();
    let numbered = Deployment {
        id,
        ..deployment.clone()
    };
    update(connection, &numbered)?;
    Ok(id)
}

/// Replaces what is known of a deployment.
pub fn update(connection: &Connection, deployment: &Deployment) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE deployments SET state = ?2, commit_id = ?3, body = ?4 WHERE id = ?1",
        )?
        .execute(params![
            deployment.id,
            deployment.state.as_str(),
            deployment.commit.as_str(),
            to_json(deployment)?,
        ])?;
    Ok(())
}

/// One deployment by its number.
pub fn get(connection: &Connection, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM deployments WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    body.as_deref().map(from_json).transpose()
}

/// Those that have not ended, oldest first; of one environment or of all.
pub fn open(connection: &Connection, env: Option<&EnvId>) -> Result<Vec<Deployment>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM deployments WHERE state IN
         ('waiting', 'queued', 'running', 'approval', 'switching', 'observing') AND (?1 IS NULL OR env = ?1)
         ORDER BY id",
    )?;
    let rows = statement.query_map([env.map(EnvId::to_string)], body)?;
    collect(rows)
}

/// The newest ones, newest first; of one environment or of all.
pub fn newest(
    connection: &Connection,
    env: Option<&EnvId>,
    limit: u32,
) -> Result<Vec<Deployment>, StoreError> {
    let mut statement = connection.prepare_cached(match env {
        Some(_) => "SELECT body FROM deployments WHERE env = ?1 ORDER BY id DESC LIMIT ?2",
        None => "SELECT body FROM deployments WHERE ?1 IS NULL ORDER BY id DESC LIMIT ?2",
    })?;
    let rows = statement.query_map(params![env.map(EnvId::to_string), limit], body)?;
    collect(rows)
}

/// What a search for deployments is limited to.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Of this app.
    pub app: Option<String>,
    /// Of environments of this name.
    pub env: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Asked for by this person.
    pub by: Option<String>,
    /// Asked for before this one.
    pub before: Option<DeploymentId>,
    /// Asked for since this moment, in milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// The deployments that a search finds, newest first.
pub fn search(connection: &Connection, search: &Search) -> Result<Vec<Deployment>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT body FROM deployments
         WHERE (?1 IS NULL OR substr(env, 1, instr(env, '/') - 1) = ?1)
           AND (?2 IS NULL OR substr(env, instr(env, '/') + 1) = ?2)
           AND (?3 IS NULL OR state = ?3)
           AND (?4 IS NULL OR json_extract(body, '$.by') = ?4)
           AND (?5 IS NULL OR id < ?5)
           AND (?6 IS NULL OR created_ms >= ?6)
         ORDER BY id DESC LIMIT ?7",
    )?;
    let rows = statement.query_map(
        params![
            search.app,
            search.env,
            search.state,
            search.by,
            search.before,
            search.since_ms,
            search.limit
        ],
        body,
    )?;
    collect(rows)
}

/// Everybody who ever asked for a deployment, by name.
pub fn people(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT json_extract(body, '$.by') AS person FROM deployments ORDER BY person LIMIT 200",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(row?)).collect()
}

/// The last deployment of the environment before this one that became live.
pub fn live_before(
    connection: &Connection,
    env: &EnvId,
    before: DeploymentId,
) -> Result<Option<Deployment>, StoreError> {
    let found: Option<String> = connection
        .prepare_cached(
            "SELECT body FROM deployments WHERE env = ?1 AND id < ?2 AND state = 'live' ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![env.to_string(), before], body)
        .optional()?;
    found.as_deref().map(from_json).transpose()
}

/// Whether this commit was ever tried in this environment, with whatever end.
pub fn was_tried(
    connection: &Connection,
    env: &EnvId,
    commit: &CommitId,
) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM deployments WHERE env = ?1 AND commit_id = ?2 LIMIT 1")?
        .exists(params![env.to_string(), commit.as_str()])?)
}

/// How many deployments of each environment are in each state.
pub fn counts(connection: &Connection) -> Result<Vec<(EnvId, String, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT env, state, COUNT(*) FROM deployments GROUP BY env, state ORDER BY env, state",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut counts = Vec::new();
    for row in rows {
        let (env, state, count): (String, String, i64) = row?;
        // A row whose environment is no name is not Teal's; it is not worth failing all others for.
        if let Ok(env) = env.parse() {
            counts.push((env, state, count.unsigned_abs()));
        }
    }
    Ok(counts)
}

fn body(row: &Row) -> rusqlite::Result<String> {
    row.get(0)
}

fn collect(
    rows: impl Iterator<Item = rusqlite::Result<String>>,
) -> Result<Vec<Deployment>, StoreError> {
    rows.map(|row| from_json(&row?)).collect()
}
