//! What the account may do besides reading, from the server's own catalogs.
//!
//! Roles that the account could take on count as its own, whether or not it inherits from them.

use lingqu_connector_sdk::SourceError;
use tokio_postgres::types::Type;

use super::columns::cell;
use super::session::Session;

/// Findings at most; one is enough to refuse an account.
const FINDINGS_MAX: i64 = 200;

/// The account's privileges beyond reading, by their names at the server.
pub(super) async fn beyond_reading(session: &Session) -> Result<Vec<String>, SourceError> {
    let mut found = Vec::new();
    // A superuser may do everything: the list of everything says no more.
    for sql in [ATTRIBUTES, OBJECTS] {
        let rows = session.query(sql, &[(&FINDINGS_MAX, Type::INT8)]).await?;
        for row in &rows {
            found.push(cell::<String>(row, 0)?);
        }
        if found.iter().any(|finding| finding == "SUPERUSER") {
            break;
        }
    }
    Ok(found)
}

/// Attributes of the account and of roles it could take on, and predefined roles that write.
const ATTRIBUTES: &str = "\
WITH me AS (SELECT r.* FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'MEMBER')), \
held AS ( \
  SELECT rolname, unnest(ARRAY[ \
    CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END, \
    CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END, \
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, \
    CASE WHEN rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program', \
      'pg_maintain', 'pg_create_subscription', 'pg_database_owner') THEN 'MEMBER' END]) AS attribute FROM me) \
SELECT CASE \
    WHEN attribute = 'MEMBER' THEN 'member of ' || rolname \
    WHEN rolname = current_user THEN attribute \
    ELSE attribute || ' through ' || rolname END \
FROM held WHERE attribute IS NOT NULL \
ORDER BY attribute <> 'SUPERUSER', rolname <> current_user, 1 LIMIT $1";

/// Privileges on objects that are not the server's own.
const OBJECTS: &str = "\
WITH me AS (SELECT r.oid FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'MEMBER')), \
spaces AS (SELECT oid, nspname FROM pg_catalog.pg_namespace \
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'), \
relations AS (SELECT c.oid, c.relkind, c.relowner, n.nspname || '.' || c.relname AS name \
  FROM pg_catalog.pg_class c JOIN spaces n ON n.oid = c.relnamespace \
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) \
SELECT 'CREATE on database ' || pg_catalog.current_database() WHERE EXISTS (SELECT FROM me \
  WHERE pg_catalog.has_database_privilege(me.oid, pg_catalog.current_database(), 'CREATE')) \
UNION ALL \
SELECT 'CREATE on schema ' || s.nspname FROM spaces s WHERE EXISTS (SELECT FROM me \
  WHERE pg_catalog.has_schema_privilege(me.oid, s.oid, 'CREATE')) \
UNION ALL \
SELECT 'OWNER of ' || r.name FROM relations r WHERE r.relowner IN (SELECT oid FROM me) \
UNION ALL \
SELECT p.privilege || ' on ' || r.name FROM relations r \
  CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(privilege) \
  WHERE r.relkind <> 'S' AND EXISTS (SELECT FROM me \
    WHERE pg_catalog.has_table_privilege(me.oid, r.oid, p.privilege) OR CASE \
      WHEN p.privilege IN ('INSERT', 'UPDATE', 'REFERENCES') \
      THEN pg_catalog.has_any_column_privilege(me.oid, r.oid, p.privilege) ELSE false END) \
UNION ALL \
SELECT p.privilege || ' on ' || r.name FROM relations r \
  CROSS JOIN unnest(ARRAY['USAGE', 'UPDATE']) AS p(privilege) \
  WHERE r.relkind = 'S' AND EXISTS (SELECT FROM me \
    WHERE pg_catalog.has_sequence_privilege(me.oid, r.oid, p.privilege)) \
UNION ALL \
SELECT 'EXECUTE with its owner''s rights on ' || s.nspname || '.' || f.proname \
  FROM pg_catalog.pg_proc f JOIN spaces s ON s.oid = f.pronamespace \
  WHERE f.prosecdef AND EXISTS (SELECT FROM me WHERE pg_catalog.has_function_privilege(me.oid, f.oid, 'EXECUTE') \
    AND pg_catalog.has_schema_privilege(me.oid, s.oid, 'USAGE')) \
LIMIT $1";
