//! Teal's memory: one SQLite database (WAL, `synchronous=FULL`), one file per table. Writes of all callers go through
//! one thread, which commits what has gathered in a single transaction: a durable answer costs each of them a share of
//! a disk flush. Reads have a connection of their own and never wait for writers.

pub mod audit;
pub mod cutovers;
pub mod deployments;
pub mod environments;
pub mod events;
pub mod freezes;
pub mod keys;
pub mod landings;
mod lane;
pub mod outbox;
pub mod passed_over;
pub mod pushes;
pub mod questions;
mod schema;
pub mod tips;
pub mod told;
pub mod users;

pub use lane::Handed;
use lane::Lane;
use rusqlite::Connection;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the database could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or is not a database of ours.
    #[error("cannot open the database {}: {why}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said, and what to do.
        why: String,
    },
    /// A newer Teal wrote it.
    #[error(
        "the database {} is of schema {found}, this Teal knows up to {known}: start the newer Teal again, or restore the copy that it made beside the database before it migrated",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A statement failed.
    #[error("the database refused: {0}")]
    Sql(Arc<rusqlite::Error>),
    /// The disk under the database fails.
    #[error(
        "the disk under the database failed, or can only be read any more ({0}): dmesg says why; mend it, then restart the server"
    )]
    Disk(Arc<rusqlite::Error>),
    /// A row holds what this Teal cannot read.
    #[error("the database holds something unreadable: {0}")]
    Content(String),
    /// The transaction was given up for another one's sake.
    #[error(
        "the database gave up a transaction, as a rule because the disk is full: free some space, then try again"
    )]
    Full,
    /// What was to be done with the database has a flaw.
    #[error(
        "Teal made a mistake in its use of the database, and its log says where: nothing of this was written"
    )]
    Flaw,
    /// The database's thread is gone: the server is stopping.
    #[error("the database is closed: the server is stopping")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly, SystemIoFailure};
        let fails = [CannotOpen, ReadOnly, SystemIoFailure].map(Some);
        match fails.contains(&error.sqlite_error_code()) {
            true => StoreError::Disk(Arc::new(error)),
            false => StoreError::Sql(Arc::new(error)),
        }
    }
}

/// A handle to the database; clones share it.
#[derive(Clone)]
pub struct Store {
    writer: Lane,
    reader: Lane,
}

impl Store {
    /// Opens the database file, creating it or migrating it forward where needed; a copy is made before a migration.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let writing = connect(path)?;
        is_whole(&writing, path)?;
        schema::migrate(&writing, path)?;
        let reading = connect(path)?;
        reading.pragma_update(None, "query_only", true)?;
        Ok(Store {
            writer: Lane::start("store-write", writing, true),
            reader: Lane::start("store-read", reading, false),
        })
    }

    /// Runs `act` in a transaction and returns when its effect is durable. When `act` fails nothing of it stays.
    pub async fn write<T, E>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_then(act, |_| ()).await
    }

    /// As [`Store::write`]; `after` runs on the database's thread once the effect is durable, in the order of commits. The
    /// work is handed in by the call itself: what is written by a later call is never durable without it.
    pub fn write_then<T, E>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Handed<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.run(act, after)
    }

    /// Runs a query on a snapshot that holds everything whose write has returned.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.reader.run(query, |_| ()).await
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = |path: &Path| -> rusqlite::Result<Connection> {
        // Which commits were deployed by whom is nobody else's business; SQLite's other files take this one's mode.
        let private = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path);
        private.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    };
    open(path).map_err(|error| unusable(path, &error))
}

/// Nothing is decided from a damaged file.
fn is_whole(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let check = || connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match check() {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(StoreError::Open {
            path: path.to_owned(),
            why: format!("it is damaged ({}). {}", one_line(&verdict), repair(path)),
        }),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{
        DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
    };
    let shown = path.display();
    let next = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => {
            format!(
                "another program has it open: `fuser -v {shown}` names it; stop it and start again"
            )
        }
        Some(DatabaseCorrupt | NotADatabase) => repair(path),
        Some(DiskFull) => "free some space and start again".to_owned(),
        _ => format!(
            "if the disk is full, free some space and start again; if the file is damaged: {}",
            repair(path)
        ),
    };
    StoreError::Open {
        path: path.to_owned(),
        why: format!("{}. {next}", one_line(&error.to_string())),
    }
}

fn repair(path: &Path) -> String {
    let shown = path.display();
    format!(
        "keep a copy, then run `sqlite3 {shown} .recover | sqlite3 {shown}.new` and put the new file in its place, or move it away to start anew; proxy and services are kept apart from it and go on"
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a JSON column.
fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Content(error.to_string()))
}

/// Writes a JSON column.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Content(error.to_string()))
}

/// Reads a word that a type of the domain parses.
fn parse<T: std::str::FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| StoreError::Content(error.to_string()))
}
