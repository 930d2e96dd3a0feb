//! The table of tips that somebody decided against by choosing another release: reconcile leaves them alone.

use super::StoreError;
use crate::domain::{CommitId, EnvId};
use rusqlite::{Connection, params};

/// Notes that this commit was what the environment's branch pointed to when another one was chosen.
pub fn add(connection: &Connection, env: &EnvId, commit: &CommitId) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO passed_over (env, commit_id) VALUES (?1, ?2)")?
        .execute(params![env.to_string(), commit.as_str()])?;
    Ok(())
}

/// Whether somebody decided against this commit.
pub fn has(connection: &Connection, env: &EnvId, commit: &CommitId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM passed_over WHERE env = ?1 AND commit_id = ?2")?
        .exists(params![env.to_string(), commit.as_str()])?)
}
