//! Suspensions of grants, and what lifted them.

use std::collections::BTreeSet;

use lingqu_core::{GrantId, PartyId, Timestamp};
use lingqu_tlog::Hash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read, read_hash, time};

/// One suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SuspensionRow {
    /// Digest of the request's signed bytes.
    pub(crate) digest: Hash,
    pub(crate) grant: GrantId,
    pub(crate) by: PartyId,
    pub(crate) envelope: Vec<u8>,
    pub(crate) at: Timestamp,
    /// What lifted it, and when.
    pub(crate) lifted: Option<(Vec<u8>, Timestamp)>,
}

const COLUMNS: &str = "digest, grant_id, asked_by, envelope, at_us, lifting, lifted_us";

impl Store {
    /// The suspension with this digest.
    pub(crate) async fn suspension(
        &self,
        digest: &Hash,
    ) -> Result<Option<SuspensionRow>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM suspensions WHERE digest = ?"
        )))
        .bind(digest.0.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(suspension).transpose()
    }

    /// Every suspension of the grant, oldest first.
    pub(crate) async fn suspensions_of(
        &self,
        grant: &GrantId,
    ) -> Result<Vec<SuspensionRow>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM suspensions WHERE grant_id = ? ORDER BY act"
        )))
        .bind(grant.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(suspension).collect()
    }

    /// Every grant that is suspended.
    pub(crate) async fn suspended(&self) -> Result<BTreeSet<GrantId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT grant_id FROM suspensions WHERE lifting IS NULL")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| read("grant", row.try_get(0)?))
            .collect()
    }
}

/// Enters a suspension whose act has the number `act`.
pub(crate) async fn insert(
    tx: &mut Writing,
    row: &SuspensionRow,
    act: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO suspensions (digest, grant_id, asked_by, envelope, at_us, act) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(row.digest.0.as_slice())
    .bind(row.grant.as_str())
    .bind(row.by.as_str())
    .bind(&row.envelope)
    .bind(row.at.0)
    .bind(act)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks a suspension as lifted by the request in `lifting`, whose act has the number `act`.
pub(crate) async fn lift(
    tx: &mut Writing,
    digest: &Hash,
    lifting: &[u8],
    at: Timestamp,
    act: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE suspensions SET lifting = ?, lifted_us = ?, lifted_act = ?
         WHERE digest = ? AND lifting IS NULL",
    )
    .bind(lifting)
    .bind(at.0)
    .bind(act)
    .bind(digest.0.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn suspension(row: &SqliteRow) -> Result<SuspensionRow, StoreError> {
    let lifting: Option<Vec<u8>> = row.try_get("lifting")?;
    let lifted: Option<i64> = row.try_get("lifted_us")?;
    Ok(SuspensionRow {
        digest: read_hash("suspension", row.try_get("digest")?)?,
        grant: read("grant", row.try_get("grant_id")?)?,
        by: read("party", row.try_get("asked_by")?)?,
        envelope: row.try_get("envelope")?,
        at: time(row.try_get("at_us")?),
        lifted: lifting.zip(lifted.map(time)),
    })
}
