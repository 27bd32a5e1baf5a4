//! The columns of a table, asked of the database itself with a query that finds no row.
//!
//! Catalogue functions of drivers differ and are often wrong; what a result set says of itself is what reading it will
//! give.

use arrow_odbc::odbc_api::sys::SqlDataType;
use arrow_odbc::odbc_api::{Connection, DataType, Error, ResultSetMetadata};

use super::failure;
use crate::failure::{Failure, Stage};
use crate::job::{Job, Table};
use crate::types::{Column, ColumnType, is_name};

/// `SQL_GUID`, which reads as text of 36 characters.
const GUID: SqlDataType = SqlDataType(-11);

/// A column as the database describes it.
pub(super) struct Found {
    pub(super) name: String,
    /// The type that the driver reports.
    pub(super) reported: DataType,
    /// What it becomes: as declared, else the faithful counterpart; else the name of what has none.
    column_type: Result<ColumnType, String>,
    /// Whether it may hold NULL, as far as the unit declared it.
    nullable: bool,
}

/// A described table.
pub(super) struct Description(Vec<Found>);

impl Description {
    /// All columns, each with its type.
    ///
    /// # Errors
    /// One has a type without a counterpart.
    pub(super) fn columns(self) -> Result<Vec<Column>, Failure> {
        self.0.iter().map(Found::column).collect()
    }

    /// One column by its exact name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn column(&self, name: &str) -> Result<&Found, Failure> {
        let found = self.0.iter().find(|found| found.name == name);
        found.ok_or_else(|| Failure::ColumnMissing {
            column: name.to_owned(),
        })
    }
}

impl Found {
    /// The column, if its type has a counterpart.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn column(&self) -> Result<Column, Failure> {
        match &self.column_type {
            Ok(column_type) => Ok(Column {
                name: self.name.clone(),
                column_type: *column_type,
                nullable: self.nullable,
            }),
            Err(found) => Err(Failure::ColumnType {
                column: self.name.clone(),
                found: found.clone(),
            }),
        }
    }
}

/// Asks the database for the columns of a table, and puts the declared ones in their place.
///
/// # Errors
/// There is no such table, or a declared column is not there.
pub(super) fn table(
    connection: &Connection<'_>,
    job: &Job,
    table: &Table,
) -> Result<Description, Failure> {
    let refused = |error: Error| failure(&error, Stage::Describe);
    // Naming the declared columns works for accounts that may read these alone.
    let declared = table.columns.as_deref().unwrap_or_default();
    let names: Vec<String> = declared.iter().map(|column| column.name.clone()).collect();
    let sql = job.dialect.describe(&names, &table.name);
    let cursor = connection.execute(&sql, (), None).map_err(refused)?;
    let mut cursor = cursor.ok_or(Failure::DriverMisbehaved)?;
    let count = cursor.num_result_cols().map_err(refused)?;
    let count = u16::try_from(count).map_err(|_| Failure::DriverMisbehaved)?;
    if !declared.is_empty() && usize::from(count) != declared.len() {
        return Err(Failure::DriverMisbehaved);
    }
    let mut found = Vec::new();
    for index in 1..=count {
        let name = cursor.col_name(index).map_err(refused)?;
        let reported = cursor.col_data_type(index).map_err(refused)?;
        let unsigned = is_integer(reported) && cursor.column_is_unsigned(index).map_err(refused)?;
        // Drivers fold the case of names in some results; a declared name is what the database understood.
        let declared = declared.get(usize::from(index) - 1);
        found.push(match declared {
            Some(column) => Found {
                name: column.name.clone(),
                reported,
                column_type: Ok(column.column_type),
                nullable: column.nullable,
            },
            None => Found {
                name,
                reported,
                column_type: counterpart(reported, unsigned),
                nullable: true,
            },
        });
    }
    if !found.iter().all(|column| is_name(&column.name)) {
        return Err(Failure::DriverMisbehaved);
    }
    Ok(Description(found))
}

fn is_integer(reported: DataType) -> bool {
    matches!(
        reported,
        DataType::TinyInt | DataType::SmallInt | DataType::Integer | DataType::BigInt
    )
}

/// The type that holds every value of the reported one; else what the reported one is called.
fn counterpart(reported: DataType, unsigned: bool) -> Result<ColumnType, String> {
    Ok(match (reported, unsigned) {
        (DataType::Bit, _) => ColumnType::Bool,
        (DataType::TinyInt, _) | (DataType::SmallInt, false) => ColumnType::Int16,
        (DataType::SmallInt, true) | (DataType::Integer, false) => ColumnType::Int32,
        (DataType::Integer, true) | (DataType::BigInt, false) => ColumnType::Int64,
        (DataType::BigInt, true) => ColumnType::Decimal {
            precision: 20,
            scale: 0,
        },
        (DataType::Numeric { precision, scale } | DataType::Decimal { precision, scale }, _) => {
            return ColumnType::decimal(precision, i64::from(scale))
                .ok_or_else(|| format!("decimal({precision}, {scale})"));
        }
        (DataType::Real | DataType::Float { precision: 1..=24 }, _) => ColumnType::Float32,
        (DataType::Double | DataType::Float { .. }, _) => ColumnType::Float64,
        (DataType::Date, _) => ColumnType::Date,
        (DataType::Time { .. }, _) => ColumnType::Time,
        (DataType::Timestamp { precision: ..=6 }, _) => ColumnType::Timestamp,
        (DataType::Timestamp { .. }, _) => ColumnType::TimestampNanos,
        (
            DataType::Char { .. }
            | DataType::WChar { .. }
            | DataType::Varchar { .. }
            | DataType::WVarchar { .. }
            | DataType::LongVarchar { .. }
            | DataType::WLongVarchar { .. }
            | DataType::Other {
                data_type: GUID, ..
            },
            _,
        ) => ColumnType::Text,
        (
            DataType::Binary { .. } | DataType::Varbinary { .. } | DataType::LongVarbinary { .. },
            _,
        ) => ColumnType::Binary,
        (DataType::Other { data_type, .. }, _) => {
            return Err(format!("with the number {}", data_type.0));
        }
        (DataType::Unknown, _) => return Err("that the driver does not know".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counterpart_holds_every_value_or_there_is_none() {
        let decimal = |precision, scale| DataType::Decimal { precision, scale };
        assert_eq!(counterpart(DataType::TinyInt, true), Ok(ColumnType::Int16));
        assert_eq!(counterpart(DataType::SmallInt, true), Ok(ColumnType::Int32));
        assert_eq!(counterpart(DataType::Integer, true), Ok(ColumnType::Int64));
        let unsigned = counterpart(DataType::BigInt, true);
        assert_eq!(unsigned.unwrap().to_string(), "decimal(20, 0)");
        assert!(counterpart(decimal(38, 0), false).is_ok());
        for without in [decimal(39, 0), decimal(5, -2), decimal(2, 5), decimal(0, 0)] {
            assert!(counterpart(without, false).is_err(), "{without:?}");
        }
        assert!(counterpart(DataType::Unknown, false).is_err());
    }
}
