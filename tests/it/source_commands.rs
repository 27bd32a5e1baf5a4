//! `lingqu source …` as whoever keeps a node running types it, against a running node.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{RecordBatch, StringArray};
use lingqu_core::ErrorCode;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::binary::{Ran, run};
use crate::network::World;

/// How often the rows of the register are repeated, so that reading them takes a while and a command sees it under way.
const TIMES: usize = 60;

async fn typed(words: Vec<String>) -> Ran {
    let words: Vec<String> = ["source".to_owned()].into_iter().chain(words).collect();
    let ran = tokio::task::spawn_blocking(move || {
        run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    });
    ran.await.unwrap()
}

/// The rows with other keys: a key that many rows share would be refused.
fn renamed(batch: &RecordBatch, time: usize) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    let keys = columns[0].as_string::<i32>().iter();
    let keys = keys.map(|key| key.map(|key| format!("{key}-{time}")));
    columns[0] = Arc::new(keys.collect::<StringArray>());
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// Puts a register in place that has every row many times.
fn enlarge(register: &PathBuf) {
    let bytes = prost::bytes::Bytes::from(fs::read(register).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let next = register.with_extension("next");
    let file = fs::File::create(&next).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
    for time in 0..TIMES {
        for batch in &batches {
            writer.write(&renamed(batch, time)).unwrap();
        }
    }
    writer.close().unwrap();
    fs::rename(next, register).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_is_begun_followed_and_stopped_by_commands() {
    let world = World::ready().await;
    let socket = world.state().join("admin.sock").display().to_string();
    let words = |words: &[&str]| {
        let own = words.iter().map(|word| (*word).to_owned());
        own.chain(["--socket".to_owned(), socket.clone()]).collect()
    };
    let before = world.node().resource_statuses();
    let before = before.iter().find(|one| one.resource == "planes").unwrap();
    let rows = before.load.as_ref().unwrap().rows;

    let ran = typed(words(&["status", "--json"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.notes);
    assert!(ran.out.contains("\"planes\""), "{}", ran.out);

    enlarge(&world.network.files().dir().join("node/data/planes.parquet"));
    let ran = typed(words(&["load", "planes", "--watch"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.notes);
    let expected = format!("{} rows", rows * TIMES as u64);
    assert!(ran.out.contains(&expected), "{} {}", ran.out, ran.notes);
    let statuses = Arc::clone(world.node()).resource_statuses();
    let status = statuses
        .iter()
        .find(|one| one.resource == "planes")
        .unwrap();
    assert_eq!(status.load.as_ref().unwrap().rows, rows * TIMES as u64);

    // Nothing is under way any more: following ends at once, and there is nothing to stop.
    let ran = typed(words(&["watch", "planes"])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.notes);
    let ran = typed(words(&["stop", "planes", "--json"])).await;
    assert_ne!(ran.code, Some(0), "{}", ran.out);
    let ran = typed(words(&["load", "nothing", "--json"])).await;
    assert_eq!(ran.failure(), ErrorCode::ResourceUnknown.as_str());
    world.end().await;
}
