//! What is being checked: the connector, what was prepared, and what the checks have read of it so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use futures::StreamExt as _;

use crate::{Connector, Health, LoadRequest, ReadLimits, SourceError, TableInfo, TableName};

use super::rows::Rows;
use super::{CHECKS, Fixture, NotControlled, Options, Outcome, Report, Text, Verdict};

/// Most bytes that the kit keeps of one table.
const BYTES_MAX: u64 = 128 << 20;

/// A table that was read whole.
#[derive(Clone)]
pub(super) struct Examined {
    pub(super) name: TableName,
    pub(super) schema: SchemaRef,
    pub(super) provider: Arc<dyn TableProvider>,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: Rows,
}

impl Examined {
    pub(super) fn columns(&self) -> Vec<String> {
        let fields = self.schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }
}

/// The tables to compare row by row, and why others are not among them.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) examined: Vec<Arc<Examined>>,
    /// Tables that are larger than what is compared.
    pub(super) too_large: Vec<TableName>,
}

pub(super) struct Subject {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) fixture: Fixture,
    pub(super) options: Options,
    /// Set by the first check that asks.
    health: Option<Health>,
    described: Option<Vec<TableInfo>>,
    /// Tables that the source lists and that are not checked.
    left_out: Vec<TableName>,
    tables: Option<Tables>,
    /// Every error that the connector gave, as whoever logs it would see it.
    pub(super) errors: Vec<String>,
}

impl Subject {
    pub(super) fn new(
        connector: Arc<dyn Connector>,
        fixture: Option<Fixture>,
        options: Options,
    ) -> Subject {
        Subject {
            connector,
            fixture: fixture.unwrap_or_default(),
            options,
            health: None,
            described: None,
            left_out: Vec::new(),
            tables: None,
            errors: Vec::new(),
        }
    }

    /// Keeps what an error says, for the last check.
    pub(super) fn heard<T>(&mut self, result: Result<T, SourceError>) -> Result<T, SourceError> {
        if let Err(error) = &result {
            self.errors.push(format!("{error} {error:?}"));
        }
        result
    }

    /// The same of an error in a stream, whose own words are lost when it becomes a source error.
    pub(super) fn heard_of_engine<T>(
        &mut self,
        result: Result<T, DataFusionError>,
    ) -> Result<T, SourceError> {
        result.map_err(|error| {
            self.errors.push(format!("{error} {error:?}"));
            error.into()
        })
    }

    pub(super) async fn health(&mut self) -> Result<Health, SourceError> {
        if self.health.is_none() {
            let health = self.connector.health().await;
            self.health = Some(self.heard(health)?);
        }
        Ok(self.health.clone().expect("it was set above"))
    }

    /// The tables to check, as the source describes them.
    pub(super) async fn described(&mut self) -> Result<Vec<TableInfo>, SourceError> {
        if self.described.is_none() {
            let described = self.connector.describe().await;
            let mut described = self.heard(described)?;
            let all: Vec<TableName> = described.iter().map(|table| table.name.clone()).collect();
            let wanted = &self.options.tables;
            if !wanted.is_empty() {
                described.retain(|table| wanted.contains(&table.name));
                let missing =
                    |name: &&TableName| described.iter().all(|found| found.name != **name);
                if let Some(missing) = wanted.iter().find(missing) {
                    return Err(SourceError::TableMissing(missing.clone()));
                }
            }
            // Reading this one is an error on purpose.
            if let Some(unfit) = &self.fixture.unfit {
                described.retain(|table| table.name != unfit.table);
            }
            described.truncate(self.options.tables_max);
            let checked = |name: &TableName| described.iter().any(|table| table.name == *name);
            self.left_out = all.into_iter().filter(|name| !checked(name)).collect();
            self.described = Some(described);
        }
        Ok(self.described.clone().expect("it was set above"))
    }

    /// The tables, read whole as far as they are small enough to be compared.
    pub(super) async fn tables(&mut self) -> Result<Tables, SourceError> {
        if let Some(tables) = &self.tables {
            return Ok(tables.clone());
        }
        let mut tables = Tables::default();
        for table in self.described().await? {
            match self.examine(&table.name).await {
                Ok(examined) => tables.examined.push(Arc::new(examined)),
                Err(SourceError::TooLarge) => tables.too_large.push(table.name),
                Err(error) => return Err(error),
            }
        }
        self.tables = Some(tables.clone());
        Ok(tables)
    }

    /// Opens a table and reads it whole.
    pub(super) async fn examine(&mut self, name: &TableName) -> Result<Examined, SourceError> {
        let provider = self.connector.open(name).await;
        let provider = self.heard(provider)?;
        let schema = provider.schema();
        let columns = schema.fields().iter().map(|field| field.name().clone());
        let request = self.request(name, columns.collect());
        let batches = self.load(&request).await?;
        let rows = Rows::of(&schema, &batches);
        let changed = || SourceError::SchemaChanged(name.clone());
        Ok(Examined {
            name: name.clone(),
            rows: rows.ok_or_else(changed)?,
            schema,
            provider,
            batches,
        })
    }

    /// A request within what the kit can hold.
    pub(super) fn request(&self, table: &TableName, columns: Vec<String>) -> LoadRequest {
        LoadRequest {
            table: table.clone(),
            columns,
            limits: ReadLimits {
                rows_max: self.options.rows_compared_max,
                bytes_max: BYTES_MAX,
                batch_rows: self.options.batch_rows,
                time_max: self.options.check_time_max,
            },
        }
    }

    /// Reads all that the connector itself gives for a request, without enforcing anything for it; only a connector
    /// that does not end is left, at twice the rows that the kit holds.
    pub(super) async fn load(
        &mut self,
        request: &LoadRequest,
    ) -> Result<Vec<RecordBatch>, SourceError> {
        let reading = self.connector.load(request).await;
        let mut reading = self.heard(reading)?;
        let mut batches = Vec::new();
        let mut rows = 0;
        while let Some(batch) = reading.batches.next().await {
            let batch = self.heard_of_engine(batch)?;
            rows += batch.num_rows() as u64;
            batches.push(batch);
            if rows > self.options.rows_compared_max.saturating_mul(2) {
                return Err(SourceError::TooLarge);
            }
        }
        Ok(batches)
    }

    /// Statements that the source is working on for this connector, by whoever can tell.
    pub(super) async fn running(&mut self) -> Result<Option<u64>, SourceError> {
        if let Some(control) = self.fixture.control.clone() {
            match control.running_queries().await {
                Ok(running) => return Ok(Some(running)),
                Err(NotControlled::None) => {}
                Err(NotControlled::Failed(_)) => return Ok(None),
            }
        }
        let running = self.connector.running_queries().await;
        self.heard(running)
    }

    /// A table that takes a while to read: the prepared one, or the one of which the source says that it has most rows.
    pub(super) async fn large(&mut self) -> Result<Option<TableInfo>, SourceError> {
        let described = self.described().await?;
        if let Some(large) = &self.fixture.large {
            let known = described.into_iter().find(|table| table.name == *large);
            if known.is_some() {
                return Ok(known);
            }
            let provider = self.connector.open(large).await;
            return Ok(Some(TableInfo {
                name: large.clone(),
                schema: self.heard(provider)?.schema(),
                rows: None,
            }));
        }
        Ok(described.into_iter().max_by_key(|table| table.rows))
    }

    /// The report, in the order of the checks.
    pub(super) fn report(
        self,
        mut found: BTreeMap<&'static str, Verdict>,
        unusable: Vec<Text>,
    ) -> Report {
        let outcomes = CHECKS.iter().filter_map(|check| {
            let verdict = found.remove(check.id)?;
            Some(Outcome {
                check: *check,
                verdict,
            })
        });
        let described = self.described.iter().flatten();
        Report {
            outcomes: outcomes.collect(),
            server: self.health.map(|health| health.server).unwrap_or_default(),
            tables: described.map(|table| table.name.to_string()).collect(),
            left_out: self.left_out.iter().map(ToString::to_string).collect(),
            unusable,
        }
    }
}
