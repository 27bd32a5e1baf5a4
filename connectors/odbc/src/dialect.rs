//! How a database wants the few things said that this process says: quoted names and dates.
//!
//! Nothing of a caller's reaches a driver as it came in. A request is parsed into names and typed values (`request`),
//! and this file writes them anew. Every name is quoted, whatever it holds; numbers and dates are written from checked
//! digits.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::request::{Comparison, Literal, Predicate, Test};

/// What differs between databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dialect {
    /// What stands around names.
    pub(crate) quote: Quote,
    /// How dates and times are written in predicates.
    pub(crate) dates: Dates,
    /// What becomes of the spaces that fill `CHAR(n)` up.
    pub(crate) char_padding: CharPadding,
    /// How dates and timestamps are read.
    pub(crate) moments: Moments,
    /// How text comes out of the driver.
    pub(crate) text: TextEncoding,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect {
            quote: Quote::Double,
            dates: Dates::Refused,
            char_padding: CharPadding::Keep,
            moments: Moments::Driver,
            text: TextEncoding::Utf8,
        }
    }
}

/// What stands around names; the closing one is doubled inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Quote {
    /// `` `name` ``: MySQL, MariaDB, TiDB.
    Backtick,
    /// `[name]`: SQL Server.
    Bracket,
    /// `"name"`: the standard, and most others.
    Double,
}

/// How dates and times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dates {
    /// `DATE '2020-01-31'`.
    Ansi,
    /// `{d '2020-01-31'}`, which the driver translates.
    Escape,
    /// Not at all: predicates on dates are refused and stay with the node.
    Refused,
}

/// What becomes of the spaces that fill `CHAR(n)` up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CharPadding {
    /// They stay.
    Keep,
    /// Spaces at the end of values of `CHAR` columns are cut off; of `VARCHAR` never.
    Trim,
}

/// How dates and timestamps are read.
///
/// Some drivers make dates of what is none: PostgreSQL's reads an infinite date as today and drops `BC`. Text that the
/// database itself has written is parsed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moments {
    /// `CAST(column AS CHAR(64))`: MySQL and its family.
    CastChar,
    /// `CAST(column AS VARCHAR(64))`: PostgreSQL and its family.
    CastVarchar,
    /// As the driver converts them.
    Driver,
}

/// How text comes out of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TextEncoding {
    /// GBK and GB 18030, decoded here.
    Gbk,
    /// UTF-8; most drivers have a setting for it.
    Utf8,
    /// Wide characters, which ODBC defines as UTF-16.
    Utf16,
}

/// Predicates on dates where the dialect has no way of writing them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("predicates on dates are not configured for this source")]
pub(crate) struct DatesRefused;

impl Dialect {
    /// `SELECT columns FROM table WHERE predicates`; all columns if none are named. Of `moments` it is known that they are
    /// dates or timestamps.
    ///
    /// # Errors
    /// A predicate has a date and the dialect no way of writing it.
    pub(crate) fn select(
        &self,
        columns: &[String],
        moments: &[bool],
        table: &[String],
        predicates: &[Predicate],
    ) -> Result<String, DatesRefused> {
        let mut sql = String::from("SELECT ");
        if columns.is_empty() {
            sql.push('*');
        }
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                sql.push_str(", ");
            }
            let is_moment = moments.get(index).is_some_and(|is_moment| *is_moment);
            let cast = match self.moments {
                Moments::CastChar if is_moment => Some(" AS CHAR(64))"),
                Moments::CastVarchar if is_moment => Some(" AS VARCHAR(64))"),
                Moments::CastChar | Moments::CastVarchar | Moments::Driver => None,
            };
            if cast.is_some() {
                sql.push_str("CAST(");
            }
            self.name(&mut sql, column);
            sql.push_str(cast.unwrap_or_default());
        }
        sql.push_str(" FROM ");
        for (index, part) in table.iter().enumerate() {
            if index > 0 {
                sql.push('.');
            }
            self.name(&mut sql, part);
        }
        for (index, predicate) in predicates.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            self.predicate(&mut sql, predicate)?;
        }
        Ok(sql)
    }

    /// The same without rows, to see the columns.
    pub(crate) fn describe(&self, columns: &[String], table: &[String]) -> String {
        let sql = self
            .select(columns, &[], table, &[])
            .expect("without predicates there is no date");
        sql + " WHERE 1 = 0"
    }

    fn name(&self, sql: &mut String, name: &str) {
        let (open, close) = match self.quote {
            Quote::Backtick => ('`', '`'),
            Quote::Bracket => ('[', ']'),
            Quote::Double => ('"', '"'),
        };
        sql.push(open);
        for character in name.chars() {
            if character == close {
                sql.push(close);
            }
            sql.push(character);
        }
        sql.push(close);
    }

    fn predicate(&self, sql: &mut String, predicate: &Predicate) -> Result<(), DatesRefused> {
        self.name(sql, &predicate.column);
        match &predicate.test {
            Test::Compare(comparison, literal) => {
                sql.push_str(match comparison {
                    Comparison::Equal => " = ",
                    Comparison::Greater => " > ",
                    Comparison::GreaterOrEqual => " >= ",
                    Comparison::Less => " < ",
                    Comparison::LessOrEqual => " <= ",
                    Comparison::NotEqual => " <> ",
                });
                self.literal(sql, literal)?;
            }
            Test::In { negated, literals } => {
                sql.push_str(if *negated { " NOT IN (" } else { " IN (" });
                for (index, literal) in literals.iter().enumerate() {
                    if index > 0 {
                        sql.push_str(", ");
                    }
                    self.literal(sql, literal)?;
                }
                sql.push(')');
            }
            Test::IsNull { negated } => {
                sql.push_str(if *negated { " IS NOT NULL" } else { " IS NULL" });
            }
        }
        Ok(())
    }

    fn literal(&self, sql: &mut String, literal: &Literal) -> Result<(), DatesRefused> {
        let (ansi, escape, text) = match literal {
            Literal::Number(number) => {
                sql.push_str(number.text());
                return Ok(());
            }
            Literal::Date(text) => ("DATE", "d", text),
            Literal::Timestamp(text) => ("TIMESTAMP", "ts", text),
        };
        // The text was made of checked digits and separators (`request::Moment`), so it holds no quote.
        match self.dates {
            Dates::Ansi => write!(sql, "{ansi} '{text}'"),
            Dates::Escape => write!(sql, "{{{escape} '{text}'}}"),
            Dates::Refused => return Err(DatesRefused),
        }
        .expect("writing to a string cannot fail");
        Ok(())
    }
}
