//! The registry's database: SQL by noun, SQLite through sqlx.
//!
//! Every commit is durable when it returns (`synchronous=FULL`), since an answer follows it. The one writer is this
//! process; transactions that write begin as such, so that two of them never meet half-way.

pub(crate) mod acts;
pub(crate) mod cases;
pub(crate) mod codes;
pub(crate) mod nodes;
pub(crate) mod objects;
pub(crate) mod overview;
pub(crate) mod parties;
pub(crate) mod revocations;
pub(crate) mod suspensions;

use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_tlog::Hash;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};

/// The form of the tables. A database of another version is refused, never guessed at.
const VERSION: i64 = 1;

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A stored value is not what this program writes.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// SQLite or its file failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Made by another version of the program.
    #[error("the database has form {found}, this program has form {VERSION}")]
    Version {
        /// The form found.
        found: i64,
    },
}

/// The registry's database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

pub(crate) type Writing = Transaction<'static, Sqlite>;

impl Store {
    /// Opens or creates the database at `path`.
    pub(crate) async fn open(path: &Path) -> Result<Store, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await?;
        let found: i64 = sqlx::query("PRAGMA user_version")
            .fetch_one(&pool)
            .await?
            .try_get(0)?;
        if found != 0 && found != VERSION {
            return Err(StoreError::Version { found });
        }
        sqlx::raw_sql(include_str!("store/schema.sql"))
            .execute(&pool)
            .await?;
        // The version comes last: a crash before it leaves tables that the next start completes.
        sqlx::raw_sql("PRAGMA user_version = 1")
            .execute(&pool)
            .await?;
        Ok(Store { pool })
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Writing, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A setting by name.
    pub(crate) async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Whether it was not closed.
    pub(crate) fn is_open(&self) -> bool {
        !self.pool.is_closed()
    }

    /// Writes back everything and closes.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Sets a setting.
pub(crate) async fn set_setting(
    tx: &mut Writing,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether the key plays any role yet.
pub(crate) async fn key_owner(
    tx: &mut Writing,
    public_key: &[u8],
) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query("SELECT purpose, owner FROM keys WHERE public_key = ?")
        .bind(public_key)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row
        .map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?)))
        .transpose()?)
}

/// Enters a key in its one role.
pub(crate) async fn insert_key(
    tx: &mut Writing,
    public_key: &[u8],
    purpose: &str,
    owner: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO keys (public_key, purpose, owner) VALUES (?, ?, ?)")
        .bind(public_key)
        .bind(purpose)
        .bind(owner)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(what))
}

fn read_hash(what: &'static str, bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes
        .try_into()
        .map(Hash)
        .map_err(|_| StoreError::Corrupt(what))
}

fn time(us: i64) -> Timestamp {
    Timestamp(us)
}

#[cfg(test)]
mod tests;
