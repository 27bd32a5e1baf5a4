//! Tables and columns as the information schema has them, and the Arrow field that each column becomes.
//!
//! Types without a faithful counterpart are left out of a table's schema, and named when they are asked for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lingqu_connector_sdk::{SourceError, TableInfo, TableName};
use mysql_async::Value;
use mysql_async::consts::ColumnType;

use super::session::Session;
use super::settings::{Protocol, Settings, ZeroDates};
use super::sql;

/// Most columns of all tables together that are looked at.
const COLUMNS_MAX: usize = 200_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bit,
    Bytes,
    Date,
    DateTime,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Double,
    Float,
    Int8,
    Int16,
    Int32,
    Int64,
    /// Texts that are more than their characters: `ENUM`, `SET`, `JSON`.
    Label,
    Text,
    Time,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Year,
}

/// A column that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// What it holds.
    pub(super) kind: Kind,
    /// Whether NULL is possible.
    pub(super) nullable: bool,
    /// Whether its texts are stored as UTF-8 of up to four bytes, so that any constant can be compared with them.
    pub(super) utf8mb4: bool,
    /// Whether dates that are none are NULL.
    pub(super) zero_is_null: bool,
    /// The type as the server declares it, for comparing.
    pub(super) declared: String,
}

/// A table that the account may read.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Columns that can be read, in the table's order.
    pub(super) columns: Vec<Column>,
    /// Columns that cannot, with their types.
    pub(super) unsupported: Vec<(String, String)>,
    /// Rows, as the server estimates.
    pub(super) rows: Option<u64>,
}

impl Column {
    /// The column as Arrow has it.
    pub(super) fn field(&self) -> Field {
        let data_type = match self.kind {
            Kind::Bit | Kind::UInt64 => DataType::UInt64,
            Kind::Bytes => DataType::Binary,
            Kind::Date => DataType::Date32,
            Kind::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Decimal { precision, scale } => DataType::Decimal128(
                precision,
                i8::try_from(scale).expect("a scale is at most 38"),
            ),
            Kind::Double => DataType::Float64,
            Kind::Float => DataType::Float32,
            Kind::Int8 => DataType::Int8,
            Kind::Int16 | Kind::Year => DataType::Int16,
            Kind::Int32 => DataType::Int32,
            Kind::Int64 => DataType::Int64,
            Kind::Label | Kind::Text => DataType::Utf8,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::UInt8 => DataType::UInt8,
            Kind::UInt16 => DataType::UInt16,
            Kind::UInt32 => DataType::UInt32,
        };
        Field::new(&self.name, data_type, self.nullable)
    }

    /// What is asked for to get its values whole. As text, a `FLOAT` has six digits; the same as a `DOUBLE` has all.
    pub(super) fn expression(&self, protocol: Protocol) -> String {
        let name = sql::identifier(&self.name);
        match (self.kind, protocol) {
            (Kind::Float, Protocol::Text) => format!("{name} + 0E0"),
            _ => name,
        }
    }

    /// Whether a result of this type holds such values.
    pub(super) fn fits(&self, found: ColumnType) -> bool {
        use ColumnType as Type;
        match self.kind {
            Kind::Bit => found == Type::MYSQL_TYPE_BIT,
            Kind::Date => matches!(found, Type::MYSQL_TYPE_DATE | Type::MYSQL_TYPE_NEWDATE),
            Kind::DateTime => found == Type::MYSQL_TYPE_DATETIME,
            Kind::Decimal { .. } => {
                matches!(
                    found,
                    Type::MYSQL_TYPE_NEWDECIMAL | Type::MYSQL_TYPE_DECIMAL
                )
            }
            Kind::Double | Kind::Float => {
                matches!(found, Type::MYSQL_TYPE_DOUBLE | Type::MYSQL_TYPE_FLOAT)
            }
            Kind::Int8 | Kind::UInt8 => found == Type::MYSQL_TYPE_TINY,
            Kind::Int16 | Kind::UInt16 => found == Type::MYSQL_TYPE_SHORT,
            Kind::Int32 | Kind::UInt32 => {
                matches!(found, Type::MYSQL_TYPE_LONG | Type::MYSQL_TYPE_INT24)
            }
            Kind::Int64 | Kind::UInt64 => found == Type::MYSQL_TYPE_LONGLONG,
            Kind::Bytes | Kind::Label | Kind::Text => matches!(
                found,
                Type::MYSQL_TYPE_VARCHAR
                    | Type::MYSQL_TYPE_VAR_STRING
                    | Type::MYSQL_TYPE_STRING
                    | Type::MYSQL_TYPE_ENUM
                    | Type::MYSQL_TYPE_SET
                    | Type::MYSQL_TYPE_JSON
                    | Type::MYSQL_TYPE_BLOB
                    | Type::MYSQL_TYPE_TINY_BLOB
                    | Type::MYSQL_TYPE_MEDIUM_BLOB
                    | Type::MYSQL_TYPE_LONG_BLOB
            ),
            Kind::Time => found == Type::MYSQL_TYPE_TIME,
            Kind::Timestamp => found == Type::MYSQL_TYPE_TIMESTAMP,
            Kind::Year => found == Type::MYSQL_TYPE_YEAR,
        }
    }
}

/// The schema of these columns.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(Column::field).collect();
    Arc::new(Schema::new(fields))
}

impl Table {
    /// Without anything that only a reading needs.
    pub(super) fn info(&self, database: &str) -> Option<TableInfo> {
        Some(TableInfo {
            name: TableName::new([database.to_owned(), self.name.clone()]).ok()?,
            schema: schema(&self.columns),
            rows: self.rows,
        })
    }

    /// These columns by name, in the order in which they are wanted, each once.
    pub(super) fn select(&self, names: &[String]) -> Result<Vec<Column>, SourceError> {
        let one = |name: &String| {
            if let Some(column) = self.columns.iter().find(|column| column.name == *name) {
                return Ok(column.clone());
            }
            match self.unsupported.iter().find(|(known, _)| known == name) {
                Some((column, found)) => Err(SourceError::ColumnType {
                    column: column.clone(),
                    found: found.clone(),
                }),
                None => Err(SourceError::ColumnMissing(name.clone())),
            }
        };
        let mut columns: Vec<Column> = Vec::with_capacity(names.len());
        for name in names {
            if columns.iter().any(|column| column.name == *name) {
                return Err(SourceError::ColumnMissing(name.clone()));
            }
            columns.push(one(name)?);
        }
        Ok(columns)
    }
}

/// All tables of the database, or the one of this name, with the columns that the account may read.
pub(super) async fn tables(
    session: &mut Session,
    settings: &Settings,
    only: Option<&str>,
) -> Result<Vec<Table>, SourceError> {
    let name = only.map(|name| format!(" AND c.TABLE_NAME = {}", sql::text(name)));
    let query = format!(
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.IS_NULLABLE, c.DATA_TYPE, c.COLUMN_TYPE, \
           c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.CHARACTER_SET_NAME, t.TABLE_ROWS, t.TABLE_TYPE \
         FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
           ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
         WHERE c.TABLE_SCHEMA = {}{} AND c.PRIVILEGES LIKE '%select%' \
         ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION LIMIT {}",
        sql::text(&settings.database),
        name.unwrap_or_default(),
        COLUMNS_MAX + 1
    );
    let rows = session.rows(&query).await?;
    if rows.len() > COLUMNS_MAX {
        return Err(SourceError::TooLarge);
    }
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in rows {
        let mut cells = row.unwrap_raw().into_iter().map(|cell| text(cell.as_ref()));
        let mut cell = || cells.next().flatten();
        let (Some(table), Some(column)) = (cell(), cell()) else {
            return Err(SourceError::Failed { code: None });
        };
        // Names are compared exactly, whatever the collation of the information schema is.
        if only.is_some_and(|only| only != table) {
            continue;
        }
        let declared = Declared {
            nullable: cell().as_deref() != Some("NO"),
            data_type: cell().unwrap_or_default().to_ascii_lowercase(),
            column_type: cell().unwrap_or_default().to_ascii_lowercase(),
            precision: cell().and_then(|text| text.parse().ok()),
            scale: cell().and_then(|text| text.parse().ok()),
            character_set: cell().unwrap_or_default(),
        };
        let (rows, sort) = (cell(), cell());
        let table = match tables.entry(table) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let table = Table {
                    name: entry.key().clone(),
                    columns: Vec::new(),
                    unsupported: Vec::new(),
                    rows: rows.and_then(|text| text.parse().ok()),
                };
                entry.insert(table)
            }
        };
        // A view's columns may be NULL whatever they are declared to be.
        let is_table = sort.as_deref() == Some("BASE TABLE");
        declared.add_to(table, column, is_table, settings);
    }
    Ok(tables.into_values().collect())
}

/// A cell of the information schema, which is text in every server, but not of one type.
fn text(cell: Option<&Value>) -> Option<String> {
    match cell? {
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::NULL | Value::Float(_) | Value::Double(_) | Value::Date(..) | Value::Time(..) => {
            None
        }
    }
}

/// What the information schema says of a column.
struct Declared {
    nullable: bool,
    data_type: String,
    column_type: String,
    precision: Option<u8>,
    scale: Option<u8>,
    character_set: String,
}

impl Declared {
    fn add_to(self, table: &mut Table, name: String, is_table: bool, settings: &Settings) {
        let Some(kind) = self.kind() else {
            table.unsupported.push((name, self.column_type));
            return;
        };
        let is_date = matches!(kind, Kind::Date | Kind::DateTime | Kind::Timestamp);
        let zero_is_null = is_date && settings.zero_dates == ZeroDates::Null;
        table.columns.push(Column {
            name,
            kind,
            nullable: self.nullable || !is_table || zero_is_null,
            utf8mb4: self.character_set == "utf8mb4",
            zero_is_null,
            declared: format!("{} {}", self.column_type, self.character_set),
        });
    }

    fn kind(&self) -> Option<Kind> {
        let unsigned = self.column_type.contains("unsigned");
        match (self.data_type.as_str(), unsigned) {
            ("tinyint", false) => Some(Kind::Int8),
            ("tinyint", true) => Some(Kind::UInt8),
            ("smallint", false) => Some(Kind::Int16),
            ("smallint", true) => Some(Kind::UInt16),
            ("mediumint" | "int" | "integer", false) => Some(Kind::Int32),
            ("mediumint" | "int" | "integer", true) => Some(Kind::UInt32),
            ("bigint", false) => Some(Kind::Int64),
            ("bigint", true) => Some(Kind::UInt64),
            ("decimal" | "numeric", _) => match (self.precision?, self.scale?) {
                (precision @ 1..=38, scale) if scale <= precision => {
                    Some(Kind::Decimal { precision, scale })
                }
                _ => None,
            },
            ("float", _) => Some(Kind::Float),
            ("double", _) => Some(Kind::Double),
            ("bit", _) => Some(Kind::Bit),
            ("char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext", _) => {
                Some(Kind::Text)
            }
            ("enum" | "set" | "json" | "uuid", _) => Some(Kind::Label),
            ("binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob", _) => {
                Some(Kind::Bytes)
            }
            ("date", _) => Some(Kind::Date),
            ("datetime", _) => Some(Kind::DateTime),
            ("timestamp", _) => Some(Kind::Timestamp),
            ("time", _) => Some(Kind::Time),
            ("year", _) => Some(Kind::Year),
            _ => None,
        }
    }
}
