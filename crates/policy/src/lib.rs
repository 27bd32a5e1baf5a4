//! What a data-source unit allows on one resource: uses and domain per column, release terms, purposes.
//!
//! In scope: the vocabulary of uses and presets, the strictest-first reading of a policy, limits on its numbers.
//! Out of scope: who signed a policy (`lingqu-core`), checking query plans against it, files and wire formats.
//! Start reading at [`Policy`]. Deny by default: a column without a rule is forbidden.

mod audit;
mod bodies;
mod day;
mod domain;
mod dp;
mod functions;
mod policy;
mod release;
mod subject;
mod uses;

pub use audit::{AuditTerms, AuditTermsRefused};
pub use bodies::{BodyTerms, BodyTermsRefused, KEEP_MONTHS_MAX, KEEP_MONTHS_MIN};
pub use day::{Day, DayMalformed};
pub use domain::{BOUND_MAX, Domain, DomainKind, DomainRefused};
pub use dp::{DpBudget, DpBudgetRefused, MicroRho, MicroRhoMalformed, MicroRhoOrCount};
pub use functions::{Function, FunctionUnknown, Functions};
pub use policy::{Policy, PolicyRefused, is_space_name};
pub use release::{Release, ReleaseRefused};
pub use subject::{SubjectLimit, SubjectLimitRefused};
pub use uses::{Preset, PresetUnknown, Use, UseSet, UseUnknown};

#[cfg(test)]
mod tests;
