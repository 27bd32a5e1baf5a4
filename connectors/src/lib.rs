//! Connectors to the sources that units have.

mod mysql;
mod postgres;
mod relay;

pub use mysql::MySql;
pub use postgres::Postgres;
