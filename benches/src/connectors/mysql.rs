//! MariaDB, beside the rows of the same driver that nobody decodes, in both protocols, on one server that is started
//! here, without TLS on any side.

use std::sync::Arc;

use datafusion::prelude::{Expr, col, lit};
use lingqu_connector_sdk::{Connector, TableName};
use lingqu_demo::servers::MariaDb;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

use super::reading::{Read, Side, alternate, load, memory_peak, sweep, throughput};
use super::{Failed, Measured, SCENARIO, Stage};
use crate::report::Row;

/// The case's name.
pub(super) const NAME: &str = "mysql";
const BINARY: &str = "raw binary rows, not decoded";
const TEXT: &str = "raw text rows, not decoded";

const COLUMNS: [&str; 9] = [
    "id", "person", "unit", "wage", "months", "ratio", "since", "updated", "insured",
];

fn fill(rows: u64) -> [String; 4] {
    [
        "CREATE DATABASE register CHARACTER SET utf8mb4".to_owned(),
        "USE register".to_owned(),
        "CREATE TABLE employment (id BIGINT PRIMARY KEY, person VARCHAR(40) NOT NULL, unit VARCHAR(40), \
           wage DECIMAL(12, 2), months INT, ratio DOUBLE, since DATE, updated DATETIME(6), insured TINYINT) \
         ENGINE = InnoDB"
            .to_owned(),
        format!(
            "INSERT INTO employment SELECT seq, CONCAT('person-', LPAD(seq * 7919 % 1000000007, 12, '0')), \
               CONCAT('单位', seq % 5000), (seq % 3000000) / 100, seq % 480, seq / 7.0, \
               DATE'1990-01-01' + INTERVAL seq % 12000 DAY, TIMESTAMP'2020-01-01 00:00:00' + INTERVAL seq SECOND, \
               seq % 3 > 0 FROM seq_1_to_{rows}"
        ),
    ]
}

pub(super) fn measure(stage: &Stage<'_>) -> Result<Measured, Failed> {
    let rows = stage.plan.table_rows;
    let server = MariaDb::start(None).map_err(Failed::Server)?;
    let raw = Raw(stage
        .runtime
        .block_on(async {
            let opts = OptsBuilder::default()
                .user(Some("root"))
                .socket(Some(server.socket().display().to_string()));
            let mut conn = Conn::new(opts).await?;
            for statement in fill(rows) {
                conn.query_drop(statement).await?;
            }
            Ok::<_, mysql_async::Error>(conn)
        })
        .map_err(failed)?);
    let raw = std::cell::RefCell::new(raw);
    let connector = connector(&server, stage)?;
    let table: TableName = "register.employment".parse().expect("it names a table");
    let select = format!("SELECT {} FROM employment", COLUMNS.join(", "));
    let reads = {
        let mut sides: Vec<Side<'_>> = vec![
            (NAME, Box::new(|| load(stage, &connector, &table, &COLUMNS))),
            (BINARY, Box::new(|| raw.borrow_mut().binary(stage, &select))),
            (TEXT, Box::new(|| raw.borrow_mut().text(stage, &select))),
        ];
        alternate(stage, NAME, &mut sides)?
    };
    let mut report = Vec::new();
    for (name, side) in [(BINARY, &reads[1]), (TEXT, &reads[2])] {
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
            "{NAME}: {rows} rows of {} columns, {bytes} bytes of Arrow buffers, MariaDB over a Unix socket, no TLS",
            COLUMNS.len()
        )],
    })
}

fn connector(server: &MariaDb, stage: &Stage<'_>) -> Result<Arc<dyn Connector>, Failed> {
    let settings = format!(
        "host = '{}'\ndatabase = 'register'\nuser = 'root'\ntls = 'off-loopback-only'\n\
         scan_rows_max = 1000000000\nscan_bytes_max = 1000000000000",
        server.socket().display()
    );
    let settings = settings.parse().expect("the settings are TOML");
    Ok(lingqu_connectors::kinds().configure("mysql", settings, stage.dir)?)
}

/// A connection whose rows are counted and thrown away.
struct Raw(Conn);

impl Raw {
    fn binary(&mut self, stage: &Stage<'_>, select: &str) -> Result<Read, Failed> {
        let begin = stage.clock.monotonic();
        let rows = stage.runtime.block_on(async {
            let mut result = self.0.exec_iter(select, ()).await?;
            let mut rows = 0;
            while result.next().await?.is_some() {
                rows += 1;
            }
            Ok::<u64, mysql_async::Error>(rows)
        });
        Ok(Read {
            rows: rows.map_err(failed)?,
            bytes: 0,
            elapsed: stage.clock.monotonic().saturating_sub(begin),
        })
    }

    fn text(&mut self, stage: &Stage<'_>, select: &str) -> Result<Read, Failed> {
        let begin = stage.clock.monotonic();
        let rows = stage.runtime.block_on(async {
            let mut result = self.0.query_iter(select).await?;
            let mut rows = 0;
            while result.next().await?.is_some() {
                rows += 1;
            }
            Ok::<u64, mysql_async::Error>(rows)
        });
        Ok(Read {
            rows: rows.map_err(failed)?,
            bytes: 0,
            elapsed: stage.clock.monotonic().saturating_sub(begin),
        })
    }
}

fn failed(error: mysql_async::Error) -> Failed {
    Failed::Reader {
        reader: BINARY,
        why: error.to_string(),
    }
}
