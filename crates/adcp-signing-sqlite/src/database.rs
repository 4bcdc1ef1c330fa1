//! `Database`: one connection to the file, with its schema.

use std::{fs::OpenOptions, io, path::Path, sync::Arc, time::Duration};

use adcp_signing_core::provider::toolkit::OPERATOR;
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// How long a process waits for another one that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The version of `schema.sql`, kept in `user_version` of the file.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be made or opened.
    #[error("the SQLite file cannot be opened; check that its folder exists and can be written to")]
    File(#[source] io::Error),
    /// SQLite refuses the file.
    #[error("SQLite refuses the file; check that it is a database and that its disk has room")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot have a write-ahead log.
    #[error(
        "the file system does not share memory between processes, as SQLite needs it; put the file \
         on a local disk"
    )]
    NotLocal,
    /// A later version of this crate, or another program, made the file.
    #[error(
        "the SQLite file has the schema {found}, and this version reads {SCHEMA_VERSION}; update \
         this program, or give it a file of its own"
    )]
    Schema {
        /// The version of the schema in the file.
        found: i64,
    },
}

/// One connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<Connection>>);

/// What went wrong in a call.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        // An absolute path is none of the names that SQLite gives another meaning.
        let path = std::path::absolute(path).map_err(OpenError::File)?;
        create_for_owner(&path).map_err(OpenError::File)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(OpenError::NotLocal);
        }
        // Each commit is on the disk before it counts.
        connection.pragma_update(None, "synchronous", "FULL")?;
        set_up(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs a transaction that writes, on a thread that may block. It ends even if the caller does
    /// not wait.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        action: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.0);
        let work = move || {
            let mut connection = connection.lock();
            // Begun as a writer, so that no other process writes between what it reads and writes.
            let behavior = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            let outcome = action(&transaction)?;
            transaction.commit()?;
            Ok::<T, rusqlite::Error>(outcome)
        };
        Ok(tokio::task::spawn_blocking(work).await??)
    }

    /// Runs a query, on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        action: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.0);
        Ok(tokio::task::spawn_blocking(move || action(&connection.lock())).await??)
    }
}

/// Makes the tables in a file that is new.
fn set_up(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match found {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        SCHEMA_VERSION => {}
        found => return Err(OpenError::Schema { found }),
    }
    Ok(transaction.commit()?)
}

/// Makes the file for its owner alone, where there is none. SQLite gives its other files the same
/// permissions.
fn create_for_owner(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            warn_of_others(path);
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

/// Warns where other users of the machine can read the file.
fn warn_of_others(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        tracing::warn!(
            target: OPERATOR,
            "other users can reach the SQLite file of webhooks; take their rights away (chmod 600)"
        );
    }
    #[cfg(not(unix))]
    let _ = (path, OPERATOR);
}
