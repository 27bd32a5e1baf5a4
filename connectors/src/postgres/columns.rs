//! Tables and columns as PostgreSQL's catalog has them, and the Arrow field that each column becomes.
//!
//! Types without a faithful counterpart are left out of a table's schema, and named when they are asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lingqu_connector_sdk::{SourceError, TableInfo, TableName};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::session::Session;
use super::settings::Settings;

/// Most columns of all tables together that are looked at.
const COLUMNS_MAX: usize = 200_000;

/// How the bytes of a value are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Bytea,
    /// `char(n)`: the padding is no part of the value.
    Char,
    Date,
    Enum,
    Float4,
    Float8,
    Int2,
    Int4,
    Int8,
    Json,
    Jsonb,
    Numeric {
        precision: u8,
        scale: u8,
    },
    Text,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
}

/// A column that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// How its values are read.
    pub(super) kind: Kind,
    /// Whether NULL is possible.
    pub(super) nullable: bool,
    /// Whether equal means equal bytes: the collation, if there is one, is deterministic.
    pub(super) bytewise: bool,
    /// Number of the type below all domains, and its modifier, as the server describes a result.
    pub(super) described: (u32, i32),
}

/// A table that the account may read.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Schema and name.
    pub(super) name: (String, String),
    /// Columns that can be read, in the table's order.
    pub(super) columns: Vec<Column>,
    /// Columns that cannot, with their types.
    pub(super) unsupported: Vec<(String, String)>,
    /// Rows, as the server last estimated.
    pub(super) rows: Option<u64>,
    /// Whether the account may lock it against changes; otherwise changes are looked for afterwards.
    pub(super) lockable: bool,
}

impl Column {
    /// The column as Arrow has it.
    pub(super) fn field(&self) -> Field {
        let data_type = match self.kind {
            Kind::Bool => DataType::Boolean,
            Kind::Bytea => DataType::Binary,
            Kind::Char | Kind::Enum | Kind::Json | Kind::Jsonb | Kind::Text | Kind::Uuid => {
                DataType::Utf8
            }
            Kind::Date => DataType::Date32,
            Kind::Float4 => DataType::Float32,
            Kind::Float8 => DataType::Float64,
            Kind::Int2 => DataType::Int16,
            Kind::Int4 => DataType::Int32,
            Kind::Int8 => DataType::Int64,
            Kind::Numeric { precision, scale } => DataType::Decimal128(
                precision,
                i8::try_from(scale).expect("a scale is at most 38"),
            ),
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(&self.name, data_type, self.nullable)
    }
}

/// The schema of these columns.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(Column::field).collect();
    Arc::new(Schema::new(fields))
}

impl Table {
    /// Without anything that only a reading needs.
    pub(super) fn info(&self) -> Option<TableInfo> {
        let (schema_name, name) = &self.name;
        Some(TableInfo {
            name: TableName::new([schema_name.clone(), name.clone()]).ok()?,
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

/// Tables of the database with the columns that the account may read. `None` in the place of a name takes all.
///
/// A materialised view that was refreshed after the transaction's snapshot would look empty; it is left out.
const COLUMNS: &str = "\
SELECT n.nspname::text, c.relname::text, c.reltuples::float8, \
  c.relkind IN ('r', 'p', 'v') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
  a.attname::text, a.attnotnull AND c.relkind IN ('r', 'p'), \
  t.oid, t.typtype::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypmod, \
  COALESCE(co.collisdeterministic, true) \
FROM pg_catalog.pg_class c \
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
  AND ($1::text IS NULL OR n.nspname = $1) AND ($2::text IS NULL OR c.relname = $2) \
  AND (pg_catalog.cardinality($3::text[]) = 0 OR n.nspname = ANY ($3)) \
  AND (c.relkind <> 'm' OR c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)) \
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
  AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') \
ORDER BY n.nspname, c.relname, a.attnum LIMIT $4";

/// Domains of the database: what each stands on, with its own modifier.
const DOMAINS: &str = "\
SELECT d.oid, d.typbasetype, d.typtypmod, b.typtype::text FROM pg_catalog.pg_type d \
JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype WHERE d.typtype = 'd'";

/// Domains by number: the type below, its modifier, its sort.
type Domains = HashMap<u32, (u32, i32, String)>;

/// All tables, or the one of this schema and name.
pub(super) async fn tables(
    session: &Session,
    settings: &Settings,
    only: Option<(&str, &str)>,
) -> Result<Vec<Table>, SourceError> {
    let (schema_name, name) = only.unzip();
    let limit = i64::try_from(COLUMNS_MAX + 1).expect("a small constant");
    let rows = session
        .query(
            COLUMNS,
            &[
                (&schema_name, Type::TEXT),
                (&name, Type::TEXT),
                (&settings.schemas, Type::TEXT_ARRAY),
                (&limit, Type::INT8),
            ],
        )
        .await?;
    if rows.len() > COLUMNS_MAX {
        return Err(SourceError::TooLarge);
    }
    let domains = if rows
        .iter()
        .any(|row| cell::<String>(row, 7).is_ok_and(|sort| sort == "d"))
    {
        domains(session).await?
    } else {
        Domains::new()
    };
    let mut tables: BTreeMap<(String, String), Table> = BTreeMap::new();
    for row in &rows {
        let key: (String, String) = (cell(row, 0)?, cell(row, 1)?);
        let table = match tables.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let estimate: f64 = cell(row, 2)?;
                let table = Table {
                    name: entry.key().clone(),
                    columns: Vec::new(),
                    unsupported: Vec::new(),
                    // 0 is what older servers say of a table that was never looked at; no estimate is a fraction.
                    rows: (estimate > 0.0).then_some(estimate as u64),
                    lockable: cell(row, 3)?,
                };
                entry.insert(table)
            }
        };
        add_column(table, row, &domains, settings)?;
    }
    Ok(tables.into_values().collect())
}

async fn domains(session: &Session) -> Result<Domains, SourceError> {
    let rows = session.query(DOMAINS, &[]).await?;
    rows.iter()
        .map(|row| Ok((cell(row, 0)?, (cell(row, 1)?, cell(row, 2)?, cell(row, 3)?))))
        .collect()
}

fn add_column(
    table: &mut Table,
    row: &Row,
    domains: &Domains,
    settings: &Settings,
) -> Result<(), SourceError> {
    let (name, found): (String, String) = (cell(row, 4)?, cell(row, 8)?);
    let (mut oid, mut sort, mut modifier): (u32, String, i32) =
        (cell(row, 6)?, cell(row, 7)?, cell(row, 9)?);
    // Domains may stand on domains; the catalog has no circles, and the bound holds whatever it has.
    for _ in 0..32 {
        let Some((below, own, its_sort)) = domains.get(&oid).filter(|_| sort == "d") else {
            break;
        };
        modifier = if *own == -1 { modifier } else { *own };
        (oid, sort) = (*below, its_sort.clone());
    }
    let (schema_name, table_name) = &table.name;
    let declared = settings
        .numeric
        .get(&format!("{schema_name}.{table_name}.{name}"));
    match kind(oid, &sort, modifier, declared) {
        Some(kind) => table.columns.push(Column {
            name,
            kind,
            nullable: !cell::<bool>(row, 5)?,
            bytewise: cell(row, 10)?,
            described: (oid, modifier),
        }),
        None if oid == Type::NUMERIC.oid() && modifier == -1 => {
            let hint = format!(
                "{found} without precision and scale, which `numeric` in the settings of the source can declare"
            );
            table.unsupported.push((name, hint));
        }
        None => table.unsupported.push((name, found)),
    }
    Ok(())
}

/// How values of a type are read; `None` if they are not.
fn kind(oid: u32, sort: &str, modifier: i32, declared: Option<&(u8, u8)>) -> Option<Kind> {
    if sort == "e" {
        return Some(Kind::Enum);
    }
    match Type::from_oid(oid)? {
        Type::BOOL => Some(Kind::Bool),
        Type::BPCHAR => Some(Kind::Char),
        Type::BYTEA => Some(Kind::Bytea),
        Type::DATE => Some(Kind::Date),
        Type::FLOAT4 => Some(Kind::Float4),
        Type::FLOAT8 => Some(Kind::Float8),
        Type::INT2 => Some(Kind::Int2),
        Type::INT4 => Some(Kind::Int4),
        Type::INT8 => Some(Kind::Int8),
        Type::JSON => Some(Kind::Json),
        Type::JSONB => Some(Kind::Jsonb),
        Type::NUMERIC => numeric(modifier, declared),
        Type::TEXT | Type::VARCHAR | Type::NAME => Some(Kind::Text),
        Type::TIME => Some(Kind::Time),
        Type::TIMESTAMP => Some(Kind::Timestamp),
        Type::TIMESTAMPTZ => Some(Kind::TimestampTz),
        Type::UUID => Some(Kind::Uuid),
        _ => None,
    }
}

/// Precision and scale lie in the modifier, above the four bytes of a header that it has for the sake of old times. The
/// scale has eleven bits and a sign (numeric.c, `make_numeric_typmod`).
fn numeric(modifier: i32, declared: Option<&(u8, u8)>) -> Option<Kind> {
    if modifier < 4 {
        let &(precision, scale) = declared?;
        return Some(Kind::Numeric { precision, scale });
    }
    let packed = modifier - 4;
    let precision = u8::try_from((packed >> 16) & 0xffff).ok()?;
    let scale = u8::try_from(((packed & 0x7ff) ^ 1_024) - 1_024).ok()?;
    ((1..=38).contains(&precision) && scale <= precision)
        .then_some(Kind::Numeric { precision, scale })
}

/// One value of a catalog's row.
pub(super) fn cell<'row, T>(row: &'row Row, at: usize) -> Result<T, SourceError>
where
    T: tokio_postgres::types::FromSql<'row>,
{
    row.try_get(at)
        .map_err(|_| SourceError::Failed { code: None })
}

#[cfg(test)]
mod tests;
