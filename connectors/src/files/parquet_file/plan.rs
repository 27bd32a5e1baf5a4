//! DataFusion's scan of Parquet files, cut off from the session that asks.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _, PhysicalExpr};
use futures::{StreamExt as _, stream};

use super::super::parts::Parts;
use super::super::pinned::Pinned;
use super::views;
use crate::bounded::{carried, uncarried};
use crate::scan::projected;

/// Smallest part of a file that is worth a partition of its own, in bytes.
const PARTITION_BYTES_MIN: usize = 4 << 20;
/// Bytes at the end of a file that are read at once, in the hope that the footer is among them.
const FOOTER_HINT_BYTES: usize = 64 << 10;
/// The one store of the runtime.
const STORE: &str = "lingqu://files";

/// What is to be scanned.
pub(super) struct Plan<'p> {
    pub(super) parts: &'p Parts,
    pub(super) schema: &'p SchemaRef,
    pub(super) columns: &'p [usize],
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) limit: Option<usize>,
    pub(super) partitions: usize,
}

impl Plan<'_> {
    /// As many partitions as were wanted, or fewer for small files.
    pub(super) fn partitions(self) -> Result<Vec<Partition>, DataFusionError> {
        let files = self.parts.metas.iter().cloned().map(Into::into).collect();
        let one = vec![FileGroup::new(files)];
        let split = FileGroupPartitioner::new()
            .with_target_partitions(self.partitions)
            .with_repartition_file_min_size(PARTITION_BYTES_MIN)
            .repartition_file_groups(&one);
        let groups = split.filter(|_| self.partitions > 1).unwrap_or(one);
        self.scan(groups)
    }

    /// One partition for each of these parts of files, in their order.
    pub(super) fn pieces(self, ranges: &[Piece]) -> Result<Vec<Partition>, DataFusionError> {
        let file = |piece: &Piece| {
            let meta = self.parts.metas[piece.file].clone();
            let file = PartitionedFile::from(meta).with_range(piece.start, piece.end);
            FileGroup::new(vec![file])
        };
        let groups: Vec<FileGroup> = ranges.iter().map(file).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.scan(groups)
    }

    fn scan(self, groups: Vec<FileGroup>) -> Result<Vec<Partition>, DataFusionError> {
        let schema = TableSchema::from(views::of(self.schema));
        let mut source = ParquetSource::new(schema).with_metadata_size_hint(FOOTER_HINT_BYTES);
        if let Some(predicate) = self.predicate {
            source = source.with_predicate(predicate);
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE)?, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(Some(self.columns.to_vec()))?
            .with_limit(self.limit)
            // Otherwise partitions take files from one another, and rows would come in another order each time.
            .with_preserve_order(true)
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        let schema = projected(self.schema, self.columns);
        let partition = |index| Partition {
            scan: Arc::clone(&scan),
            index,
            store: Arc::clone(&self.parts.store),
            schema: Arc::clone(&schema),
        };
        let count = scan.output_partitioning().partition_count();
        Ok((0..count).map(partition).collect())
    }
}

/// Row groups of one file: those that begin between two of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which file.
    pub(super) file: usize,
    /// The first byte.
    pub(super) start: i64,
    /// The byte after the last.
    pub(super) end: i64,
}

/// One partition of a scan.
pub(super) struct Partition {
    scan: Arc<dyn ExecutionPlan>,
    index: usize,
    store: Arc<Pinned>,
    schema: SchemaRef,
}

impl fmt::Debug for Partition {
    // The scan would print the values of its predicate.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Partition({})", self.index)
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let opened = runtime(&context, &self.store).and_then(|runtime| {
            let config = context.session_config().clone();
            let context = TaskContext::default()
                .with_session_config(config)
                .with_runtime(runtime);
            self.scan.execute(self.index, Arc::new(context))
        });
        let out = Arc::clone(&schema);
        let items = match opened {
            Ok(batches) => batches
                .flat_map(move |item| stream::iter(views::resolved(item, &out)))
                .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        };
        let store = Arc::clone(&self.store);
        let named = move |error| carried(store.named(uncarried(error)));
        let items = items.map(move |item| item.map_err(&named));
        Box::pin(RecordBatchStreamAdapter::new(schema, items))
    }
}

/// The memory and the bounds of the session's runtime, and one store.
fn runtime(context: &TaskContext, store: &Arc<Pinned>) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let runtime = RuntimeEnvBuilder::from_runtime_env(&context.runtime_env())
        .with_object_store_registry(Arc::new(DefaultObjectStoreRegistry::new()))
        .build_arc()?;
    let url = ObjectStoreUrl::parse(STORE)?;
    runtime.register_object_store(url.as_ref(), Arc::clone(store) as _);
    Ok(runtime)
}

/// Whether a condition is one that statistics can say something about: comparisons of columns with constants.
pub(super) fn prunes(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => prunes(&binary.left) && prunes(&binary.right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => {
                matches!(
                    (binary.left.as_ref(), binary.right.as_ref()),
                    (Expr::Column(_), Expr::Literal(..)) | (Expr::Literal(..), Expr::Column(_))
                )
            }
            _ => false,
        },
        Expr::Between(between) => {
            let constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
            matches!(*between.expr, Expr::Column(_))
                && constant(&between.low)
                && constant(&between.high)
        }
        Expr::InList(list) => {
            matches!(*list.expr, Expr::Column(_))
                && list
                    .list
                    .iter()
                    .all(|expr| matches!(expr, Expr::Literal(..)))
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => matches!(**inner, Expr::Column(_)),
        _ => false,
    }
}

/// The conditions that prune, over the columns as the reader decodes them. A condition that cannot be put so is left to
/// the engine, which evaluates all of them anyway.
pub(super) fn predicate(
    state: &dyn Session,
    schema: &SchemaRef,
    filters: &[Expr],
) -> Option<Arc<dyn PhysicalExpr>> {
    let schema = DFSchema::try_from(views::of(schema).as_ref().clone()).ok()?;
    let prunable = filters.iter().filter(|filter| prunes(filter));
    let all = conjunction(prunable.filter_map(as_views))?;
    state.create_physical_expr(all, &schema).ok()
}

/// The condition without the table's name, with its constants as views where the columns are.
fn as_views(filter: &Expr) -> Option<Expr> {
    let viewed = filter.clone().transform(|expr| {
        Ok(match expr {
            Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text), metadata) => {
                Transformed::yes(Expr::Literal(ScalarValue::Utf8View(text), metadata))
            }
            Expr::Literal(
                ScalarValue::Binary(bytes) | ScalarValue::LargeBinary(bytes),
                metadata,
            ) => Transformed::yes(Expr::Literal(ScalarValue::BinaryView(bytes), metadata)),
            Expr::Column(mut column) => {
                column.relation = None;
                Transformed::yes(Expr::Column(column))
            }
            other => Transformed::no(other),
        })
    });
    viewed.ok().map(|viewed| viewed.data)
}
