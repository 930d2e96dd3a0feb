//! The tables, as a list of steps: step `n` brings a database from schema `n` to `n + 1`.

use super::StoreError;
use rusqlite::Connection;
use std::path::Path;

const STEPS: &[&str] = &[
    "
CREATE TABLE deployments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    env        TEXT NOT NULL,
    state      TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX deployments_by_env ON deployments (env, id);
CREATE INDEX deployments_open ON deployments (state) WHERE state IN
    ('waiting', 'queued', 'running', 'approval', 'switching', 'observing');
CREATE INDEX deployments_by_commit ON deployments (env, commit_id);

CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment INTEGER NOT NULL REFERENCES deployments (id),
    at_ms      INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_deployment ON events (deployment, seq);

CREATE TABLE pushes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT NOT NULL,
    delivery    TEXT,
    received_ms INTEGER NOT NULL,
    body        TEXT NOT NULL,
    deployments TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX pushes_once ON pushes (app, delivery) WHERE delivery IS NOT NULL;

CREATE TABLE environments (
    env        TEXT PRIMARY KEY,
    active     TEXT,
    warm_until_ms INTEGER,
    blue       TEXT,
    green      TEXT
) STRICT;

CREATE TABLE keys (
    scope      TEXT NOT NULL,
    step       TEXT NOT NULL,
    key        TEXT NOT NULL,
    deployment INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (scope, step, key)
) STRICT;
",
    "
CREATE TABLE freezes (
    env      TEXT PRIMARY KEY,
    by       TEXT NOT NULL,
    why      TEXT,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER
) STRICT;
",
    "
ALTER TABLE keys ADD COLUMN inputs TEXT NOT NULL DEFAULT '';
CREATE INDEX keys_by_age ON keys (scope, step, at_ms);

CREATE TABLE passed_over (
    env        TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    PRIMARY KEY (env, commit_id)
) STRICT;
",
    "
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    env        TEXT NOT NULL,
    deployment INTEGER,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_env ON audit (env, seq);
",
    "
CREATE TABLE landings (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE tips (
    env       TEXT NOT NULL,
    ref_name  TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    PRIMARY KEY (env, ref_name)
) STRICT;
",
    "
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    target      TEXT NOT NULL,
    deployment  INTEGER NOT NULL REFERENCES deployments (id),
    moment      TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    next_ms     INTEGER NOT NULL DEFAULT 0,
    trouble     TEXT,
    given_up_ms INTEGER
) STRICT;
CREATE INDEX outbox_by_target ON outbox (target, id);

CREATE TABLE told (
    target     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (target, subject)
) STRICT;
",
    "
CREATE TABLE cutovers (
    deployment INTEGER PRIMARY KEY REFERENCES deployments (id),
    body       TEXT NOT NULL
) STRICT;
",
    "
CREATE TABLE users (
    name       TEXT PRIMARY KEY,
    body       TEXT NOT NULL
) STRICT;

CREATE TABLE sign_in_links (
    digest     TEXT PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES users (name),
    expires_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    digest     TEXT PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES users (name),
    expires_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    digest     TEXT NOT NULL UNIQUE,
    user       TEXT NOT NULL REFERENCES users (name),
    label      TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER
) STRICT;
",
    "
CREATE TABLE questions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT NOT NULL,
    delivery    TEXT,
    env         TEXT NOT NULL,
    run         INTEGER NOT NULL,
    by          TEXT NOT NULL,
    refused     TEXT,
    asked_ms    INTEGER NOT NULL,
    told        TEXT,
    tries       INTEGER NOT NULL DEFAULT 0,
    next_ms     INTEGER NOT NULL DEFAULT 0,
    answered_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX questions_once ON questions (app, delivery) WHERE delivery IS NOT NULL;
CREATE INDEX questions_open ON questions (app, id) WHERE answered_ms IS NULL;
",
];

pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let known = STEPS.len() as i64;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        copy_beside(connection, path, found)?;
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "user_version", known)?;
    Ok(connection.execute_batch("COMMIT")?)
}

/// `teal.db.schema-1` beside `teal.db`: what an older Teal can be put back with.
fn copy_beside(connection: &Connection, path: &Path, schema: i64) -> Result<(), StoreError> {
    let copy = path.with_extension(format!("db.schema-{schema}"));
    if !copy.exists() {
        connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_database_is_refused_and_an_older_one_is_copied_before_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("teal.db");
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path).unwrap();
        migrate(&connection, &path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&connection, &path).unwrap_err().to_string();
        assert!(error.contains("schema 99"), "{error}");
        copy_beside(&connection, &path, 1).unwrap();
        assert!(dir.path().join("teal.db.schema-1").exists());
    }
}
