//! Names and literals as SQL text.

use std::fmt::Write as _;

use lingqu_connector_sdk::TableName;

/// An identifier, in quotes that it cannot leave.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text constant in hexadecimal digits, which no mode of the server reads differently.
pub(super) fn text(value: &str) -> String {
    format!("_utf8mb4 {}", bytes(value.as_bytes()))
}

/// A byte string.
pub(super) fn bytes(value: &[u8]) -> String {
    let mut sql = String::with_capacity(value.len() * 2 + 3);
    sql.push_str("X'");
    for byte in value {
        write!(sql, "{byte:02X}").expect("a string takes everything");
    }
    sql.push('\'');
    sql
}

/// Database and name of a table; a name alone is in the database of the settings.
pub(super) fn parts<'a>(table: &'a TableName, database: &'a str) -> Option<(&'a str, &'a str)> {
    match table.parts() {
        [name] => Some((database, name)),
        [schema, name] if schema == database => Some((database, name)),
        _ => None,
    }
}

/// What is read, and from where.
pub(super) struct Selection<'a> {
    /// Expressions in SQL, in order.
    pub(super) columns: &'a [String],
    /// Database and name.
    pub(super) table: (&'a str, &'a str),
    /// A condition in SQL.
    pub(super) condition: Option<&'a str>,
    /// Most rows.
    pub(super) limit: Option<usize>,
}

/// The query. Without any column it has one of no interest, so that rows can be counted.
pub(super) fn select(selection: &Selection<'_>) -> String {
    let columns = match selection.columns {
        [] => "1".to_owned(),
        columns => columns.join(", "),
    };
    let (schema, name) = selection.table;
    let mut sql = format!(
        "SELECT {columns} FROM {}.{}",
        identifier(schema),
        identifier(name)
    );
    if let Some(condition) = selection.condition {
        write!(sql, " WHERE {condition}").expect("a string takes everything");
    }
    if let Some(limit) = selection.limit {
        write!(sql, " LIMIT {limit}").expect("a string takes everything");
    }
    sql
}

#[cfg(test)]
mod tests;
