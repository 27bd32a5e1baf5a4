//! What the connectors to database servers share: settings that reach one, a table that asks it in SQL, and constants of
//! that SQL. What a server's SQL means is its own connector's to know.

pub(crate) mod literal;
pub(crate) mod provider;
pub(crate) mod settings;
