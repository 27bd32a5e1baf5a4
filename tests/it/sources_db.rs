//! Real database servers, read by the connectors: every type, every filter that is pushed down, what stops, what is
//! refused, and what an account may do.
//!
//! The servers are started here and end with the last test that uses them. Values are compared as the engine prints
//! them, beside what the server was told to store.

mod conformance;
mod mysql;
mod postgres;
mod reading;
