//! Disclosure control for statistics over DataFusion: what may be asked, and what may leave.
//!
//! In scope: registered SQL templates over protected tables and public ones, checked against the unit's policies
//! ([`Template::register`]), bound to declared values ([`Template::bind`]), opened together over a load so that no two
//! answers differ by few entities ([`Engine::partition`]), answered through one Gate that leaves out small groups and
//! keeps back dominated figures ([`Engine::answer`]); or hidden in noise instead, under differential privacy
//! ([`DpTemplate`], [`Engine::answer_dp`]).
//! Out of scope: who may call (the node), files and wire formats, and SQL that callers write themselves. What is not
//! defended is said in `docs/statistics.md` and `docs/disclosure.md`.
//! Start reading at `template.rs`, then the two gates in front of the data, `shape.rs` and `infer.rs`, the decision,
//! `query.rs`, and what happens to data: `partition.rs`, then `gate.rs`. [`Engine::run`] is the same statement as a plan
//! of the engine: for one template alone, whose answers are not compared with those of others.
//!
//! # Guarding tables of your own
//!
//! ```
//! use std::{collections::HashMap, sync::Arc};
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use datafusion::{catalog::TableProvider, datasource::MemTable};
//! use lingqu_guard::*;
//! use lingqu_policy::{AuditTerms, Domain, Policy, Preset, Release};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! // In a tokio runtime with timers. Any table provider will do. Forty persons, three of them in the south.
//! let regions = (0..40).map(|person| if person < 3 { "south" } else { "north" });
//! let columns: [(&str, ArrayRef); 2] = [
//!     ("person", Arc::new(Int64Array::from_iter_values(0..40))),
//!     ("region", Arc::new(StringArray::from_iter_values(regions))),
//! ];
//! let batch = RecordBatch::try_from_iter(columns)?;
//! let table: Arc<dyn TableProvider> =
//!     Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?);
//! // What may be done with each column, and under which terms statistics leave.
//! let uses = [("person", Preset::Entity), ("region", Preset::Dimension)];
//! let uses = uses.map(|(column, preset)| (column.to_owned(), preset.uses()));
//! let policy = Policy::new(uses, [], AuditTerms::Mirrored { wait_ms_max: 1_000 }, 600)?
//!     .with_domain("region", Domain::texts(vec!["north".into(), "south".into()])?)?
//!     .with_release(Release::new(10, 50, 5, 100)?);
//! let rules = [TableRules { name: "persons".into(), schema: batch.schema(), policy: Arc::new(policy) }];
//! // A statement is checked once, opened over a load, and answered as often as it is asked.
//! let sql = "SELECT region, count(*) AS n FROM persons GROUP BY region".to_owned();
//! let limits = GuardLimits::default();
//! let template =
//!     Template::register(&TemplateSource { sql, parameters: vec![] }, &rules, &limits).await?;
//! let engine = Engine::new(limits)?;
//! let product = StatisticProduct { name: "by_region".into(), template: template.clone() };
//! let tables = HashMap::from([("persons".to_owned(), table)]);
//! let partition = Arc::new(engine.partition(vec![product], tables, None).await?);
//! let answer = engine.answer(engine.enter()?, partition, template.bind(&[])?).await?;
//! assert_eq!(answer.num_rows(), 1); // the north; three are too few
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod cells;
mod choice;
mod dp;
mod engine;
mod explain;
mod fence;
mod formula;
mod gate;
mod infer;
mod limits;
mod partition;
mod plan;
mod query;
mod rule;
mod run;
mod safeguard;
mod shape;
mod tables;
mod tally;
mod template;
mod value;
mod window;

pub use dp::{
    Clamp, DpBound, DpCost, DpFigure, DpProduct, DpTemplate, DpTerms, epsilon, epsilon_text,
};
pub use engine::{Crowded, Engine, EngineRefused, Place, RunFailed, Tables};
pub use explain::{Explanation, Sentence, Topic};
pub use limits::GuardLimits;
pub use partition::{
    OpenProduct, Partition, PartitionRefused, PartitionReport, ProductRefused, ReadFailed,
    RefusedProduct, StatisticProduct,
};
pub use rule::{Rule, TemplateRefused};
pub use tables::TableRules;
pub use template::{Bound, Template, TemplateTable};
pub use value::{Allowed, BindRefused, Parameter, ParameterKind, TemplateSource, Value};

#[cfg(test)]
mod tests;
