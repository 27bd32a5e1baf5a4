//! What an honest question must be answered, by bare DataFusion: first the figures that may be released, then what the
//! question makes of them.
//!
//! The bare engine says per group and entity what is contributed. From that follow, by the rules of the manual, the
//! groups that may be shown and their figures, rounded as declared or kept back. Over this table of figures the bare
//! engine evaluates the rest of the question: arithmetic, HAVING, ORDER BY and LIMIT see nothing else.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use lingqu_policy::DomainKind;

use super::question::{Asked, Figure, Output, Question};
use super::registers::{LEAST, ROUND_TO, SHARE, Table};

/// A register in the bare engine.
pub(crate) struct Oracle {
    tables: Vec<Table>,
    bare: SessionContext,
}

/// Groups that were shown, and groups that were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) shown: usize,
    pub(crate) hidden: usize,
}

/// What one entity has of a figure: a sum and a number of values.
type Part = (f64, f64);
/// Per group, per figure the parts of its entities.
type Parts = BTreeMap<Vec<Option<String>>, Vec<Vec<Part>>>;

impl Oracle {
    pub(crate) fn new(tables: Vec<Table>) -> Oracle {
        let bare = SessionContext::new();
        for table in &tables {
            let schema = table.batches[0].schema();
            let rows = MemTable::try_new(schema, vec![table.batches.clone()]).unwrap();
            bare.register_table(table.name, Arc::new(rows)).unwrap();
        }
        Oracle { tables, bare }
    }

    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Holds an answer against the bare engine.
    ///
    /// # Panics
    /// If it is another one.
    pub(crate) async fn check(&self, question: &Question, answer: &RecordBatch) -> Told {
        let sql = question.sql;
        let parts = self.parts(question).await;
        let (figures, told) = self.released(question, &parts);
        let wanted = if figures.num_rows() == 0 {
            Vec::new()
        } else {
            outputs(question, figures).await
        };
        let keys = question.keys.len();
        let got = ordered_as_written(question, answer);
        let limit = question.limit.unwrap_or(usize::MAX).min(wanted.len());
        assert_eq!(got.len(), limit, "{sql}: {got:?}, not {wanted:?}");
        let by_group: BTreeMap<&[Cell], &[Cell]> =
            { wanted.iter() }.map(|row| row.split_at(keys)).collect();
        for row in &got {
            let (group, cells) = row.split_at(keys);
            let wanted = { by_group.get(group) }.unwrap_or_else(|| panic!("{sql}: {group:?}"));
            let same = cells.iter().zip(*wanted).all(|(one, other)| one.is(other));
            assert!(same, "{sql}: {group:?} {cells:?}, not {wanted:?}");
        }
        if let Some(order) = question.order {
            in_order(question, order, &got, &wanted);
        }
        told
    }

    async fn parts(&self, question: &Question) -> Parts {
        let sql = parts_sql(question);
        let read = self.bare.sql(&sql).await;
        let frame = read.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let keys = question.keys.len();
        let mut parts = Parts::new();
        for batch in frame.collect().await.unwrap() {
            let columns: Vec<_> = batch.columns()[keys..].iter().map(floats).collect();
            for row in 0..batch.num_rows() {
                let group = { batch.columns()[..keys].iter() }.map(|key| text(key, row));
                let group = parts.entry(group.collect()).or_default();
                group.resize(question.figures.len(), Vec::new());
                for (figure, pair) in columns.chunks(2).enumerate() {
                    let number = |column: &Vec<Option<f64>>| column[row].unwrap_or(0.0);
                    group[figure].push((number(&pair[0]), number(&pair[1])));
                }
            }
        }
        parts
    }

    /// The groups that may be shown with their figures, kept-back ones NULL.
    fn released(&self, question: &Question, parts: &Parts) -> (RecordBatch, Told) {
        let enough = |figures: &&Vec<Vec<Part>>| figures[0].len() >= LEAST;
        let shown: Vec<_> = { parts.iter() }
            .filter(|(_, figures)| enough(figures))
            .collect();
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for key in 0..question.keys.len() {
            let texts = shown.iter().map(|(group, _)| group[key].clone());
            columns.push((format!("k{key}"), keys(texts.collect())));
        }
        for (at, figure) in question.figures.iter().enumerate() {
            let values = shown
                .iter()
                .map(|(_, parts)| self.figure(figure, &parts[at]));
            let values: Vec<Option<f64>> = values.collect();
            let column: ArrayRef = match self.is_whole(figure) {
                true => Arc::new(
                    { values.into_iter() }
                        .map(|value| value.map(|value| value.round() as i64))
                        .collect::<Int64Array>(),
                ),
                false => Arc::new(values.into_iter().collect::<Float64Array>()),
            };
            columns.push((format!("f{at}"), column));
        }
        let told = Told {
            shown: shown.len(),
            hidden: parts.len() - shown.len(),
        };
        (RecordBatch::try_from_iter(columns).unwrap(), told)
    }

    /// A figure as it may be shown.
    fn figure(&self, figure: &Figure, parts: &[Part]) -> Option<f64> {
        let (sums, counts): (Vec<f64>, Vec<f64>) = parts.iter().copied().unzip();
        let (total, count): (f64, f64) = (sums.iter().sum(), counts.iter().sum());
        let summed = || may_show_sum(&sums, &counts, self.bounds(figure));
        match figure.asked {
            Asked::Entities => Some(rounded(parts.len() as f64)),
            Asked::Count => may_show(&sums).then(|| rounded(total)),
            Asked::Sum => summed().then_some(total),
            Asked::Average => {
                let may = summed() && may_show(&counts) && rounded(count) > 0.0;
                may.then(|| total / rounded(count))
            }
        }
    }

    /// The declared bounds of the column of a sum or an average.
    fn bounds(&self, figure: &Figure) -> (f64, f64) {
        let column = figure.argument().rsplit('.').next().unwrap();
        let mut domains = { self.tables.iter() }.filter_map(|table| table.policy.domain(column));
        match domains.next().unwrap().kind() {
            DomainKind::Bounds { min, max } => (*min as f64, *max as f64),
            other => panic!("{figure:?}: {other:?}"),
        }
    }

    /// Whether it is a whole number: counts are, and sums of whole numbers.
    fn is_whole(&self, figure: &Figure) -> bool {
        let column = figure.argument().rsplit('.').next().unwrap();
        let of = |table: &Table| {
            let schema = table.batches[0].schema();
            let field = schema.field_with_name(column).ok()?;
            Some(field.data_type().is_integer())
        };
        match figure.asked {
            Asked::Count | Asked::Entities => true,
            Asked::Sum => self.tables.iter().find_map(of).unwrap(),
            Asked::Average => false,
        }
    }
}

/// Group columns as windows order them: whole numbers as such.
fn keys(texts: Vec<Option<String>>) -> ArrayRef {
    let numbers: Option<Vec<Option<i64>>> = { texts.iter() }
        .map(|text| match text {
            Some(text) => text.parse().ok().map(Some),
            None => Some(None),
        })
        .collect();
    match numbers {
        Some(numbers) => Arc::new(numbers.into_iter().collect::<Int64Array>()),
        None => Arc::new(texts.into_iter().collect::<StringArray>()),
    }
}

/// What each entity contributes to each group: keys, then two numbers per figure, a sum and a count.
fn parts_sql(question: &Question) -> String {
    let mut outputs: Vec<String> = question.keys.iter().map(|key| key.text.clone()).collect();
    for figure in &question.figures {
        outputs.extend(match figure.asked {
            Asked::Average => [figure.instead("sum"), figure.instead("count")],
            Asked::Count => [figure.text.clone(), "count(*)".to_owned()],
            Asked::Sum => [figure.text.clone(), figure.instead("count")],
            Asked::Entities => ["count(*)".to_owned(), "count(*)".to_owned()],
        });
    }
    let outputs: Vec<String> = { outputs.iter().enumerate() }
        .map(|(at, output)| format!("{output} AS o{at}"))
        .collect();
    let entity = question.entity();
    let groups = question.keys.iter().map(|key| key.text.as_str());
    let groups: Vec<&str> = groups.chain([entity]).collect();
    let rows = match question.body.split_once(" WHERE ") {
        Some((from, condition)) => format!("{from} WHERE ({condition}) AND"),
        None => format!("{} WHERE", question.body),
    };
    format!(
        "SELECT {} FROM {rows} {entity} IS NOT NULL GROUP BY {}",
        outputs.join(", "),
        groups.join(", ")
    )
}

/// What the question makes of released figures: all rows that HAVING keeps, the keys first.
async fn outputs(question: &Question, figures: RecordBatch) -> Vec<Vec<Cell>> {
    let keys = (0..question.keys.len()).map(|key| format!("k{key}"));
    let shown = question.shown.iter();
    let shown = shown.map(|output| question.over_figures(&output.text));
    let outputs: Vec<String> = { keys.chain(shown).enumerate() }
        .map(|(at, text)| format!("{text} AS o{at}"))
        .collect();
    let mut sql = format!("SELECT {} FROM r", outputs.join(", "));
    if let Some(having) = question.having {
        sql.push_str(&format!(" WHERE {}", question.over_figures(having)));
    }
    let context = SessionContext::new();
    context.register_batch("r", figures).unwrap();
    let read = context.sql(&sql).await;
    let frame = read.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await;
    let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
    cells(
        &concat_batches(&schema, &batches).unwrap(),
        question.keys.len(),
    )
}

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Number(f64),
    Text(String),
}

impl Eq for Cell {}

impl Ord for Cell {
    fn cmp(&self, other: &Cell) -> Ordering {
        match (self, other) {
            (Cell::Null, Cell::Null) => Ordering::Equal,
            (Cell::Null, _) | (Cell::Number(_), Cell::Text(_)) => Ordering::Less,
            (_, Cell::Null) | (Cell::Text(_), Cell::Number(_)) => Ordering::Greater,
            (Cell::Number(one), Cell::Number(other)) => one.total_cmp(other),
            (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Cell) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Cell {
    /// The same but for the last digits of a fraction.
    fn is(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Number(one), Cell::Number(other)) => {
                (one - other).abs() <= 1e-6 * other.abs().max(1.0)
            }
            _ => self == other,
        }
    }
}

/// Rows whose first columns are keys.
fn cells(batch: &RecordBatch, keys: usize) -> Vec<Vec<Cell>> {
    let numbers: Vec<_> = batch.columns()[keys..].iter().map(floats).collect();
    { 0..batch.num_rows() }
        .map(|row| {
            let groups = { batch.columns()[..keys].iter() }.map(|key| match text(key, row) {
                Some(text) => Cell::Text(text),
                None => Cell::Null,
            });
            let numbers = numbers
                .iter()
                .map(|column| column[row].map_or(Cell::Null, Cell::Number));
            groups.chain(numbers).collect()
        })
        .collect()
}

/// The rows of an answer with their keys first, by the names that the question gives.
fn ordered_as_written(question: &Question, answer: &RecordBatch) -> Vec<Vec<Cell>> {
    let names = question.keys.iter().chain(&question.shown);
    let schema = answer.schema();
    let places: Vec<usize> = names
        .map(|output| {
            let place = schema.index_of(&output.name);
            place.unwrap_or_else(|_| panic!("{}: no `{}`", question.sql, output.name))
        })
        .collect();
    assert_eq!(places.len(), answer.num_columns(), "{}", question.sql);
    cells(&answer.project(&places).unwrap(), question.keys.len())
}

/// The rows stand in the order that is asked for, and those that LIMIT leaves are the first ones. Groups are ordered as
/// their domain declares them, which this does not know, so only figures are looked at.
fn in_order(question: &Question, order: &str, got: &[Vec<Cell>], wanted: &[Vec<Cell>]) {
    let (name, descending) = match order.strip_suffix(" DESC") {
        Some(name) => (name, true),
        None => (order, false),
    };
    let is_key = |output: &Output| output.name == name || output.text == name;
    let Some(place) = { question.shown.iter() }.position(is_key) else {
        return;
    };
    let place = question.keys.len() + place;
    // NULL is larger than everything.
    let value = |row: &Vec<Cell>| match row[place] {
        Cell::Number(number) => number,
        Cell::Null | Cell::Text(_) => f64::INFINITY,
    };
    let mut best: Vec<f64> = wanted.iter().map(value).collect();
    best.sort_unstable_by(f64::total_cmp);
    if descending {
        best.reverse();
    }
    for (row, best) in got.iter().zip(best) {
        let same = Cell::Number(value(row)).is(&Cell::Number(best)) || value(row) == best;
        assert!(same, "{}: {row:?} where {best} belongs", question.sql);
    }
}

/// Counts are rounded half up.
fn rounded(count: f64) -> f64 {
    let base = f64::from(ROUND_TO);
    ((count + f64::from(ROUND_TO / 2)) / base).floor() * base
}

/// Whether enough contribute, none of them nearly all, none telling another.
fn may_show(parts: &[f64]) -> bool {
    let mut sizes: Vec<i128> = { parts.iter() }
        .map(|part| (part * 1e6).round().abs() as i128)
        .filter(|size| *size != 0)
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let total: i128 = sizes.iter().sum();
    sizes.len() >= LEAST
        && sizes[0] * 100 <= total * i128::from(SHARE)
        && (total - sizes[0] - sizes[1]) * 10 >= sizes[0]
}

/// The same for a sum: also of how far each part is from the bounds of its values.
fn may_show_sum(sums: &[f64], counts: &[f64], (min, max): (f64, f64)) -> bool {
    let part = sums.iter().fold(0.0_f64, |most, sum| most.max(sum.abs()));
    let hides = |bound: f64| {
        let mut away: Vec<f64> = { sums.iter().zip(counts) }
            .map(|(sum, count)| (sum - count * bound).abs())
            .collect();
        away.sort_unstable_by(|a, b| b.total_cmp(a));
        let total: f64 = away.iter().sum();
        away[0] * 100.0 <= total * f64::from(SHARE)
            && (total - away[0] - away[1]) * 10.0 >= away[0].max(part)
    };
    may_show(sums) && hides(min) && hides(max)
}

fn floats(column: &ArrayRef) -> Vec<Option<f64>> {
    let column = cast(column, &DataType::Float64).unwrap();
    let floats = column.as_any().downcast_ref::<Float64Array>().unwrap();
    floats.iter().collect()
}

fn text(column: &ArrayRef, row: usize) -> Option<String> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
    let shown = || formatter.value(row).to_string();
    // The engine's `date_trunc` shows the time of a day too.
    let day = |text: String| {
        text.strip_suffix("T00:00:00")
            .map(str::to_owned)
            .unwrap_or(text)
    };
    column.is_valid(row).then(|| day(shown()))
}
