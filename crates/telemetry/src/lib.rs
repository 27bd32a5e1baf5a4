//! What an operator sees from outside: metrics, health and traces, and how they leave the process.
//!
//! **What it is**: the settings of `[observe]`, a small HTTP listener for Prometheus text and health, and an exporter of
//! spans over OTLP. **In scope**: bounds (connections, series, queued spans), never holding a call up, counting what is
//! dropped. **Out of scope**: names. Numbers and spans are named by those who emit them; nothing here knows what a call
//! is, and so nothing here can add to a label what does not belong there.
//! **Start reading at** [`Settings`], then [`listener`], [`exposition`] and [`export`].

pub mod export;
pub mod exposition;
pub mod listener;
mod settings;
pub mod trace;

pub use export::{Exporter, Spans};
pub use exposition::Exposition;
pub use listener::{Health, Observed};
pub use settings::{Settings, SettingsRefused};
pub use trace::{Attribute, Step, Trace};
