//! Disclosure control for statistics over DataFusion: what may be asked, and what may leave.
//!
//! In scope: registered SQL templates over one protected table and public tables, checked against the unit's policies
//! ([`Template::register`]), bound to declared values ([`Template::bind`]), run below one Gate that leaves out small
//! groups and keeps back dominated figures ([`Engine::run`]).
//! Out of scope: who may call (the node), files and wire formats, budgets over several calls, and SQL that callers write
//! themselves. What is not defended yet is said in `docs/statistics.md`.
//! Start reading at `template.rs`, then the two gates in front of the data, `shape.rs` and `infer.rs`, the decision,
//! `query.rs`, and what happens to data: `plan.rs`, then `gate.rs`.

mod answer;
mod cells;
mod engine;
mod explain;
mod fence;
mod gate;
mod infer;
mod limits;
mod plan;
mod query;
mod rule;
mod run;
mod shape;
mod tables;
mod template;
mod value;

pub use engine::{Crowded, Engine, EngineRefused, Place, RunFailed};
pub use limits::GuardLimits;
pub use rule::{Rule, TemplateRefused};
pub use tables::TableRules;
pub use template::{Bound, Explanation, Template, TemplateTable};
pub use value::{Allowed, BindRefused, Parameter, ParameterKind, TemplateSource, Value};

#[cfg(test)]
mod tests;
