//! Queries as text, for sources that are asked in SQL: names always quoted, conditions only where they surely mean the
//! same at the source.

use std::fmt::Write as _;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};
use lingqu_connector_sdk::TableName;

/// Longest text of a constant in a condition, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;
/// Deepest nesting of a condition.
const DEPTH_MAX: usize = 16;

/// How names are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quote {
    /// `"name"`, as the standard has it.
    Double,
    /// `` `name` ``.
    Backtick,
    /// `[name]`.
    Bracket,
}

impl Quote {
    /// The name as an identifier; quotes within it are doubled.
    pub(crate) fn name(self, name: &str) -> String {
        match self {
            Quote::Double => format!("\"{}\"", name.replace('"', "\"\"")),
            Quote::Backtick => format!("`{}`", name.replace('`', "``")),
            Quote::Bracket => format!("[{}]", name.replace(']', "]]")),
        }
    }

    /// The table's name, part by part.
    pub(crate) fn table(self, table: &TableName) -> String {
        let parts: Vec<String> = table.parts().iter().map(|part| self.name(part)).collect();
        parts.join(".")
    }
}

/// What `condition` is at a source with these columns; `None` if it may mean something else there. `exact` says of which
/// columns the source compares values as the engine does: integers, and texts byte by byte.
pub(crate) fn condition(
    filter: &Expr,
    quote: Quote,
    exact: &dyn Fn(&str) -> Option<Compared>,
) -> Option<String> {
    let mut text = String::new();
    Writer { quote, exact }.write(filter, 0, &mut text)?;
    Some(text)
}

/// As what the values of a column are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Integers of up to 64 bits.
    Integer,
    /// Texts, byte by byte.
    Text,
}

struct Writer<'w> {
    quote: Quote,
    exact: &'w dyn Fn(&str) -> Option<Compared>,
}

impl Writer<'_> {
    fn write(&self, filter: &Expr, depth: usize, text: &mut String) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match filter {
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::And | Operator::Or => {
                    text.push('(');
                    self.write(&binary.left, depth + 1, text)?;
                    text.push_str(if binary.op == Operator::And {
                        " AND "
                    } else {
                        " OR "
                    });
                    self.write(&binary.right, depth + 1, text)?;
                    text.push(')');
                }
                _ => self.comparison(&binary.left, binary.op, &binary.right, text)?,
            },
            Expr::IsNull(inner) => {
                let (column, _) = self.column(inner)?;
                write!(text, "{column} IS NULL").ok()?;
            }
            Expr::IsNotNull(inner) => {
                let (column, _) = self.column(inner)?;
                write!(text, "{column} IS NOT NULL").ok()?;
            }
            _ => return None,
        }
        Some(())
    }

    fn comparison(
        &self,
        left: &Expr,
        operator: Operator,
        right: &Expr,
        text: &mut String,
    ) -> Option<()> {
        let (column, compared) = self.column(left)?;
        let operator = match operator {
            // What is the same text byte by byte is the same in every collation. Which other texts are the same too, and
            // in which order texts stand, differs.
            Operator::Eq => "=",
            Operator::NotEq if compared == Compared::Integer => "<>",
            Operator::Lt if compared == Compared::Integer => "<",
            Operator::LtEq if compared == Compared::Integer => "<=",
            Operator::Gt if compared == Compared::Integer => ">",
            Operator::GtEq if compared == Compared::Integer => ">=",
            _ => return None,
        };
        let Expr::Literal(value, _) = right else {
            return None;
        };
        let constant = match compared {
            Compared::Integer => integer(value)?.to_string(),
            Compared::Text => quoted(value)?,
        };
        write!(text, "{column} {operator} {constant}").ok()
    }

    fn column(&self, expr: &Expr) -> Option<(String, Compared)> {
        let Expr::Column(column) = expr else {
            return None;
        };
        let compared = (self.exact)(&column.name)?;
        Some((self.quote.name(&column.name), compared))
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int16(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int32(Some(value)) => Some(i64::from(*value)),
        // The smallest integer has no text that every parser reads as an integer.
        ScalarValue::Int64(Some(value)) => Some(*value).filter(|value| *value != i64::MIN),
        ScalarValue::UInt8(Some(value)) => Some(i64::from(*value)),
        ScalarValue::UInt16(Some(value)) => Some(i64::from(*value)),
        ScalarValue::UInt32(Some(value)) => Some(i64::from(*value)),
        _ => None,
    }
}

fn quoted(value: &ScalarValue) -> Option<String> {
    let text = match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => text,
        _ => return None,
    };
    // A backslash is an escape in some dialects, and an empty text a missing one.
    let plain = !text.is_empty()
        && text.len() <= TEXT_BYTES_MAX
        && !text.chars().any(|each| each.is_control() || each == '\\');
    plain.then(|| format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn exact(name: &str) -> Option<Compared> {
        match name {
            "n" => Some(Compared::Integer),
            "t\"" => Some(Compared::Text),
            _ => None,
        }
    }

    #[test]
    fn names_and_constants_stay_what_they_are() {
        let filter = datafusion::prelude::ident("t\"").eq(lit("a' OR '1'='1"));
        let text = condition(&filter, Quote::Double, &exact).unwrap();
        assert_eq!(text, "\"t\"\"\" = 'a'' OR ''1''=''1'");
        let filter = col("n").gt(lit(5)).and(col("n").is_not_null());
        let text = condition(&filter, Quote::Bracket, &exact).unwrap();
        assert_eq!(text, "([n] > 5 AND [n] IS NOT NULL)");
        let table: TableName = TableName::new(["a`b".to_owned(), "c".to_owned()]).unwrap();
        assert_eq!(Quote::Backtick.table(&table), "`a``b`.`c`");
    }

    #[test]
    fn what_may_mean_something_else_is_left_to_the_engine() {
        let text = || datafusion::prelude::ident("t\"");
        for filter in [
            col("other").eq(lit(5)),
            text().lt(lit("b")),
            text().not_eq(lit("b")),
            text().eq(lit("a\\")),
            text().eq(lit("")),
            text().like(lit("a%")),
            col("n").eq(lit(5.0)),
            col("n").eq(lit(i64::MIN)),
            col("n").eq(lit(ScalarValue::Int64(None))),
            col("n").eq(col("n")),
            !col("n").eq(lit(5)),
        ] {
            assert_eq!(condition(&filter, Quote::Double, &exact), None, "{filter}");
        }
        let deep = (0..100).fold(col("n").eq(lit(1)), |all, n| all.and(col("n").eq(lit(n))));
        assert_eq!(condition(&deep, Quote::Double, &exact), None);
    }
}
