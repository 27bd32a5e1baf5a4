//! Cases of authorisation: their signed acts, and an index by state, party and region.

use lingqu_core::case::{Action, State};
use lingqu_core::grant::GrantKind;
use lingqu_core::{CaseId, GrantId, PartyId, Region, Timestamp};
use lingqu_tlog::Hash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, Writing, read, read_hash, time};

/// What the index says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CaseRow {
    /// Cases are listed in this order; 0 before the case is stored.
    pub(crate) place: i64,
    pub(crate) id: CaseId,
    pub(crate) kind: GrantKind,
    pub(crate) applicant: PartyId,
    pub(crate) agency: PartyId,
    pub(crate) region: Region,
    pub(crate) state: State,
    /// Day (UTC+8, since 1970) on which the case was opened.
    pub(crate) opened_day: i64,
    pub(crate) accepted: Timestamp,
    pub(crate) due: Timestamp,
    /// Only of a returned case.
    pub(crate) lapses: Option<Timestamp>,
    pub(crate) grant: Option<GrantId>,
}

impl CaseRow {
    /// The state now: what was returned and not supplemented in time has lapsed.
    pub(crate) fn state_at(&self, now: Timestamp) -> State {
        match self.lapses {
            Some(lapses) if now >= lapses => State::Lapsed,
            Some(_) | None => self.state,
        }
    }
}

/// One stored act of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActRow {
    pub(crate) action: Action,
    pub(crate) actor: PartyId,
    pub(crate) at: Timestamp,
    /// The signed object: for most acts it is the only one. A unit signs a grant and no agreement.
    pub(crate) object: Option<Vec<u8>>,
    /// The grant that comes with an agreement.
    pub(crate) granted: Option<Vec<u8>>,
    /// Digest of everything that was signed, signatures included.
    pub(crate) evidence: Hash,
    /// Of an application: when the agency's review is overdue.
    pub(crate) due: Option<Timestamp>,
    /// Of a passed initial review: whose opinions are needed.
    pub(crate) reviewers: Vec<PartyId>,
}

/// Which cases to list.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// Who asks: what it takes part in is listed.
    pub(crate) party: PartyId,
    /// For a regulator: what lies in this region is listed too.
    pub(crate) region: Option<Region>,
    pub(crate) state: Option<State>,
    pub(crate) overdue_only: bool,
    pub(crate) now: Timestamp,
    pub(crate) after: i64,
    pub(crate) count: u32,
}

const COLUMNS: &str = "cases.place, id, kind, applicant, agency, region, state, opened_day, accepted_us, due_us, lapses_us, grant_id";

impl Store {
    /// The index of a case.
    pub(crate) async fn case(&self, id: &CaseId) -> Result<Option<CaseRow>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM cases WHERE id = ?"
        )))
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(case).transpose()
    }

    /// Whether a case proposed this grant.
    pub(crate) async fn case_of_grant(&self, id: &GrantId) -> Result<Option<CaseId>, StoreError> {
        let row = sqlx::query("SELECT id FROM cases WHERE grant_id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| read("case", row.try_get(0)?)).transpose()
    }

    /// The acts of a case, in order. Each must be in the outbox under the same evidence, and none more.
    pub(crate) async fn case_acts(
        &self,
        place: i64,
        id: &CaseId,
    ) -> Result<Vec<ActRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT case_acts.action, case_acts.actor, at_us, object, granted, evidence, due_us, reviewers
             FROM case_acts JOIN acts ON acts.seq = case_acts.act AND acts.digest = evidence
             WHERE place = ? ORDER BY position",
        )
        .bind(place)
        .fetch_all(&self.pool)
        .await?;
        let logged: i64 = sqlx::query(
            "SELECT count(*) FROM acts WHERE subject = ? AND substr(action, 1, 5) = 'case_'",
        )
        .bind(id.as_str())
        .fetch_one(&self.pool)
        .await?
        .try_get(0)?;
        if usize::try_from(logged).ok() != Some(rows.len()) {
            return Err(StoreError::Corrupt("case"));
        }
        rows.iter().map(act).collect()
    }

    /// The cases that the party may see, oldest first.
    pub(crate) async fn list_cases(&self, listing: &Listing) -> Result<Vec<CaseRow>, StoreError> {
        // Everything that varies is bound; the text is put together from constants alone. Division codes are digits, so
        // a colon ends what begins with one.
        let sql = format!(
            "SELECT {COLUMNS} FROM cases
             WHERE place > ?1
               AND (place IN (SELECT place FROM case_parties WHERE party = ?2)
                    OR (?3 IS NOT NULL AND region >= ?3 AND region < ?3 || ':'))
               AND (?4 IS NULL
                    OR (state = ?4 AND (?4 <> 'RETURNED' OR lapses_us > ?5))
                    OR (?4 = 'LAPSED' AND state = 'RETURNED' AND lapses_us <= ?5))
               AND (?6 = 0 OR (due_us <= ?5 AND state IN ('SUBMITTED', 'INITIAL_REVIEW')))
             ORDER BY place LIMIT ?7"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(listing.after)
            .bind(listing.party.as_str())
            .bind(listing.region.as_ref().map(Region::as_str))
            .bind(listing.state.map(State::as_str))
            .bind(listing.now.0)
            .bind(i64::from(listing.overdue_only))
            .bind(listing.count)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(case).collect()
    }

    /// Whether the party takes part in the case.
    pub(crate) async fn takes_part(&self, place: i64, party: &PartyId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM case_parties WHERE party = ? AND place = ?")
            .bind(party.as_str())
            .bind(place)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    /// How many cases of the applicant are open now, and how many it opened on this day.
    pub(crate) async fn case_counts(
        &self,
        applicant: &PartyId,
        now: Timestamp,
    ) -> Result<(u64, u64), StoreError> {
        let open: Vec<&str> = State::ALL
            .iter()
            .filter(|state| state.is_open())
            .map(|state| state.as_str())
            .collect();
        let open = format!(
            "SELECT count(*) FROM cases WHERE applicant = ? AND state IN ('{}')
               AND (lapses_us IS NULL OR lapses_us > ?)",
            open.join("', '")
        );
        let open: i64 = sqlx::query(sqlx::AssertSqlSafe(open))
            .bind(applicant.as_str())
            .bind(now.0)
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let today: i64 =
            sqlx::query("SELECT count(*) FROM cases WHERE applicant = ? AND opened_day = ?")
                .bind(applicant.as_str())
                .bind(now.day_utc8())
                .fetch_one(&self.pool)
                .await?
                .try_get(0)?;
        let count = |count: i64| u64::try_from(count).map_err(|_| StoreError::Corrupt("count"));
        Ok((count(open)?, count(today)?))
    }

    /// The credential of an agreement, as an encoded envelope.
    pub(crate) async fn credential(&self, agreement: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT credential FROM credentials WHERE agreement = ?")
            .bind(agreement.0.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

/// Enters a case, or writes its new state; gives its place.
pub(crate) async fn put(tx: &mut Writing, row: &CaseRow) -> Result<i64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO cases (id, kind, applicant, agency, region, state, opened_day, accepted_us, due_us, lapses_us, grant_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, accepted_us = excluded.accepted_us,
             due_us = excluded.due_us, lapses_us = excluded.lapses_us, grant_id = excluded.grant_id,
             region = excluded.region
         RETURNING place",
    )
    .bind(row.id.as_str())
    .bind(kind_word(row.kind))
    .bind(row.applicant.as_str())
    .bind(row.agency.as_str())
    .bind(row.region.as_str())
    .bind(row.state.as_str())
    .bind(row.opened_day)
    .bind(row.accepted.0)
    .bind(row.due.0)
    .bind(row.lapses.map(|lapses| lapses.0))
    .bind(row.grant.as_ref().map(GrantId::as_str))
    .fetch_one(&mut **tx)
    .await?;
    Ok(done.try_get(0)?)
}

/// Enters an act of the case at `place`; its act in the outbox has the number `act`.
pub(crate) async fn insert_act(
    tx: &mut Writing,
    place: i64,
    position: usize,
    row: &ActRow,
    act: i64,
) -> Result<(), StoreError> {
    let reviewers: Vec<&str> = row.reviewers.iter().map(PartyId::as_str).collect();
    sqlx::query(
        "INSERT INTO case_acts (place, position, action, actor, at_us, object, granted, evidence, due_us, reviewers, act)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(place)
    .bind(i64::try_from(position).map_err(|_| StoreError::Corrupt("position"))?)
    .bind(row.action.as_str())
    .bind(row.actor.as_str())
    .bind(row.at.0)
    .bind(&row.object)
    .bind(&row.granted)
    .bind(row.evidence.0.as_slice())
    .bind(row.due.map(|due| due.0))
    .bind(reviewers.join(","))
    .bind(act)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Enters that the parties take part.
pub(crate) async fn insert_parties(
    tx: &mut Writing,
    place: i64,
    parties: &[PartyId],
) -> Result<(), StoreError> {
    for party in parties {
        sqlx::query("INSERT OR IGNORE INTO case_parties (party, place) VALUES (?, ?)")
            .bind(party.as_str())
            .bind(place)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Enters the one credential of an agreement.
pub(crate) async fn insert_credential(
    tx: &mut Writing,
    agreement: &Hash,
    credential: &[u8],
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO credentials (agreement, credential) VALUES (?, ?)")
        .bind(agreement.0.as_slice())
        .bind(credential)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn kind_word(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Catalog => "catalog",
        GrantKind::Scenario => "scenario",
    }
}

fn case(row: &SqliteRow) -> Result<CaseRow, StoreError> {
    let grant: Option<&str> = row.try_get("grant_id")?;
    let lapses: Option<i64> = row.try_get("lapses_us")?;
    Ok(CaseRow {
        place: row.try_get("place")?,
        id: read("case", row.try_get("id")?)?,
        kind: match row.try_get("kind")? {
            "catalog" => GrantKind::Catalog,
            "scenario" => GrantKind::Scenario,
            _ => return Err(StoreError::Corrupt("case")),
        },
        applicant: read("party", row.try_get("applicant")?)?,
        agency: read("party", row.try_get("agency")?)?,
        region: read("region", row.try_get("region")?)?,
        state: read("case", row.try_get("state")?)?,
        opened_day: row.try_get("opened_day")?,
        accepted: time(row.try_get("accepted_us")?),
        due: time(row.try_get("due_us")?),
        lapses: lapses.map(time),
        grant: grant.map(|grant| read("grant", grant)).transpose()?,
    })
}

fn act(row: &SqliteRow) -> Result<ActRow, StoreError> {
    let due: Option<i64> = row.try_get("due_us")?;
    let reviewers: &str = row.try_get("reviewers")?;
    let reviewers = reviewers.split(',').filter(|party| !party.is_empty());
    Ok(ActRow {
        action: read("case", row.try_get("action")?)?,
        actor: read("party", row.try_get("actor")?)?,
        at: time(row.try_get("at_us")?),
        object: row.try_get("object")?,
        granted: row.try_get("granted")?,
        evidence: read_hash("case", row.try_get("evidence")?)?,
        due: due.map(time),
        reviewers: reviewers
            .map(|party| read("party", party))
            .collect::<Result<_, _>>()?,
    })
}
