//! The table of questions: workflows at a forge that wait to be told whether they may deploy. A question is stored before its
//! sender is answered, and stays when it has its answer, so that the same delivery does not ask twice.

use super::{StoreError, parse};
use crate::domain::{AppName, EnvId};
use rusqlite::{Connection, Row, params};

/// A workflow that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number here; zero while it is not kept.
    pub id: i64,
    /// Where it wants to deploy to.
    pub env: EnvId,
    /// The number of its run at the forge.
    pub run: u64,
    /// Who began it.
    pub by: String,
    /// Why they may not; absent: they may.
    pub refused: Option<String>,
    /// When it was asked, in milliseconds since the epoch.
    pub asked_ms: i64,
    /// What was said of why it waits.
    pub told: Option<String>,
    /// How often it could not be answered.
    pub tries: u32,
    /// Not to be answered before, in milliseconds since the epoch.
    pub next_ms: i64,
}

/// Answers are kept for this long: no forge sends a delivery again after that.
const KEPT_MS: i64 = 60 * 24 * 3600 * 1000;

/// Keeps a question, unless the same delivery has asked it. A run waits for one answer for an environment: an earlier
/// question of its gives way.
pub fn ask(
    connection: &Connection,
    delivery: Option<&str>,
    question: &Question,
) -> Result<(), StoreError> {
    let (app, env) = (question.env.app.as_str(), question.env.to_string());
    let run = question.run.cast_signed();
    connection
        .prepare_cached("DELETE FROM questions WHERE answered_ms < ?1")?
        .execute([question.asked_ms - KEPT_MS])?;
    let is_known = connection
        .prepare_cached("SELECT 1 FROM questions WHERE app = ?1 AND delivery = ?2")?
        .exists(params![app, delivery])?;
    if is_known {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE questions SET answered_ms = ?3 WHERE env = ?1 AND run = ?2 AND answered_ms IS NULL",
        )?
        .execute(params![env, run, question.asked_ms])?;
    connection
        .prepare_cached(
            "INSERT INTO questions (app, delivery, env, run, by, refused, asked_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            app,
            delivery,
            env,
            run,
            question.by,
            question.refused,
            question.asked_ms
        ])?;
    Ok(())
}

/// The questions of an app that wait for their answer, oldest first.
pub fn open(connection: &Connection, app: &AppName) -> Result<Vec<Question>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT env, id, run, by, refused, asked_ms, told, tries, next_ms FROM questions
         WHERE app = ?1 AND answered_ms IS NULL ORDER BY id",
    )?;
    let rows = statement.query_map([app.as_str()], |row| {
        Ok((row.get::<_, String>(0)?, rest(row)?))
    })?;
    rows.map(|row| {
        let (env, of) = row?;
        Ok(of(parse(&env)?))
    })
    .collect()
}

/// All of a row but its environment, which is a word that has to be read.
fn rest(row: &Row) -> rusqlite::Result<impl FnOnce(EnvId) -> Question + use<>> {
    let (id, run, by): (i64, i64, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let (refused, asked_ms, told) = (row.get(4)?, row.get(5)?, row.get(6)?);
    let (tries, next_ms) = (row.get(7)?, row.get(8)?);
    Ok(move |env| Question {
        id,
        env,
        run: run.cast_unsigned(),
        by,
        refused,
        asked_ms,
        told,
        tries,
        next_ms,
    })
}

/// Remembers what was said of why it waits, and that the forge took that.
pub fn told(connection: &Connection, id: i64, words: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE questions SET told = ?2, tries = 0, next_ms = 0 WHERE id = ?1")?
        .execute(params![id, words])?;
    Ok(())
}

/// Puts it off after a try that failed.
pub fn put_off(connection: &Connection, id: i64, next_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE questions SET tries = tries + 1, next_ms = ?2 WHERE id = ?1")?
        .execute(params![id, next_ms])?;
    Ok(())
}

/// It has its answer, or nobody waits for one any more.
pub fn close(connection: &Connection, id: i64, now_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE questions SET answered_ms = ?2 WHERE id = ?1")?
        .execute(params![id, now_ms])?;
    Ok(())
}
