//! What is revoked, by whose signed request, and the epoch's number.

use std::collections::BTreeSet;

use sqlx::Row;

use super::{Store, StoreError, Writing, set_setting};

const EPOCH_NUMBER: &str = "epoch_number";

impl Store {
    /// Everything that is revoked.
    pub(crate) async fn revoked(&self) -> Result<BTreeSet<String>, StoreError> {
        let rows = sqlx::query("SELECT target FROM revocations")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The signed request that revoked the target, as an encoded envelope.
    pub(crate) async fn revocation(&self, target: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT envelope FROM revocations WHERE target = ?")
            .bind(target)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The number of the current epoch; none before the first.
    pub(crate) async fn epoch_number(&self) -> Result<Option<u64>, StoreError> {
        let number = self.setting(EPOCH_NUMBER).await?;
        number
            .map(|number| super::read("epoch", &number))
            .transpose()
    }
}

/// Enters a revocation whose act has the number `act`.
pub(crate) async fn insert(
    tx: &mut Writing,
    target: &str,
    envelope: &[u8],
    act: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO revocations (target, envelope, act) VALUES (?, ?, ?)")
        .bind(target)
        .bind(envelope)
        .bind(act)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets the epoch's number, in the transaction that changes the set.
pub(crate) async fn set_epoch_number(tx: &mut Writing, number: u64) -> Result<(), StoreError> {
    set_setting(tx, EPOCH_NUMBER, &number.to_string()).await
}
