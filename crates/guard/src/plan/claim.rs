//! Conditions of a plan that an optimiser has rewritten, in a form of their own, and whether they still say the same.
//!
//! An optimiser may turn a list into comparisons, split, merge and negate them. What is compared is one column with
//! values, so its values fall into finitely many intervals on which every condition is constant: two conditions are the
//! same exactly if they agree on one value of each interval and on NULL. That is decided here by trying them.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion::logical_expr::Operator;
use datafusion::scalar::ScalarValue;

use super::Changed;
use crate::infer::{Origin, Test};

/// A value of a column that may be compared: whole numbers and days, or texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    Number(i64),
    Text(String),
}

impl Point {
    pub(super) fn of(value: &ScalarValue) -> Result<Point, Changed> {
        match value {
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)) => Ok(Point::Text(text.clone())),
            ScalarValue::Int8(Some(number)) => Ok(Point::Number((*number).into())),
            ScalarValue::Int16(Some(number)) => Ok(Point::Number((*number).into())),
            ScalarValue::Int32(Some(number)) | ScalarValue::Date32(Some(number)) => {
                Ok(Point::Number((*number).into()))
            }
            ScalarValue::Int64(Some(number)) => Ok(Point::Number(*number)),
            ScalarValue::UInt8(Some(number)) => Ok(Point::Number((*number).into())),
            ScalarValue::UInt16(Some(number)) => Ok(Point::Number((*number).into())),
            ScalarValue::UInt32(Some(number)) => Ok(Point::Number((*number).into())),
            _ => Err(Changed),
        }
    }

    /// The smallest value above, if there is one.
    fn next(&self) -> Option<Point> {
        match self {
            Point::Number(number) => number.checked_add(1).map(Point::Number),
            Point::Text(text) => Some(Point::Text(format!("{text}\0"))),
        }
    }
}

/// A condition.
#[derive(Clone)]
pub(super) enum Claim {
    All(Vec<Claim>),
    Any(Vec<Claim>),
    Not(Box<Claim>),
    Known(bool),
    /// One of the query's choices, by its number, and whether it is about the choice's own columns and not about some that
    /// a join makes equal. Never a part of another condition.
    Choice(usize, bool),
    /// The column stands on the left.
    Compare(Origin, Comparison, Point),
    IsNull(Origin),
}

/// How a column is compared with a value.
#[derive(Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    pub(super) fn of(operator: Operator) -> Result<Comparison, Changed> {
        match operator {
            Operator::Eq => Ok(Comparison::Equal),
            Operator::NotEq => Ok(Comparison::NotEqual),
            Operator::Lt => Ok(Comparison::Below),
            Operator::LtEq => Ok(Comparison::AtMost),
            Operator::Gt => Ok(Comparison::Above),
            Operator::GtEq => Ok(Comparison::AtLeast),
            _ => Err(Changed),
        }
    }

    /// The same with the sides exchanged.
    pub(super) fn turned(self) -> Comparison {
        match self {
            Comparison::Below => Comparison::Above,
            Comparison::AtMost => Comparison::AtLeast,
            Comparison::Above => Comparison::Below,
            Comparison::AtLeast => Comparison::AtMost,
            Comparison::Equal | Comparison::NotEqual => self,
        }
    }
}

impl Claim {
    /// `column IN (values)` or its negation.
    pub(super) fn among(column: Origin, values: Vec<Point>, negated: bool) -> Claim {
        let any = { values.into_iter() }
            .map(|value| Claim::Compare(column, Comparison::Equal, value))
            .collect();
        match negated {
            true => Claim::Not(Box::new(Claim::Any(any))),
            false => Claim::Any(any),
        }
    }

    /// What the query asks for.
    pub(super) fn asked(column: Origin, test: &Test<ScalarValue>) -> Result<Claim, Changed> {
        let among = |values: &[ScalarValue], negated| {
            let values: Result<Vec<Point>, Changed> = values.iter().map(Point::of).collect();
            Ok(Claim::among(column, values?, negated))
        };
        let compare = |comparison, value: &ScalarValue| {
            Ok(Claim::Compare(column, comparison, Point::of(value)?))
        };
        match test {
            Test::Above(last) => compare(Comparison::Above, last),
            Test::Among(values) => among(values, false),
            Test::AtLeast(edge) => compare(Comparison::AtLeast, edge),
            Test::AtMost(last) => compare(Comparison::AtMost, last),
            Test::Below(edge) => compare(Comparison::Below, edge),
            Test::Between(low, high) => Ok(Claim::All(vec![
                compare(Comparison::AtLeast, low)?,
                compare(Comparison::AtMost, high)?,
            ])),
            Test::NotAmong(values) => among(values, true),
            Test::Outside(low, high) => Ok(Claim::Any(vec![
                compare(Comparison::Below, low)?,
                compare(Comparison::Above, high)?,
            ])),
        }
    }

    /// The parts that must hold together.
    pub(super) fn parts(self, into: &mut Vec<Claim>) {
        match self {
            Claim::All(parts) => parts.into_iter().for_each(|part| part.parts(into)),
            other => into.push(other),
        }
    }

    /// Whether a choice is in it.
    pub(super) fn has_choice(&self) -> bool {
        match self {
            Claim::All(parts) | Claim::Any(parts) => parts.iter().any(Claim::has_choice),
            Claim::Not(inner) => inner.has_choice(),
            Claim::Choice(..) => true,
            Claim::Compare(..) | Claim::IsNull(_) | Claim::Known(_) => false,
        }
    }

    /// The columns that it is about.
    pub(super) fn columns(&self) -> BTreeSet<Origin> {
        match self {
            Claim::All(parts) | Claim::Any(parts) => {
                parts.iter().flat_map(Claim::columns).collect()
            }
            Claim::Not(inner) => inner.columns(),
            Claim::Choice(..) | Claim::Known(_) => BTreeSet::new(),
            Claim::Compare(column, ..) | Claim::IsNull(column) => BTreeSet::from([*column]),
        }
    }

    /// Adds the values that it compares with.
    fn points(&self, into: &mut BTreeSet<Point>) {
        match self {
            Claim::All(parts) | Claim::Any(parts) => parts.iter().for_each(|p| p.points(into)),
            Claim::Not(inner) => inner.points(into),
            Claim::Choice(..) | Claim::Known(_) | Claim::IsNull(_) => {}
            Claim::Compare(_, _, point) => {
                into.insert(point.clone());
            }
        }
    }

    /// Its truth in the logic of SQL, where the column has this value or NULL.
    fn truth(&self, value: Option<&Point>) -> Option<bool> {
        match self {
            Claim::All(parts) => {
                let mut all = Some(true);
                for part in parts.iter().map(|part| part.truth(value)) {
                    match part {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => all = None,
                    }
                }
                all
            }
            Claim::Any(parts) => {
                let mut any = Some(false);
                for part in parts.iter().map(|part| part.truth(value)) {
                    match part {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => any = None,
                    }
                }
                any
            }
            Claim::Not(inner) => inner.truth(value).map(|truth| !truth),
            // It is about several columns, and is judged elsewhere.
            Claim::Choice(..) => None,
            Claim::Known(truth) => Some(*truth),
            Claim::IsNull(_) => Some(value.is_none()),
            Claim::Compare(_, comparison, point) => {
                let value = value?;
                Some(match comparison {
                    Comparison::Equal => value == point,
                    Comparison::NotEqual => value != point,
                    Comparison::Below => value < point,
                    Comparison::AtMost => value <= point,
                    Comparison::Above => value > point,
                    Comparison::AtLeast => value >= point,
                })
            }
        }
    }

    /// Whether rows with this value are taken.
    pub(super) fn takes(&self, value: Option<&Point>) -> bool {
        self.truth(value) == Some(true)
    }
}

/// One value of each interval into which the claims cut the column's values, and NULL if it can have it.
pub(super) fn representatives<'a>(
    claims: impl IntoIterator<Item = &'a Claim>,
    data_type: &DataType,
    nullable: bool,
) -> Vec<Option<Point>> {
    let mut cuts = BTreeSet::new();
    claims.into_iter().for_each(|claim| claim.points(&mut cuts));
    let (smallest, largest) = match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 | DataType::Date32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    let first = match crate::tables::is_text(data_type) {
        true => Point::Text(String::new()),
        false => Point::Number(smallest),
    };
    let mut points = BTreeSet::from([first]);
    for cut in cuts {
        points.extend(cut.next());
        points.insert(cut);
    }
    let possible = |point: &Point| match point {
        Point::Number(number) => (smallest..=largest).contains(number),
        Point::Text(_) => true,
    };
    let points = points.into_iter().filter(possible).map(Some);
    points.chain(nullable.then_some(None)).collect()
}
