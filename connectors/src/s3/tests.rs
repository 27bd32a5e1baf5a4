use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lingqu_connector_sdk::conformance::{CHECKS, Fixture, Options, Specimen, check};
use lingqu_connector_sdk::{LoadRequest, ReadLimits, SourceError, TableName};
use object_store::ObjectStoreExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as ObjectPath;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::check_endpoint;
use crate::fixtures::{load, query, source};

/// An S3-compatible server of others, until it is dropped.
struct Served {
    base: TempDir,
    port: u16,
    process: Child,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Its input ends with the handle; waiting leaves no process behind.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Served {
    async fn start() -> Served {
        let python = std::env::var_os("LINGQU_PYTHON").expect(
            "LINGQU_PYTHON is not set: run `cargo xtask test`, which brings an S3-compatible server, or set it to a \
             Python that has the packages of tests/clients/requirements.txt",
        );
        let mut process = Command::new(python)
            .args(["-c", include_str!("served.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let base = tempfile::tempdir().unwrap();
        let secret = base.path().join("secret");
        std::fs::write(&secret, "an open secret\n").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let served = Served {
            base,
            port: line.trim().parse().unwrap(),
            process,
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/registers", served.port);
        let made = client.put(url).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.status());
        served
    }

    /// An account that may write.
    fn writer(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_bucket_name("registers")
            .with_region("us-east-1")
            .with_access_key_id("writer")
            .with_secret_access_key("writer")
            .with_allow_http(true)
            .build()
            .unwrap()
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) {
        let path = ObjectPath::parse(name).unwrap();
        self.writer().put(&path, bytes.into()).await.unwrap();
    }

    fn settings(&self, more: &str) -> String {
        format!(
            "endpoint = \"http://127.0.0.1:{}\"\nbucket = \"registers\"\nprefix = \"export\"\n\
             access_key_id = {{ file = \"secret\" }}\nsecret_access_key = {{ file = \"secret\" }}\n{more}",
            self.port
        )
    }
}

fn batch(rows: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|id| format!("name {id}")),
    ));
    RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
}

fn parquet(batch: &RecordBatch, rows_of_group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_of_group))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn table(name: &str) -> TableName {
    TableName::new([name.to_owned()]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn object_stores_conform() {
    let served = Served::start().await;
    let specimen = Specimen::standard(table("specimen"));
    served
        .put("export/specimen.parquet", parquet(&specimen.expected, 100))
        .await;
    served
        .put("export/large.parquet", parquet(&batch(200_000), 50_000))
        .await;
    let connector = source("s3", &served.settings(""), served.base.path());
    let fixture = Fixture {
        specimens: vec![specimen],
        large: Some(table("large")),
        secrets: vec!["an open secret".to_owned()],
        ..Fixture::default()
    };
    // A server on this machine without encryption is what a test can have; the check for it is left out.
    let ids = CHECKS.iter().map(|check| check.id.to_owned());
    let options = Options {
        only: ids.filter(|id| id != "encrypted").collect(),
        // Every predicate costs the server a dozen requests.
        predicates_max: 2,
        ..Options::default()
    };
    let report = check(connector, Some(fixture), options, |_| {}).await;
    assert!(report.conforms(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_lie_below_the_prefix_and_nothing_else_is_seen() {
    let served = Served::start().await;
    served.put("export/2026/p-2.csv", b"id\n3\n".to_vec()).await;
    served
        .put("export/2026/p-1.csv", b"id\n1\n2\n".to_vec())
        .await;
    served
        .put("export/2026/deeper/p-3.csv", b"id\n9\n".to_vec())
        .await;
    served.put("secret.parquet", parquet(&batch(1), 1)).await;
    let declared = "[[tables]]\nname = \"p\"\nfiles = \"2026/p-*.csv\"\nformat = \"csv\"\n\
                    columns = [{ name = \"id\", type = \"int64\" }]";
    let parts = source("s3", &served.settings(declared), served.base.path());
    assert_eq!(
        load(parts.as_ref(), "p", &["id"]).await.unwrap(),
        ["1", "2", "3"]
    );
    assert_eq!(
        query(parts.as_ref(), "p", "SELECT id FROM t WHERE id > 2").await,
        ["3"]
    );
    let found = source("s3", &served.settings(""), served.base.path());
    assert!(found.describe().await.unwrap().is_empty());
    for name in ["../secret", "secret", "..", "/secret"] {
        let refused = load(found.as_ref(), name, &["id"]).await;
        assert!(
            matches!(refused, Err(SourceError::TableMissing(_))),
            "{name} {refused:?}"
        );
    }
    let nowhere = served.settings("").replace("registers", "nowhere");
    let nowhere = source("s3", &nowhere, served.base.path());
    let refused = nowhere.health().await.unwrap_err();
    assert!(
        !format!("{refused} {refused:?}").contains("127.0.0.1"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reading_mixes_two_states_of_an_object() {
    let served = Served::start().await;
    let name = "export/a.parquet";
    served.put(name, parquet(&batch(400_000), 20_000)).await;
    let connector = source("s3", &served.settings(""), served.base.path());
    let request = LoadRequest {
        table: table("a"),
        columns: vec!["name".to_owned()],
        limits: ReadLimits::default(),
    };
    let reading = connector.load(&request).await.unwrap();
    let version = reading.version.clone();
    served.put(name, parquet(&batch(400_001), 20_000)).await;
    let read: Result<Vec<RecordBatch>, _> =
        futures::TryStreamExt::try_collect(reading.batches).await;
    match read {
        // Whatever was fetched before the change is a part of the old state; only all of it is a reading.
        Ok(batches) => {
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(rows, 400_000);
        }
        Err(error) => assert_eq!(
            crate::bounded::uncarried(error).to_string(),
            "the source failed with code `changed-while-read`"
        ),
    }
    let again = connector.load(&request).await.unwrap();
    assert_ne!(again.version, version);
}

#[test]
fn only_this_machine_is_spoken_to_without_encryption() {
    assert!(matches!(
        check_endpoint("https://s3.example:9000"),
        Ok(true)
    ));
    for here in [
        "http://127.0.0.1:9000",
        "http://localhost",
        "http://[::1]:9000",
    ] {
        assert!(matches!(check_endpoint(here), Ok(false)), "{here}");
    }
    for refused in [
        "http://10.0.0.1:9000",
        "http://s3.example",
        "http://127.0.0.1.example",
        "ftp://x",
        "https://key:secret@s3.example",
        "s3.example:9000",
        "https://s3.example/?a=b",
        "",
    ] {
        assert!(check_endpoint(refused).is_err(), "{refused}");
    }
}
