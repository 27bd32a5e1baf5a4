//! Reading many objects without holding them: one at a time, newest first, until whoever asks has enough.

use std::ops::ControlFlow;

use futures::TryStreamExt;
use sqlx::Row;

use super::objects::{Object, object};
use super::{Store, StoreError};

impl Store {
    /// Hands each filed object of this type to `visit`, the newest filing first, until it breaks.
    pub(crate) async fn visit_newest(
        &self,
        kind: &str,
        mut visit: impl FnMut(Object) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "SELECT digest, envelope, filing, number FROM objects WHERE type = ? ORDER BY seq DESC",
        );
        let mut rows = query.bind(kind).fetch(&self.pool);
        while let Some(row) = rows.try_next().await? {
            if visit(object(&row)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How many objects of each type are filed.
    pub(crate) async fn filed(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT type, count(*) FROM objects GROUP BY type ORDER BY type")
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let count: i64 = row.try_get(1)?;
            let count = u64::try_from(count).map_err(|_| StoreError::Corrupt("count"))?;
            Ok((row.try_get(0)?, count))
        };
        rows.iter().map(read).collect()
    }
}
