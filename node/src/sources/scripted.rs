//! A source that does as it is told, for tests: what it holds, what fails, and where it waits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt as _;
use lingqu_connector_sdk::{
    Connector, Health, LoadRequest, Reading, SourceError, TableInfo, TableName,
};
use tokio::sync::Semaphore;

use super::NamedSource;

/// See the module. Its one table is called `table`.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) batches: Mutex<Vec<RecordBatch>>,
    /// What `load` serves in place of `batches`, as if the table had been altered after it was described.
    pub(crate) altered: Mutex<Option<Vec<RecordBatch>>>,
    pub(crate) fails: Mutex<Option<SourceError>>,
    /// One permit lets one batch come.
    pub(crate) gate: Arc<Semaphore>,
    /// How many loads were begun.
    pub(crate) loads: AtomicUsize,
}

impl Scripted {
    pub(crate) fn of(batches: Vec<RecordBatch>) -> Arc<Scripted> {
        Arc::new(Scripted {
            batches: Mutex::new(batches),
            altered: Mutex::default(),
            fails: Mutex::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            loads: AtomicUsize::new(0),
        })
    }

    pub(crate) fn named(self: &Arc<Scripted>, name: &str) -> NamedSource {
        NamedSource {
            name: name.to_owned(),
            connector: Arc::clone(self) as Arc<dyn Connector>,
        }
    }

    pub(crate) fn table() -> TableName {
        "table".parse().unwrap()
    }

    fn state(&self) -> Result<Vec<RecordBatch>, SourceError> {
        match self.fails.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(self.batches.lock().unwrap().clone()),
        }
    }
}

#[async_trait]
impl Connector for Scripted {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let batches = self.state()?;
        Ok(vec![TableInfo {
            name: Scripted::table(),
            schema: batches[0].schema(),
            rows: None,
        }])
    }

    async fn open(&self, _: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let batches = self.state()?;
        let table = MemTable::try_new(batches[0].schema(), vec![batches]);
        Ok(Arc::new(table.map_err(SourceError::from)?))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let batches = self.state()?;
        let batches = self.altered.lock().unwrap().clone().unwrap_or(batches);
        let wanted = request.projection(&batches[0].schema())?;
        let batches: Vec<RecordBatch> = batches
            .iter()
            .map(|batch| batch.project(&wanted).unwrap())
            .collect();
        let schema = batches[0].schema();
        let gate = Arc::clone(&self.gate);
        let stream = futures::stream::iter(batches).then(move |batch| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, DataFusionError>(batch)
            }
        });
        Ok(Reading {
            batches: Box::pin(RecordBatchStreamAdapter::new(schema, stream)),
            version: None,
        })
    }

    async fn health(&self) -> Result<Health, SourceError> {
        self.state()?;
        Ok(Health {
            server: "scripted".to_owned(),
            may_write: Vec::new(),
            verified_tls: None,
        })
    }
}
