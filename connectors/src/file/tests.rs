use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use lingqu_connector_sdk::{Connector, LoadRequest, ReadLimits, SourceError, TableName};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::fixtures::{configure, load, query, source};

fn batch(from: i64, rows: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(from..from + rows);
    let names = StringArray::from_iter_values((from..from + rows).map(|id| format!("人{id}")));
    RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("name", Arc::new(names) as _)])
        .unwrap()
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

const PEOPLE: &str = r#"
path = "data"
[[tables]]
name = "people"
files = "people-*.csv"
format = "csv"
columns = [{ name = "id", type = "int64" }, { name = "name", type = "text" }]
"#;

fn directory() -> TempDir {
    let base = tempfile::tempdir().unwrap();
    fs::create_dir(base.path().join("data")).unwrap();
    base
}

fn code(error: &SourceError) -> Option<&str> {
    match error {
        SourceError::Failed { code } => code.as_deref(),
        _ => None,
    }
}

#[tokio::test]
async fn parts_are_read_in_the_order_of_their_names() {
    let base = directory();
    let data = base.path().join("data");
    fs::write(data.join("people-2.csv"), "id,name\n3,c\n").unwrap();
    fs::write(data.join("people-1.csv"), "id,name\n1,a\n2,\n").unwrap();
    fs::write(data.join("other.csv"), "not read").unwrap();
    let source = source("file", PEOPLE, base.path());
    let found = load(source.as_ref(), "people", &["name", "id"])
        .await
        .unwrap();
    assert_eq!(found, ["a|1", "NULL|2", "c|3"]);
    assert_eq!(
        query(source.as_ref(), "people", "SELECT count(*) FROM t").await,
        ["3"]
    );
    assert_eq!(
        query(
            source.as_ref(),
            "people",
            "SELECT name FROM t WHERE id = 3 LIMIT 1"
        )
        .await,
        ["c"]
    );
    let described = source.describe().await.unwrap();
    assert_eq!(described.len(), 1);
    assert_eq!(described[0].schema.field(0).name(), "id");
}

#[tokio::test]
async fn parquet_and_arrow_files_are_tables_by_themselves() {
    let base = directory();
    let data = base.path().join("data");
    fs::write(data.join("a.parquet"), parquet(&batch(0, 100))).unwrap();
    fs::write(data.join("b.arrow"), arrow(&batch(7, 2))).unwrap();
    fs::write(data.join("note.txt"), "no table").unwrap();
    let source = source("file", "path = \"data\"", base.path());
    let described = source.describe().await.unwrap();
    let names: Vec<String> = described.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(described[0].rows, Some(100));
    assert_eq!(described[0].schema, batch(0, 1).schema());
    assert_eq!(
        load(source.as_ref(), "b", &["name", "id"]).await.unwrap(),
        ["人7|7", "人8|8"]
    );
    assert_eq!(
        load(source.as_ref(), "a", &["id"]).await.unwrap().len(),
        100
    );
    // The same with one file as the source.
    let one = crate::fixtures::source("file", "path = \"data/a.parquet\"", base.path());
    assert_eq!(one.describe().await.unwrap().len(), 1);
    // The unit may have named the file by a link, wherever that leads.
    fs::write(base.path().join("elsewhere.parquet"), parquet(&batch(0, 3))).unwrap();
    symlink("../elsewhere.parquet", data.join("current.parquet")).unwrap();
    let linked = crate::fixtures::source("file", "path = \"data/current.parquet\"", base.path());
    assert_eq!(
        load(linked.as_ref(), "current", &["id"]).await.unwrap(),
        ["0", "1", "2"]
    );
    let sql = "SELECT name FROM t WHERE name = '人42' OR id > 98";
    assert_eq!(query(one.as_ref(), "a", sql).await, ["人42", "人99"]);
}

#[tokio::test]
async fn no_name_of_a_table_leads_out() {
    let base = directory();
    fs::write(base.path().join("secret.parquet"), parquet(&batch(0, 1))).unwrap();
    fs::write(base.path().join("data/a.parquet"), parquet(&batch(0, 1))).unwrap();
    let source = source("file", "path = \"data\"", base.path());
    for name in [
        "../secret",
        "secret",
        "..",
        ".",
        "/etc/passwd",
        "a/../../secret",
        "*",
        "?",
        "A",
    ] {
        let table = TableName::new([name.to_owned()]).unwrap();
        let refused = source.open(&table).await;
        assert!(
            matches!(refused, Err(SourceError::TableMissing(_))),
            "{name}"
        );
    }
    for files in ["../secret.parquet", "/etc/passwd", "a/../b.csv", ""] {
        let settings = format!(
            "path = \"data\"\n[[tables]]\nname = \"x\"\nfiles = \"{files}\"\nformat = \"parquet\""
        );
        assert!(
            configure("file", &settings, base.path()).is_err(),
            "{files}"
        );
    }
}

#[tokio::test]
async fn links_lead_within_the_directory_and_nowhere_else() {
    let base = directory();
    let data = base.path().join("data");
    fs::write(base.path().join("secret.csv"), "id,name\n1,x\n").unwrap();
    fs::create_dir_all(data.join("2026/10")).unwrap();
    fs::write(data.join("2026/10/p.csv"), "id,name\n5,e\n").unwrap();
    // Within, also by way of the directory above.
    symlink("2026/10/../10/p.csv", data.join("people-1.csv")).unwrap();
    let source = source("file", PEOPLE, base.path());
    assert_eq!(
        load(source.as_ref(), "people", &["id"]).await.unwrap(),
        ["5"]
    );
    for (target, expected) in [
        ("../secret.csv", "link-leads-out"),
        ("2026/../../secret.csv", "link-leads-out"),
        ("/etc/passwd", "link-leads-out"),
        ("people-2.csv", "too-many-links"),
    ] {
        symlink(target, data.join("people-2.csv")).unwrap();
        let refused = load(source.as_ref(), "people", &["id"]).await.unwrap_err();
        assert_eq!(code(&refused), Some(expected), "{target}");
        fs::remove_file(data.join("people-2.csv")).unwrap();
    }
    // A directory that is a link to outside.
    symlink("../..", data.join("up")).unwrap();
    let deeper = PEOPLE.replace("people-*.csv", "up/*.csv");
    let source = crate::fixtures::source("file", &deeper, base.path());
    let refused = load(source.as_ref(), "people", &["id"]).await.unwrap_err();
    assert_eq!(code(&refused), Some("link-leads-out"));
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused() {
    let base = directory();
    let pipe = base.path().join("data/people-1.csv");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let source = source("file", PEOPLE, base.path());
    let refused = load(source.as_ref(), "people", &["id"]).await.unwrap_err();
    assert_eq!(code(&refused), Some("no-regular-file"));
    let missing = crate::fixtures::source("file", "path = \"nowhere\"", base.path());
    assert!(missing.health().await.is_err());
}

#[tokio::test]
async fn a_file_that_changes_is_not_mixed() {
    let base = directory();
    let path = base.path().join("data/people-1.csv");
    let lines = |name: &str| {
        let rows = (0..400_000).map(|id| format!("{id},{name}\n"));
        std::iter::once("id,name\n".to_owned())
            .chain(rows)
            .collect::<String>()
    };
    fs::write(&path, lines("before")).unwrap();
    let source = source("file", PEOPLE, base.path());
    let request = LoadRequest {
        table: "people".parse().unwrap(),
        columns: vec!["name".to_owned()],
        limits: ReadLimits::default(),
    };
    let reading = source.load(&request).await.unwrap();
    let version = reading.version.clone();
    let mut stream = reading.batches;
    let first = futures::StreamExt::next(&mut stream)
        .await
        .unwrap()
        .unwrap();
    assert!(first.num_rows() > 0);
    // In place, to the same length: only its times tell.
    fs::write(&path, lines("after!")).unwrap();
    let rest: Result<Vec<RecordBatch>, _> = futures::TryStreamExt::try_collect(stream).await;
    let error = crate::bounded::uncarried(rest.unwrap_err());
    assert_eq!(code(&error), Some("changed-while-read"));
    let again = source.load(&request).await.unwrap();
    assert_ne!(again.version, version);
}

#[tokio::test]
async fn a_table_that_is_open_follows_its_files_but_not_their_columns() {
    let base = directory();
    let path = base.path().join("data/a.parquet");
    fs::write(&path, parquet(&batch(0, 10))).unwrap();
    let source = source("file", "path = \"data\"", base.path());
    let provider = source.open(&"a".parse().unwrap()).await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("t", provider).unwrap();
    let count = async || {
        let frame = context.sql("SELECT count(name) AS n FROM t").await?;
        frame.collect().await
    };
    count().await.unwrap();
    fs::write(&path, parquet(&batch(0, 20))).unwrap();
    let found = count().await.unwrap();
    assert_eq!(crate::fixtures::rows(&found[0]), ["20"]);
    let other = batch(0, 1).project(&[1]).unwrap();
    fs::write(&path, parquet(&other)).unwrap();
    let error = crate::bounded::uncarried(count().await.unwrap_err());
    assert!(matches!(error, SourceError::SchemaChanged(_)), "{error:?}");
    // Two parts of one table with different columns.
    let settings =
        "path = \"data\"\n[[tables]]\nname = \"x\"\nfiles = \"*.parquet\"\nformat = \"parquet\"";
    fs::write(base.path().join("data/b.parquet"), parquet(&batch(0, 1))).unwrap();
    let both = crate::fixtures::source("file", settings, base.path());
    let refused = both.describe().await.unwrap_err();
    assert!(
        matches!(refused, SourceError::SchemaChanged(_)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_cut_of_a_file_is_an_error() {
    let base = directory();
    for (name, bytes) in [
        ("a.parquet", parquet(&batch(0, 50))),
        ("a.arrow", arrow(&batch(0, 50))),
    ] {
        let path = base.path().join("data").join(name);
        let source = source("file", &format!("path = \"data/{name}\""), base.path());
        for length in [0, 1, 7, 11, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            let refused = load(source.as_ref(), "a", &["id", "name"]).await;
            assert!(refused.is_err(), "{name} {length}");
        }
        // Any byte that is not what it was: the same rows, or an error, and never a panic that gets out.
        let whole = {
            fs::write(&path, &bytes).unwrap();
            load(source.as_ref(), "a", &["id"]).await.unwrap()
        };
        assert_eq!(whole.len(), 50);
        for at in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x5a;
            fs::write(&path, &broken).unwrap();
            let _ = load(source.as_ref(), "a", &["id", "name"]).await;
        }
    }
}

#[tokio::test]
async fn limits_of_a_load_hold() {
    let base = directory();
    fs::write(
        base.path().join("data/a.parquet"),
        parquet(&batch(0, 1_000)),
    )
    .unwrap();
    let source: Arc<dyn Connector> = source("file", "path = \"data\"", base.path());
    for limits in [
        ReadLimits {
            rows_max: 999,
            ..ReadLimits::default()
        },
        ReadLimits {
            bytes_max: 1_000,
            ..ReadLimits::default()
        },
    ] {
        let refused = crate::fixtures::batches(source.as_ref(), "a", &["id"], limits).await;
        assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
    }
    for columns in [&["id", "id"][..], &["ID"]] {
        let refused = load(source.as_ref(), "a", columns).await;
        assert!(
            matches!(refused, Err(SourceError::ColumnMissing(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn settings_that_say_too_much_are_refused() {
    let base = directory();
    for settings in [
        "",
        "path = \"data\"\nwrite = true",
        "path = \"data\"\n[[tables]]\nname = \"x\"\nfiles = \"x.csv\"\nformat = \"csv\"",
        "path = \"data\"\n[[tables]]\nname = \"x\"\nfiles = \"x\"\nformat = \"parquet\"\nencoding = \"gbk\"",
        "path = \"data\"\n[limits]\nfiles_max = 0",
        &PEOPLE.replace(
            "format = \"csv\"",
            "format = \"csv\"\nencoding = \"latin-1\"",
        ),
        &PEOPLE.replace("format = \"csv\"", "format = \"csv\"\ndelimiter = \"，\""),
        &PEOPLE.replace("format = \"csv\"", "format = \"csv\"\nquote = \",\""),
        &PEOPLE.replace("format = \"csv\"", "format = \"json\"\nheader = false"),
    ] {
        assert!(
            configure("file", settings, base.path()).is_err(),
            "{settings}"
        );
    }
}
