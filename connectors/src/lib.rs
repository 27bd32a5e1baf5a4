//! Connectors to the sources that units have: files, object stores, databases and interfaces.
//!
//! In scope: reading each kind of source where it is, with the values it has and no others, within bounds.
//! Out of scope: what may be asked of the data and who may ask; drivers in C, which run in a process of their own.
//!
//! Start reading at [`kinds`]; each connector has a module of its own.

mod bounded;
#[cfg(test)]
mod conforming;
mod declared;
mod file;
mod files;
#[cfg(test)]
mod fixtures;
mod flight_sql;
mod http;
mod ipc_claims;
mod mysql;
mod net;
mod postgres;
mod relay;
mod s3;
mod scan;
mod server;
mod sql_text;
mod sqlite;
mod temporal;

use lingqu_connector_sdk::Kinds;

pub use mysql::MySql;
pub use postgres::Postgres;

/// Every connector of this crate by the name that settings give in `kind = "…"`.
pub fn kinds() -> Kinds {
    Kinds::default()
        .with(file::FileKind)
        .with(flight_sql::FlightSqlKind)
        .with(http::HttpKind)
        .with(s3::S3Kind)
        .with(sqlite::SqliteKind)
        .with(MySql)
        .with(Postgres)
}
