//! A driver that crashes, hangs, leaks and lies: the caller gets an error, the next query works, nothing stays behind.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use arrow_flight::{CancelFlightInfoRequest, FlightInfo};
use futures::TryStreamExt;
use prost::Message;
use tonic::Code;

use crate::program::{Program, reason};

/// The driver, built once by the machine's C compiler.
fn driver() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/driver/hostile.c");
            let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile.so");
            let status = Command::new("cc")
                .args([
                    "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
                ])
                .arg(&to)
                .arg(source)
                .status()
                .expect("`cc` must be there: the hostile driver is C");
            assert!(status.success());
            to
        })
        .clone()
}

const MODES: [&str; 17] = [
    "fine",
    "crash_execute",
    "crash_fetch",
    "exit",
    "leak",
    "hang",
    "frames",
    "false_end",
    "error",
    "error_fetch",
    "prints",
    "negative",
    "huge",
    "cut",
    "many",
    "lies",
    "endless",
];

fn start(limits: &str, parameters: &str) -> Program {
    let tables: String = MODES
        .iter()
        .map(|mode| format!("[[source.table]]\nname = [\"{mode}\"]\n"))
        .collect();
    Program::start(&format!(
        "[[source]]\nname = \"h\"\ndriver = \"{}\"\nparameters = {{ File = \"DIR/child\"{parameters} }}\n\
         [source.limits]\nbatch_rows = 2\nback_off_seconds_max = 1\n{limits}\n{tables}",
        driver().display()
    ))
}

fn all(mode: &str) -> String {
    format!(r#"SELECT "id", "name" FROM "{mode}""#)
}

/// Asks until the pause after a crash is over.
async fn rows(
    client: &mut crate::program::Client,
    sql: &str,
) -> Result<Vec<String>, tonic::Status> {
    loop {
        match client.rows(sql).await {
            Err(status) if reason(&status).1 == "BACK_OFF" => {
                tokio::task::yield_now().await;
            }
            other => return other,
        }
    }
}

#[tokio::test]
async fn whatever_the_driver_does_the_caller_gets_an_error_and_the_next_query_works() {
    let program = start("memory_bytes_max = 1073741824", "");
    let mut client = program.client("h").await;
    let fine = ["0|name", "1|name", "2|name"];
    assert_eq!(rows(&mut client, &all("fine")).await.unwrap(), fine);
    for (mode, words) in [
        ("crash_execute", &["DRIVER_CRASHED"][..]),
        ("crash_fetch", &["DRIVER_CRASHED"]),
        ("exit", &["DRIVER_CRASHED"]),
        ("leak", &["DRIVER_CRASHED"]),
        ("frames", &["DRIVER_GARBAGE"]),
        ("false_end", &["DRIVER_GARBAGE"]),
        ("error", &["SOURCE_FAILED"]),
        ("error_fetch", &["SOURCE_FAILED"]),
        ("negative", &["DRIVER_MISBEHAVED"]),
        ("huge", &["VALUE_TOO_LONG"]),
        ("cut", &["VALUE_TOO_LONG"]),
        ("many", &["DRIVER_MISBEHAVED"]),
    ] {
        let error = rows(&mut client, &all(mode)).await.expect_err(mode);
        assert!(
            words.contains(&reason(&error).1.as_str()),
            "{mode}: {error:?}"
        );
        assert!(
            !format!("{error:?}").contains("CANARY"),
            "{mode}: {error:?}"
        );
        assert_eq!(
            rows(&mut client, &all("fine")).await.unwrap(),
            fine,
            "after {mode}"
        );
    }
    // What a driver prints reaches neither the caller nor the log, and spoils no answer.
    assert_eq!(rows(&mut client, &all("prints")).await.unwrap(), fine);
    let counters = client.counters().await;
    assert_eq!(counters["crashed"], 4);
    assert_eq!(counters["garbage"], 2);
    let log = program.stop();
    assert!(!log.contains("CANARY"), "{log}");
}

#[tokio::test]
async fn a_driver_that_crashes_at_once_is_not_started_at_once_again() {
    let program = start("", ", Mode = \"crash\"");
    let mut client = program.client("h").await;
    let error = client.rows(&all("fine")).await.unwrap_err();
    assert_eq!(
        reason(&error),
        (Code::Internal, "DRIVER_CRASHED".to_owned())
    );
    let error = client.rows(&all("fine")).await.unwrap_err();
    assert_eq!(reason(&error), (Code::Unavailable, "BACK_OFF".to_owned()));
    assert_eq!(client.counters().await["workers_started"], 1);
}

#[tokio::test]
async fn a_hanging_driver_and_all_that_it_started_is_killed_in_time() {
    let program = start("query_seconds_max = 2", "");
    let mut client = program.client("h").await;
    let error = client.rows(&all("hang")).await.unwrap_err();
    assert_eq!(
        reason(&error),
        (Code::DeadlineExceeded, "TIMED_OUT".to_owned())
    );
    gone(&program).await;
    assert_eq!(client.counters().await["timed_out"], 1);
}

#[tokio::test]
async fn hanging_up_kills_the_worker() {
    let program = start("query_seconds_max = 3600", "");
    let mut client = program.client("h").await;
    let info = client.statement(&all("hang")).await.unwrap();
    let mut stream = client.get(ticket(&info)).await.unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap().num_rows(), 2);
    started(&program).await;
    drop(stream);
    gone(&program).await;
}

#[tokio::test]
async fn cancelling_kills_the_worker_and_the_stream_says_so() {
    let program = start("query_seconds_max = 3600", "");
    let mut client = program.client("h").await;
    let info = client.statement(&all("hang")).await.unwrap();
    let mut stream = client.get(ticket(&info)).await.unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap().num_rows(), 2);
    started(&program).await;
    let request = CancelFlightInfoRequest::new(info.clone());
    let mut other = program.client("h").await;
    let body = request.encode_to_vec();
    other.action("CancelFlightInfo", body).await.unwrap();
    let ended = tonic::Status::from(stream.try_next().await.unwrap_err());
    assert_eq!(reason(&ended), (Code::Cancelled, "CANCELLED".to_owned()));
    gone(&program).await;
    assert_eq!(client.counters().await["cancelled"], 1);
}

#[tokio::test]
async fn an_endless_table_meets_its_limits_and_its_reader_its_own_pace() {
    let program = start("rows_max = 1000", "");
    let mut client = program.client("h").await;
    let error = client.rows(&all("endless")).await.unwrap_err();
    assert_eq!(
        reason(&error),
        (Code::ResourceExhausted, "TOO_LARGE".to_owned())
    );
    let program = start("query_seconds_max = 2", "");
    let mut client = program.client("h").await;
    let info = client.statement(&all("endless")).await.unwrap();
    let mut stream = client.get(ticket(&info)).await.unwrap();
    stream.try_next().await.unwrap();
    // A caller that stops reading is held for the time of the query, and then told that this was not all.
    while client.counters().await["timed_out"] != 1 {
        tokio::task::yield_now().await;
    }
    let mut ended = Ok(());
    while ended.is_ok() {
        ended = stream
            .try_next()
            .await
            .map(|batch| assert!(batch.is_some(), "it ended as if this were all"));
    }
    let ended = tonic::Status::from(ended.unwrap_err());
    assert_eq!(reason(&ended).1, "TIMED_OUT");
}

#[tokio::test]
async fn workers_and_their_queue_are_bounded() {
    let program = start(
        "workers_max = 1\nqueue_max = 1\nquery_seconds_max = 3600",
        "",
    );
    let mut client = program.client("h").await;
    let info = client.statement(&all("hang")).await.unwrap();
    let mut holding = client.get(ticket(&info)).await.unwrap();
    holding.try_next().await.unwrap();
    // One may wait for the only worker; of two, the other is refused.
    let waiting =
        |mut client: crate::program::Client| async move { client.rows(&all("fine")).await };
    let first = tokio::spawn(waiting(program.client("h").await));
    let second = tokio::spawn(waiting(program.client("h").await));
    let third = tokio::spawn(waiting(program.client("h").await));
    while client.counters().await["refused"].as_u64() < Some(1) {
        tokio::task::yield_now().await;
    }
    drop(holding);
    let mut fine = 0;
    for task in [first, second, third] {
        match task.await.unwrap() {
            Ok(rows) => {
                fine += 1;
                assert_eq!(rows.len(), 3);
            }
            Err(status) => assert_eq!(reason(&status).1, "BUSY"),
        }
    }
    assert!((1..=2).contains(&fine), "{fine}");
}

fn ticket(info: &FlightInfo) -> arrow_flight::Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

fn child(program: &Program) -> Option<u32> {
    let text = std::fs::read_to_string(program.directory.path().join("child")).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

/// Waits until the driver has forked.
async fn started(program: &Program) {
    while child(program).is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the process that the driver forked is gone, or waits to be collected by whoever inherited it.
async fn gone(program: &Program) {
    let child = child(program).expect("the driver has forked");
    loop {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
