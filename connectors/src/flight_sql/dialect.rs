//! The SQL that the other side understands, as far as a reading needs it: columns of a table, and conditions only where
//! they surely mean the same there.

use std::fmt::Write as _;

use arrow_schema::{DataType, Schema};
use datafusion::logical_expr::{Expr, Operator};
use lingqu_connector_sdk::TableName;
use serde::Deserialize;

use crate::scan::Wanted;
use crate::sql_text::{Compared, Quote, condition};

/// Whose SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dialect {
    /// The standard's quotes, and nothing that could differ.
    Ansi,
    /// DataFusion's: the engine that also evaluates here.
    Datafusion,
    /// Backticks, and nothing that could differ.
    Mysql,
    /// The closed subset of `lingqu-odbc`: conditions on numbers, each by itself.
    Odbc,
    /// Brackets, and nothing that could differ.
    SqlServer,
}

impl Dialect {
    fn quote(self) -> Quote {
        match self {
            Dialect::Ansi | Dialect::Datafusion | Dialect::Odbc => Quote::Double,
            Dialect::Mysql => Quote::Backtick,
            Dialect::SqlServer => Quote::Bracket,
        }
    }

    /// The condition as text, if it means the same there.
    pub(super) fn condition(self, schema: &Schema, filter: &Expr) -> Option<String> {
        let compared = |name: &str| compared(schema, name);
        match self {
            Dialect::Datafusion => condition(filter, self.quote(), &compared),
            Dialect::Odbc => {
                let single = match filter {
                    Expr::BinaryExpr(binary) => !matches!(binary.op, Operator::And | Operator::Or),
                    _ => true,
                };
                let numbers =
                    |name: &str| compared(name).filter(|found| *found == Compared::Integer);
                single.then(|| condition(filter, self.quote(), &numbers))?
            }
            Dialect::Ansi | Dialect::Mysql | Dialect::SqlServer => None,
        }
    }

    /// The statement that reads what is wanted.
    pub(super) fn statement(self, table: &TableName, schema: &Schema, wanted: &Wanted) -> String {
        let quote = self.quote();
        let mut sql = String::from("SELECT ");
        for (at, &index) in wanted.columns.iter().enumerate() {
            sql.push_str(if at == 0 { "" } else { ", " });
            sql.push_str(&quote.name(schema.field(index).name()));
        }
        sql.push_str(" FROM ");
        sql.push_str(&quote.table(table));
        let conditions = wanted
            .filters
            .iter()
            .filter_map(|filter| self.condition(schema, filter));
        for (at, text) in conditions.enumerate() {
            sql.push_str(if at == 0 { " WHERE " } else { " AND " });
            sql.push_str(&text);
        }
        let limits = matches!(self, Dialect::Datafusion | Dialect::Odbc);
        // With conditions left to the engine nobody knows yet how many rows it needs.
        if let Some(limit) = wanted.limit.filter(|_| limits && wanted.filters.is_empty()) {
            write!(sql, " LIMIT {limit}").expect("a string takes everything");
        }
        sql
    }
}

fn compared(schema: &Schema, name: &str) -> Option<Compared> {
    match schema.field_with_name(name).ok()?.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Some(Compared::Integer),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Compared::Text),
        _ => None,
    }
}
