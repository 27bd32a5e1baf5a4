//! Enrolled nodes.

use lingqu_core::{NodeId, PartyId, Region, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read};

/// An enrolled node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) unit: PartyId,
    pub(crate) region: Region,
    pub(crate) display_name: String,
    pub(crate) log_key: Vec<u8>,
    pub(crate) origin: String,
    pub(crate) enrolled: Timestamp,
}

impl Store {
    /// Every enrolled node.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, unit, region, display_name, log_key, origin, enrolled_us FROM nodes",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(node).collect()
    }
}

/// Enters a node; its key must have been entered before.
pub(crate) async fn insert(tx: &mut Writing, node: &Node) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO nodes (id, unit, region, display_name, log_key, origin, enrolled_us)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(node.id.as_str())
    .bind(node.unit.as_str())
    .bind(node.region.as_str())
    .bind(&node.display_name)
    .bind(&node.log_key)
    .bind(&node.origin)
    .bind(node.enrolled.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn node(row: &SqliteRow) -> Result<Node, StoreError> {
    Ok(Node {
        id: read("node", row.try_get("id")?)?,
        unit: read("unit", row.try_get("unit")?)?,
        region: read("region", row.try_get("region")?)?,
        display_name: row.try_get("display_name")?,
        log_key: row.try_get("log_key")?,
        origin: row.try_get("origin")?,
        enrolled: super::time(row.try_get("enrolled_us")?),
    })
}
