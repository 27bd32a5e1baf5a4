//! A source in memory that behaves like a server (it counts what it works on, can be restarted and altered), and a
//! connector to it that has at most one fault.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt as _;

use crate::conformance::{Control, Fixture, NotControlled, Specimen, Unfit};
use crate::{
    Connector, Health, LoadRequest, Reading, SourceError, TableInfo, TableName, WriteProbe,
};

use super::altered::altered;
use super::table::Table;

/// A value that no error and no report may show.
pub(super) const CANARY: &str = "canary-4711-金丝雀";
const SECRET: &str = "correct horse battery";

/// What is wrong with the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    AccountMayWrite,
    BatchesTooLarge,
    BuffersEverything,
    ByteLimitIgnored,
    CaseIgnored,
    CharPadded,
    ColumnsInTableOrder,
    DatesClamped,
    DecimalsAsFloats,
    DecimalsTruncated,
    DescribesOtherColumns,
    DescribesOutOfOrder,
    DriftIgnored,
    EmptyAsNull,
    EmptyIsNull,
    EndsEarlyAtRestart,
    FewerRowsAtTheLimit,
    FilterIgnored,
    GbkAsLatin,
    GoesOnAfterDrop,
    IntegersThroughFloats,
    LessIsLessOrEqual,
    LikeIgnoresCase,
    LimitBeforeFilter,
    LimitClaimedAndIgnored,
    LimitOneTooSmall,
    ListShortened,
    MissingTableIsAFailure,
    MomentsShifted,
    NeverComesBack,
    NoVersion,
    NotEncrypted,
    NullAsEmpty,
    OrAsAnd,
    OtherOrderEachTime,
    Panics,
    ProjectionIgnored,
    ReadingsShareState,
    ReadsAhead,
    RowLimitIgnored,
    RowsWithNullDropped,
    SecretInDebug,
    TextReplaced,
    TimeIgnored,
    TrailingBlanksEqual,
    UnfitValueSkipped,
    ValueInCode,
    ValueInError,
    WriteAccepted,
    WriteHangs,
    ZoneDropped,
}

/// The server.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) tables: Mutex<BTreeMap<TableName, RecordBatch>>,
    running: AtomicU64,
    sent: AtomicU64,
    restarts: AtomicU64,
    odd: AtomicBool,
}

pub(super) struct Faulty {
    server: Arc<Server>,
    fault: Option<Fault>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.fault == Some(Fault::SecretInDebug) {
            SECRET
        } else {
            "…"
        };
        formatter
            .debug_struct("Faulty")
            .field("password", &secret)
            .finish()
    }
}

fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

/// Texts that differ in case, trailing blanks, emptiness and wildcards; numbers with nulls.
fn people() -> RecordBatch {
    let names = [
        Some("Ada"),
        Some("ada"),
        Some("Ada "),
        Some(""),
        None,
        Some("50%"),
        Some("a_b"),
        Some("aXb"),
        Some("陈灵"),
        Some("陈 灵"),
        Some("李渠-20240229"),
        Some("ADA"),
        Some(" "),
        Some("zoë"),
        Some("Ada"),
        None,
    ];
    let ages: Int64Array = (0..64)
        .map(|row| (row % 9 != 0).then_some(row % 23 - 5))
        .collect();
    let names: StringArray = (0..64).map(|row| names[row % names.len()]).collect();
    let ids = Int64Array::from_iter_values(0..64);
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as Arc<dyn Array>, false),
        ("name", Arc::new(names), true),
        ("age", Arc::new(ages), true),
    ])
    .unwrap()
}

fn numbered(rows: i64) -> RecordBatch {
    let ids = Arc::new(Int64Array::from_iter_values(0..rows));
    let texts: StringArray = (0..rows).map(|row| Some(row.to_string())).collect();
    RecordBatch::try_from_iter([("id", ids as Arc<dyn Array>), ("text", Arc::new(texts))]).unwrap()
}

impl Faulty {
    pub(super) fn new(fault: Option<Fault>) -> Faulty {
        let server = Server::default();
        let unfit = StringArray::from(vec![CANARY]);
        let tables = [
            ("drifting", numbered(10)),
            ("large", numbered(5_000)),
            ("people", people()),
            ("specimen", Specimen::standard(name("specimen")).expected),
            (
                "unfit",
                RecordBatch::try_from_iter([("n", Arc::new(unfit) as Arc<dyn Array>)]).unwrap(),
            ),
        ];
        let tables = tables.into_iter().map(|(table, rows)| (name(table), rows));
        server.tables.lock().unwrap().extend(tables);
        Faulty {
            server: Arc::new(server),
            fault,
        }
    }

    pub(super) fn without_unfit(self) -> Faulty {
        self.server.tables.lock().unwrap().remove(&name("unfit"));
        self
    }

    /// With a large table of so many rows.
    pub(super) fn with_large(self, rows: i64) -> Faulty {
        let mut tables = self.server.tables.lock().unwrap();
        tables.insert(name("large"), numbered(rows));
        drop(tables);
        self
    }

    pub(super) fn fixture(&self) -> Fixture {
        Fixture {
            specimens: vec![Specimen::standard(name("specimen"))],
            large: Some(name("large")),
            unfit: Some(Unfit {
                table: name("unfit"),
                canary: CANARY.to_owned(),
            }),
            drifting: Some(name("drifting")),
            secrets: vec![SECRET.to_owned()],
            control: Some(Arc::new(Controlled(self.server.clone()))),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The table as the connector understands it.
    fn rows(&self, table: &TableName) -> Result<RecordBatch, SourceError> {
        let tables = self.server.tables.lock().unwrap();
        match tables.get(table) {
            Some(rows) => Ok(altered(self.fault, rows)),
            None if self.has(Fault::MissingTableIsAFailure) => {
                Err(SourceError::Failed { code: None })
            }
            None => Err(SourceError::TableMissing(table.clone())),
        }
    }

    /// What comes of reading the value that does not fit.
    fn unfit(&self) -> Result<(), SourceError> {
        match self.fault {
            Some(Fault::UnfitValueSkipped) => Ok(()),
            Some(Fault::ValueInCode) => Err(SourceError::Failed {
                code: Some(format!("22P02: `{CANARY}`")),
            }),
            _ => Err(SourceError::ValueUnfit { column: "n".into() }),
        }
    }

    /// The batches of a reading, counted as the server sends them.
    fn stream(&self, rows: RecordBatch, batch_rows: usize) -> Reading {
        let (server, fault) = (self.server.clone(), self.fault);
        let begun = server.restarts.load(Ordering::SeqCst);
        let working = Working::begin(&server, fault);
        let schema = rows.schema();
        let mut at = 0;
        let batches = std::iter::from_fn(move || {
            let _ = &working;
            if at >= rows.num_rows() {
                return None;
            }
            if server.restarts.load(Ordering::SeqCst) != begun {
                let early = fault == Some(Fault::EndsEarlyAtRestart);
                return (!early).then(|| Err(SourceError::Unreachable.into()));
            }
            let part = rows.slice(at, batch_rows.min(rows.num_rows() - at));
            at += part.num_rows();
            server
                .sent
                .fetch_add(part.num_rows() as u64, Ordering::SeqCst);
            Some(Ok(part))
        });
        let batches: Box<dyn Iterator<Item = Result<RecordBatch, DataFusionError>> + Send> =
            if fault == Some(Fault::BuffersEverything) {
                Box::new(batches.collect::<Vec<_>>().into_iter())
            } else {
                Box::new(batches)
            };
        let batches = match fault {
            Some(Fault::ReadsAhead) => slowly_ahead(batches).boxed(),
            _ => futures::stream::iter(batches).boxed(),
        };
        Reading {
            batches: Box::pin(RecordBatchStreamAdapter::new(schema, batches)),
            version: None,
        }
    }

    /// The request with the limits that this connector does not keep.
    fn ignoring(&self, request: &LoadRequest) -> LoadRequest {
        let mut request = request.clone();
        let limits = &mut request.limits;
        match self.fault {
            Some(Fault::RowLimitIgnored | Fault::FewerRowsAtTheLimit) => limits.rows_max = u64::MAX,
            Some(Fault::ByteLimitIgnored) => limits.bytes_max = u64::MAX,
            Some(Fault::BatchesTooLarge) => limits.batch_rows = 8_192.try_into().unwrap(),
            Some(Fault::TimeIgnored) => limits.time_max = Duration::from_secs(3_600),
            _ => {}
        }
        request
    }
}

/// All batches, taken into memory by a task that waits for nobody, but is not fast: it has taken only some of them when
/// a short pause ends.
fn slowly_ahead(
    batches: impl Iterator<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
) -> impl futures::Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for batch in batches {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if sender.send(batch).is_err() {
                return;
            }
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    })
}

/// One statement that the server works on.
struct Working {
    server: Arc<Server>,
    goes_on: bool,
}

impl Working {
    fn begin(server: &Arc<Server>, fault: Option<Fault>) -> Working {
        server.running.fetch_add(1, Ordering::SeqCst);
        Working {
            server: server.clone(),
            goes_on: fault == Some(Fault::GoesOnAfterDrop),
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if !self.goes_on {
            self.server.running.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Connector for Faulty {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let tables: Vec<(TableName, RecordBatch)> = {
            let tables = self.server.tables.lock().unwrap();
            tables
                .iter()
                .map(|(name, rows)| (name.clone(), altered(self.fault, rows)))
                .collect()
        };
        let info = |(name, rows): (TableName, RecordBatch)| TableInfo {
            name,
            rows: Some(rows.num_rows() as u64),
            schema: match self.fault {
                Some(Fault::DescribesOtherColumns) => {
                    Arc::new(Schema::new(vec![Field::new("x", DataType::Null, true)]))
                }
                _ => rows.schema(),
            },
        };
        let mut described: Vec<_> = tables.into_iter().map(info).collect();
        if self.has(Fault::DescribesOutOfOrder) {
            described.reverse();
        }
        Ok(described)
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let rows = self.rows(table)?;
        Ok(Arc::new(Table {
            server: self.server.clone(),
            name: table.clone(),
            opened: rows,
            fault: self.fault,
        }))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        assert!(!self.has(Fault::Panics), "as it should");
        let restarted = self.server.restarts.load(Ordering::SeqCst) > 0;
        if self.has(Fault::NeverComesBack) && restarted {
            return Err(SourceError::Unreachable);
        }
        let mut rows = self.rows(&request.table)?;
        let mut places = request.projection(&rows.schema())?;
        if self.has(Fault::ColumnsInTableOrder) {
            places.sort_unstable();
        }
        rows = rows.project(&places)?;
        if request.table == name("unfit") {
            if self.has(Fault::ValueInError) {
                let words = format!("cannot parse `{CANARY}`");
                let error = futures::stream::iter([Err(DataFusionError::Execution(words))]);
                return Ok(Reading {
                    batches: Box::pin(RecordBatchStreamAdapter::new(rows.schema(), error)),
                    version: None,
                });
            }
            self.unfit()?;
        }
        let odd = self.server.odd.fetch_xor(true, Ordering::SeqCst);
        if self.has(Fault::OtherOrderEachTime) && odd {
            let turned =
                arrow_array::UInt32Array::from_iter_values((0..rows.num_rows() as u32).rev());
            rows = arrow_select::take::take_record_batch(&rows, &turned)?;
        }
        if self.has(Fault::ReadingsShareState) && self.server.running.load(Ordering::SeqCst) > 0 {
            rows = rows.slice(0, rows.num_rows() / 2);
        }
        if self.has(Fault::FewerRowsAtTheLimit) {
            let most = usize::try_from(request.limits.rows_max).unwrap_or(usize::MAX);
            rows = rows.slice(0, rows.num_rows().min(most));
        }
        let request = self.ignoring(request);
        let schema = rows.schema();
        let reading = self.stream(rows, request.limits.batch_rows.get());
        Ok(reading.within(schema, &request))
    }

    async fn health(&self) -> Result<Health, SourceError> {
        let granted = self
            .has(Fault::AccountMayWrite)
            .then(|| "INSERT on people".to_owned());
        Ok(Health {
            server: if self.has(Fault::NoVersion) {
                String::new()
            } else {
                "memory 1".into()
            },
            may_write: granted.into_iter().collect(),
            verified_tls: Some(!self.has(Fault::NotEncrypted)),
        })
    }

    async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
        match self.fault {
            Some(Fault::WriteAccepted) => Ok(WriteProbe::Accepted {
                what: "CREATE TABLE".into(),
            }),
            Some(Fault::WriteHangs) => std::future::pending().await,
            _ => Ok(WriteProbe::Refused {
                code: Some("25006".into()),
            }),
        }
    }

    async fn running_queries(&self) -> Result<Option<u64>, SourceError> {
        Ok(Some(self.server.running.load(Ordering::SeqCst)))
    }
}

/// What a test can do to the server.
struct Controlled(Arc<Server>);

#[async_trait]
impl Control for Controlled {
    async fn restart(&self) -> Result<(), NotControlled> {
        self.0.restarts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn alter(&self) -> Result<(), NotControlled> {
        // The same names; the number has become a text.
        let texts = Arc::new(StringArray::from(vec!["1"]));
        let rows = [("id", texts.clone() as Arc<dyn Array>), ("text", texts)];
        let rows = RecordBatch::try_from_iter(rows).unwrap();
        self.0.tables.lock().unwrap().insert(name("drifting"), rows);
        Ok(())
    }

    async fn rows_sent(&self) -> Result<u64, NotControlled> {
        Ok(self.0.sent.load(Ordering::SeqCst))
    }
}
