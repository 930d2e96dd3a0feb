//! The table of what is still to be told, one row for each target and turn of a deployment. Rows are added in the
//! transaction of the event that they tell of, and taken out when the target has it.

use super::StoreError;
use crate::domain::{DeploymentId, Moment};
use rusqlite::{Connection, Row, params};

/// Something to tell one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its place in the order.
    pub id: i64,
    /// Whom to tell.
    pub target: String,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Which turn of it.
    pub moment: Moment,
    /// When that was, in milliseconds since the epoch.
    pub at_ms: i64,
    /// How often it was tried, each try counted before it is made.
    pub tries: u32,
    /// Not to be tried before, in milliseconds since the epoch.
    pub next_ms: i64,
    /// Why the last try failed.
    pub trouble: Option<String>,
    /// When it was given up.
    pub given_up_ms: Option<i64>,
}

const COLUMNS: &str = "SELECT id, target, deployment, moment, at_ms, tries, next_ms, trouble, given_up_ms FROM outbox";

/// Adds something to tell.
pub fn put(
    connection: &Connection,
    target: &str,
    deployment: DeploymentId,
    moment: Moment,
    at_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (target, deployment, moment, at_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![target, deployment, moment.as_str(), at_ms])?;
    Ok(())
}

/// What the target is still to be told, in order.
pub fn waiting(connection: &Connection, target: &str) -> Result<Vec<Letter>, StoreError> {
    let sql = format!("{COLUMNS} WHERE target = ?1 AND given_up_ms IS NULL ORDER BY id LIMIT 1000");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([target], letter)?;
    collect(rows)
}

/// All that was tried and failed, or was given up, in order.
pub fn troubled(connection: &Connection) -> Result<Vec<Letter>, StoreError> {
    let sql = format!("{COLUMNS} WHERE trouble IS NOT NULL ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], letter)?;
    collect(rows)
}

/// How much waits for a target.
pub fn count(connection: &Connection, target: &str) -> Result<u32, StoreError> {
    Ok(connection
        .prepare_cached("SELECT COUNT(*) FROM outbox WHERE target = ?1 AND given_up_ms IS NULL")?
        .query_row([target], |row| row.get(0))?)
}

/// Counts a try, before it is made: after a crash it is known that the target may have heard it.
pub fn begin(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET tries = tries + 1 WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Puts it off after a try that failed.
pub fn put_off(
    connection: &Connection,
    id: i64,
    next_ms: i64,
    trouble: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET next_ms = ?2, trouble = ?3 WHERE id = ?1")?
        .execute(params![id, next_ms, trouble])?;
    Ok(())
}

/// Takes it out: it is told, or has nothing to say any more.
pub fn done(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Takes it out because a later one says more. Whether the target may have heard of the deployment, although nobody knows,
/// is kept with the later one.
pub fn overtake(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE outbox SET tries = max(outbox.tries, old.tries), next_ms = max(outbox.next_ms, old.next_ms)
             FROM outbox AS old WHERE old.id = ?1 AND old.tries > 0 AND outbox.id > old.id
             AND outbox.target = old.target AND outbox.deployment = old.deployment",
        )?
        .execute([id])?;
    done(connection, id)
}

/// Gives it up; it stays for people to see.
pub fn give_up(
    connection: &Connection,
    id: i64,
    now_ms: i64,
    trouble: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET given_up_ms = ?2, trouble = ?3 WHERE id = ?1")?
        .execute(params![id, now_ms, trouble])?;
    Ok(())
}

/// Forgets what was given up before that time for a target that hears again.
pub fn forget_given_up(
    connection: &Connection,
    target: &str,
    before_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM outbox WHERE target = ?1 AND given_up_ms < ?2")?
        .execute(params![target, before_ms])?;
    Ok(())
}

/// Forgets what is for targets that are not among these: they are no longer configured.
pub fn keep_only(connection: &Connection, targets: &[String]) -> Result<(), StoreError> {
    let known = super::to_json(&targets)?;
    connection.execute(
        "DELETE FROM outbox WHERE target NOT IN (SELECT value FROM json_each(?1))",
        [known],
    )?;
    Ok(())
}

fn letter(row: &Row) -> rusqlite::Result<(String, Letter)> {
    let word: String = row.get(3)?;
    let letter = Letter {
        id: row.get(0)?,
        target: row.get(1)?,
        deployment: row.get(2)?,
        moment: Moment::from_word(&word).unwrap_or(Moment::Step),
        at_ms: row.get(4)?,
        tries: row.get(5)?,
        next_ms: row.get(6)?,
        trouble: row.get(7)?,
        given_up_ms: row.get(8)?,
    };
    Ok((word, letter))
}

fn collect(
    rows: impl Iterator<Item = rusqlite::Result<(String, Letter)>>,
) -> Result<Vec<Letter>, StoreError> {
    let mut letters = Vec::new();
    for row in rows {
        let (word, letter) = row?;
        if letter.moment.as_str() != word {
            let what = format!("`{word}` is nothing that can be told");
            return Err(StoreError::Content(what));
        }
        letters.push(letter);
    }
    Ok(letters)
}
