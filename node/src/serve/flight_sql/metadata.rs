//! What there is, for tools that look before they ask: the products that this caller may use, and nothing else.
//!
//! Units are shown as schemas and products as tables, whose columns are the columns of the answer; what a product takes
//! stands in its schema's metadata. Products that the caller has no grant for do not exist here.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_flight::sql::metadata::{
    GetCatalogsBuilder, SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData,
    XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, Nullable,
    Searchable, SqlInfo, SqlSupportedTransaction, XdbcDataType,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_core::{ErrorCode, NodeId};

use super::command::Metadata;
use super::own_tables;
use crate::VisibleProduct;
use crate::serve::sql::OWN_SCHEMA;

/// Arrow as it is linked here.
const ARROW_VERSION: &str = "59";
/// What `GetTables` calls a product.
const PRODUCT: &str = "PRODUCT";
/// What it calls a table of the caller's own.
const OWN: &str = "SYSTEM TABLE";

/// What is asked about is answered from this.
pub(super) struct Shown<'a> {
    /// The catalog: tools that open several nodes tell them apart by it.
    pub(super) node: &'a NodeId,
    /// What the caller may use.
    pub(super) products: &'a [VisibleProduct],
}

impl Shown<'_> {
    /// The answer.
    ///
    /// # Errors
    /// `INTERNAL` if Arrow cannot build it, which would be a defect.
    pub(super) fn answer(&self, asked: Metadata) -> Result<RecordBatch, ErrorCode> {
        let catalog = self.node.as_str();
        let built = match asked {
            Metadata::Catalogs => {
                let mut builder: GetCatalogsBuilder = CommandGetCatalogs {}.into_builder();
                builder.append(catalog);
                builder.build()
            }
            Metadata::CrossReference(_) | Metadata::ExportedKeys | Metadata::ImportedKeys => {
                Ok(RecordBatch::new_empty(foreign_keys()))
            }
            Metadata::DbSchemas(asked) => self.schemas(catalog, asked),
            Metadata::PrimaryKeys => Ok(RecordBatch::new_empty(primary_keys())),
            Metadata::SqlInfo(infos) => sql_info()?.record_batch(infos),
            Metadata::Tables(asked) => self.tables(catalog, asked),
            Metadata::TableTypes => {
                let mut builder = CommandGetTableTypes {}.into_builder();
                builder.append(PRODUCT);
                builder.append(OWN);
                builder.build()
            }
            Metadata::XdbcTypeInfo(data_type) => types()?.record_batch(data_type),
        };
        built.map_err(|error| {
            tracing::error!(%error, "metadata cannot be built");
            ErrorCode::Internal
        })
    }

    fn schemas(
        &self,
        catalog: &str,
        asked: CommandGetDbSchemas,
    ) -> Result<RecordBatch, arrow_flight::error::FlightError> {
        let mut names: Vec<&str> = self.products.iter().map(|p| words(p).0).collect();
        names.push(OWN_SCHEMA);
        names.sort_unstable();
        names.dedup();
        let mut builder = asked.into_builder();
        for name in names {
            builder.append(catalog, name);
        }
        builder.build()
    }

    fn tables(
        &self,
        catalog: &str,
        asked: CommandGetTables,
    ) -> Result<RecordBatch, arrow_flight::error::FlightError> {
        let mut builder = asked.into_builder();
        let mut last = None;
        for product in self.products {
            // Versions share their name; the grant chooses among them, and the newest stands for all.
            if last == Some(&product.reference.id) {
                continue;
            }
            last = Some(&product.reference.id);
            let (schema, table) = words(product);
            builder.append(catalog, schema, table, PRODUCT, &described(product))?;
        }
        for (table, schema) in [
            ("products", own_tables::products_schema()),
            ("receipts", own_tables::receipts_schema()),
        ] {
            builder.append(catalog, OWN_SCHEMA, table, OWN, &schema)?;
        }
        builder.build()
    }
}

/// The schema of an answer, for those who want it before they fetch.
pub(super) fn schema_of(asked: &Metadata) -> Result<SchemaRef, ErrorCode> {
    Ok(match asked {
        Metadata::Catalogs => CommandGetCatalogs {}.into_builder().schema(),
        Metadata::CrossReference(_) | Metadata::ExportedKeys | Metadata::ImportedKeys => {
            foreign_keys()
        }
        Metadata::DbSchemas(asked) => asked.clone().into_builder().schema(),
        Metadata::PrimaryKeys => primary_keys(),
        Metadata::SqlInfo(_) => sql_info()?.schema(),
        Metadata::Tables(asked) => asked.clone().into_builder().schema(),
        Metadata::TableTypes => CommandGetTableTypes {}.into_builder().schema(),
        Metadata::XdbcTypeInfo(_) => types()?.schema(),
    })
}

/// `unit` and `product`.
fn words(product: &VisibleProduct) -> (&str, &str) {
    let id = product.reference.id.as_str();
    id.split_once('.')
        .expect("an id of a product is two words with a dot between")
}

/// The columns of the answer, and in the metadata what the product takes.
fn described(product: &VisibleProduct) -> Schema {
    let metadata = HashMap::from([
        ("lingqu.kind".to_owned(), product.kind.to_string()),
        ("lingqu.parameters".to_owned(), product.signature()),
        ("lingqu.product".to_owned(), product.reference.to_string()),
        ("lingqu.title".to_owned(), product.title_en.clone()),
        ("lingqu.title_zh".to_owned(), product.title_zh.clone()),
    ]);
    product.output.as_ref().clone().with_metadata(metadata)
}

fn sql_info() -> Result<SqlInfoData, ErrorCode> {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Lingqu");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(
        SqlInfo::FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlAllTablesAreSelectable, false);
    info.build().map_err(|_| ErrorCode::Internal)
}

/// The types that parameters have.
fn types() -> Result<XdbcTypeInfoData, ErrorCode> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    types.append(XdbcTypeInfo {
        type_name: "bigint".to_owned(),
        data_type: XdbcDataType::XdbcBigint,
        sql_data_type: XdbcDataType::XdbcBigint,
        column_size: Some(19),
        nullable: Nullable::NullabilityNoNulls,
        searchable: Searchable::None,
        unsigned_attribute: Some(false),
        fixed_prec_scale: true,
        ..XdbcTypeInfo::default()
    });
    types.append(XdbcTypeInfo {
        type_name: "varchar".to_owned(),
        data_type: XdbcDataType::XdbcVarchar,
        sql_data_type: XdbcDataType::XdbcVarchar,
        column_size: Some(1_024),
        literal_prefix: Some("'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        nullable: Nullable::NullabilityNoNulls,
        case_sensitive: true,
        searchable: Searchable::None,
        ..XdbcTypeInfo::default()
    });
    types.build().map_err(|_| ErrorCode::Internal)
}

/// As the specification of Flight SQL gives it for `CommandGetPrimaryKeys`.
fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// The same for `CommandGetExportedKeys`, `CommandGetImportedKeys` and `CommandGetCrossReference`.
fn foreign_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
