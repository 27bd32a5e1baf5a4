//! Random registers with random schemas and policies, made of small numbers so that they shrink.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::arrow::compute::cast;
use datafusion::catalog::TableProvider;
use lingqu_policy::{AuditTerms, Day, Domain, Policy, Preset, Release, Use, UseSet};
use proptest::prelude::*;

use crate::engine::Tables;
use crate::tests::register::table;
use crate::{TableRules, Value};

/// Stands in every text that must not be seen.
pub(super) const SECRET: &str = "ZQXJ";
/// Stands in every number that must not be seen; no sum of what is drawn here comes near it.
pub(super) const DIGITS: &str = "7770000";

/// A value of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Val {
    Day(i32),
    Int(i64),
    Text(String),
}

/// What a column of dimensions is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Days,
    IntBins,
    Ints,
    Texts,
}

/// A column that may group or select.
#[derive(Clone, Debug)]
pub(super) struct Dim {
    pub(super) kind: Kind,
    /// Which of the widths that hold values of its kind.
    width: u8,
    /// How many values or bins are declared.
    declared: usize,
    pub(super) uses: u8,
    pub(super) sensitive: bool,
}

const DAYS: [&str; 5] = [
    "2020-01-01",
    "2020-02-01",
    "2020-03-01",
    "2020-04-01",
    "2020-05-01",
];

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

impl Dim {
    pub(super) fn domain(&self) -> Domain {
        let n = self.declared;
        match self.kind {
            Kind::Texts => {
                let texts = ["ant", "bee", "cow", "dog"][..n]
                    .iter()
                    .map(|t| (*t).to_owned());
                Domain::texts(texts.collect()).unwrap()
            }
            Kind::Ints => Domain::integers((1..=n as i64).collect()).unwrap(),
            Kind::IntBins => {
                Domain::integer_bins((0..=n as i64).map(|e| e * 10).collect()).unwrap()
            }
            Kind::Days => Domain::date_bins(DAYS[..=n].iter().map(|d| day(d)).collect()).unwrap(),
        }
    }

    /// The declared values or edges as callers write them.
    pub(super) fn words(&self) -> Vec<Value> {
        let n = self.declared;
        match self.kind {
            Kind::Texts => {
                let texts = ["ant", "bee", "cow", "dog"][..n].iter();
                texts.map(|t| Value::Text((*t).to_owned())).collect()
            }
            Kind::Ints => (1..=n as i64).map(Value::Integer).collect(),
            Kind::IntBins => (0..=n as i64).map(|e| Value::Integer(e * 10)).collect(),
            Kind::Days => DAYS[..=n]
                .iter()
                .map(|d| Value::Text((*d).to_owned()))
                .collect(),
        }
    }

    /// The value that a small number stands for: NULL, a declared one, or one that nobody declared.
    pub(super) fn value(&self, code: u8) -> Option<Val> {
        let code = usize::from(code % 6);
        let within = code.checked_sub(1)?;
        Some(match self.kind {
            Kind::Texts => Val::Text(
                match ["ant", "bee", "cow", "dog"][..self.declared].get(within) {
                    Some(text) => (*text).to_owned(),
                    None => format!("{SECRET}-{within}"),
                },
            ),
            Kind::Ints if within < self.declared => Val::Int(within as i64 + 1),
            Kind::Ints => Val::Int(if self.width % 4 < 2 { 7_770_000 } else { 99 }),
            Kind::IntBins => Val::Int(within as i64 * 9 - 3),
            Kind::Days => Val::Day(day(DAYS[0]).days() - 10 + within as i32 * 35),
        })
    }

    fn data_type(&self) -> DataType {
        let types: &[DataType] = match self.kind {
            Kind::Texts => &[DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View],
            Kind::Ints | Kind::IntBins => &[
                DataType::Int64,
                DataType::Int32,
                DataType::Int8,
                DataType::Int16,
            ],
            Kind::Days => &[DataType::Date32],
        };
        types[usize::from(self.width) % types.len()].clone()
    }

    fn uses(&self) -> UseSet {
        let uses: &[Use] = match self.uses {
            0..=10 => &[Use::Group, Use::Filter],
            11 => &[Use::Group],
            12 => &[Use::Filter],
            13 => &[Use::Aggregate],
            14 => &[Use::Show],
            _ => &[],
        };
        uses.iter().copied().collect()
    }
}

/// A column that may be summed.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) width: u8,
    pub(super) low: i64,
    pub(super) high: i64,
    open: bool,
}

impl Measure {
    fn data_type(&self) -> DataType {
        match self.width % 4 {
            0 => DataType::Int64,
            1 => DataType::Int32,
            2 => DataType::Float64,
            _ => DataType::Decimal128(12, 2),
        }
    }

    /// Digits after the point of sums.
    pub(super) fn scale(&self) -> u32 {
        if self.width % 4 < 2 { 0 } else { 6 }
    }

    /// The number in which it is summed, brought into its bounds; none for NULL and for what is no number.
    pub(super) fn clamped(&self, code: i16) -> Option<i128> {
        let raw = self.raw(code)?;
        if raw.is_nan() {
            return None;
        }
        let inside = raw.clamp(self.low as f64, self.high as f64);
        Some((inside * 10_f64.powi(self.scale() as i32)).round() as i128)
    }

    /// Whether there is a value, be it no number.
    pub(super) fn is_present(&self, code: i16) -> bool {
        self.raw(code).is_some()
    }

    fn raw(&self, code: i16) -> Option<f64> {
        match code {
            -1 if self.width % 4 != 2 => None,
            -2 => None,
            -1 => Some(f64::NAN),
            // One that stands out far beyond the bounds.
            0 => Some(70_000.0),
            other if self.width % 4 < 2 => Some(f64::from(other)),
            other => Some(f64::from(other) * 0.25),
        }
    }

    fn column(&self, codes: impl Iterator<Item = i16>) -> ArrayRef {
        let floats: Float64Array = codes.map(|code| self.raw(code)).collect();
        cast(&floats, &self.data_type()).unwrap()
    }
}

/// One row of the protected table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// 0 is nobody.
    pub(super) entity: u8,
    pub(super) dims: [u8; 3],
    pub(super) measures: [i16; 2],
}

/// A register.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) text_entity: bool,
    pub(super) dims: Vec<Dim>,
    pub(super) measures: Vec<Measure>,
    pub(super) rows: Vec<Row>,
    pub(super) group_min: u32,
    pub(super) dominance: u8,
    pub(super) p_percent: u8,
    pub(super) round_to: u32,
    /// Whether the public table has one key twice.
    pub(super) twice: bool,
    pub(super) functions: u8,
}

/// The attribute of a public row with this key.
pub(super) fn attribute(key: &Val) -> Option<&'static str> {
    let number = match key {
        Val::Day(days) => i64::from(*days),
        Val::Int(number) => *number,
        Val::Text(text) => text.len() as i64 + i64::from(text.as_bytes()[0]),
    };
    [Some("east"), Some("west"), None, Some("nowhere")][number.rem_euclid(4) as usize]
}

/// What another protected table says of an entity; most have a row there.
pub(super) fn class(entity: u8) -> Option<Option<i64>> {
    match entity % 5 {
        4 => None,
        3 => Some(None),
        class => Some(Some(i64::from(class % 2) + 1)),
    }
}

pub(super) const ATTRIBUTES: [&str; 2] = ["east", "west"];

impl World {
    pub(super) fn terms(&self) -> Release {
        let named = ["average", "count", "entities", "sum"];
        let functions = named.into_iter().enumerate();
        let functions = functions.filter(|(at, _)| self.functions >> at & 1 == 0);
        let functions: Vec<lingqu_policy::Function> =
            functions.map(|(_, name)| name.parse().unwrap()).collect();
        Release::new(self.group_min, self.dominance, self.round_to, 5_000)
            .and_then(|terms| terms.with_p_percent(self.p_percent))
            .and_then(|terms| terms.with_withheld_percent_max(50))
            .unwrap()
            .with_functions(functions.into_iter().collect())
    }

    /// Whether the unit lists the function.
    pub(super) fn lists(&self, function: usize) -> bool {
        self.functions >> function & 1 == 0
    }

    pub(super) fn rules(&self) -> Vec<TableRules> {
        let audit = || AuditTerms::Mirrored { wait_ms_max: 1_000 };
        let named = |columns: Vec<(String, UseSet)>| {
            Policy::new(columns, ["AUDIT".to_owned()], audit(), 600).unwrap()
        };
        let entity = Preset::Entity.uses();
        let public = Preset::Public.uses();
        let dimension = Preset::Dimension.uses();
        let mut columns = vec![("id".to_owned(), entity)];
        for (at, dim) in self.dims.iter().enumerate() {
            columns.push((format!("d{at}"), dim.uses()));
        }
        for (at, measure) in self.measures.iter().enumerate() {
            let uses = if measure.open {
                Preset::Measure
            } else {
                Preset::Forbidden
            };
            columns.push((format!("m{at}"), uses.uses()));
        }
        columns.push(("hidden".to_owned(), Preset::Forbidden.uses()));
        let mut main = named(columns);
        for (at, dim) in self.dims.iter().enumerate() {
            main = main.with_domain(&format!("d{at}"), dim.domain()).unwrap();
            if dim.sensitive {
                main = main.with_sensitive(&format!("d{at}")).unwrap();
            }
        }
        for (at, measure) in self.measures.iter().enumerate() {
            let bounds = Domain::bounds(measure.low, measure.high).unwrap();
            main = main.with_domain(&format!("m{at}"), bounds).unwrap();
        }
        let main = main
            .with_space("id", "people")
            .unwrap()
            .with_release(self.terms());
        let words = ATTRIBUTES.map(str::to_owned).to_vec();
        let places = named(vec![
            ("pkey".to_owned(), public),
            ("attr".to_owned(), public),
        ])
        .with_domain("attr", Domain::texts(words).unwrap())
        .unwrap();
        let others = named(vec![
            ("oid".to_owned(), entity),
            ("class".to_owned(), dimension),
        ])
        .with_domain("class", Domain::integers(vec![1, 2]).unwrap())
        .and_then(|p| p.with_space("oid", "people"))
        .unwrap()
        .with_release(self.terms());
        let rules = |name: &str, batch: RecordBatch, policy: Policy| TableRules {
            name: name.to_owned(),
            schema: batch.schema(),
            policy: Arc::new(policy),
        };
        vec![
            rules("main", self.main(&[]), main),
            rules("places", self.places(), places),
            rules("others", self.others(), others),
        ]
    }

    fn entity_column(&self, entities: impl Iterator<Item = u8>) -> ArrayRef {
        let present = entities.map(|entity| (entity > 0).then_some(entity));
        match self.text_entity {
            true => {
                let text = |entity| format!("{SECRET}-E{entity}");
                Arc::new(present.map(|e| e.map(text)).collect::<StringArray>())
            }
            false => {
                let number = |entity| 777_000_000_i64 + i64::from(entity);
                Arc::new(present.map(|e| e.map(number)).collect::<Int64Array>())
            }
        }
    }

    fn dim_column(dim: &Dim, values: impl Iterator<Item = Option<Val>>) -> ArrayRef {
        let values: Vec<Option<Val>> = values.collect();
        let plain: ArrayRef = match dim.kind {
            Kind::Texts => Arc::new(
                { values.into_iter() }
                    .map(|v| match v {
                        Some(Val::Text(text)) => Some(text),
                        _ => None,
                    })
                    .collect::<StringArray>(),
            ),
            Kind::Ints | Kind::IntBins => Arc::new(
                { values.into_iter() }
                    .map(|v| match v {
                        Some(Val::Int(number)) => Some(number),
                        _ => None,
                    })
                    .collect::<Int64Array>(),
            ),
            Kind::Days => Arc::new(
                { values.into_iter() }
                    .map(|v| match v {
                        Some(Val::Day(days)) => Some(days),
                        _ => None,
                    })
                    .collect::<Date32Array>(),
            ),
        };
        cast(&plain, &dim.data_type()).unwrap()
    }

    pub(super) fn main(&self, rows: &[Row]) -> RecordBatch {
        let mut columns = vec![(
            "id".to_owned(),
            self.entity_column(rows.iter().map(|r| r.entity)),
        )];
        for (at, dim) in self.dims.iter().enumerate() {
            let values = rows.iter().map(|row| dim.value(row.dims[at]));
            columns.push((format!("d{at}"), Self::dim_column(dim, values)));
        }
        for (at, measure) in self.measures.iter().enumerate() {
            let codes = rows.iter().map(|row| row.measures[at]);
            columns.push((format!("m{at}"), measure.column(codes)));
        }
        let hidden: StringArray = rows.iter().map(|_| Some(format!("{SECRET}-H"))).collect();
        columns.push(("hidden".to_owned(), Arc::new(hidden)));
        batch(columns)
    }

    /// Every value of the first dimension, with its attribute.
    fn places(&self) -> RecordBatch {
        let dim = &self.dims[0];
        let mut keys: Vec<Val> = (1..6).filter_map(|code| dim.value(code)).collect();
        keys.sort();
        keys.dedup();
        // One key joins nothing.
        keys.pop();
        if self.twice
            && let Some(first) = keys.first().cloned()
        {
            keys.push(first);
        }
        let attributes: StringArray = keys.iter().map(attribute).collect();
        let keys = Self::dim_column(dim, keys.into_iter().map(Some));
        batch(vec![
            ("pkey".to_owned(), keys),
            ("attr".to_owned(), Arc::new(attributes)),
        ])
    }

    fn others(&self) -> RecordBatch {
        let entities: Vec<u8> = (1..60).filter(|entity| class(*entity).is_some()).collect();
        let classes: Int64Array = entities
            .iter()
            .map(|entity| class(*entity).flatten())
            .collect();
        let ids = self.entity_column(entities.into_iter());
        batch(vec![
            ("oid".to_owned(), ids),
            ("class".to_owned(), Arc::new(classes)),
        ])
    }

    /// The tables with these rows.
    pub(super) fn tables(&self, rows: &[Row]) -> Tables {
        let parts = [
            ("main", self.main(rows)),
            ("places", self.places()),
            ("others", self.others()),
        ];
        parts
            .into_iter()
            .map(|(name, batch)| (name.to_owned(), table(batch) as Arc<dyn TableProvider>))
            .collect()
    }
}

fn batch(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = { columns.iter() }
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn dims() -> impl Strategy<Value = Vec<Dim>> {
    let kind = prop::sample::select(vec![Kind::Texts, Kind::Ints, Kind::IntBins, Kind::Days]);
    let dim = (
        kind,
        any::<u8>(),
        1..=4_usize,
        0..16_u8,
        prop::bool::weighted(0.15),
    );
    let dim = dim.prop_map(|(kind, width, declared, uses, sensitive)| Dim {
        kind,
        width,
        declared,
        uses,
        sensitive,
    });
    prop::collection::vec(dim, 1..=3)
}

fn measures() -> impl Strategy<Value = Vec<Measure>> {
    let bounds = prop::sample::select(vec![(0, 100), (-50, 50), (10, 20)]);
    let measure = (any::<u8>(), bounds, prop::bool::weighted(0.9));
    let measure = measure.prop_map(|(width, (low, high), open)| Measure {
        width,
        low,
        high,
        open,
    });
    prop::collection::vec(measure, 1..=2)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Few entities in many rows, so that cells lie on both sides of the threshold.
    let row = (
        0..45_u8,
        prop::array::uniform3(0..6_u8),
        prop::array::uniform2(-2..90_i16),
    );
    let row = row.prop_map(|(entity, dims, measures)| Row {
        entity,
        dims,
        measures,
    });
    prop::collection::vec(row, 0..260)
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let terms = (
        10..=13_u32,
        prop::sample::select(vec![20_u8, 50, 90]),
        prop::sample::select(vec![1_u8, 10, 60]),
        prop::sample::select(vec![1_u32, 5, 7]),
        prop::bool::weighted(0.05),
        prop_oneof![8 => Just(0_u8), 1 => 1..15_u8],
    );
    (any::<bool>(), dims(), measures(), rows(), terms).prop_map(
        |(text_entity, dims, measures, rows, terms)| World {
            text_entity,
            dims,
            measures,
            rows,
            group_min: terms.0,
            dominance: terms.1,
            p_percent: terms.2,
            round_to: terms.3,
            twice: terms.4,
            functions: terms.5,
        },
    )
}
