//! What the types mean that tables of SQLite declare.

use lingqu_connector_sdk::SourceError;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::declared::{Column, ColumnType, Columns};

/// A column as the database describes it.
pub(super) struct Found {
    pub(super) name: String,
    declared: String,
    nullable: bool,
}

/// From the rows of `PRAGMA table_xinfo`; columns that only a virtual table's own queries have are left out.
pub(super) fn columns(rows: &[SqliteRow]) -> Result<Vec<Found>, sqlx::Error> {
    let mut found = Vec::new();
    for row in rows {
        let hidden: i64 = row.try_get("hidden")?;
        if hidden == 1 {
            continue;
        }
        let not_null: i64 = row.try_get("notnull")?;
        found.push(Found {
            name: row.try_get("name")?,
            declared: row.try_get("type")?,
            nullable: not_null == 0,
        });
    }
    Ok(found)
}

/// The columns, if every declared type is known.
pub(super) fn typed(found: Vec<Found>) -> Result<Columns, SourceError> {
    let column = |found: Found| match column_type(&found.declared) {
        Some(kind) => Ok(Column::plain(found.name, kind, found.nullable)),
        None => Err(SourceError::ColumnType {
            column: found.name,
            found: found.declared,
        }),
    };
    let list = found.into_iter().map(column).collect::<Result<_, _>>()?;
    Columns::of(list).map_err(|_| SourceError::Failed { code: None })
}

/// `NAME`, `NAME(n)` or `NAME(p, s)`, in any case.
fn column_type(declared: &str) -> Option<ColumnType> {
    let upper = declared.to_ascii_uppercase();
    let (name, parameters) = match upper.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.strip_suffix(')')?.trim()),
        None => (upper.trim(), ""),
    };
    Some(match name {
        "INT" | "INTEGER" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "BIGINT" | "INT2" | "INT4"
        | "INT8" => ColumnType::Int64,
        "TEXT" | "CHAR" | "CHARACTER" | "VARCHAR" | "NCHAR" | "NVARCHAR" | "VARYING CHARACTER"
        | "NATIVE CHARACTER" | "CLOB" => ColumnType::Text,
        "REAL" | "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" => ColumnType::Float64,
        "BLOB" => ColumnType::Binary,
        "BOOLEAN" | "BOOL" => ColumnType::Boolean,
        "DATE" => ColumnType::Date,
        "DATETIME" | "TIMESTAMP" => ColumnType::Timestamp,
        "DECIMAL" | "NUMERIC" if !parameters.is_empty() => {
            let (precision, scale) = parameters.split_once(',').unwrap_or((parameters, "0"));
            let text = format!("decimal({},{})", precision.trim(), scale.trim());
            ColumnType::try_from(text).ok()?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_mean_one_thing_or_nothing() {
        for (declared, expected) in [
            ("integer", Some(ColumnType::Int64)),
            ("VARCHAR(20)", Some(ColumnType::Text)),
            ("Decimal(18, 2)", Some(ColumnType::Decimal(18, 2))),
            ("NUMERIC(5)", Some(ColumnType::Decimal(5, 0))),
            ("NUMERIC", None),
            ("DECIMAL(40,2)", None),
            ("", None),
            ("ANY", None),
            ("JSON", None),
            ("VARCHAR(20", None),
        ] {
            assert_eq!(column_type(declared), expected, "{declared}");
        }
    }
}
