//! Every connector of this crate under the conformance kit, each against the real thing (R-142, R-146).

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use lingqu_connector_sdk::conformance::{
    Aspect, Control, Fixture, NotControlled, Options, Specimen, Unfit, check,
};
use lingqu_connector_sdk::{Connector, TableName};
use parquet::arrow::ArrowWriter;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::fixtures::source;

/// The columns of the standard specimen as settings declare them.
const COLUMNS: &str = r#"columns = [
  { name = "id", type = "int32", nullable = false },
  { name = "amount", type = "decimal(20,4)" },
  { name = "moment", type = "timestamptz", zone = "Z" },
  { name = "words", type = "text" },
  { name = "hanzi", type = "text" },
  { name = "remark", type = "text" },
  { name = "code", type = "text" },
  { name = "number", type = "int64" },
  { name = "born", type = "date" },
]"#;

/// What no error may quote.
const CANARY: &str = "110101199003070000x";

fn table(name: &str) -> TableName {
    TableName::new([name.to_owned()]).unwrap()
}

fn specimen() -> Specimen {
    Specimen::standard(table("specimen"))
}

fn large() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..200_000));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..200_000).map(|id| format!("name {id}")),
    ));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

fn drifting() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

fn lines(rows: &[Vec<Option<String>>], header: &str) -> String {
    let cell = |cell: &Option<String>| match cell {
        Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        None => String::new(),
    };
    let line = |row: &Vec<Option<String>>| row.iter().map(cell).collect::<Vec<_>>().join(",");
    let lines = rows.iter().map(line);
    std::iter::once(header.to_owned())
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\r\n")
}

fn objects(specimen: &Specimen) -> Vec<String> {
    let schema = specimen.expected.schema();
    let member = |(at, text): (usize, &Option<String>)| {
        let value = match text {
            None => "null".to_owned(),
            Some(text) if schema.field(at).data_type().is_numeric() => text.clone(),
            Some(text) => serde_json::to_string(text).unwrap(),
        };
        format!("\"{}\": {value}", schema.field(at).name())
    };
    let object = |row: Vec<Option<String>>| {
        let members: Vec<String> = row.iter().enumerate().map(member).collect();
        format!("{{{}}}", members.join(", "))
    };
    specimen.texts().into_iter().map(object).collect()
}

fn header(specimen: &Specimen) -> String {
    let schema = specimen.expected.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    names.join(",")
}

async fn conforms(connector: Arc<dyn Connector>, fixture: Fixture) {
    // Enough to meet every kind of predicate; an unoptimised engine at both ends takes long for each.
    let options = Options {
        predicates_max: 4,
        ..Options::default()
    };
    let report = check(connector, Some(fixture), options, |_| {}).await;
    assert!(report.conforms(), "{report}");
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// Exchanges a file for one with fewer columns.
struct Exchange {
    path: std::path::PathBuf,
    bytes: Vec<u8>,
}

#[async_trait]
impl Control for Exchange {
    async fn alter(&self) -> Result<(), NotControlled> {
        fs::write(&self.path, &self.bytes).map_err(|error| NotControlled::Failed(error.to_string()))
    }
}

fn fixture(specimens: Vec<Specimen>) -> Fixture {
    Fixture {
        specimens,
        large: Some(table("large")),
        drifting: Some(table("drifting")),
        ..Fixture::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_and_arrow_files_conform() {
    for (ending, write) in [
        ("parquet", parquet as fn(&RecordBatch) -> Vec<u8>),
        ("arrow", arrow),
    ] {
        let base = tempfile::tempdir().unwrap();
        let put = |name: &str, batch: &RecordBatch| {
            fs::write(base.path().join(format!("{name}.{ending}")), write(batch)).unwrap();
        };
        put("specimen", &specimen().expected);
        put("large", &large());
        put("drifting", &drifting());
        let exchange = Exchange {
            path: base.path().join(format!("drifting.{ending}")),
            bytes: write(&drifting().project(&[1]).unwrap()),
        };
        let fixture = Fixture {
            control: Some(Arc::new(exchange)),
            ..fixture(vec![specimen()])
        };
        conforms(source("file", "path = \".\"", base.path()), fixture).await;
    }
}

fn csv_tables(base: &Path) -> String {
    let utf8 = lines(&specimen().texts(), &header(&specimen()));
    fs::write(base.join("specimen.csv"), utf8).unwrap();
    let gbk = Specimen::standard(table("gbk")).without(Aspect::TextUtf8);
    let text = lines(&gbk.texts(), &header(&gbk));
    let (bytes, _, replaced) = encoding_rs::GBK.encode(&text);
    assert!(!replaced);
    fs::write(base.join("gbk.csv"), bytes).unwrap();
    let rows = (0..200_000).map(|id| format!("{id},name {id}\n"));
    let text: String = std::iter::once("id,name\n".to_owned())
        .chain(rows)
        .collect();
    fs::write(base.join("large.csv"), text).unwrap();
    fs::write(base.join("drifting.csv"), "id,name\n1,a\n2,b\n").unwrap();
    fs::write(base.join("unfit.csv"), format!("id,name\n{CANARY},x\n")).unwrap();
    let two =
        "columns = [{ name = \"id\", type = \"int64\" }, { name = \"name\", type = \"text\" }]";
    let without_words = COLUMNS.replace("  { name = \"words\", type = \"text\" },\n", "");
    format!(
        "path = \".\"\n\
         [[tables]]\nname = \"specimen\"\nfiles = \"specimen.csv\"\nformat = \"csv\"\n{COLUMNS}\n\
         [[tables]]\nname = \"gbk\"\nfiles = \"gbk.csv\"\nformat = \"csv\"\nencoding = \"gbk\"\n{without_words}\n\
         [[tables]]\nname = \"large\"\nfiles = \"large.csv\"\nformat = \"csv\"\n{two}\n\
         [[tables]]\nname = \"drifting\"\nfiles = \"drifting.csv\"\nformat = \"csv\"\n{two}\n\
         [[tables]]\nname = \"unfit\"\nfiles = \"unfit.csv\"\nformat = \"csv\"\n{two}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_files_conform() {
    let base = tempfile::tempdir().unwrap();
    let settings = csv_tables(base.path());
    let gbk = Specimen::standard(table("gbk")).without(Aspect::TextUtf8);
    let fixture = Fixture {
        unfit: Some(Unfit {
            table: table("unfit"),
            canary: CANARY.to_owned(),
        }),
        ..fixture(vec![specimen(), gbk])
    };
    conforms(source("file", &settings, base.path()), fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_conform() {
    let base = tempfile::tempdir().unwrap();
    fs::write(
        base.path().join("specimen.json"),
        objects(&specimen()).join("\n"),
    )
    .unwrap();
    let unfit = format!("{{\"id\": \"{CANARY}\"}}\n");
    fs::write(base.path().join("unfit.json"), unfit).unwrap();
    let settings = format!(
        "path = \".\"\n[[tables]]\nname = \"specimen\"\nfiles = \"specimen.json\"\nformat = \"json\"\n{COLUMNS}\n\
         [[tables]]\nname = \"unfit\"\nfiles = \"unfit.json\"\nformat = \"json\"\n\
         columns = [{{ name = \"id\", type = \"int64\" }}]\n"
    );
    let fixture = Fixture {
        specimens: vec![specimen()],
        unfit: Some(Unfit {
            table: table("unfit"),
            canary: CANARY.to_owned(),
        }),
        ..Fixture::default()
    };
    conforms(source("file", &settings, base.path()), fixture).await;
}

/// Another connection to the same database, one that may write.
struct Writer(std::path::PathBuf);

impl Writer {
    async fn run(&self, sql: String) -> Result<(), sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(&self.0)
            .create_if_missing(true);
        let mut connection = options.connect().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Control for Writer {
    async fn alter(&self) -> Result<(), NotControlled> {
        let dropped = self
            .run("ALTER TABLE drifting DROP COLUMN name".to_owned())
            .await;
        dropped.map_err(|error| NotControlled::Failed(error.to_string()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let base = tempfile::tempdir().unwrap();
    let writer = Writer(base.path().join("a.db"));
    let literal = |cell: &Option<String>| match cell {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => "NULL".to_owned(),
    };
    let row = |row: Vec<Option<String>>| {
        let cells: Vec<String> = row.iter().map(literal).collect();
        format!("({})", cells.join(", "))
    };
    let rows: Vec<String> = specimen().texts().into_iter().map(row).collect();
    let sql = format!(
        "CREATE TABLE specimen (id INTEGER NOT NULL, amount TEXT, moment TEXT, words TEXT, hanzi TEXT, \
         remark TEXT COLLATE NOCASE, code CHAR(8) COLLATE RTRIM, number INTEGER, born TEXT);\n\
         INSERT INTO specimen VALUES {};\n\
         CREATE TABLE drifting (id INTEGER, name TEXT); INSERT INTO drifting VALUES (1, 'a'), (2, 'b');\n\
         CREATE TABLE unfit (id INTEGER); INSERT INTO unfit VALUES ('{CANARY}');\n\
         CREATE TABLE large (id INTEGER, name TEXT);\n\
         WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 199999) \
         INSERT INTO large SELECT n, 'name ' || n FROM c;",
        rows.join(",\n")
    );
    writer.run(sql).await.unwrap();
    let settings = format!("path = \"a.db\"\n[[tables]]\nname = \"specimen\"\n{COLUMNS}\n");
    let fixture = Fixture {
        control: Some(Arc::new(writer)),
        unfit: Some(Unfit {
            table: table("unfit"),
            canary: CANARY.to_owned(),
        }),
        ..fixture(vec![specimen()])
    };
    conforms(source("sqlite", &settings, base.path()), fixture).await;
}

type Lists = State<Arc<HashMap<&'static str, Vec<String>>>>;

/// Rows of a list in pages: `/NAME?offset=0&limit=2`.
async fn page(State(lists): Lists, uri: Uri) -> String {
    let url: reqwest::Url = format!("http://here{uri}").parse().unwrap();
    let number = |name: &str| {
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let rows = &lists[uri.path().trim_start_matches('/')];
    let from = number("offset").unwrap_or(0).min(rows.len());
    let to = (from + number("limit").unwrap_or(rows.len())).min(rows.len());
    format!("{{\"rows\": [{}]}}", rows[from..to].join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn http_interfaces_conform() {
    let many = (0..200_000).map(|id| format!("{{\"id\": {id}, \"name\": \"name {id}\"}}"));
    let lists = HashMap::from([
        ("specimen", objects(&specimen())),
        ("large", many.collect()),
        (
            "unfit",
            vec![format!("{{\"id\": \"{CANARY}\", \"name\": \"x\"}}")],
        ),
    ]);
    let router = Router::new()
        .fallback(get(page))
        .with_state(Arc::new(lists));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let two =
        "columns = [{ name = \"id\", type = \"int64\" }, { name = \"name\", type = \"text\" }]";
    let paging = |size| {
        format!(
            "paging = {{ by = \"offset\", parameter = \"offset\", size_parameter = \"limit\", size = {size} }}"
        )
    };
    let settings = format!(
        "base_url = \"http://127.0.0.1:{port}/\"\n\
         [[tables]]\nname = \"specimen\"\npath = \"specimen\"\nrows = \"/rows\"\n{}\n{COLUMNS}\n\
         [[tables]]\nname = \"large\"\npath = \"large\"\nrows = \"/rows\"\n{}\n{two}\n\
         [[tables]]\nname = \"unfit\"\npath = \"unfit\"\nrows = \"/rows\"\n{two}\n",
        paging(2),
        paging(5_000),
    );
    let fixture = Fixture {
        unfit: Some(Unfit {
            table: table("unfit"),
            canary: CANARY.to_owned(),
        }),
        large: Some(table("large")),
        specimens: vec![specimen()],
        ..Fixture::default()
    };
    let base = tempfile::tempdir().unwrap();
    let connector = source("http", &settings, base.path());
    // A server on this machine without encryption is what a test can have; the check for it is left out.
    let options = Options {
        only: lingqu_connector_sdk::conformance::CHECKS
            .iter()
            .map(|check| check.id.to_owned())
            .filter(|id| id != "encrypted")
            .collect(),
        ..Options::default()
    };
    let report = check(connector, Some(fixture), options, |_| {}).await;
    server.abort();
    assert!(report.conforms(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_flight_sql_conforms() {
    use crate::flight_sql::tests::served::{Served, Upstream};
    let served = Served::start(Upstream {
        tables: vec![("specimen", specimen().expected), ("large", large())],
        ..Upstream::default()
    })
    .await;
    let fixture = Fixture {
        specimens: vec![specimen()],
        large: Some(table("large")),
        ..Fixture::default()
    };
    let settings = "socket = \"upstream.sock\"\ndialect = \"datafusion\"";
    conforms(source("flight_sql", settings, served.base()), fixture).await;
}

/// What the manuals show is what the connectors take.
#[test]
fn every_sample_of_the_manuals_is_accepted() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sources");
    for (page, samples) in [
        ("files", 2),
        ("flight-sql", 2),
        ("http", 1),
        ("s3", 1),
        ("sqlite", 1),
    ] {
        for language in ["", ".zh-CN"] {
            let text = fs::read_to_string(docs.join(format!("{page}{language}.md"))).unwrap();
            let blocks: Vec<&str> = text
                .split("```toml\n")
                .skip(1)
                .filter_map(|rest| rest.split("```").next())
                .collect();
            assert_eq!(blocks.len(), samples, "{page}{language}");
            for block in blocks {
                let mut settings: toml::Table = block.parse().unwrap();
                let kind = settings.remove("kind").unwrap();
                let kind = kind.as_str().unwrap();
                let configured = crate::kinds().configure(kind, settings, &docs);
                assert!(configured.is_ok(), "{page}{language}: {configured:?}");
            }
        }
    }
}
