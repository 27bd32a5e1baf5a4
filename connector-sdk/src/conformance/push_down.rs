//! What a connector evaluates at its source must equal what the engine evaluates over the whole table.
//!
//! Each question is asked twice: of the connector's table, and of the same rows held in memory. Where the answers differ
//! the table is read once more, so that a table that changed in between is not held against the connector.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlanProperties as _;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt as _;

use crate::{SourceError, scan};

use super::Verdict;
use super::loads::{moving, nothing_small};
use super::predicates::{self, Predicate};
use super::random::Choices;
use super::report::{Text, text};
use super::rows::Rows;
use super::subject::{Examined, Subject};

/// A question: some rows, some columns, some of the answer.
#[derive(Default)]
struct Question<'a> {
    filter: Option<&'a Expr>,
    columns: Option<Vec<String>>,
    limit: Option<usize>,
}

fn engine(subject: &Subject) -> SessionContext {
    let config = SessionConfig::new()
        .with_batch_size(subject.options.batch_rows.get())
        .with_target_partitions(1);
    SessionContext::new_with_config(config)
}

impl Question<'_> {
    async fn ask(
        &self,
        engine: &SessionContext,
        table: Arc<dyn TableProvider>,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let mut frame = engine.read_table(table)?;
        if let Some(filter) = self.filter {
            frame = frame.filter(filter.clone())?;
        }
        if let Some(columns) = &self.columns {
            let named = |name: &String| Expr::Column(datafusion::common::Column::from_name(name));
            frame = frame.select(columns.iter().map(named).collect::<Vec<_>>())?;
        }
        if let Some(limit) = self.limit {
            frame = frame.limit(0, Some(limit))?;
        }
        frame.collect().await
    }

    fn schema(&self, table: &Schema) -> Schema {
        match &self.columns {
            None => table.clone(),
            Some(columns) => {
                let fields = columns
                    .iter()
                    .filter_map(|name| table.field_with_name(name).ok());
                Schema::new(fields.cloned().collect::<Vec<_>>())
            }
        }
    }
}

fn in_memory(table: &Examined) -> Result<Arc<dyn TableProvider>, SourceError> {
    let partitions = vec![table.batches.clone()];
    Ok(Arc::new(MemTable::try_new(
        table.schema.clone(),
        partitions,
    )?))
}

/// The verdict on a difference: the connector's, unless the table has changed.
async fn blamed(
    subject: &mut Subject,
    table: &Examined,
    why: Text,
) -> Result<Verdict, SourceError> {
    let now = subject.examine(&table.name).await?;
    Ok(if now.rows.same(&table.rows) {
        Verdict::failed(why)
    } else {
        moving(&table.name)
    })
}

pub(super) async fn filter(subject: &mut Subject, id: &str) -> Result<Verdict, SourceError> {
    let tables = subject.tables().await?.examined;
    if tables.is_empty() {
        return Ok(nothing_small());
    }
    let engine = engine(subject);
    let mut choices = Choices::new(subject.options.seed);
    let (mut asked, mut pushed) = (0_usize, 0_usize);
    for table in &tables {
        let most = subject.options.predicates_max;
        for predicate in predicates::generate(table, id, most, &mut choices) {
            // Every other question leaves out all columns but one, so that a filter's own columns are not in its answer.
            let columns = (asked % 2 == 1).then(|| {
                let all = table.columns();
                vec![all[choices.below(all.len())].clone()]
            });
            let question = Question {
                filter: Some(&predicate.expr),
                columns,
                limit: None,
            };
            let Ok(expected) = question.ask(&engine, in_memory(table)?).await else {
                continue;
            };
            asked += 1;
            pushed += usize::from(is_pushed(table, &predicate));
            let found = question.ask(&engine, table.provider.clone()).await;
            if let Some(why) = difference(subject, table, &question, &predicate, expected, found) {
                return blamed(subject, table, why).await;
            }
        }
    }
    Ok(if asked == 0 {
        Verdict::not_applicable(text(
            "no column has a type that such a predicate is about",
            "没有适用此类条件的字段",
        ))
    } else {
        Verdict::passed_on(text(
            format!("{asked} predicates, of which the source evaluates {pushed}"),
            format!("共 {asked} 个条件，其中 {pushed} 个由源端计算"),
        ))
    })
}

fn is_pushed(table: &Examined, predicate: &Predicate) -> bool {
    let supports = table.provider.supports_filters_pushdown(&[&predicate.expr]);
    supports.is_ok_and(|supports| supports != [TableProviderFilterPushDown::Unsupported])
}

fn difference(
    subject: &mut Subject,
    table: &Examined,
    question: &Question<'_>,
    predicate: &Predicate,
    expected: Vec<RecordBatch>,
    found: Result<Vec<RecordBatch>, DataFusionError>,
) -> Option<Text> {
    let (name, shape) = (&table.name, &predicate.shape);
    let found = match subject.heard_of_engine(found) {
        Ok(found) => found,
        Err(error) => {
            let error = super::leaks::named(&error);
            return Some(text(
                format!("on `{name}`, {shape} ends with an error: {error}"),
                format!("`{name}` 上的条件（{shape}）报错：{error}"),
            ));
        }
    };
    let schema = question.schema(&table.schema);
    let [expected, found] = [expected, found].map(|rows| Rows::of(&schema, &rows));
    let Some((expected, found)) = expected.zip(found) else {
        return Some(text(
            format!("on `{name}`, {shape} gives other columns"),
            format!("`{name}` 上的条件（{shape}）返回的字段不同"),
        ));
    };
    if found.same(&expected) {
        return None;
    }
    let differ = found.against(&expected);
    Some(text(
        format!(
            "on `{name}`, {shape} gives {} rows too many and lacks {}",
            differ.extra, differ.missing
        ),
        format!(
            "`{name}` 上的条件（{shape}）多返回 {} 行、少返回 {} 行",
            differ.extra, differ.missing
        ),
    ))
}

/// The rows of a scan itself, without the engine, and whether its plan says that it keeps the limit.
async fn scanned(
    subject: &mut Subject,
    table: &Examined,
    projection: &Vec<usize>,
    limit: Option<usize>,
) -> Result<(Vec<RecordBatch>, Option<usize>), SourceError> {
    let state = scan::state(subject.options.batch_rows)?;
    let plan = table
        .provider
        .scan(&state, Some(projection), &[], limit)
        .await;
    let plan = subject.heard_of_engine(plan)?;
    let partitions = plan.output_partitioning().partition_count();
    let claimed = plan.fetch().map(|fetch| fetch.saturating_mul(partitions));
    let task = Arc::new(TaskContext::from(&state));
    let rows = scan::in_order(plan, task).try_collect().await;
    Ok((subject.heard_of_engine(rows)?, claimed))
}

pub(super) async fn projection(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let tables = subject.tables().await?.examined;
    if tables.is_empty() {
        return Ok(nothing_small());
    }
    for table in &tables {
        let columns = table.schema.fields().len();
        let mut wanted: Vec<Vec<usize>> = (0..columns).map(|column| vec![column]).collect();
        wanted.push((0..columns).rev().collect());
        wanted.push((0..columns).step_by(2).collect());
        wanted.push(Vec::new());
        for places in wanted {
            let schema = table.schema.project(&places)?;
            let (found, _) = scanned(subject, table, &places, None).await?;
            let expected: Result<Vec<_>, _> = table
                .batches
                .iter()
                .map(|batch| batch.project(&places))
                .collect();
            let expected = Rows::of(&schema, &expected?);
            let found = Rows::of(&schema, &found);
            let same = expected
                .zip(found)
                .is_some_and(|(one, other)| one.same(&other));
            if !same {
                let (name, count) = (&table.name, places.len());
                let why = text(
                    format!(
                        "`{name}` scanned for {count} of its columns gives other rows or columns"
                    ),
                    format!("`{name}` 仅扫描 {count} 个字段时结果不同"),
                );
                return blamed(subject, table, why).await;
            }
        }
    }
    Ok(Verdict::passed())
}

pub(super) async fn limit(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let tables = subject.tables().await?.examined;
    if tables.is_empty() {
        return Ok(nothing_small());
    }
    let engine = engine(subject);
    let mut choices = Choices::new(subject.options.seed);
    for table in &tables {
        let all = table.rows.len();
        let places: Vec<usize> = (0..table.schema.fields().len()).collect();
        for limit in [0, 1, 2, all / 2, all, all + 10] {
            let (found, claimed) = scanned(subject, table, &places, Some(limit)).await?;
            let found: usize = found.iter().map(RecordBatch::num_rows).sum();
            if found < limit.min(all) || claimed.is_some_and(|most| found > most) {
                let name = &table.name;
                let why = text(
                    format!("`{name}` scanned for {limit} of {all} rows gives {found}"),
                    format!("`{name}` 共 {all} 行，限 {limit} 行时返回 {found} 行"),
                );
                return blamed(subject, table, why).await;
            }
        }
        let most = subject.options.predicates_max.div_ceil(4);
        for id in [
            "push-down.compare",
            "push-down.in",
            "push-down.like",
            "push-down.null",
        ] {
            for predicate in predicates::generate(table, id, most, &mut choices) {
                if let Some(why) = few(subject, &engine, table, &predicate).await? {
                    return blamed(subject, table, why).await;
                }
            }
        }
    }
    Ok(Verdict::passed())
}

/// Some of the rows that a predicate selects: as many as were asked for, and each of them one that it selects.
async fn few(
    subject: &mut Subject,
    engine: &SessionContext,
    table: &Examined,
    predicate: &Predicate,
) -> Result<Option<Text>, SourceError> {
    let mut question = Question {
        filter: Some(&predicate.expr),
        ..Question::default()
    };
    let Ok(selected) = question.ask(engine, in_memory(table)?).await else {
        return Ok(None);
    };
    let Some(selected) = Rows::of(&table.schema, &selected) else {
        return Ok(None);
    };
    for limit in [1, selected.len().div_ceil(2), selected.len() + 1] {
        question.limit = Some(limit);
        let found = question.ask(engine, table.provider.clone()).await;
        let found = subject.heard_of_engine(found)?;
        let wanted = limit.min(selected.len());
        let kept = Rows::of(&table.schema, &found)
            .is_some_and(|found| found.len() == wanted && found.within(&selected));
        if !kept {
            let (name, shape) = (&table.name, &predicate.shape);
            return Ok(Some(text(
                format!(
                    "on `{name}`, {shape} with a limit gives other rows than {wanted} of those selected"
                ),
                format!("`{name}` 上的条件（{shape}）加条数限制后，未返回应有的 {wanted} 行"),
            )));
        }
    }
    Ok(None)
}
