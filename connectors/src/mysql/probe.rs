//! An attempt to write, for the conformance kit: with the account, without the session's precautions, and undone.
//!
//! Statements that define something end every transaction here, so none is tried but a temporary table, which nobody
//! else sees and which goes with the connection.

use lingqu_connector_sdk::{SourceError, WriteProbe};
use mysql_async::Error;
use mysql_async::prelude::Queryable as _;

use super::columns::Table;
use super::session::Pool;
use super::sql;

/// Tables that are tried at most.
const TABLES_MAX: usize = 20;
/// Columns of each at most.
const COLUMNS_MAX: usize = 50;

/// Tries until something is accepted. Statements without any row need the same privileges as those with rows.
pub(super) async fn write(pool: &Pool, tables: &[Table]) -> Result<WriteProbe, SourceError> {
    let mut conn = pool.unguarded().await?;
    let mut attempts = vec![(
        "CREATE TEMPORARY TABLE",
        "CREATE TEMPORARY TABLE lingqu_write_probe (a INT)".to_owned(),
    )];
    for table in tables.iter().take(TABLES_MAX) {
        let name = sql::identifier(&table.name);
        attempts.push(("DELETE", format!("DELETE FROM {name} WHERE 1 = 0")));
        let insert = format!("INSERT INTO {name} SELECT * FROM {name} WHERE 1 = 0");
        attempts.push(("INSERT", insert));
        for column in table.columns.iter().take(COLUMNS_MAX) {
            let column = sql::identifier(&column.name);
            let update = format!("UPDATE {name} SET {column} = {column} WHERE 1 = 0");
            attempts.push(("UPDATE", update));
        }
    }
    let general = |error: Error| super::error::general(&error);
    let mut refused = None;
    for (what, statement) in attempts {
        conn.query_drop("START TRANSACTION READ WRITE")
            .await
            .map_err(general)?;
        let tried = conn.query_drop(statement).await;
        conn.query_drop("ROLLBACK").await.map_err(general)?;
        match tried {
            Ok(()) => {
                return Ok(WriteProbe::Accepted {
                    what: what.to_owned(),
                });
            }
            Err(Error::Server(error)) => refused = Some(error.state),
            Err(_) => {}
        }
    }
    Ok(WriteProbe::Refused { code: refused })
}
