//! The table of tips: where each ref that an environment deploys was seen last. A ref that is elsewhere now was pushed,
//! also when it is back at a commit that was deployed before.

use super::{StoreError, parse};
use crate::domain::{CommitId, EnvId};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Remembers where a ref is.
pub fn put(
    connection: &Connection,
    env: &EnvId,
    ref_name: &str,
    commit: &CommitId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tips (env, ref_name, commit_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![env.to_string(), ref_name, commit.as_str()])?;
    Ok(())
}

/// Where the environment's refs were seen last.
pub fn of(connection: &Connection, env: &EnvId) -> Result<BTreeMap<String, CommitId>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT ref_name, commit_id FROM tips WHERE env = ?1")?;
    let rows = statement.query_map([env.to_string()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (ref_name, commit) = row?;
        Ok((ref_name, parse(&commit)?))
    })
    .collect()
}

/// Forgets a ref that is gone.
pub fn remove(connection: &Connection, env: &EnvId, ref_name: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM tips WHERE env = ?1 AND ref_name = ?2")?
        .execute(params![env.to_string(), ref_name])?;
    Ok(())
}
