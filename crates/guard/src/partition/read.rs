//! Reading: tables in, what each entity has in each atomic cell out.
//!
//! The engine only scans; joins are lookups, groups are classes, entities are digests, so that there is no plan in which
//! a protected row could go anywhere else. Errors say which table, never which row.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Schema};
use datafusion::arrow::compute::cast;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use lingqu_policy::{Domain, DomainKind};
use ring::digest::{Context, SHA256};

use super::axes::{Axis, AxisName, Join, Path, What, places};
use super::register::{Collector, Digest, Kept, Register};
use crate::cells::bounded_column;
use crate::engine::Tables;
use crate::fence::Fence;
use crate::gate::Broken;
use crate::query::Measure;
use crate::safeguard::{Safeguard, stands};
use crate::tables::{is_integer, is_text};
use crate::template::Template;

/// Why tables cannot be read. Names tables, nothing in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFailed {
    /// A table that a product names is not there, or lacks a column, or has it of another type.
    #[error("table `{0}` is missing, or has other columns than the products were checked with")]
    Columns(String),
    /// A joined table has two rows of one key, so that joining would count rows twice.
    #[error("two rows of table `{0}` have the key by which it is joined")]
    KeyTwice(String),
    /// The tables take more memory than the limit.
    #[error("the tables take more memory than the limit allows")]
    Memory,
    /// A table cannot be scanned to its end, or not in time.
    #[error("table `{0}` cannot be read")]
    Source(String),
}

/// What is read and how much of it.
pub(crate) struct Reading<'a> {
    /// Their templates have one protected table.
    pub(crate) templates: &'a [&'a Template],
    pub(crate) axes: Vec<Axis>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) bytes_max: usize,
    /// Under which entities are digested.
    pub(crate) key: &'a [u8; 32],
}

/// The protected table's name and its entity column.
pub(crate) fn protected(template: &Template) -> (String, String) {
    let query = template.query();
    let rules = template.rules(query.protected);
    (rules.name.clone(), rules.column(query.entity).to_owned())
}

/// Reads all tables.
pub(crate) async fn read(
    reading: Reading<'_>,
    tables: &Tables,
    state: &SessionState,
) -> Result<Register, ReadFailed> {
    let Some(first) = reading.templates.first() else {
        return Err(ReadFailed::Columns(String::new()));
    };
    let (name, entity) = protected(first);
    check_schemas(reading.templates, tables)?;
    let mut lookups: BTreeMap<Join, Lookup> = BTreeMap::new();
    for axis in &reading.axes {
        if let Path::Joined(join) = &axis.name.path
            && !lookups.contains_key(join)
        {
            let lookup = Lookup::read(join, &reading, tables, state).await?;
            lookups.insert(join.clone(), lookup);
        }
    }
    let table = tables.get(&name).ok_or(ReadFailed::Columns(name.clone()))?;
    let mut columns: BTreeSet<String> = BTreeSet::from([entity.clone()]);
    columns.extend(reading.kept.iter().filter_map(|kept| match kept {
        Kept::Rows => None,
        Kept::Present(column) | Kept::Count(column, _) | Kept::Sum(column, _) => {
            Some(column.clone())
        }
    }));
    columns.extend(
        lookups
            .keys()
            .flat_map(|join| join.on.iter().map(|(mine, _)| mine.clone())),
    );
    for axis in &reading.axes {
        if let (Path::Own, What::Column(column)) = (&axis.name.path, &axis.name.what) {
            columns.insert(column.clone());
        }
    }
    let mut collector = Collector::new(reading.axes.clone(), reading.kept.clone());
    let source = || ReadFailed::Source(name.clone());
    let mut rows = scan(table, &columns, state).await.ok_or_else(source)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|_| source())?;
        collect(&mut collector, &reading, &lookups, &entity, &batch).ok_or_else(source)?;
        if collector.bytes() > reading.bytes_max {
            return Err(ReadFailed::Memory);
        }
    }
    collector.finish().map_err(|Broken| source())
}

/// Each table must still have the columns with which each template was checked.
fn check_schemas(templates: &[&Template], tables: &Tables) -> Result<(), ReadFailed> {
    for template in templates {
        let query = template.query();
        for scan in 0..query.scans.len() {
            let rules = template.rules(scan);
            let missing = || ReadFailed::Columns(rules.name.clone());
            let now = tables.get(&rules.name).ok_or_else(missing)?.schema();
            for column in query.columns_of(scan) {
                let field = rules.schema.field(column);
                let found = now.field_with_name(field.name()).map_err(|_| missing())?;
                if found.data_type() != field.data_type() {
                    return Err(missing());
                }
            }
        }
    }
    Ok(())
}

async fn scan(
    table: &Arc<dyn TableProvider>,
    columns: &BTreeSet<String>,
    state: &SessionState,
) -> Option<datafusion::execution::SendableRecordBatchStream> {
    let fenced = Fence {
        scan: 0,
        table: Arc::clone(table),
    };
    let schema = fenced.schema();
    let projection: Option<Vec<usize>> = columns
        .iter()
        .map(|column| schema.index_of(column).ok())
        .collect();
    let plan = fenced
        .scan(state, Some(&projection?), &[], None)
        .await
        .ok()?;
    execute_stream(plan, state.task_ctx()).ok()
}

/// Adds the rows of a batch; none if something is not as the templates were checked with.
fn collect(
    collector: &mut Collector,
    reading: &Reading<'_>,
    lookups: &BTreeMap<Join, Lookup>,
    entity: &str,
    batch: &RecordBatch,
) -> Option<()> {
    let schema = batch.schema();
    let column = |name: &str| Some(batch.column(schema.index_of(name).ok()?));
    let entities = Plain::of(column(entity)?)?;
    let mut matches: BTreeMap<&Join, Vec<Option<u32>>> = BTreeMap::new();
    for (join, lookup) in lookups {
        let keys: Option<Vec<Plain>> = join
            .on
            .iter()
            .map(|(mine, _)| Plain::of(column(mine)?))
            .collect();
        matches.insert(join, lookup.find(&keys?, batch.num_rows()));
    }
    let mut classes: Vec<Vec<u16>> = Vec::new();
    for axis in &reading.axes {
        let row_classes = match (&axis.name.path, &axis.name.what) {
            (Path::Own, What::Column(name)) => own_classes(axis, column(name)?)?,
            (Path::Own, What::Matched) => return None,
            (Path::Joined(join), _) => lookups.get(join)?.classes(axis, matches.get(join)?)?,
        };
        classes.push(row_classes);
    }
    let numbers: Option<Vec<Numbers>> = reading
        .kept
        .iter()
        .map(|kept| Numbers::of(kept, &column))
        .collect();
    let numbers = numbers?;
    let mut coordinates = vec![0_u16; classes.len()];
    let mut bytes = Vec::new();
    for row in 0..batch.num_rows() {
        bytes.clear();
        if !entities.write(row, &mut bytes) && stands(Safeguard::EntityPresent) {
            continue;
        }
        for (coordinate, column) in coordinates.iter_mut().zip(&classes) {
            *coordinate = column[row];
        }
        let digest = digest(reading.key, &bytes);
        let numbers = numbers.iter().map(|numbers| numbers.at(row));
        collector.add(&digest, &coordinates, numbers).ok()?;
    }
    Some(())
}

fn digest(key: &[u8; 32], value: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(key);
    context.update(value);
    let whole = context.finish();
    let mut digest = [0; 16];
    digest.copy_from_slice(&whole.as_ref()[..16]);
    digest
}

fn own_classes(axis: &Axis, values: &ArrayRef) -> Option<Vec<u16>> {
    let places = Plain::of(values)?.places(axis.domain.as_ref()?)?;
    Some(
        places
            .into_iter()
            .map(|place| axis.classes[place])
            .collect(),
    )
}

/// A column in one of the three forms in which values are compared.
enum Plain {
    Days(Date32Array),
    Integers(Int64Array),
    Texts(StringViewArray),
}

impl Plain {
    fn of(values: &ArrayRef) -> Option<Plain> {
        match values.data_type() {
            text if is_text(text) => {
                let texts = cast(values, &DataType::Utf8View).ok()?;
                Some(Plain::Texts(texts.as_string_view().clone()))
            }
            integer if is_integer(integer) => {
                let integers = cast(values, &DataType::Int64).ok()?;
                Some(Plain::Integers(
                    integers.as_primitive::<Int64Type>().clone(),
                ))
            }
            DataType::Date32 => Some(Plain::Days(values.as_primitive::<Date32Type>().clone())),
            _ => None,
        }
    }

    /// Appends the value so that different values have different bytes; false for NULL.
    fn write(&self, row: usize, bytes: &mut Vec<u8>) -> bool {
        match self {
            Plain::Days(days) if days.is_valid(row) => {
                bytes.push(1);
                bytes.extend(days.value(row).to_le_bytes());
            }
            Plain::Integers(integers) if integers.is_valid(row) => {
                bytes.push(2);
                bytes.extend(integers.value(row).to_le_bytes());
            }
            Plain::Texts(texts) if texts.is_valid(row) => {
                let text = texts.value(row);
                bytes.push(3);
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
            Plain::Days(_) | Plain::Integers(_) | Plain::Texts(_) => return false,
        }
        true
    }

    /// The raw place of each value in the domain; none if the domain is of another kind.
    fn places(&self, domain: &Domain) -> Option<Vec<usize>> {
        let null = places(Some(domain)) - 1;
        let or_null = |place: Option<usize>| place.unwrap_or(null);
        match (self, domain.kind()) {
            (Plain::Texts(values), DomainKind::Texts(known)) => {
                let place = |value: &str| {
                    let found = known.binary_search_by(|text| text.as_str().cmp(value));
                    found.unwrap_or(null - 1)
                };
                Some(values.iter().map(|v| or_null(v.map(place))).collect())
            }
            (Plain::Integers(values), DomainKind::Integers(known)) => {
                let place = |value: i64| known.binary_search(&value).unwrap_or(null - 1);
                Some(values.iter().map(|v| or_null(v.map(place))).collect())
            }
            (Plain::Integers(values), DomainKind::IntegerBins(edges)) => {
                let place = |value: i64| edges.partition_point(|edge| *edge <= value);
                Some(values.iter().map(|v| or_null(v.map(place))).collect())
            }
            (Plain::Days(values), DomainKind::DateBins(edges)) => {
                let edges: Vec<i32> = edges.iter().map(|edge| edge.days()).collect();
                let place = |value: i32| edges.partition_point(|edge| *edge <= value);
                Some(values.iter().map(|v| or_null(v.map(place))).collect())
            }
            _ => None,
        }
    }
}

/// One kept number of each row of a batch.
enum Numbers {
    Ones,
    Present(ArrayRef),
    Bounded(arrow_array::Decimal128Array, bool),
}

impl Numbers {
    fn of<'a>(kept: &Kept, column: &impl Fn(&str) -> Option<&'a ArrayRef>) -> Option<Numbers> {
        let bounded = |name: &str, measure: Measure, count| {
            let values = bounded_column(column(name)?, measure).ok()?;
            Some(Numbers::Bounded(values, count))
        };
        match kept {
            Kept::Rows => Some(Numbers::Ones),
            Kept::Present(name) => Some(Numbers::Present(Arc::clone(column(name)?))),
            Kept::Count(name, measure) => bounded(name, *measure, true),
            Kept::Sum(name, measure) => bounded(name, *measure, false),
        }
    }

    fn at(&self, row: usize) -> i128 {
        match self {
            Numbers::Ones => 1,
            Numbers::Present(values) => i128::from(values.is_valid(row)),
            Numbers::Bounded(values, _) if values.is_null(row) => 0,
            Numbers::Bounded(_, true) => 1,
            Numbers::Bounded(values, false) => values.value(row),
        }
    }
}

/// A joined table: its rows by key, and the raw places of its columns.
struct Lookup {
    keys: HashMap<Box<[u8]>, u32>,
    places: BTreeMap<AxisName, Vec<usize>>,
}

impl Lookup {
    async fn read(
        join: &Join,
        reading: &Reading<'_>,
        tables: &Tables,
        state: &SessionState,
    ) -> Result<Lookup, ReadFailed> {
        let failed = || ReadFailed::Source(join.table.clone());
        let missing = || ReadFailed::Columns(join.table.clone());
        let table = tables.get(&join.table).ok_or_else(missing)?;
        let mut columns: BTreeSet<String> =
            join.on.iter().map(|(_, other)| other.clone()).collect();
        let mut lookup = Lookup {
            keys: HashMap::new(),
            places: BTreeMap::new(),
        };
        let own = |axis: &&Axis| axis.name.path == Path::Joined(join.clone());
        for axis in reading.axes.iter().filter(own) {
            if let What::Column(column) = &axis.name.what {
                columns.insert(column.clone());
                lookup.places.insert(axis.name.clone(), Vec::new());
            }
        }
        let mut rows = scan(table, &columns, state).await.ok_or_else(failed)?;
        let mut bytes = 0_usize;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|_| failed())?;
            bytes = bytes.saturating_add(2 * batch.get_array_memory_size());
            if bytes > reading.bytes_max {
                return Err(ReadFailed::Memory);
            }
            let unique = lookup.add(join, reading, &batch).ok_or_else(failed)?;
            if !unique {
                return Err(ReadFailed::KeyTwice(join.table.clone()));
            }
        }
        Ok(lookup)
    }

    /// False if a key stands twice. A row with a NULL in its key joins nothing, so it may repeat.
    fn add(&mut self, join: &Join, reading: &Reading<'_>, batch: &RecordBatch) -> Option<bool> {
        let schema: &Schema = batch.schema_ref();
        let column = |name: &str| Some(batch.column(schema.index_of(name).ok()?));
        let mut first = 0;
        for (name, known) in &mut self.places {
            let axis = reading.axes.iter().find(|axis| axis.name == *name)?;
            let What::Column(of) = &name.what else {
                return None;
            };
            first = known.len();
            known.extend(Plain::of(column(of)?)?.places(axis.domain.as_ref()?)?);
        }
        if self.places.is_empty() {
            first = self.keys.len();
        }
        let keys: Option<Vec<Plain>> = join
            .on
            .iter()
            .map(|(_, other)| Plain::of(column(other)?))
            .collect();
        let keys = keys?;
        let mut bytes = Vec::new();
        for row in 0..batch.num_rows() {
            bytes.clear();
            if !keys.iter().all(|key| key.write(row, &mut bytes)) {
                continue;
            }
            let number = u32::try_from(first + row).ok()?;
            let twice = self.keys.insert(bytes.as_slice().into(), number).is_some();
            if twice && stands(Safeguard::JoinKeyOnce) {
                return Some(false);
            }
        }
        Some(true)
    }

    fn find(&self, keys: &[Plain], rows: usize) -> Vec<Option<u32>> {
        let mut bytes = Vec::new();
        (0..rows)
            .map(|row| {
                bytes.clear();
                let whole = keys.iter().all(|key| key.write(row, &mut bytes));
                whole.then(|| self.keys.get(bytes.as_slice()).copied())?
            })
            .collect()
    }

    /// The class of each row; what joins nothing has NULL in every column.
    fn classes(&self, axis: &Axis, found: &[Option<u32>]) -> Option<Vec<u16>> {
        if axis.name.what == What::Matched {
            let matched = |row: &Option<u32>| axis.classes[usize::from(row.is_some())];
            return Some(found.iter().map(matched).collect());
        }
        let known = self.places.get(&axis.name)?;
        let null = places(axis.domain.as_ref()) - 1;
        let place = |row: &Option<u32>| row.map_or(null, |row| known[row as usize]);
        Some(found.iter().map(|row| axis.classes[place(row)]).collect())
    }
}
