//! Filed objects, their filings and whom they concern.

use lingqu_tlog::Hash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read_hash};

/// A filed object and the coordinator's filing of it, both as encoded envelopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) digest: Hash,
    pub(crate) envelope: Vec<u8>,
    pub(crate) filing: Vec<u8>,
    pub(crate) number: String,
}

/// What makes an object one of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Payload type.
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) version: u32,
}

impl Store {
    /// The object of this type with this digest.
    pub(crate) async fn object_by_digest(
        &self,
        kind: &str,
        digest: &Hash,
    ) -> Result<Option<Object>, StoreError> {
        let row = sqlx::query(
            "SELECT digest, envelope, filing, number FROM objects WHERE type = ? AND digest = ?",
        )
        .bind(kind)
        .bind(digest.0.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(object).transpose()
    }

    /// The object with this identity.
    pub(crate) async fn object(&self, identity: &Identity) -> Result<Option<Object>, StoreError> {
        let row = sqlx::query(
            "SELECT digest, envelope, filing, number FROM objects
             WHERE type = ? AND id = ? AND version = ?",
        )
        .bind(identity.kind)
        .bind(&identity.id)
        .bind(identity.version)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(object).transpose()
    }

    /// Every version of the object with this id, oldest first.
    pub(crate) async fn versions(&self, kind: &str, id: &str) -> Result<Vec<Object>, StoreError> {
        let rows = sqlx::query(
            "SELECT digest, envelope, filing, number FROM objects
             WHERE type = ? AND id = ? ORDER BY version",
        )
        .bind(kind)
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(object).collect()
    }

    /// The objects of this type whose id begins with `prefix`, which ends in a slash.
    pub(crate) async fn objects_below(
        &self,
        kind: &str,
        prefix: &str,
    ) -> Result<Vec<Object>, StoreError> {
        // The slash's successor ends the range; LIKE would read the underscores of ids as wildcards.
        let end = format!("{}0", prefix.trim_end_matches('/'));
        let rows = sqlx::query(
            "SELECT digest, envelope, filing, number FROM objects
             WHERE type = ? AND id >= ? AND id < ?",
        )
        .bind(kind)
        .bind(prefix)
        .bind(end)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(object).collect()
    }

    /// Up to `count` logged objects after `after` that concern the node or its unit, oldest first, with their numbers.
    pub(crate) async fn objects_concerning(
        &self,
        node: &str,
        unit: &str,
        after: i64,
        count: u32,
    ) -> Result<Vec<(i64, Object)>, StoreError> {
        let rows = sqlx::query(
            "SELECT objects.seq, objects.digest, envelope, filing, number FROM objects
             JOIN acts ON acts.seq = objects.act
             WHERE objects.seq > ? AND acts.entry IS NOT NULL
               AND objects.seq IN (SELECT seq FROM concerns WHERE who IN (?, ?))
             ORDER BY objects.seq LIMIT ?",
        )
        .bind(after)
        .bind(node)
        .bind(unit)
        .bind(count)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("seq")?, object(row)?)))
            .collect()
    }
}

/// How many objects carry a filing number that begins with `year-`.
pub(crate) async fn count_in_year(tx: &mut Writing, year: i64) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM objects WHERE number LIKE ?")
        .bind(format!("{year}-%"))
        .fetch_one(&mut **tx)
        .await?;
    Ok(row.try_get(0)?)
}

/// Enters an object whose act has the number `act`, and whom it concerns.
pub(crate) async fn insert(
    tx: &mut Writing,
    identity: &Identity,
    object: &Object,
    act: i64,
    concerns: &[String],
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO objects (type, id, version, digest, envelope, filing, number, act)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(identity.kind)
    .bind(&identity.id)
    .bind(identity.version)
    .bind(object.digest.0.as_slice())
    .bind(&object.envelope)
    .bind(&object.filing)
    .bind(&object.number)
    .bind(act)
    .execute(&mut **tx)
    .await?;
    for who in concerns {
        sqlx::query("INSERT OR IGNORE INTO concerns (who, seq) VALUES (?, ?)")
            .bind(who)
            .bind(done.last_insert_rowid())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

pub(super) fn object(row: &SqliteRow) -> Result<Object, StoreError> {
    Ok(Object {
        digest: read_hash("object", row.try_get("digest")?)?,
        envelope: row.try_get("envelope")?,
        filing: row.try_get("filing")?,
        number: row.try_get("number")?,
    })
}
