//! Filters that PostgreSQL evaluates exactly as the engine would, as SQL.
//!
//! Whole numbers, decimals, dates, timestamps and truth values compare alike in both. Texts are equal alike where the
//! collation is deterministic, but are ordered differently; floating-point numbers differ in NaN and -0. Everything that
//! is not listed stays with the engine.

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
/// Years that are written with four digits.
const YEARS: std::ops::RangeInclusive<i64> = 1..=9_999;

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
            Expr::IsNull(inner) => Some(format!("({} IS NULL)", self.any_column(inner)?)),
            Expr::IsNotNull(inner) => Some(format!("({} IS NOT NULL)", self.any_column(inner)?)),
            Expr::IsTrue(inner) => Some(format!("({} IS TRUE)", below(inner)?)),
            Expr::IsNotTrue(inner) => Some(format!("({} IS NOT TRUE)", below(inner)?)),
            Expr::IsFalse(inner) => Some(format!("({} IS FALSE)", below(inner)?)),
            Expr::IsNotFalse(inner) => Some(format!("({} IS NOT FALSE)", below(inner)?)),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            Expr::Column(_) => {
                let column = self.column(filter)?;
                (column.kind == Kind::Bool).then(|| sql::identifier(&column.name))
            }
            _ => None,
        }
    }

    fn column(&self, side: &Expr) -> Option<&Column> {
        let Expr::Column(named) = side else {
            return None;
        };
        self.columns.iter().find(|column| column.name == named.name)
    }

    /// Whether a value is there is the same question for every type.
    fn any_column(&self, side: &Expr) -> Option<String> {
        self.column(side)
            .map(|column| sql::identifier(&column.name))
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        let column = self.column(left)?;
        let sign = match op {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt if is_ordered(column) => "<",
            Operator::LtEq if is_ordered(column) => "<=",
            Operator::Gt if is_ordered(column) => ">",
            Operator::GtEq if is_ordered(column) => ">=",
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
        let values: Option<Vec<String>> = { list.list.iter() }
            .map(|value| literal(column, value))
            .collect();
        let not = if list.negated { "NOT " } else { "" };
        let name = sql::identifier(&column.name);
        Some(format!("({name} {not}IN ({}))", values?.join(", ")))
    }

    fn between(&self, between: &Between) -> Option<String> {
        let column = self
            .column(&between.expr)
            .filter(|column| is_ordered(column))?;
        let (low, high) = (
            literal(column, &between.low)?,
            literal(column, &between.high)?,
        );
        let not = if between.negated { "NOT " } else { "" };
        let name = sql::identifier(&column.name);
        Some(format!("({name} {not}BETWEEN {low} AND {high})"))
    }
}

/// Whether less and greater mean the same in both.
fn is_ordered(column: &Column) -> bool {
    match column.kind {
        Kind::Date
        | Kind::Int2
        | Kind::Int4
        | Kind::Int8
        | Kind::Numeric { .. }
        | Kind::Timestamp
        | Kind::TimestampTz => true,
        Kind::Bool
        | Kind::Bytea
        | Kind::Char
        | Kind::Enum
        | Kind::Float4
        | Kind::Float8
        | Kind::Json
        | Kind::Jsonb
        | Kind::Text
        | Kind::Time
        | Kind::Uuid => false,
    }
}

/// A constant of the column's own type, or of one that both compare exactly with it. NULL is none: comparisons with it
/// are the engine's business.
fn literal(column: &Column, side: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = side else {
        return None;
    };
    match column.kind {
        Kind::Bool => match value {
            ScalarValue::Boolean(Some(value)) => Some(value.to_string()),
            _ => None,
        },
        Kind::Int2 | Kind::Int4 | Kind::Int8 => {
            whole(value).map(|value| format!("'{value}'::pg_catalog.int8"))
        }
        Kind::Numeric { .. } => match value {
            ScalarValue::Decimal128(Some(value), _, scale) => {
                decimal(*value, *scale).map(|value| format!("'{value}'::pg_catalog.numeric"))
            }
            _ => None,
        },
        Kind::Date => match value {
            ScalarValue::Date32(Some(days)) => {
                date(i64::from(*days), &YEARS).map(|date| format!("'{date}'::pg_catalog.date"))
            }
            _ => None,
        },
        Kind::Timestamp => match value {
            ScalarValue::TimestampMicrosecond(Some(at), None) => {
                timestamp(*at, &YEARS).map(|at| format!("'{at}'::pg_catalog.timestamp"))
            }
            _ => None,
        },
        Kind::TimestampTz => match value {
            // Whatever the zone is called: the number counts from the epoch in UTC.
            ScalarValue::TimestampMicrosecond(Some(at), Some(_)) => {
                timestamp(*at, &YEARS).map(|at| format!("'{at}+00'::pg_catalog.timestamptz"))
            }
            _ => None,
        },
        Kind::Text if column.bytewise => sql::text(text(value)?),
        // The server ignores blanks at the end of both sides, we have taken them off ours already.
        Kind::Char if column.bytewise => {
            let constant = text(value).filter(|constant| !constant.ends_with(' '))?;
            Some(format!("{}::pg_catalog.bpchar", sql::text(constant)?))
        }
        Kind::Uuid => {
            let constant = text(value).filter(|constant| is_canonical_uuid(constant))?;
            Some(format!("'{constant}'::pg_catalog.uuid"))
        }
        Kind::Bytea
        | Kind::Char
        | Kind::Enum
        | Kind::Float4
        | Kind::Float8
        | Kind::Json
        | Kind::Jsonb
        | Kind::Text
        | Kind::Time => None,
    }
}

fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int16(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int32(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int64(Some(value)) => Some(*value),
        _ => None,
    }
}

/// Lower-case digits and hyphens, as values are written here; the server reads other forms as well.
fn is_canonical_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
