//! The data plane: one call from first byte to last, beside the unit's data.
//!
//! In scope: admission by what the node itself holds, evaluation, the journal's use, shipping to the mirror, local
//! control by the unit.
//! Out of scope: granting anything. A node only ever narrows; it answers what the unit signed, and the coordinator
//! cannot make it answer more.
//! Start reading at [`call`].

pub mod admin;
pub mod admission;
mod bodies;
mod budgets;
pub mod call;
pub mod config;
mod destructions;
pub mod evaluate;
mod heads;
pub mod loads;
mod node;
mod observe;
mod products;
pub mod serve;
pub mod ship;
pub mod sources;
pub mod state;
mod stops;
mod succession;
mod visible;

pub use bodies::BodiesStatus;
pub use budgets::BudgetStatus;
pub use call::Answer;
pub use config::NodeConfig;
pub use destructions::Destructions;
pub use heads::TakeHeadFailed;
pub use node::{Node, OpenError};
pub use succession::{CurrentStream, PastStream};
pub use visible::{Declared, VisibleParameter, VisibleProduct};
