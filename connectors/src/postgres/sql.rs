//! Names and literals as SQL text. `COPY` takes no parameters, so what cannot be written safely is not written at all.

use std::fmt::Write as _;

use lingqu_connector_sdk::TableName;

/// An identifier, in quotes that it cannot leave.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table by its schema and name.
pub(super) fn table(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A text constant under `standard_conforming_strings`, which every session sets; `None` if it cannot be one.
pub(super) fn text(value: &str) -> Option<String> {
    (!value.contains('\0')).then(|| format!("'{}'::pg_catalog.text", value.replace('\'', "''")))
}

/// Schema and name of a table; a name alone is in `public`, a third part must be the database.
pub(super) fn parts<'a>(table: &'a TableName, database: &str) -> Option<(&'a str, &'a str)> {
    match table.parts() {
        [name] => Some(("public", name)),
        [schema, name] => Some((schema, name)),
        [catalog, schema, name] if catalog == database => Some((schema, name)),
        _ => None,
    }
}

/// What is read, and from where.
pub(super) struct Selection<'a> {
    /// Columns, in order.
    pub(super) columns: &'a [&'a str],
    /// Schema and name.
    pub(super) table: (&'a str, &'a str),
    /// A condition in SQL.
    pub(super) condition: Option<&'a str>,
    /// Most rows.
    pub(super) limit: Option<usize>,
}

/// The query.
pub(super) fn select(selection: &Selection<'_>) -> String {
    let columns: Vec<String> = selection
        .columns
        .iter()
        .map(|name| identifier(name))
        .collect();
    let (schema, name) = selection.table;
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), table(schema, name));
    if let Some(condition) = selection.condition {
        write!(sql, " WHERE {condition}").expect("a string takes everything");
    }
    if let Some(limit) = selection.limit {
        write!(sql, " LIMIT {limit}").expect("a string takes everything");
    }
    sql
}

/// The statement that sends the query's rows in binary form.
pub(super) fn copy(selection: &Selection<'_>) -> String {
    format!("COPY ({}) TO STDOUT (FORMAT binary)", select(selection))
}

#[cfg(test)]
mod tests;
