//! Cases `parquet` and `csv`: files as a load reads them, beside bare DataFusion and DuckDB over the same files.
//!
//! DuckDB runs in a Python process that waits for its turn and tells its own time: from the query to the last Arrow batch.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{Schema, SchemaRef};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::file_format::options::CsvReadOptions;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext, col, lit};
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{Connector, TableName};

use super::reading::{Read, Side, alternate, load, memory_peak, sweep, throughput};
use super::{Case, Failed, Measured, Stage};
use crate::tools;

/// The table: an entity code, texts of several lengths, an amount, a date, a number, some values missing.
const COLUMNS: [&str; 6] = ["id", "code", "name", "amount", "born", "score"];

/// Measures one format.
pub(super) fn measure(stage: &Stage<'_>, case: Case) -> Result<Measured, Failed> {
    let (name, file) = match case {
        Case::Csv => ("csv", stage.dir.join("t.csv")),
        _ => ("parquet", stage.dir.join("t.parquet")),
    };
    let schema = write(stage, &file)?;
    let connector = connector(stage, case)?;
    let table = TableName::new(["t".to_owned()]).expect("it names a table");
    // Texts as views, which is its way, and as the file declares them, which is how the connector gives them.
    let views = bare(stage, case, &file, &schema, true)?;
    let texts = bare(stage, case, &file, &schema, false)?;
    let mut duckdb = DuckDb::start(case, &file)?;
    let mut sides: Vec<Side<'_>> = vec![
        (
            "the connector",
            Box::new(|| load(stage, &connector, &table, &COLUMNS)),
        ),
        ("datafusion", Box::new(|| read_bare(stage, &views))),
        ("duckdb", Box::new(|| duckdb.read())),
    ];
    if case == Case::Parquet {
        sides.push((
            "datafusion-declared-types",
            Box::new(|| read_bare(stage, &texts)),
        ));
    }
    let names: Vec<&str> = sides.iter().map(|(name, _)| *name).collect();
    let reads = alternate(stage, name, &mut sides)?;
    drop(sides);
    let mut measured = Measured::default();
    for (baseline, theirs) in names.into_iter().zip(&reads).skip(1) {
        measured
            .rows
            .extend(throughput(name, baseline, &reads[0], theirs));
    }
    let (read, peak) = memory_peak(|| load(stage, &connector, &table, &COLUMNS));
    read?;
    let length = std::fs::metadata(&file)?.len();
    measured.notes.push(format!(
        "{name}: {} rows in {:.1} MB; a load held {:.1} MB at most beyond what the process held before",
        stage.plan.table_rows,
        length as f64 / 1e6,
        peak as f64 / 1e6
    ));
    if case == Case::Parquet {
        let provider = stage.runtime.block_on(connector.open(&table))?;
        let rows = stage.plan.table_rows as f64;
        let filter = |share: f64| col("id").lt(lit((share * rows) as i64));
        measured.rows.extend(sweep(stage, name, &provider, filter)?);
    }
    Ok(measured)
}

/// Makes the file; its columns.
fn write(stage: &Stage<'_>, file: &Path) -> Result<SchemaRef, Failed> {
    let sql = format!(
        "SELECT value AS id, concat('31', lpad(CAST(value * 7919 % 100000007 AS VARCHAR), 16, '0')) AS code, \
         CASE WHEN value % 50 = 0 THEN NULL ELSE concat('name of ', CAST(value % 90001 AS VARCHAR)) END AS name, \
         CAST(value % 1000000 AS DECIMAL(18, 2)) AS amount, \
         CAST(CAST(value % 30000 - 7000 AS INT) AS DATE) AS born, \
         CAST(value % 1009 AS DOUBLE) / 8 AS score FROM generate_series(0, {})",
        stage.plan.table_rows.saturating_sub(1)
    );
    let path = file.display().to_string();
    stage.runtime.block_on(async {
        let context = SessionContext::new();
        context
            .sql("SET datafusion.execution.parquet.max_row_group_size = 500000")
            .await?;
        context
            .sql("SET datafusion.execution.parquet.compression = 'snappy'")
            .await?;
        context
            .sql("SET datafusion.execution.target_partitions = 1")
            .await?;
        let frame = context.sql(&sql).await?;
        let schema = Arc::new(Schema::new(frame.schema().as_arrow().fields().clone()));
        let options = DataFrameWriteOptions::new().with_single_file_output(true);
        if file.extension().is_some_and(|ending| ending == "csv") {
            frame.write_csv(&path, options, None).await?;
        } else {
            frame.write_parquet(&path, options, None).await?;
        }
        Ok(schema)
    })
}

fn connector(stage: &Stage<'_>, case: Case) -> Result<Arc<dyn Connector>, Failed> {
    let settings = match case {
        Case::Csv => {
            "path = \".\"\n[[tables]]\nname = \"t\"\nfiles = \"t.csv\"\nformat = \"csv\"\ncolumns = [\n\
             { name = \"id\", type = \"int64\" }, { name = \"code\", type = \"text\" },\n\
             { name = \"name\", type = \"text\" }, { name = \"amount\", type = \"decimal(18,2)\" },\n\
             { name = \"born\", type = \"date\" }, { name = \"score\", type = \"float64\" } ]"
        }
        _ => "path = \"t.parquet\"",
    };
    let settings = settings.parse().expect("the settings are TOML");
    Ok(lingqu_connectors::kinds().configure("file", settings, stage.dir)?)
}

/// The file in a session of its own, as DataFusion reads it by itself: texts of Parquet as views, or as they are declared.
fn bare(
    stage: &Stage<'_>,
    case: Case,
    file: &Path,
    schema: &SchemaRef,
    views: bool,
) -> Result<SessionContext, Failed> {
    let view_types = "datafusion.execution.parquet.schema_force_view_types";
    let config = SessionConfig::new().set_bool(view_types, views);
    let context = SessionContext::new_with_config(config);
    let path = file.display().to_string();
    stage.runtime.block_on(async {
        match case {
            Case::Csv => {
                let options = CsvReadOptions::new().schema(schema);
                context.register_csv("t", path, options).await
            }
            _ => {
                let options = ParquetReadOptions::default();
                context.register_parquet("t", path, options).await
            }
        }
    })?;
    Ok(context)
}

fn read_bare(stage: &Stage<'_>, context: &SessionContext) -> Result<Read, Failed> {
    let begin = stage.clock.monotonic();
    let mut read = Read::default();
    stage.runtime.block_on(async {
        let mut batches = context.table("t").await?.execute_stream().await?;
        while let Some(batch) = batches.try_next().await? {
            read.rows += batch.num_rows() as u64;
            read.bytes += batch.get_array_memory_size() as u64;
        }
        Ok::<(), Failed>(())
    })?;
    read.elapsed = stage.clock.monotonic().saturating_sub(begin);
    Ok(read)
}

/// DuckDB, waiting for its turn.
struct DuckDb {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It ends with its input; waiting leaves no process behind.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

impl DuckDb {
    fn start(case: Case, file: &Path) -> Result<DuckDb, Failed> {
        let format = if case == Case::Csv { "csv" } else { "parquet" };
        let mut process = Command::new(python()?)
            .args(["-c", include_str!("duckdb_reader.py"), format])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().expect("it was asked for");
        Ok(DuckDb {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    fn read(&mut self) -> Result<Read, Failed> {
        let failed = |why: &str| Failed::Reader {
            reader: "duckdb",
            why: why.to_owned(),
        };
        let input = self.input.as_mut().ok_or_else(|| failed("it has ended"))?;
        input.write_all(b"\n")?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let rows = words.next().and_then(|word| word.parse().ok());
        let seconds = words.next().and_then(|word| word.parse().ok());
        let (Some(rows), Some(seconds)) = (rows, seconds) else {
            return Err(failed("it said neither rows nor seconds"));
        };
        Ok(Read {
            rows,
            bytes: 0,
            elapsed: Duration::from_secs_f64(seconds),
        })
    }
}

/// The Python of the environment that `cargo xtask peers` makes beside what cargo builds.
fn python() -> Result<PathBuf, Failed> {
    let found = tools::find("tools/peers/bin/python")?;
    found.map_err(|path| Failed::Reader {
        reader: "duckdb",
        why: format!("{path} is missing; `cargo xtask peers` brings it"),
    })
}
