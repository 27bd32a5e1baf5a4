//! The social-security register in PostgreSQL, in place of files: a server of its own that ends with the network.
//!
//! The node reads it as a unit would have it read: over TLS with a verified name, by an account that may select from two
//! tables and nothing else. The samples of TEST stay files, so that the two cannot be mistaken for each other.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Int16Type, Int32Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use lingqu_core::Clock;
use lingqu_transport::PeerId;
use lingqu_transport::pki::DevAuthority;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{During, Files, NetworkFailed};
use crate::cast::Unit;
use crate::servers::{Postgres, ServerIdentity};

/// The account of the node.
pub(super) const READER: &str = "node_reader";
/// The file with its password, beside `node.toml`.
pub(super) const PASSWORD_FILE: &str = "database.password";
/// Tables that production reads, each also the name of its resource.
pub(super) const TABLES: [&str; 2] = ["insured_person", "industry"];
/// Days that the server's certificate holds.
const CERTIFICATE_DAYS: u32 = 30;

/// A running server with the node's account and, once filled, its tables.
#[derive(Debug)]
pub struct RegisterDatabase {
    server: Postgres,
}

impl RegisterDatabase {
    /// Starts a server with a certificate of the network's authority and writes the account's password beside the
    /// node's configuration. Takes some seconds: not for an asynchronous thread.
    pub(super) fn start(files: &Files, clock: &dyn Clock) -> Result<Self, NetworkFailed> {
        let authority =
            DevAuthority::load(&files.dir().join("ca")).during("reading the authority")?;
        let home = files.node_dir(Unit::SocialSecurity);
        // The bureau's own name: what the node checks is the address among the certificate's hosts.
        let id = PeerId::Party(Unit::SocialSecurity.party().id());
        let issued = authority
            .issue(&id, &["localhost", "127.0.0.1"], CERTIFICATE_DAYS, clock)
            .during("issuing the database's certificate")?
            .write(&home)
            .during("writing the database's certificate")?;
        let text = |path: &Path| {
            std::fs::read_to_string(path).during("reading the database's certificate")
        };
        let identity = ServerIdentity {
            certificate: text(&issued.certificate)?,
            key: text(&issued.key)?,
        };
        let server = Postgres::start(Some(&identity)).during("starting PostgreSQL")?;
        let mut secret = [0; 16];
        SystemRandom::new()
            .fill(&mut secret)
            .during("making a password")?;
        let password = hex::encode(secret);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(home.join(PASSWORD_FILE))
            .during("writing the password")?;
        std::io::Write::write_all(&mut file, password.as_bytes()).during("writing the password")?;
        let account = format!(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC;\nREVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC;\n\
             CREATE ROLE {READER} LOGIN PASSWORD '{password}';\n"
        );
        server.execute(&account).during("making the account")?;
        Ok(RegisterDatabase { server })
    }

    /// Its TCP port, on 127.0.0.1.
    pub(super) fn port(&self) -> u16 {
        self.server.port()
    }

    /// Moves production's tables from the files of `data` into the database: afterwards the files are gone. Takes some
    /// seconds: not for an asynchronous thread.
    pub(crate) fn take(&self, data: &Path) -> Result<(), NetworkFailed> {
        for table in TABLES {
            let path = data.join(format!("{table}.parquet"));
            let file = File::open(&path).during("opening the register")?;
            let mut batches = ParquetRecordBatchReaderBuilder::try_new(file)
                .and_then(ParquetRecordBatchReaderBuilder::build)
                .during("reading the register")?;
            let mut sql = String::new();
            let mut first = true;
            for batch in &mut batches {
                let batch = batch.during("reading the register")?;
                if std::mem::take(&mut first) {
                    create(table, &batch, &mut sql)?;
                }
                rows(&batch, &mut sql)?;
            }
            sql.push_str("\\.\n");
            let _ = write!(
                sql,
                "GRANT SELECT ON {table} TO {READER};\nANALYZE {table};\n"
            );
            self.server.execute(&sql).during("filling the database")?;
            // TEST has the same industries and reads them from the file.
            if table != "industry" {
                std::fs::remove_file(&path).during("removing a file of the register")?;
            }
        }
        Ok(())
    }

    /// What the database says when the node's account tries to write: its SQLSTATE, or `None` if it lets it.
    pub(crate) fn refuses_writing(&self) -> Option<String> {
        let sql = format!(
            "\\set VERBOSITY sqlstate\nSET ROLE {READER};\nDELETE FROM insured_person WHERE false;\n"
        );
        let refused = self.server.execute(&sql).err()?.to_string();
        let (_, code) = refused.split_once("ERROR:")?;
        Some(code.trim().chars().take(5).collect())
    }
}

fn create(table: &str, batch: &RecordBatch, sql: &mut String) -> Result<(), NetworkFailed> {
    let mut columns = Vec::new();
    for field in batch.schema().fields() {
        let data_type = match field.data_type() {
            DataType::Utf8 => "text",
            DataType::Date32 => "date",
            DataType::Int16 => "smallint",
            DataType::Int32 => "integer",
            other => return Err(unknown(other)),
        };
        let null = if field.is_nullable() { "" } else { " NOT NULL" };
        columns.push(format!("{} {data_type}{null}", field.name()));
    }
    let _ = write!(
        sql,
        "CREATE TABLE {table} ({});\nCOPY {table} FROM STDIN;\n",
        columns.join(", ")
    );
    Ok(())
}

/// Rows in the text form of `COPY`. The register's texts have neither tabs nor backslashes nor line ends.
fn rows(batch: &RecordBatch, sql: &mut String) -> Result<(), NetworkFailed> {
    for row in 0..batch.num_rows() {
        for (at, column) in batch.columns().iter().enumerate() {
            sql.push_str(if at == 0 { "" } else { "\t" });
            if column.is_null(row) {
                sql.push_str("\\N");
                continue;
            }
            // Writing into a String cannot fail.
            let _ = match column.data_type() {
                DataType::Utf8 => sql.write_str(column.as_string::<i32>().value(row)),
                DataType::Date32 => {
                    let days = column.as_primitive::<Date32Type>().value(row);
                    let date = Date32Type::to_naive_date_opt(days).expect("births are dates");
                    write!(sql, "{date}")
                }
                DataType::Int16 => write!(sql, "{}", column.as_primitive::<Int16Type>().value(row)),
                DataType::Int32 => write!(sql, "{}", column.as_primitive::<Int32Type>().value(row)),
                other => return Err(unknown(other)),
            };
        }
        sql.push('\n');
    }
    Ok(())
}

fn unknown(data_type: &DataType) -> NetworkFailed {
    NetworkFailed {
        what: "filling the database",
        reason: format!("there is no column type for {data_type}"),
    }
}
