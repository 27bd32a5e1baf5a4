use std::num::NonZeroUsize;
use std::time::Duration;

use arrow_array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
use lingqu_core::grant::Environment;
use lingqu_testkit::ManualClock;
use tokio::sync::Semaphore;

use super::*;
use crate::sources::scripted::Scripted;
use crate::sources::{AsOf, Refresh};

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_unix_s(1_767_225_600);
const CANARY: &str = "CANARY-王小明";

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().cloned()).unwrap()
}

fn people(ids: &[i64]) -> RecordBatch {
    let names: Vec<String> = ids.iter().map(|id| format!("{CANARY}-{id}")).collect();
    batch(&[
        ("id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("name", Arc::new(StringArray::from(names))),
    ])
}

fn resource(sources: &[NamedSource], as_of: AsOf) -> Resource {
    Resource {
        name: "people".to_owned(),
        environments: vec![Environment::Prod],
        sources: sources.to_vec(),
        table: Scripted::table(),
        as_of,
        refresh: Refresh::Manual,
        update_cycle: None,
    }
}

fn limits() -> ReadLimits {
    ReadLimits {
        rows_max: 1_000,
        bytes_max: 1 << 20,
        batch_rows: NonZeroUsize::new(8_192).unwrap(),
        time_max: Duration::from_secs(3_600),
    }
}

async fn reading(
    resource: &Resource,
    columns: &[&str],
    accepted: Option<&Columns>,
) -> Result<ReadTable, LoadFailed> {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let wanted = Wanted {
        columns: &columns,
        accepted,
        limits: limits(),
        as_of: None,
    };
    let progress = Progress::new(CancellationToken::new());
    read(resource, &wanted, &progress, ManualClock::at(NOW).as_ref()).await
}

fn day(days: i32) -> ArrayRef {
    Arc::new(Date32Array::from(vec![None, Some(days), Some(days - 3)]))
}

#[tokio::test]
async fn the_same_rows_are_the_same_reading_however_they_come_in_batches() {
    let one = Scripted::of(vec![people(&[1, 2, 3])]);
    let other = Scripted::of(vec![people(&[1]), people(&[]), people(&[2, 3])]);
    let fixed = || AsOf::Fixed(NOW);
    let first = resource(&[one.named("a")], fixed());
    let second = resource(&[other.named("a")], fixed());
    let first = reading(&first, &["id", "name"], None).await.unwrap();
    let second = reading(&second, &["id", "name"], None).await.unwrap();
    assert_eq!((first.digest, first.rows), (second.digest, 3));
    *one.batches.lock().unwrap() = vec![people(&[1, 3, 2])];
    let third = resource(&[one.named("a")], fixed());
    let third = reading(&third, &["id", "name"], None).await.unwrap();
    assert_ne!(third.digest, first.digest);
}

#[tokio::test]
async fn the_next_source_is_read_when_one_cannot_be_reached_and_not_when_its_table_is_at_fault() {
    let (first, second) = (
        Scripted::of(vec![people(&[1])]),
        Scripted::of(vec![people(&[1])]),
    );
    let both = resource(&[first.named("a"), second.named("b")], AsOf::Fixed(NOW));
    let away = [
        SourceError::Unreachable,
        SourceError::Untrusted,
        SourceError::AccountRefused,
        SourceError::TimedOut,
        SourceError::Failed { code: None },
    ];
    for error in away {
        *first.fails.lock().unwrap() = Some(error);
        let read = reading(&both, &["id"], None).await.unwrap();
        assert_eq!(read.source, "b");
    }
    let before = second.loads.load(Ordering::SeqCst);
    for error in [
        SourceError::TooLarge,
        SourceError::TableMissing(Scripted::table()),
        SourceError::ValueUnfit {
            column: "id".to_owned(),
        },
    ] {
        *first.fails.lock().unwrap() = Some(error);
        assert!(reading(&both, &["id"], None).await.is_err());
    }
    assert_eq!(second.loads.load(Ordering::SeqCst), before);
    *first.fails.lock().unwrap() = None;
    assert_eq!(reading(&both, &["id"], None).await.unwrap().source, "a");
}

#[tokio::test]
async fn a_table_of_the_same_names_and_other_types_has_changed_and_nothing_of_it_is_read() {
    let source = Scripted::of(vec![people(&[1])]);
    let one = resource(&[source.named("a")], AsOf::Fixed(NOW));
    let accepted = reading(&one, &["id"], None).await.unwrap().found;
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let names: ArrayRef = Arc::new(StringArray::from(vec![CANARY]));
    *source.batches.lock().unwrap() = vec![batch(&[("id", ids), ("name", names)])];
    let loads = source.loads.load(Ordering::SeqCst);
    let failed = reading(&one, &["id"], Some(&accepted)).await.unwrap_err();
    assert_eq!(failed.code(), ErrorCode::ResourceChanged);
    let text = format!("{failed} {failed:?}");
    assert!(text.contains("-id: Int64") && text.contains("+id: Int32") && !text.contains(CANARY));
    assert_eq!(source.loads.load(Ordering::SeqCst), loads);
}

#[tokio::test]
async fn a_table_that_is_altered_between_the_look_and_the_reading_is_refused() {
    let source = Scripted::of(vec![people(&[1])]);
    let one = resource(&[source.named("a")], AsOf::Fixed(NOW));
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    *source.altered.lock().unwrap() = Some(vec![batch(&[("id", ids)])]);
    let failed = reading(&one, &["id"], None).await.unwrap_err();
    assert_eq!(failed.code(), ErrorCode::SourceUnavailable);
}

#[tokio::test]
async fn more_than_the_limit_is_an_error_and_never_fewer_rows() {
    let ids: Vec<i64> = (0..600).collect();
    let source = Scripted::of(vec![people(&ids), people(&ids)]);
    let one = resource(&[source.named("a")], AsOf::Fixed(NOW));
    let failed = reading(&one, &["id", "name"], None).await.unwrap_err();
    assert_eq!(failed.code(), ErrorCode::ResourceTooLarge);
    assert!(!format!("{failed:?}").contains(CANARY));
}

#[tokio::test]
async fn a_reading_that_is_stopped_ends_while_the_source_still_waits() {
    let source = Scripted::of(vec![people(&[1]), people(&[2])]);
    source.gate.forget_permits(Semaphore::MAX_PERMITS);
    source.gate.add_permits(1);
    let one = resource(&[source.named("a")], AsOf::Fixed(NOW));
    let progress = Arc::new(Progress::new(CancellationToken::new()));
    let watching = Arc::clone(&progress);
    let reading = tokio::spawn(async move {
        let wanted = Wanted {
            columns: &["id".to_owned()],
            accepted: None,
            limits: limits(),
            as_of: None,
        };
        read(&one, &wanted, &watching, ManualClock::at(NOW).as_ref()).await
    });
    while progress.rows() < 1 {
        tokio::task::yield_now().await;
    }
    progress.stop();
    let failed = reading.await.unwrap().unwrap_err();
    assert_eq!(failed.code(), ErrorCode::LoadStopped);
}

#[tokio::test]
async fn the_date_is_the_latest_day_of_its_column_which_no_policy_need_open() {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let source = Scripted::of(vec![batch(&[("id", ids), ("day", day(20_400))])]);
    let one = resource(&[source.named("a")], AsOf::Column("day".to_owned()));
    let read = reading(&one, &["id", "gone"], None).await.unwrap();
    let midnight = Timestamp::from_unix_s(20_400 * 86_400 - 8 * 3_600);
    assert_eq!(read.as_of, midnight);
    let schema = read.batches[0].schema();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["id"], "the date's own column is not kept");
    assert!(read.found.iter().any(|(name, _)| name == "day"));
}

#[tokio::test]
async fn a_date_that_is_missing_or_to_come_is_refused() {
    let ids = || Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let nothing: ArrayRef = Arc::new(Date32Array::from(vec![None, None, None]));
    let ancient: ArrayRef = Arc::new(Date32Array::from(vec![-800_000; 3]));
    for (column, days) in [
        ("day", nothing),
        ("day", day(20_500)),
        ("day", ancient),
        ("day", ids()),
        ("other", day(20_400)),
    ] {
        let source = Scripted::of(vec![batch(&[("id", ids()), (column, days)])]);
        let one = resource(&[source.named("a")], AsOf::Column("day".to_owned()));
        let failed = reading(&one, &["id"], None).await.unwrap_err();
        assert_eq!(failed.code(), ErrorCode::ResourceDateInvalid, "{failed}");
    }
    let source = Scripted::of(vec![people(&[1])]);
    let to_come = NOW.plus(Duration::from_secs(1));
    let one = resource(&[source.named("a")], AsOf::Fixed(to_come));
    let failed = reading(&one, &["id"], None).await.unwrap_err();
    assert_eq!(failed.code(), ErrorCode::ResourceDateInvalid);
    let one = resource(&[source.named("a")], AsOf::Load);
    assert_eq!(reading(&one, &["id"], None).await.unwrap().as_of, NOW);
}
