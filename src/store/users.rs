//! The tables of sign-in: who may use the dashboard and the API over the network, their one-time links, their sessions and
//! their tokens. Links, sessions and tokens are kept as digests: whoever reads the database cannot use them.

use super::{StoreError, from_json, to_json};
use crate::domain::Right;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their name, as everything that they do is told by.
    pub name: String,
    /// What they may do, and where.
    pub rights: Vec<Right>,
    /// When they were added, in milliseconds since the epoch.
    pub created_ms: i64,
}

/// A token of a script, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// Whose rights it has.
    pub user: String,
    /// What it is for.
    pub label: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last used, to the hour.
    pub used_ms: Option<i64>,
}

/// Adds the user, or replaces what they may do.
pub fn put(connection: &Connection, user: &User) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO users (name, body) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        )?
        .execute(params![user.name, to_json(user)?])?;
    Ok(())
}

/// The user of that name.
pub fn get(connection: &Connection, name: &str) -> Result<Option<User>, StoreError> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM users WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    body.as_deref().map(from_json).transpose()
}

/// Everybody, by name.
pub fn all(connection: &Connection) -> Result<Vec<User>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM users ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|row| from_json(&row?)).collect()
}

/// Removes the user with all their links, sessions and tokens; false when there is none of that name.
pub fn remove(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    for table in ["sign_in_links", "sessions", "tokens"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE user = ?1"))?
            .execute([name])?;
    }
    let removed = connection
        .prepare_cached("DELETE FROM users WHERE name = ?1")?
        .execute([name])?;
    Ok(removed > 0)
}

/// Keeps a one-time link; the user's earlier ones end.
pub fn put_link(
    connection: &Connection,
    digest: &str,
    user: &str,
    expires_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM sign_in_links WHERE user = ?1")?
        .execute([user])?;
    connection
        .prepare_cached("INSERT INTO sign_in_links (digest, user, expires_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![digest, user, expires_ms])?;
    Ok(())
}

/// Whose link it is, if it is good.
pub fn link(
    connection: &Connection,
    digest: &str,
    now_ms: i64,
) -> Result<Option<String>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT user FROM sign_in_links WHERE digest = ?1 AND expires_ms > ?2")?
        .query_row(params![digest, now_ms], |row| row.get(0))
        .optional()?)
}

/// Uses a link up, and begins a session; whose it is, if the link was good.
pub fn sign_in(
    connection: &Connection,
    link_digest: &str,
    session_digest: &str,
    now_ms: i64,
    expires_ms: i64,
) -> Result<Option<String>, StoreError> {
    let Some(user) = link(connection, link_digest, now_ms)? else {
        return Ok(None);
    };
    connection
        .prepare_cached("DELETE FROM sign_in_links WHERE digest = ?1 OR expires_ms <= ?2")?
        .execute(params![link_digest, now_ms])?;
    connection
        .prepare_cached("DELETE FROM sessions WHERE expires_ms <= ?1")?
        .execute([now_ms])?;
    connection
        .prepare_cached("INSERT INTO sessions (digest, user, expires_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![session_digest, user, expires_ms])?;
    Ok(Some(user))
}

/// Whose session it is, and until when.
pub fn session(
    connection: &Connection,
    digest: &str,
    now_ms: i64,
) -> Result<Option<(User, i64)>, StoreError> {
    let found: Option<(String, i64)> = connection
        .prepare_cached(
            "SELECT users.body, sessions.expires_ms FROM sessions JOIN users ON users.name = sessions.user
             WHERE sessions.digest = ?1 AND sessions.expires_ms > ?2",
        )?
        .query_row(params![digest, now_ms], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(body, expires)| Ok((from_json(&body)?, expires)))
        .transpose()
}

/// Lets a session that is used last longer.
pub fn extend(connection: &Connection, digest: &str, expires_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE sessions SET expires_ms = ?2 WHERE digest = ?1")?
        .execute(params![digest, expires_ms])?;
    Ok(())
}

/// Ends a session.
pub fn sign_out(connection: &Connection, digest: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM sessions WHERE digest = ?1")?
        .execute([digest])?;
    Ok(())
}

/// Keeps a token of a script; its number.
pub fn put_token(
    connection: &Connection,
    digest: &str,
    user: &str,
    label: &str,
    now_ms: i64,
) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO tokens (digest, user, label, created_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![digest, user, label, now_ms])?;
    Ok(connection.last_insert_rowid())
}

/// The token of that digest, and its user.
pub fn token(connection: &Connection, digest: &str) -> Result<Option<(Token, User)>, StoreError> {
    let found: Option<(Token, String)> = connection
        .prepare_cached(
            "SELECT id, user, label, created_ms, used_ms, users.body FROM tokens
             JOIN users ON users.name = tokens.user WHERE digest = ?1",
        )?
        .query_row([digest], |row| Ok((of_row(row)?, row.get(5)?)))
        .optional()?;
    found
        .map(|(token, body)| Ok((token, from_json(&body)?)))
        .transpose()
}

/// All tokens, oldest first.
pub fn tokens(connection: &Connection) -> Result<Vec<Token>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, user, label, created_ms, used_ms FROM tokens ORDER BY id")?;
    let rows = statement.query_map([], of_row)?;
    rows.map(|row| Ok(row?)).collect()
}

/// Remembers that a token was used.
pub fn used(connection: &Connection, id: i64, now_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE tokens SET used_ms = ?2 WHERE id = ?1")?
        .execute(params![id, now_ms])?;
    Ok(())
}

/// Ends a token; false when there is none of that number.
pub fn revoke(connection: &Connection, id: i64) -> Result<bool, StoreError> {
    let revoked = connection
        .prepare_cached("DELETE FROM tokens WHERE id = ?1")?
        .execute([id])?;
    Ok(revoked > 0)
}

fn of_row(row: &rusqlite::Row) -> rusqlite::Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        user: row.get(1)?,
        label: row.get(2)?,
        created_ms: row.get(3)?,
        used_ms: row.get(4)?,
    })
}
