//! The outbox of control-plane acts: stored with their object, then logged in the coordinator's own stream, then marked.

use lingqu_core::Region;
use lingqu_tlog::Hash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read, read_hash};

/// One act, as it will stand in the own stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// What was done: `enrol`, `epoch`, `file`, `issue_code`, `revoke`.
    pub(crate) action: String,
    /// Typed id of what it is about.
    pub(crate) subject: String,
    /// Digest of the signed bytes, or of the code or keys, on which it rests. With action and subject it is unique.
    pub(crate) digest: Hash,
    /// Who asked for it.
    pub(crate) actor: String,
    pub(crate) region: Option<Region>,
    pub(crate) filing_number: Option<String>,
    pub(crate) epoch: Option<u64>,
}

impl Store {
    /// The acts that are not known to be logged, oldest first, with their numbers.
    pub(crate) async fn unlogged_acts(&self) -> Result<Vec<(i64, Act)>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, action, subject, digest, actor, region, filing_number, epoch
             FROM acts WHERE entry IS NULL ORDER BY seq",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("seq")?, act(row)?)))
            .collect()
    }

    /// Marks an act as durable in the own stream at index `entry`.
    pub(crate) async fn mark_logged(&self, seq: i64, entry: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE acts SET entry = ? WHERE seq = ?")
            .bind(signed(entry)?)
            .bind(seq)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The highest index at which an act is known to stand in the own stream.
    pub(crate) async fn logged_max(&self) -> Result<Option<u64>, StoreError> {
        let highest: Option<i64> = sqlx::query("SELECT max(entry) FROM acts")
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        highest
            .map(|entry| u64::try_from(entry).map_err(|_| StoreError::Corrupt("act")))
            .transpose()
    }
}

/// Stores an act, not yet logged, and gives its number.
pub(crate) async fn insert(tx: &mut Writing, act: &Act) -> Result<i64, StoreError> {
    let epoch = act.epoch.map(signed).transpose()?;
    let done = sqlx::query(
        "INSERT INTO acts (action, subject, digest, actor, region, filing_number, epoch)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&act.action)
    .bind(&act.subject)
    .bind(act.digest.0.as_slice())
    .bind(&act.actor)
    .bind(act.region.as_ref().map(Region::as_str))
    .bind(&act.filing_number)
    .bind(epoch)
    .execute(&mut **tx)
    .await?;
    Ok(done.last_insert_rowid())
}

fn act(row: &SqliteRow) -> Result<Act, StoreError> {
    let region: Option<&str> = row.try_get("region")?;
    let epoch: Option<i64> = row.try_get("epoch")?;
    Ok(Act {
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        digest: read_hash("act", row.try_get("digest")?)?,
        actor: row.try_get("actor")?,
        region: region.map(|region| read("region", region)).transpose()?,
        filing_number: row.try_get("filing_number")?,
        epoch: epoch
            .map(|epoch| u64::try_from(epoch).map_err(|_| StoreError::Corrupt("epoch")))
            .transpose()?,
    })
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}
