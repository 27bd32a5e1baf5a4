//! PostgreSQL, beside the raw `COPY … (FORMAT binary)` that nobody decodes and beside ADBC's driver, on one server that
//! is started here, without TLS on any side.

use std::sync::Arc;

use datafusion::prelude::{Expr, col, lit};
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{Connector, TableName};
use lingqu_demo::servers::Postgres;

use super::adbc::{self, Adbc};
use super::reading::{Read, Side, alternate, load, memory_peak, sweep, throughput};
use super::{Failed, Measured, SCENARIO, Stage};
use crate::report::Row;

/// The case's name.
pub(super) const NAME: &str = "postgres";
const RAW: &str = "raw COPY, not decoded";

/// A register of employment: whole numbers, a decimal, dates, moments, texts and a truth value.
const COLUMNS: [&str; 9] = [
    "id", "person", "unit", "wage", "months", "ratio", "since", "updated", "insured",
];

fn fill(rows: u64) -> String {
    format!(
        "CREATE TABLE employment (id int8 NOT NULL, person text NOT NULL, unit varchar(40), wage numeric(12, 2), \
           months int4, ratio float8, since date, updated timestamptz, insured bool); \
         INSERT INTO employment SELECT g, 'person-' || lpad((g * 7919 % 1000000007)::text, 12, '0'), \
           '单位' || g % 5000, (g % 3000000)::numeric / 100, g % 480, g / 7.0, \
           date '1990-01-01' + (g % 12000)::int4, timestamptz '2020-01-01 00:00:00+00' + g * interval '1 second', \
           g % 3 > 0 FROM generate_series(1::int8, {rows}) g; \
         ANALYZE employment;"
    )
}

pub(super) fn measure(stage: &Stage<'_>) -> Result<Measured, Failed> {
    let rows = stage.plan.table_rows;
    let started = |error: lingqu_demo::servers::ServerFailed| Failed::Server(error);
    let server = Postgres::start(None).map_err(started)?;
    server.execute(&fill(rows)).map_err(started)?;
    let connector = connector(&server, stage)?;
    let table: TableName = "public.employment".parse().expect("it names a table");
    let select = format!("SELECT {} FROM employment", COLUMNS.join(", "));
    let socket = server.socket().display().to_string();
    let mut adbc = Adbc::connect(&format!(
        "host={socket} port={} user=postgres dbname=postgres",
        server.port()
    ))?;
    let raw = Raw::connect(&server, stage)?;
    let reads = {
        let mut sides: Vec<Side<'_>> = vec![
            (NAME, Box::new(|| load(stage, &connector, &table, &COLUMNS))),
            (RAW, Box::new(|| raw.read(stage, &select))),
            (adbc::NAME, Box::new(|| adbc.read(&select))),
        ];
        alternate(stage, NAME, &mut sides)?
    };
    let mut report = Vec::new();
    for (name, side) in [(RAW, &reads[1]), (adbc::NAME, &reads[2])] {
        report.extend(throughput(NAME, name, &reads[0], side));
    }
    let (read, peak) = memory_peak(|| load(stage, &connector, &table, &COLUMNS));
    let names = (SCENARIO, NAME, "bytes of the table");
    let bytes = read?.bytes;
    report.push(Row::new(
        names,
        ("memory_peak_bytes", "bytes"),
        peak as f64,
        bytes as f64,
    ));
    let provider = stage.runtime.block_on(connector.open(&table))?;
    let below = |share: f64| -> Expr { col("id").lt_eq(lit((rows as f64 * share) as i64)) };
    report.extend(sweep(stage, NAME, &provider, below)?);
    Ok(Measured {
        rows: report,
        notes: vec![format!(
            "{NAME}: {rows} rows of {} columns, {} bytes of Arrow buffers, over a Unix socket, no TLS",
            COLUMNS.len(),
            bytes
        )],
    })
}

fn connector(server: &Postgres, stage: &Stage<'_>) -> Result<Arc<dyn Connector>, Failed> {
    let settings = format!(
        "host = '{}'\nport = {}\ndatabase = 'postgres'\nuser = 'postgres'\ntls = 'off-loopback-only'\n\
         scan_rows_max = 1000000000\nscan_bytes_max = 1000000000000",
        server.socket().display(),
        server.port()
    );
    let settings = settings.parse().expect("the settings are TOML");
    Ok(lingqu_connectors::kinds().configure("postgres", settings, stage.dir)?)
}

/// A connection whose bytes are counted and thrown away.
struct Raw(tokio_postgres::Client);

impl Raw {
    fn connect(server: &Postgres, stage: &Stage<'_>) -> Result<Raw, Failed> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(server.socket())
            .port(server.port())
            .user("postgres")
            .dbname("postgres");
        let connected = stage
            .runtime
            .block_on(config.connect(tokio_postgres::NoTls));
        let (client, connection) = connected.map_err(failed)?;
        stage.runtime.spawn(connection);
        Ok(Raw(client))
    }

    /// Messages but for header and trailer are rows.
    fn read(&self, stage: &Stage<'_>, select: &str) -> Result<Read, Failed> {
        let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let begin = stage.clock.monotonic();
        let messages = stage.runtime.block_on(async {
            let stream = self.0.copy_out(&sql).await?;
            let counted = stream.try_fold(0_u64, |count, _| async move { Ok(count + 1) });
            counted.await
        });
        Ok(Read {
            // The header comes with the first row, the trailer by itself.
            rows: messages.map_err(failed)?.saturating_sub(1),
            bytes: 0,
            elapsed: stage.clock.monotonic().saturating_sub(begin),
        })
    }
}

fn failed(error: tokio_postgres::Error) -> Failed {
    Failed::Reader {
        reader: RAW,
        why: error.to_string(),
    }
}
