//! One-time enrolment codes, as digests.

use lingqu_core::{PartyId, Region, Role, Timestamp};
use lingqu_tlog::Hash;
use sqlx::Row;

use super::parties::{roles, words};
use super::{StoreError, Writing, read, read_hash};

/// What a code fixes of its newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) digest: Hash,
    /// Typed id of the party or node that may use it.
    pub(crate) subject: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) region: Region,
    /// The unit of a node.
    pub(crate) unit: Option<PartyId>,
    pub(crate) display_name: String,
    pub(crate) issued_by: PartyId,
    pub(crate) expires: Timestamp,
    pub(crate) used: Option<Timestamp>,
}

/// Enters a new code.
pub(crate) async fn insert(tx: &mut Writing, code: &Code) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO codes (digest, subject, roles, region, unit, display_name, issued_by, expires_us)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(code.digest.0.as_slice())
    .bind(&code.subject)
    .bind(words(&code.roles))
    .bind(code.region.as_str())
    .bind(code.unit.as_ref().map(PartyId::as_str))
    .bind(&code.display_name)
    .bind(code.issued_by.as_str())
    .bind(code.expires.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The code with this digest, used or not. The search is over digests of 160 random bits, so its timing tells nothing
/// that helps to guess one.
pub(crate) async fn find(tx: &mut Writing, digest: &Hash) -> Result<Option<Code>, StoreError> {
    let row = sqlx::query(
        "SELECT digest, subject, roles, region, unit, display_name, issued_by, expires_us, used_us
         FROM codes WHERE digest = ?",
    )
    .bind(digest.0.as_slice())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let unit: Option<&str> = row.try_get("unit")?;
    Ok(Some(Code {
        digest: read_hash("code", row.try_get("digest")?)?,
        subject: row.try_get("subject")?,
        roles: roles(row.try_get("roles")?)?,
        region: read("region", row.try_get("region")?)?,
        unit: unit.map(|unit| read("unit", unit)).transpose()?,
        display_name: row.try_get("display_name")?,
        issued_by: read("party", row.try_get("issued_by")?)?,
        expires: super::time(row.try_get("expires_us")?),
        used: row.try_get::<Option<i64>, _>("used_us")?.map(super::time),
    }))
}

/// Marks a code as used.
pub(crate) async fn use_up(
    tx: &mut Writing,
    digest: &Hash,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE codes SET used_us = ? WHERE digest = ? AND used_us IS NULL")
        .bind(now.0)
        .bind(digest.0.as_slice())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
