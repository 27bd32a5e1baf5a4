//! Random statements over a random register, as a tree that is written as SQL and that the model reads by itself.

use proptest::prelude::*;

use super::world::{ATTRIBUTES, Dim, Kind, Row, Val, World, attribute, class};
use crate::{Allowed, Parameter, ParameterKind, TemplateSource, Value};

/// A column that a statement groups or selects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Of the protected table, by its number.
    Dim(usize),
    /// Words for some of its values; only ever a key.
    Recoded(usize),
    /// `attr` of the public table.
    Attribute,
    /// `class` of the other protected table.
    Class,
}

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Average(usize),
    Entities,
    Present(usize),
    Rows,
    Sum(usize),
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Among,
    AtLeast,
    Below,
}

/// A condition. Its values are indexes into what is declared.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) column: Column,
    pub(super) test: Test,
    pub(super) values: Vec<usize>,
    /// Whether the first value is a parameter, whose place is its number.
    pub(super) is_parameter: bool,
}

/// How another table is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    No,
    Inner,
    Left,
}

/// A statement.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) places: Joined,
    pub(super) others: Joined,
    pub(super) keys: Vec<Column>,
    pub(super) figures: Vec<Figure>,
    pub(super) conditions: Vec<Condition>,
}

/// Values for the parameters: per condition, which declared value.
pub(super) type Choice = Vec<usize>;

/// The raw numbers of a statement, which shrink.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    joins: (u8, u8),
    keys: Vec<u8>,
    figures: Vec<(u8, u8)>,
    conditions: Vec<(u8, u8, Vec<u8>, bool)>,
}

pub(super) fn drawn() -> impl Strategy<Value = Drawn> {
    let condition = (
        any::<u8>(),
        any::<u8>(),
        prop::collection::vec(any::<u8>(), 1..4),
        prop::bool::weighted(0.4),
    );
    (
        (0..8_u8, 0..10_u8),
        prop::collection::vec(any::<u8>(), 0..3),
        prop::collection::vec((0..5_u8, any::<u8>()), 1..4),
        prop::collection::vec(condition, 0..3),
    )
        .prop_map(|(joins, keys, figures, conditions)| Drawn {
            joins,
            keys,
            figures,
            conditions,
        })
}

fn join(code: u8) -> Joined {
    match code {
        0 | 1 => Joined::Inner,
        2 => Joined::Left,
        _ => Joined::No,
    }
}

impl Asked {
    pub(super) fn of(drawn: &Drawn, world: &World) -> Asked {
        let (places, others) = (join(drawn.joins.0), join(drawn.joins.1));
        let mut columns: Vec<Column> = (0..world.dims.len()).map(Column::Dim).collect();
        if places != Joined::No {
            columns.push(Column::Attribute);
        }
        if others != Joined::No {
            columns.push(Column::Class);
        }
        let column = |code: u8| columns[usize::from(code) % columns.len()];
        let key = |code: u8| match (code % 4, column(code)) {
            (3, Column::Dim(at)) => Column::Recoded(at),
            (_, plain) => plain,
        };
        let mut keys: Vec<Column> = Vec::new();
        for key in drawn.keys.iter().map(|code| key(*code)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let measure = |code: u8| usize::from(code) % world.measures.len();
        let mut figures = Vec::new();
        for (kind, of) in &drawn.figures {
            let figure = match kind {
                0 => Figure::Rows,
                1 => Figure::Entities,
                2 => Figure::Present(measure(*of)),
                3 => Figure::Sum(measure(*of)),
                _ => Figure::Average(measure(*of)),
            };
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
        let conditions = drawn
            .conditions
            .iter()
            .map(|(of, test, values, is_parameter)| {
                let column = column(*of);
                let count = words(world, column).len();
                let among = !matches!(kind(world, column), Some(Kind::IntBins | Kind::Days));
                let test = match (among, test % 8) {
                    (true, 0) => Test::AtLeast,
                    (true, _) => Test::Among,
                    (false, 0) => Test::Among,
                    (false, odd) if odd % 2 == 1 => Test::AtLeast,
                    (false, _) => Test::Below,
                };
                let mut values: Vec<usize> =
                    values.iter().map(|v| usize::from(*v) % count).collect();
                values.sort_unstable();
                values.dedup();
                if test != Test::Among {
                    values.truncate(1);
                }
                Condition {
                    column,
                    test,
                    values,
                    is_parameter: *is_parameter,
                }
            });
        Asked {
            places,
            others,
            keys,
            figures,
            conditions: conditions.collect(),
        }
    }

    /// As SQL, with its parameters.
    pub(super) fn source(&self, world: &World) -> TemplateSource {
        let output = |key: &Column| match key {
            Column::Recoded(at) => format!("{} AS k{at}", cases(world, *at)),
            plain => name(*plain),
        };
        let mut outputs: Vec<String> = self.keys.iter().map(output).collect();
        for (at, figure) in self.figures.iter().enumerate() {
            let text = match figure {
                Figure::Average(of) => format!("avg(m{of})"),
                Figure::Entities => "count(distinct id)".to_owned(),
                Figure::Present(of) => format!("count(m{of})"),
                Figure::Rows => "count(*)".to_owned(),
                Figure::Sum(of) => format!("sum(m{of})"),
            };
            outputs.push(format!("{text} AS f{at}"));
        }
        let mut sql = format!("SELECT {} FROM main", outputs.join(", "));
        for (how, on) in [
            (self.places, "places ON d0 = pkey"),
            (self.others, "others ON id = oid"),
        ] {
            match how {
                Joined::No => {}
                Joined::Inner => sql.push_str(&format!(" JOIN {on}")),
                Joined::Left => sql.push_str(&format!(" LEFT JOIN {on}")),
            }
        }
        let mut parameters = Vec::new();
        let mut conditions = Vec::new();
        for (at, condition) in self.conditions.iter().enumerate() {
            let words = words(world, condition.column);
            let mut values: Vec<String> = condition
                .values
                .iter()
                .map(|v| written(&words[*v]))
                .collect();
            if condition.is_parameter {
                values[0] = format!("$p{at}");
                let allowed = match condition.test {
                    Test::Among => Allowed::Values(words),
                    Test::AtLeast | Test::Below => Allowed::Edges(words),
                };
                parameters.push(Parameter {
                    name: format!("p{at}"),
                    kind: match kind(world, condition.column) {
                        Some(Kind::Days) => ParameterKind::Date,
                        Some(Kind::IntBins | Kind::Ints) => ParameterKind::Integer,
                        Some(Kind::Texts) => ParameterKind::Text,
                        None if condition.column == Column::Class => ParameterKind::Integer,
                        None => ParameterKind::Text,
                    },
                    allowed,
                });
            }
            let column = name(condition.column);
            conditions.push(match (condition.test, values.as_slice()) {
                (Test::Among, [one]) => format!("{column} = {one}"),
                (Test::Among, several) => format!("{column} IN ({})", several.join(", ")),
                (Test::AtLeast, several) => format!("{column} >= {}", several[0]),
                (Test::Below, several) => format!("{column} < {}", several[0]),
            });
        }
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if !self.keys.is_empty() {
            let key = |key: &Column| match key {
                Column::Recoded(at) => cases(world, *at),
                plain => name(*plain),
            };
            let keys: Vec<String> = self.keys.iter().map(key).collect();
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        TemplateSource { sql, parameters }
    }

    /// The arguments of a choice.
    pub(super) fn arguments(&self, world: &World, choice: &Choice) -> Vec<(String, Value)> {
        let conditions = self.conditions.iter().zip(choice).enumerate();
        conditions
            .filter(|(_, (condition, _))| condition.is_parameter)
            .map(|(at, (condition, value))| {
                let words = words(world, condition.column);
                (format!("p{at}"), words[*value % words.len()].clone())
            })
            .collect()
    }

    /// The group of a row under a choice, as the answer would write it; none if it is not taken.
    pub(super) fn group(&self, world: &World, row: &Row, choice: &Choice) -> Option<Vec<String>> {
        let place = world.dims[0]
            .value(row.dims[0])
            .filter(|key| joins(&world.dims[0], key));
        let other = class(row.entity).filter(|_| row.entity > 0);
        if self.places == Joined::Inner && place.is_none() {
            return None;
        }
        if self.others == Joined::Inner && other.is_none() {
            return None;
        }
        let value = |column: Column| match column {
            Column::Dim(at) | Column::Recoded(at) => world.dims[at].value(row.dims[at]),
            Column::Attribute => { place.as_ref() }
                .and_then(attribute)
                .map(|text| Val::Text(text.to_owned())),
            Column::Class => other.flatten().map(Val::Int),
        };
        for (condition, chosen) in self.conditions.iter().zip(choice) {
            let words: Vec<Val> = { words(world, condition.column).into_iter() }
                .map(|word| plain(&word, kind(world, condition.column)))
                .collect();
            let mut wanted: Vec<&Val> = condition.values.iter().map(|at| &words[*at]).collect();
            if condition.is_parameter {
                wanted[0] = &words[*chosen % words.len()];
            }
            let value = value(condition.column)?;
            let taken = match condition.test {
                Test::Among => wanted.contains(&&value),
                Test::AtLeast => value >= *wanted[0],
                Test::Below => value < *wanted[0],
            };
            if !taken {
                return None;
            }
        }
        let shown = |column: &Column| shown(world, *column, value(*column));
        Some(self.keys.iter().map(shown).collect())
    }
}

/// The last of the keys joins nothing; see `World::places`.
fn joins(dim: &Dim, key: &Val) -> bool {
    let mut keys: Vec<Val> = (1..6).filter_map(|code| dim.value(code)).collect();
    keys.sort();
    keys.pop().is_some_and(|last| last != *key)
}

fn name(column: Column) -> String {
    match column {
        Column::Dim(at) | Column::Recoded(at) => format!("d{at}"),
        Column::Attribute => "attr".to_owned(),
        Column::Class => "class".to_owned(),
    }
}

fn kind(world: &World, column: Column) -> Option<Kind> {
    match column {
        Column::Dim(at) | Column::Recoded(at) => Some(world.dims[at].kind),
        Column::Attribute | Column::Class => None,
    }
}

/// The declared words of a column.
fn words(world: &World, column: Column) -> Vec<Value> {
    match column {
        Column::Dim(at) | Column::Recoded(at) => world.dims[at].words(),
        Column::Attribute => ATTRIBUTES.map(|text| Value::Text(text.to_owned())).to_vec(),
        Column::Class => vec![Value::Integer(1), Value::Integer(2)],
    }
}

/// Words for a column: of its first value, of the second and third, and of nothing else.
fn cases(world: &World, at: usize) -> String {
    let words: Vec<String> = world.dims[at].words().iter().map(written).collect();
    let name = format!("d{at}");
    match world.dims[at].kind {
        Kind::Texts | Kind::Ints => {
            let more = &words[1.min(words.len() - 1)..];
            format!(
                "CASE WHEN {name} = {} THEN 'first' WHEN {name} IN ({}) THEN 'more' ELSE 'rest' END",
                words[0],
                more.join(", ")
            )
        }
        Kind::IntBins | Kind::Days => format!(
            "CASE WHEN {name} >= {} AND {name} < {} THEN 'first' WHEN {name} >= {} THEN 'more' END",
            words[0], words[1], words[1]
        ),
    }
}

/// What [`cases`] makes of a value.
fn case(world: &World, at: usize, value: Option<&Val>) -> Option<&'static str> {
    let kind = world.dims[at].kind;
    let words: Vec<Val> = { world.dims[at].words().into_iter() }
        .map(|word| plain(&word, Some(kind)))
        .collect();
    match kind {
        Kind::Texts | Kind::Ints => match value {
            Some(value) if *value == words[0] => Some("first"),
            Some(value) if words.contains(value) => Some("more"),
            _ => Some("rest"),
        },
        Kind::IntBins | Kind::Days => match value? {
            value if *value >= words[1] => Some("more"),
            value if *value >= words[0] => Some("first"),
            _ => None,
        },
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
    }
}

fn plain(value: &Value, kind: Option<Kind>) -> Val {
    match (value, kind) {
        (Value::Integer(number), _) => Val::Int(*number),
        (Value::Text(day), Some(Kind::Days)) => {
            Val::Day(day.parse::<lingqu_policy::Day>().unwrap().days())
        }
        (Value::Text(text), _) => Val::Text(text.clone()),
    }
}

/// The declared word for a value, or the group of everything else.
fn shown(world: &World, column: Column, value: Option<Val>) -> String {
    let other = || "NULL".to_owned();
    if let Column::Recoded(at) = column {
        return case(world, at, value.as_ref()).map_or_else(other, str::to_owned);
    }
    let Some(value) = value else {
        return other();
    };
    let words = words(world, column);
    let kind = kind(world, column);
    match kind {
        Some(Kind::IntBins | Kind::Days) => {
            let edges: Vec<Val> = words.iter().map(|word| plain(word, kind)).collect();
            let bin = edges
                .windows(2)
                .position(|pair| pair[0] <= value && value < pair[1]);
            bin.map_or_else(other, |bin| bare(&words[bin]))
        }
        Some(Kind::Ints | Kind::Texts) | None => {
            let found = words.iter().find(|word| plain(word, kind) == value);
            found.map_or_else(other, bare)
        }
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}
