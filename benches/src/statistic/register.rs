//! A generated register: who works where and for how much, several rows per person, the same on every run.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use lingqu_guard::TableRules;
use lingqu_policy::{AuditTerms, Domain, DpBudget, MicroRho, Policy, Preset, Release, Use};

/// The table's name.
pub(crate) const NAME: &str = "employment";
/// Groups of the statistic.
const REGIONS: usize = 12;
/// Largest base of a row; the smallest is [`BASE_MIN`].
const BASE_MAX: i64 = 30_000;
const BASE_MIN: i64 = 2_000;
/// Rows of one batch: as DataFusion makes them.
const BATCH: usize = 8_192;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("person", DataType::Utf8, false),
        Field::new("region", DataType::Utf8, false),
        Field::new("base", DataType::Int64, false),
    ]))
}

/// `rows` rows of `entities` persons in so many partitions.
pub(crate) fn table(
    (rows, entities): (usize, usize),
    partitions: usize,
) -> Result<MemTable, DataFusionError> {
    let mut parts = vec![Vec::new(); partitions.max(1)];
    for (number, first) in (0..rows).step_by(BATCH).enumerate() {
        let at = number % parts.len();
        parts[at].push(batch(first..rows.min(first + BATCH), entities.max(1))?);
    }
    MemTable::try_new(schema(), parts)
}

fn batch(rows: std::ops::Range<usize>, entities: usize) -> Result<RecordBatch, ArrowError> {
    let persons = StringArray::from_iter_values(
        rows.clone()
            .map(|row| format!("P{:08}", spread(row) % entities)),
    );
    // Where a row is from does not follow from the person, so that persons have rows in several groups.
    let regions = StringArray::from_iter_values(
        rows.clone()
            .map(|row| region(spread(row).rotate_right(29) % REGIONS)),
    );
    let bases = Int64Array::from_iter_values(rows.map(|row| {
        let drawn = spread(row).rotate_right(17) as i64;
        BASE_MIN + drawn.rem_euclid(BASE_MAX - BASE_MIN)
    }));
    let columns: Vec<ArrayRef> = vec![Arc::new(persons), Arc::new(regions), Arc::new(bases)];
    RecordBatch::try_new(schema(), columns)
}

/// The golden ratio's multiples are spread evenly; no randomness is needed, and none is wanted.
fn spread(row: usize) -> usize {
    row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize)
        .rotate_right(32)
}

fn region(number: usize) -> String {
    format!("4591{number:02}")
}

/// What the unit allows: groups by region of ten persons or more, the usual dominance, nothing rounded.
pub(crate) fn rules() -> TableRules {
    const FITS: &str = "the policy is written for this register";
    let both = [Use::Group, Use::Filter].into_iter().collect();
    let uses = [
        ("person", Preset::Entity.uses()),
        ("region", both),
        ("base", Preset::Measure.uses()),
    ];
    let uses = uses.map(|(column, uses)| (column.to_owned(), uses));
    let audit = AuditTerms::Mirrored { wait_ms_max: 5_000 };
    let release = Release::new(10, Release::DOMINANCE_PERCENT_USUAL, 1, 1_000).expect(FITS);
    let regions = Domain::texts((0..REGIONS).map(region).collect()).expect(FITS);
    let bounds = Domain::bounds(0, BASE_MAX).expect(FITS);
    let policy = Policy::new(uses, ["BENCH".to_owned()], audit, 600)
        .and_then(|policy| policy.with_domain("region", regions))
        .and_then(|policy| policy.with_domain("base", bounds))
        .expect(FITS)
        .with_release(release);
    TableRules {
        name: NAME.to_owned(),
        schema: schema(),
        policy: Arc::new(policy),
    }
}

/// The same, with a privacy budget for the space of the persons.
pub(crate) fn rules_with_budget() -> TableRules {
    const FITS: &str = "the budget is written for this register";
    let rules = rules();
    let policy = rules.policy.as_ref().clone();
    let policy = policy.with_space("person", "person").expect(FITS);
    let budget = DpBudget::new(MicroRho(1_000_000), 6).expect(FITS);
    TableRules {
        policy: Arc::new(policy.with_dp(budget)),
        ..rules
    }
}
