//! An attempt to write, for the conformance kit: with the account, without the session's precautions, and undone.

use lingqu_connector_sdk::{SourceError, WriteProbe};

use super::columns::Table;
use super::session::Pool;
use super::sql;

/// Tables that are tried at most.
const TABLES_MAX: usize = 20;
/// Columns of each at most.
const COLUMNS_MAX: usize = 50;

/// Tries until something is accepted. Statements without any row need the same privileges as those with rows, and each
/// is in a transaction that is rolled back.
pub(super) async fn write(pool: &Pool, tables: &[Table]) -> Result<WriteProbe, SourceError> {
    let client = pool.unguarded().await?;
    let mut attempts = vec![
        (
            "CREATE SCHEMA",
            "CREATE SCHEMA lingqu_write_probe".to_owned(),
        ),
        (
            "CREATE TABLE",
            "CREATE TABLE public.lingqu_write_probe (a integer)".to_owned(),
        ),
    ];
    for table in tables.iter().take(TABLES_MAX) {
        let name = sql::table(&table.name.0, &table.name.1);
        attempts.push(("DELETE", format!("DELETE FROM {name} WHERE false")));
        attempts.push((
            "INSERT",
            format!("INSERT INTO {name} SELECT * FROM {name} WHERE false"),
        ));
        for column in table.columns.iter().take(COLUMNS_MAX) {
            let column = sql::identifier(&column.name);
            let update = format!("UPDATE {name} SET {column} = {column} WHERE false");
            attempts.push(("UPDATE", update));
        }
    }
    let mut refused = None;
    for (what, statement) in attempts {
        let tried = client
            .batch_execute(&format!("BEGIN READ WRITE; {statement}"))
            .await;
        let undone = client.batch_execute("ROLLBACK").await;
        undone.map_err(|error| super::error::general(&error))?;
        match tried {
            Ok(()) => {
                return Ok(WriteProbe::Accepted {
                    what: what.to_owned(),
                });
            }
            Err(error) => {
                refused = error
                    .code()
                    .map(|state| state.code().to_owned())
                    .or(refused)
            }
        }
    }
    Ok(WriteProbe::Refused { code: refused })
}
