//! The audit trail: who wanted what of which environment, when, through which door, and whether they were let. Lines are
//! added before the act, and never changed but for the deployment that came of it.

use super::{StoreError, from_json, to_json};
use crate::domain::{Audited, DeploymentId, EnvId};
use rusqlite::{Connection, params};

/// Adds a line; its `seq` is chosen here and returned.
pub fn append(connection: &Connection, line: &Audited) -> Result<i64, StoreError> {
    connection
        .prepare_cached("INSERT INTO audit (at_ms, env, deployment, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            line.at_ms,
            line.env.to_string(),
            line.deployment,
            to_json(line)?
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Says which deployment came of an act.
pub fn made(connection: &Connection, seq: i64, deployment: DeploymentId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE audit SET deployment = ?2 WHERE seq = ?1")?
        .execute(params![seq, deployment])?;
    Ok(())
}

/// The newest lines, newest first; of one environment or of all.
pub fn newest(
    connection: &Connection,
    env: Option<&EnvId>,
    limit: u32,
) -> Result<Vec<Audited>, StoreError> {
    let sql = "SELECT seq, deployment, body FROM audit WHERE ?1 IS NULL OR env = ?1 ORDER BY seq DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![env.map(EnvId::to_string), limit], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
    })?;
    rows.map(|row| {
        let (seq, deployment, body) = row?;
        Ok(Audited {
            seq,
            deployment,
            ..from_json(&body)?
        })
    })
    .collect()
}
