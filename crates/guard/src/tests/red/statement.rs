//! Random statements over a random register, as a tree that is written as SQL and that the model reads by itself.

use proptest::prelude::*;

use super::together::Together;
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
    Above,
    Among,
    AtLeast,
    AtMost,
    Below,
    Between,
    NotAmong,
}

impl Test {
    /// Of columns with declared values, and of those with bins; now and then what is refused.
    fn of(code: u8, has_values: bool) -> Test {
        match (has_values, code % 12) {
            (true, 0) => Test::AtLeast,
            (true, 1) => Test::AtMost,
            (true, 2 | 3) => Test::Between,
            (true, 4..=6) => Test::NotAmong,
            (true, _) => Test::Among,
            (false, 0) => Test::Among,
            (false, 1) => Test::NotAmong,
            (false, 2 | 3) => Test::Above,
            (false, 4 | 5) => Test::AtMost,
            (false, 6 | 7) => Test::Between,
            (false, 8 | 9) => Test::AtLeast,
            (false, _) => Test::Below,
        }
    }

    /// Whether it compares with the last value before an edge.
    fn is_inclusive(self) -> bool {
        matches!(self, Test::Above | Test::AtMost)
    }
}

/// What is made of the first two figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    Difference,
    Percent,
    Ratio,
    Rounded,
}

/// What is asked of the groups beside a group, of the first figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// The group before, by the first key; the others stay the same.
    Before,
    /// Its place among all by the last figure, the largest first.
    Rank,
    /// Up to this value of the first key.
    Running,
    /// Percent of all groups.
    Share,
    /// Percent of the groups with the same first key.
    ShareOfPart,
}

/// Which groups are kept: those whose first or last figure, or number made of figures, compares so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    /// Whether the number is the computed one.
    pub(super) computed: Option<Above>,
    pub(super) comparison: u8,
    pub(super) threshold: f64,
    pub(super) negated: bool,
}

impl Kept {
    /// The sign of the comparison.
    fn sign(self) -> &'static str {
        ["=", "<>", "<", "<=", ">", ">="][usize::from(self.comparison) % 6]
    }
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
    pub(super) together: Together,
    pub(super) computed: Option<Above>,
    pub(super) kept: Option<Kept>,
    pub(super) window: Option<Window>,
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
    /// What is computed, and by what groups are kept.
    above: (u8, u8, u8, i8),
    /// What is asked of the groups beside a group.
    window: u8,
    together: u8,
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
        prop::collection::vec(condition, 0..4),
        (any::<u8>(), any::<u8>(), any::<u8>(), any::<i8>()),
        any::<u8>(),
        any::<u8>(),
    )
        .prop_map(
            |(joins, keys, figures, conditions, above, window, together)| Drawn {
                joins,
                keys,
                figures,
                conditions,
                above,
                window,
                together,
            },
        )
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
                let test = Test::of(*test, among);
                let mut values: Vec<usize> =
                    values.iter().map(|v| usize::from(*v) % count).collect();
                values.sort_unstable();
                values.dedup();
                match test {
                    Test::Among | Test::NotAmong => {}
                    Test::Between => values = vec![values[0], values[values.len() - 1]],
                    _ => values.truncate(1),
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
            figures,
            conditions: conditions.collect(),
            together: Together::of(drawn.together),
            computed: above(drawn.above.0),
            kept: kept(drawn.above),
            window: window(drawn.window).filter(|_| !keys.is_empty()),
            keys,
        }
    }

    /// Whether the public table has a part in the answer: a left join of which no column is asked has none.
    pub(super) fn reads_places(&self) -> bool {
        let conditions = self.conditions.iter().map(|condition| condition.column);
        let mut columns = self.keys.iter().copied().chain(conditions);
        self.places == Joined::Inner
            || (self.places == Joined::Left && columns.any(|column| column == Column::Attribute))
    }

    /// A number made of the first two figures, as SQL.
    fn above(&self, above: Above) -> String {
        let text = |at: usize| figure(self.figures[at.min(self.figures.len() - 1)]);
        let (first, second) = (text(0), text(1));
        match above {
            Above::Difference => format!("{first} - {second}"),
            Above::Percent => format!("100.0 * {first} / nullif({second}, 0)"),
            Above::Ratio => format!("{first} / {second}"),
            Above::Rounded => format!("round(-{first} / 3.0, 2)"),
        }
    }

    /// A window of the first figure, as SQL.
    fn over(&self, world: &World, window: Window) -> String {
        let keys: Vec<String> = { self.keys.iter() }
            .map(|key| match key {
                Column::Recoded(at) => cases(world, *at),
                plain => name(*plain),
            })
            .collect();
        let (first, rest) = (keys[0].as_str(), keys[1..].join(", "));
        let part = match rest.is_empty() {
            true => String::new(),
            false => format!("PARTITION BY {rest} "),
        };
        let of = figure(self.figures[0]);
        let last = figure(self.figures[self.figures.len() - 1]);
        match window {
            Window::Before => format!("{of} - lag({of}) OVER ({part}ORDER BY {first})"),
            Window::Rank => format!("rank() OVER (ORDER BY {last} DESC NULLS LAST)"),
            Window::Running => format!("sum({of}) OVER (ORDER BY {first})"),
            Window::Share => format!("100.0 * {of} / sum({of}) OVER ()"),
            Window::ShareOfPart => {
                format!("100.0 * {of} / sum({of}) OVER (PARTITION BY {first})")
            }
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
            outputs.push(format!("{} AS f{at}", self::figure(*figure)));
        }
        if let Some(above) = self.computed {
            outputs.push(format!("{} AS x", self.above(above)));
        }
        if let Some(window) = self.window {
            outputs.push(format!("{} AS w", self.over(world, window)));
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
            let words = condition.words(world, 0);
            let values = condition.values.iter().enumerate();
            let mut values: Vec<String> = values
                .map(|(place, value)| written(&condition.words(world, place)[*value]))
                .collect();
            if condition.is_parameter {
                values[0] = format!("$p{at}");
                let has_bins = matches!(
                    kind(world, condition.column),
                    Some(Kind::IntBins | Kind::Days)
                );
                let allowed = match condition.test {
                    Test::Among | Test::NotAmong => Allowed::Values(words),
                    Test::Between if !has_bins => Allowed::Values(words),
                    _ => Allowed::Edges(words),
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
                (Test::NotAmong, [one]) => format!("{column} <> {one}"),
                (Test::NotAmong, several) => format!("{column} NOT IN ({})", several.join(", ")),
                (Test::Above, several) => format!("{column} > {}", several[0]),
                (Test::AtLeast, several) => format!("{column} >= {}", several[0]),
                (Test::AtMost, several) => format!("{column} <= {}", several[0]),
                (Test::Below, several) => format!("{column} < {}", several[0]),
                (Test::Between, several) => {
                    format!("{column} BETWEEN {} AND {}", several[0], several[1])
                }
            });
        }
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", self.together.written(&conditions)));
        }
        if !self.keys.is_empty() {
            let key = |key: &Column| match key {
                Column::Recoded(at) => cases(world, *at),
                plain => name(*plain),
            };
            let keys: Vec<String> = self.keys.iter().map(key).collect();
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        if let Some(kept) = self.kept {
            let number = match kept.computed {
                Some(above) => self.above(above),
                None => figure(self.figures[self.figures.len() - 1]),
            };
            let not = if kept.negated { "NOT " } else { "" };
            let (sign, threshold) = (kept.sign(), kept.threshold);
            let threshold = match threshold < 0.0 {
                true => format!("-{:?}", -threshold),
                false => format!("{threshold:?}"),
            };
            sql.push_str(&format!(" HAVING {not}{number} {sign} {threshold}"));
        }
        TemplateSource { sql, parameters }
    }

    /// The arguments of a choice.
    pub(super) fn arguments(&self, world: &World, choice: &Choice) -> Vec<(String, Value)> {
        let conditions = self.conditions.iter().zip(choice).enumerate();
        conditions
            .filter(|(_, (condition, _))| condition.is_parameter)
            .map(|(at, (condition, value))| {
                let words = condition.words(world, 0);
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
        let known = |(condition, chosen): (&Condition, &usize)| {
            let word = |place: usize, at: usize| {
                let words = condition.words(world, place);
                plain(&words[at % words.len()], kind(world, condition.column))
            };
            let values = condition.values.iter().enumerate();
            let mut wanted: Vec<Val> = values.map(|(place, at)| word(place, *at)).collect();
            if condition.is_parameter {
                wanted[0] = word(0, *chosen);
            }
            let value = value(condition.column)?;
            Some(match condition.test {
                Test::Above => value > wanted[0],
                Test::Among => wanted.contains(&value),
                Test::AtLeast => value >= wanted[0],
                Test::AtMost => value <= wanted[0],
                Test::Below => value < wanted[0],
                Test::Between => value >= wanted[0] && value <= wanted[1],
                Test::NotAmong => !wanted.contains(&value),
            })
        };
        let conditions: Vec<Option<bool>> = self.conditions.iter().zip(choice).map(known).collect();
        if !self.together.takes(&conditions) {
            return None;
        }
        let shown = |column: &Column| shown(world, *column, value(*column));
        Some(self.keys.iter().map(shown).collect())
    }
}

impl Condition {
    /// The declared words that may stand at this place of it: edges, or the last values before them.
    fn words(&self, world: &World, place: usize) -> Vec<Value> {
        let words = words(world, self.column);
        let kind = kind(world, self.column);
        let has_bins = matches!(kind, Some(Kind::IntBins | Kind::Days));
        let last = self.test.is_inclusive() || (self.test == Test::Between && place == 1);
        match has_bins && last {
            true => words.iter().map(before).collect(),
            false => words,
        }
    }
}

/// The number or day before.
fn before(word: &Value) -> Value {
    match word {
        Value::Integer(number) => Value::Integer(number - 1),
        Value::Text(day) => {
            let day: lingqu_policy::Day = day.parse().unwrap();
            let before = lingqu_policy::Day::from_days(day.days() - 1).unwrap();
            Value::Text(before.to_string())
        }
    }
}

fn above(code: u8) -> Option<Above> {
    match code % 8 {
        0 => Some(Above::Difference),
        1 => Some(Above::Percent),
        2 => Some(Above::Ratio),
        3 => Some(Above::Rounded),
        _ => None,
    }
}

fn window(code: u8) -> Option<Window> {
    match code % 10 {
        0 => Some(Window::Before),
        1 => Some(Window::Rank),
        2 => Some(Window::Running),
        3 => Some(Window::Share),
        4 => Some(Window::ShareOfPart),
        _ => None,
    }
}

/// By numbers near those of small groups, and by whole ones, so that what is released and what is not would be told.
fn kept((_, code, comparison, threshold): (u8, u8, u8, i8)) -> Option<Kept> {
    let threshold = match code % 2 {
        0 => f64::from(threshold.unsigned_abs() % 24),
        _ => f64::from(threshold) * 1.5 + 0.123_456_7,
    };
    (code % 16 < 6).then(|| Kept {
        computed: above(code / 16),
        comparison,
        threshold,
        negated: code % 3 == 0,
    })
}

/// A figure as SQL.
fn figure(figure: Figure) -> String {
    match figure {
        Figure::Average(of) => format!("avg(m{of})"),
        Figure::Entities => "count(distinct id)".to_owned(),
        Figure::Present(of) => format!("count(m{of})"),
        Figure::Rows => "count(*)".to_owned(),
        Figure::Sum(of) => format!("sum(m{of})"),
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
