//! The kit against a connector that keeps its contract, and against one that breaks it in one way at a time: each fault
//! is found by the check that is there for it.

mod altered;
mod asked;
mod faulty;
mod flow;
mod table;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use faulty::{Fault, Faulty};

use super::{CHECKS, Options, Report, Verdict, check};

fn options() -> Options {
    Options {
        probe_write: true,
        rows_compared_max: 1_000,
        batch_rows: NonZeroUsize::new(8).unwrap(),
        predicates_max: 6,
        // The rows of a test are few, and nothing lies between the kit and this source.
        socket_bytes: 0,
        pause: Duration::from_millis(20),
        patience: Duration::from_millis(400),
        ..Options::default()
    }
}

async fn report_on(fault: Option<Fault>) -> Report {
    let source = Faulty::new(fault);
    let fixture = source.fixture();
    check(Arc::new(source), Some(fixture), options(), |_| {}).await
}

fn failed(report: &Report) -> BTreeSet<&'static str> {
    let failed = report
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }));
    failed.map(|outcome| outcome.check.id).collect()
}

#[tokio::test]
async fn a_connector_that_keeps_its_contract_passes_every_check() {
    let report = report_on(None).await;
    assert_eq!(report.count().passed, CHECKS.len(), "{report}");
    assert!(report.conforms());
}

/// One fault, and the check that must find it; others may find it too.
const FOUND_BY: &[(Fault, &str)] = &[
    (Fault::NoVersion, "reach"),
    (Fault::DescribesOtherColumns, "describe"),
    (Fault::DescribesOutOfOrder, "describe"),
    (Fault::NotEncrypted, "encrypted"),
    (Fault::AccountMayWrite, "read-only.account"),
    (Fault::WriteAccepted, "read-only.attempt"),
    (Fault::WriteHangs, "read-only.attempt"),
    (Fault::SecretInDebug, "secrets"),
    (Fault::ColumnsInTableOrder, "load.columns"),
    (Fault::MissingTableIsAFailure, "load.columns"),
    (Fault::OtherOrderEachTime, "load.stable"),
    (Fault::Panics, "load.stable"),
    (Fault::ReadingsShareState, "load.concurrent"),
    (Fault::DecimalsTruncated, "types.decimal"),
    (Fault::DecimalsAsFloats, "types.decimal"),
    (Fault::MomentsShifted, "types.timestamp-zone"),
    (Fault::ZoneDropped, "types.timestamp-zone"),
    (Fault::TextReplaced, "types.text-utf8"),
    (Fault::GbkAsLatin, "types.text-gbk"),
    (Fault::EmptyAsNull, "types.null-empty"),
    (Fault::NullAsEmpty, "types.null-empty"),
    (Fault::RowsWithNullDropped, "types.null-empty"),
    (Fault::CharPadded, "types.char-padding"),
    (Fault::IntegersThroughFloats, "types.big-integer"),
    (Fault::DatesClamped, "types.date-before-1970"),
    (Fault::ProjectionIgnored, "push-down.projection"),
    (Fault::FilterIgnored, "push-down.compare"),
    (Fault::TrailingBlanksEqual, "push-down.compare"),
    (Fault::CaseIgnored, "push-down.compare"),
    (Fault::LessIsLessOrEqual, "push-down.compare"),
    (Fault::ListShortened, "push-down.in"),
    (Fault::EmptyIsNull, "push-down.null"),
    (Fault::LikeIgnoresCase, "push-down.like"),
    (Fault::OrAsAnd, "push-down.logic"),
    (Fault::LimitBeforeFilter, "push-down.limit"),
    (Fault::LimitOneTooSmall, "push-down.limit"),
    (Fault::LimitClaimedAndIgnored, "push-down.limit"),
    (Fault::FewerRowsAtTheLimit, "limit.rows"),
    (Fault::RowLimitIgnored, "limit.rows"),
    (Fault::ByteLimitIgnored, "limit.bytes"),
    (Fault::BatchesTooLarge, "limit.batch"),
    (Fault::TimeIgnored, "limit.time"),
    (Fault::GoesOnAfterDrop, "flow.cancel"),
    (Fault::BuffersEverything, "flow.back-pressure"),
    (Fault::ReadsAhead, "flow.back-pressure"),
    (Fault::EndsEarlyAtRestart, "change.restart"),
    (Fault::NeverComesBack, "change.restart"),
    (Fault::DriftIgnored, "change.schema"),
    (Fault::ValueInError, "errors.values"),
    (Fault::ValueInCode, "errors.values"),
    (Fault::UnfitValueSkipped, "errors.values"),
];

#[tokio::test]
async fn each_fault_is_found_by_the_check_that_is_there_for_it() {
    let mut missed = Vec::new();
    for (fault, id) in FOUND_BY {
        let mut options = Options {
            only: vec![(*id).to_owned()],
            tables: vec!["people".parse().unwrap()],
            predicates_max: 64,
            ..options()
        };
        // A hang is left after the time of its check.
        if *fault == Fault::WriteHangs {
            options.check_time_max = Duration::from_millis(500);
        }
        let source = Faulty::new(Some(*fault));
        let fixture = source.fixture();
        let report = check(Arc::new(source), Some(fixture), options, |_| {}).await;
        if !failed(&report).contains(id) {
            missed.push(format!("{fault:?} was not found by {id}:\n{report}"));
        }
        let text = format!("{report}{report:?}");
        assert!(
            !text.contains(faulty::CANARY),
            "{fault:?}: the report quotes a value"
        );
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

#[test]
fn every_check_has_a_fault_that_it_finds_and_every_fault_a_check() {
    let checks: BTreeSet<_> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(checks.len(), CHECKS.len(), "an id is there twice");
    let covered: BTreeSet<_> = FOUND_BY.iter().map(|(_, id)| *id).collect();
    assert_eq!(covered, checks);
}

/// Of a source about which nothing is known, what needs preparation is not applicable and says so; the rest passes.
#[tokio::test]
async fn without_a_fixture_nothing_fails_for_want_of_one() {
    let source = Faulty::new(None).without_unfit();
    let report = check(Arc::new(source), None, options(), |_| {}).await;
    assert_eq!(failed(&report), BTreeSet::new(), "{report}");
    let prepared =
        |id: &str| id.starts_with("types.") || id.starts_with("change.") || id == "secrets";
    for outcome in &report.outcomes {
        let applies = matches!(outcome.verdict, Verdict::Passed { .. });
        assert_eq!(applies, !prepared(outcome.check.id), "{outcome}");
    }
}

#[tokio::test]
async fn nothing_is_written_unless_it_is_asked_for() {
    let source = Faulty::new(Some(Fault::WriteAccepted));
    let options = Options {
        only: vec!["read-only.attempt".to_owned()],
        probe_write: false,
        ..options()
    };
    let report = check(Arc::new(source), None, options, |_| {}).await;
    let outcome = report.outcome("read-only.attempt").unwrap();
    assert!(
        matches!(outcome.verdict, Verdict::NotApplicable { .. }),
        "{outcome}"
    );
}

#[tokio::test]
async fn a_report_is_there_for_people_in_two_languages_and_for_programs() {
    let report = report_on(Some(Fault::NotEncrypted)).await;
    let text = report.to_string();
    for expected in [
        "✗ encrypted: the connection is encrypted",
        "连接已加密",
        "1 failed",
        "不通过 1",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    let outcome = json["outcomes"]
        .as_array()
        .and_then(|outcomes| outcomes.iter().find(|outcome| outcome["id"] == "encrypted"));
    let outcome = outcome.unwrap();
    assert_eq!(outcome["verdict"], "failed");
    assert!(outcome["why"]["zh"].as_str().unwrap().contains("未加密"));
}

/// The manuals name every check, in both languages, as the table does.
#[test]
fn the_manuals_list_every_check() {
    for (manual, zh) in [("connectors.md", false), ("connectors.zh-CN.md", true)] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(manual);
        let text = std::fs::read_to_string(path).unwrap();
        for check in CHECKS {
            let said = if zh { check.zh } else { check.en };
            let row = format!("| `{}` | {said} |", check.id);
            assert!(text.contains(&row), "{manual} lacks {row}");
        }
    }
}

/// What a fixture writes into its source is what the kit expects to read from it.
#[test]
fn the_standard_specimen_is_written_in_full() {
    let specimen = super::Specimen::standard("s".parse().unwrap());
    let rows = specimen.texts();
    assert_eq!(rows.len(), 6);
    let first: Vec<_> = rows[0]
        .iter()
        .map(|text| text.as_deref().unwrap_or("∅"))
        .collect();
    assert_eq!(
        first,
        [
            "1",
            "1234567890123456.7891",
            "1970-01-01 00:00:01.000001",
            "广西灵渠",
            "中华人民共和国",
            "",
            "A1",
            "9223372036854775807",
            "1969-12-31"
        ]
    );
    assert!(rows[5][1..].iter().all(Option::is_none));
    let sql = specimen.without(super::Aspect::TextGbk).sql_values();
    assert!(
        sql.starts_with(
            "(1, 1234567890123456.7891, '1970-01-01 00:00:01.000001', '广西灵渠', '', 'A1', "
        ),
        "{sql}"
    );
    assert!(sql.contains("'O''Brien \"x\" \\ %_ ,;\tend'"), "{sql}");
}
