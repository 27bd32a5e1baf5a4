//! What a caller may ask: columns of a table, with simple typed predicates. A closed subset of SQL, parsed strictly.
//!
//! ```text
//! SELECT "a", "b" FROM "schema"."table"
//!   [WHERE "c" >= 10 AND "d" IN (DATE '2020-01-31') AND "e" IS NOT NULL] [LIMIT 100]
//! ```
//!
//! Names are always quoted, values are numbers, dates and timestamps; there is no text, since collations differ, and no
//! expression. What does not parse is refused; what parses is written anew by the [`crate::dialect`], so no character
//! of a request reaches a database as it came in.

mod parse;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{Column, ColumnType};

/// Longest request in bytes.
pub(crate) const BYTES_MAX: usize = 256 << 10;
/// Most columns, predicates, or values of one `IN`.
pub(crate) const ITEMS_MAX: usize = 2_048;

/// A parsed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Select {
    /// Columns by exact name, each once, at least one.
    pub(crate) columns: Vec<String>,
    /// One to three parts.
    pub(crate) table: Vec<String>,
    /// All must hold.
    pub(crate) predicates: Vec<Predicate>,
    /// Most rows wanted; reading ends quietly there.
    pub(crate) limit: Option<u64>,
}

/// A test of one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Predicate {
    pub(crate) column: String,
    pub(crate) test: Test,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Test {
    Compare(Comparison, Literal),
    In {
        negated: bool,
        literals: Vec<Literal>,
    },
    IsNull {
        negated: bool,
    },
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Literal {
    Number(Number),
    Date(Moment),
    Timestamp(Moment),
}

/// A decimal number: digits, perhaps a minus and a point; nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Number(String);

/// `YYYY-MM-DD`, or `YYYY-MM-DD HH:MM:SS` with up to nine digits of a fraction; nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Moment(String);

/// Why a request is refused. Nothing of it is repeated: it is the caller's, and may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestRefused {
    /// A column is asked for twice.
    #[error("a column is asked for twice")]
    ColumnTwice,
    /// Not the form above, from this byte on.
    #[error(
        "the statement is not of the form SELECT \"column\", … FROM \"table\" [WHERE …] [LIMIT n], from byte {0} on"
    )]
    Form(usize),
    /// A name is empty, too long or has control characters.
    #[error("a name is empty, too long or has control characters")]
    Name,
    /// Too long, or too many items.
    #[error("the statement is too long")]
    TooLong,
}

impl std::str::FromStr for Select {
    type Err = RequestRefused;

    fn from_str(sql: &str) -> Result<Select, RequestRefused> {
        parse::select(sql)
    }
}

impl Predicate {
    /// Whether the database evaluates this on a column of the type exactly as the node would: numbers only with
    /// integers and decimals, dates only with dates. Comparing anything else would be left to conversions of the
    /// database's own.
    pub(crate) fn fits(&self, column: &Column) -> bool {
        let literal_fits = |literal: &Literal| {
            matches!(
                (literal, column.column_type),
                (
                    Literal::Number(_),
                    ColumnType::Int16
                        | ColumnType::Int32
                        | ColumnType::Int64
                        | ColumnType::Decimal { .. }
                ) | (Literal::Date(_), ColumnType::Date)
                    | (
                        Literal::Timestamp(_),
                        ColumnType::Timestamp | ColumnType::TimestampNanos
                    )
            )
        };
        match &self.test {
            Test::Compare(_, literal) => literal_fits(literal),
            Test::In { literals, .. } => literals.iter().all(literal_fits),
            Test::IsNull { .. } => true,
        }
    }
}

impl Number {
    /// As many digits as the widest decimal has.
    const DIGITS_MAX: usize = 38;

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Number {
    type Error = RequestRefused;

    fn try_from(text: String) -> Result<Number, RequestRefused> {
        let unsigned = text.strip_prefix('-').unwrap_or(&text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if plain(whole) && plain(fraction) && whole.len() + fraction.len() <= Number::DIGITS_MAX + 1
        {
            Ok(Number(text))
        } else {
            Err(RequestRefused::Form(0))
        }
    }
}

impl From<Number> for String {
    fn from(number: Number) -> String {
        number.0
    }
}

impl Moment {
    /// Whether the text has digits where `shape` has `0`, and `shape`'s own characters elsewhere.
    fn has_shape(text: &str, shape: &str) -> bool {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(found, wanted)| match wanted {
                    b'0' => found.is_ascii_digit(),
                    other => found == other,
                })
    }
}

impl TryFrom<String> for Moment {
    type Error = RequestRefused;

    fn try_from(text: String) -> Result<Moment, RequestRefused> {
        const SECONDS: &str = "0000-00-00 00:00:00";
        let (seconds, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        let fraction_fits =
            (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
        let fits = Moment::has_shape(&text, "0000-00-00")
            || (Moment::has_shape(seconds, SECONDS) && fraction_fits);
        if fits {
            Ok(Moment(text))
        } else {
            Err(RequestRefused::Form(0))
        }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
