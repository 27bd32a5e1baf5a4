//! Enrolled parties.

use lingqu_core::{PartyId, Region, Role, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read};

/// An enrolled party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) id: PartyId,
    pub(crate) region: Region,
    pub(crate) display_name: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) approval_key: Vec<u8>,
    pub(crate) enrolled: Timestamp,
}

impl Store {
    /// Every enrolled party.
    pub(crate) async fn parties(&self) -> Result<Vec<Party>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, region, display_name, roles, approval_key, enrolled_us FROM parties",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(party).collect()
    }
}

/// Enters a party; its key must have been entered before.
pub(crate) async fn insert(tx: &mut Writing, party: &Party) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO parties (id, region, display_name, roles, approval_key, enrolled_us)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(party.id.as_str())
    .bind(party.region.as_str())
    .bind(&party.display_name)
    .bind(words(&party.roles))
    .bind(&party.approval_key)
    .bind(party.enrolled.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Roles as one text, `a,b`.
pub(super) fn words(roles: &[Role]) -> String {
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    words.join(",")
}

/// Reads what [`words`] wrote.
pub(super) fn roles(words: &str) -> Result<Vec<Role>, StoreError> {
    words
        .split(',')
        .filter(|word| !word.is_empty())
        .map(|word| read("role", word))
        .collect()
}

fn party(row: &SqliteRow) -> Result<Party, StoreError> {
    Ok(Party {
        id: read("party", row.try_get("id")?)?,
        region: read("region", row.try_get("region")?)?,
        display_name: row.try_get("display_name")?,
        roles: roles(row.try_get("roles")?)?,
        approval_key: row.try_get("approval_key")?,
        enrolled: super::time(row.try_get("enrolled_us")?),
    })
}
