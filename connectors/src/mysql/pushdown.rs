//! Filters that MySQL evaluates exactly as the engine would, as SQL.
//!
//! Whole numbers, decimals, dates and timestamps compare alike in both. Texts do not: collations ignore case, accents
//! or blanks at the end. So the equality of texts is asked of their bytes as they would be sent here; where an index can
//! help, the collation's own, wider equality stands beside it. Everything that is not listed stays with the engine.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::columns::{Column, Kind};
use super::sql;
use crate::server::literal::{date, decimal, text, timestamp};

/// Nesting that is followed.
const DEPTH_MAX: usize = 32;
/// Values of one list.
const LIST_MAX: usize = 1_000;
/// Bytes of one condition.
const BYTES_MAX: usize = 64 << 10;
/// Years that the server's dates have.
const YEARS: std::ops::RangeInclusive<i64> = 1_000..=9_999;

/// The filter in SQL, in parentheses; `None` if the engine has to evaluate it.
pub(super) fn condition(filter: &Expr, columns: &[Column]) -> Option<String> {
    let writer = Writer { columns };
    let sql = writer.predicate(filter, 0)?;
    (sql.len() <= BYTES_MAX).then_some(sql)
}

struct Writer<'a> {
    columns: &'a [Column],
}

impl Writer<'_> {
    fn predicate(&self, filter: &Expr, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let below = |filter| self.predicate(filter, depth + 1);
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => Some(format!("({} AND {})", below(left)?, below(right)?)),
                Operator::Or => Some(format!("({} OR {})", below(left)?, below(right)?)),
                _ => self
                    .comparison(left, *op, right)
                    .or_else(|| self.comparison(right, op.swap()?, left)),
            },
            Expr::Not(inner) => Some(format!("(NOT {})", below(inner)?)),
            Expr::IsNull(inner) => Some(format!("({} IS NULL)", self.nullable(inner)?)),
            Expr::IsNotNull(inner) => Some(format!("({} IS NOT NULL)", self.nullable(inner)?)),
            Expr::IsTrue(inner) => Some(format!("({} IS TRUE)", below(inner)?)),
            Expr::IsNotTrue(inner) => Some(format!("({} IS NOT TRUE)", below(inner)?)),
            Expr::IsFalse(inner) => Some(format!("({} IS FALSE)", below(inner)?)),
            Expr::IsNotFalse(inner) => Some(format!("({} IS NOT FALSE)", below(inner)?)),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            _ => None,
        }
    }

    fn column(&self, side: &Expr) -> Option<&Column> {
        let Expr::Column(named) = side else {
            return None;
        };
        self.columns.iter().find(|column| column.name == named.name)
    }

    /// Whether a value is there is the same question for every type but dates: there `IS NULL` also finds zero dates
    /// of columns that are declared `NOT NULL`.
    fn nullable(&self, side: &Expr) -> Option<String> {
        let column = self.column(side)?;
        let is_date = matches!(column.kind, Kind::Date | Kind::DateTime | Kind::Timestamp);
        (!is_date).then(|| sql::identifier(&column.name))
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        let column = self.column(left)?;
        if column.kind == Kind::Text {
            let equal = equal_text(column, text(literal_of(right)?)?);
            return match op {
                Operator::Eq => Some(equal),
                Operator::NotEq => Some(format!("(NOT {equal})")),
                _ => None,
            };
        }
        let sign = match op {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            _ => return None,
        };
        let literal = literal(column, right)?;
        Some(format!(
            "({} {sign} {literal})",
            sql::identifier(&column.name)
        ))
    }

    fn in_list(&self, list: &InList) -> Option<String> {
        let column = self.column(&list.expr)?;
        if list.list.is_empty() || list.list.len() > LIST_MAX {
            return None;
        }
        let not = if list.negated { "NOT " } else { "" };
        if column.kind == Kind::Text {
            let one = |value| Some(equal_text(column, text(literal_of(value)?)?));
            let any: Option<Vec<String>> = list.list.iter().map(one).collect();
            return Some(format!("({not}({}))", any?.join(" OR ")));
        }
        let values: Option<Vec<String>> = { list.list.iter() }
            .map(|value| literal(column, value))
            .collect();
        let name = sql::identifier(&column.name);
        Some(format!("({name} {not}IN ({}))", values?.join(", ")))
    }

    fn between(&self, between: &Between) -> Option<String> {
        let column = self.column(&between.expr)?;
        let (low, high) = (
            literal(column, &between.low)?,
            literal(column, &between.high)?,
        );
        let not = if between.negated { "NOT " } else { "" };
        let name = sql::identifier(&column.name);
        Some(format!("({name} {not}BETWEEN {low} AND {high})"))
    }
}

/// Whether a column's text, as it would be sent here, has exactly these bytes. What is equal in bytes is equal in every
/// collation, so the second condition takes nothing away from the first; it is there for the index.
fn equal_text(column: &Column, value: &str) -> String {
    let name = sql::identifier(&column.name);
    let same = format!(
        "CAST(CONVERT({name} USING utf8mb4) AS BINARY) = {}",
        sql::bytes(value.as_bytes())
    );
    if column.utf8mb4 {
        format!("({name} = {} AND {same})", sql::text(value))
    } else {
        format!("({same})")
    }
}

fn literal_of(side: &Expr) -> Option<&ScalarValue> {
    match side {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// A constant of the column's own type, or of one that both compare exactly with it. NULL is none: comparisons with it
/// are the engine's business.
fn literal(column: &Column, side: &Expr) -> Option<String> {
    let value = literal_of(side)?;
    match column.kind {
        Kind::Int8
        | Kind::Int16
        | Kind::Int32
        | Kind::Int64
        | Kind::UInt8
        | Kind::UInt16
        | Kind::UInt32
        | Kind::UInt64 => whole(value).map(|value| value.to_string()),
        Kind::Decimal { .. } => match value {
            ScalarValue::Decimal128(Some(value), _, scale) => decimal(*value, *scale),
            _ => None,
        },
        // A zero date is less than every other for the server and nothing at all for the engine.
        Kind::Date | Kind::DateTime | Kind::Timestamp if column.zero_is_null => None,
        Kind::Date => match value {
            ScalarValue::Date32(Some(days)) => {
                date(i64::from(*days), &YEARS).map(|date| format!("DATE'{date}'"))
            }
            _ => None,
        },
        Kind::DateTime => match value {
            ScalarValue::TimestampMicrosecond(Some(at), None) => {
                timestamp(*at, &YEARS).map(|at| format!("TIMESTAMP'{at}'"))
            }
            _ => None,
        },
        Kind::Timestamp => match value {
            // The session's zone is UTC, as the number's is, whatever it is called.
            ScalarValue::TimestampMicrosecond(Some(at), Some(_)) => {
                timestamp(*at, &YEARS).map(|at| format!("TIMESTAMP'{at}'"))
            }
            _ => None,
        },
        Kind::Bit
        | Kind::Bytes
        | Kind::Double
        | Kind::Float
        | Kind::Label
        | Kind::Text
        | Kind::Time
        | Kind::Year => None,
    }
}

fn whole(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int8(Some(value)) => Some(i128::from(*value)),
        ScalarValue::Int16(Some(value)) => Some(i128::from(*value)),
        ScalarValue::Int32(Some(value)) => Some(i128::from(*value)),
        ScalarValue::Int64(Some(value)) => Some(i128::from(*value)),
        ScalarValue::UInt8(Some(value)) => Some(i128::from(*value)),
        ScalarValue::UInt16(Some(value)) => Some(i128::from(*value)),
        ScalarValue::UInt32(Some(value)) => Some(i128::from(*value)),
        ScalarValue::UInt64(Some(value)) => Some(i128::from(*value)),
        _ => None,
    }
}
