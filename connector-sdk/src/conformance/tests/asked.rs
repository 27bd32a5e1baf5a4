//! What a test asks for wrongly is said to be the test's fault, and what does not apply says why.

use std::sync::Arc;

use async_trait::async_trait;

use crate::TableName;
use crate::conformance::{
    Aspect, Control, Fixture, Options, Report, Specimen, Unfit, Verdict, check,
};

use super::faulty::{CANARY, Fault, Faulty};
use super::options;

fn table(name: &str) -> TableName {
    TableName::of_one(name).unwrap()
}

async fn report(fixture: Fixture, options: Options) -> Report {
    check(Arc::new(Faulty::new(None)), Some(fixture), options, |_| {}).await
}

fn only(ids: &[&str]) -> Options {
    Options {
        only: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..options()
    }
}

fn why(report: &Report, id: &str) -> String {
    let outcome = report.outcome(id).unwrap();
    let not_applicable = matches!(outcome.verdict, Verdict::NotApplicable { .. });
    assert!(not_applicable, "{outcome}");
    outcome.verdict.said().unwrap().en.clone()
}

#[tokio::test]
async fn a_mistyped_name_is_the_tests_fault_and_nothing_is_checked() {
    let whole = Faulty::new(None).fixture();
    let mut column = Specimen::standard(table("specimen"));
    column.aspects = vec![(Aspect::Decimal, "amuont".to_owned())];
    let unfit = Unfit {
        table: table("unfti"),
        canary: CANARY.to_owned(),
    };
    let cases: [(Fixture, Options, &str); 5] = [
        (
            whole.clone(),
            only(&["reach", "nonsense"]),
            "there is no check `nonsense`",
        ),
        (
            Fixture {
                large: Some(table("lagre")),
                ..whole.clone()
            },
            options(),
            "the fixture names a table that the source does not have: `lagre` (`large`)",
        ),
        (
            Fixture {
                unfit: Some(unfit),
                ..whole.clone()
            },
            options(),
            "the fixture names a table that the source does not have: `unfti` (`unfit`)",
        ),
        (
            Fixture {
                specimens: vec![column],
                ..whole.clone()
            },
            options(),
            "the specimen `specimen` expects nothing of its column `amuont`",
        ),
        (
            whole,
            Options {
                tables: vec![table("pepole")],
                ..options()
            },
            "the options name a table that the source does not list: `pepole`",
        ),
    ];
    for (fixture, options, expected) in cases {
        let report = report(fixture, options).await;
        let said: Vec<&str> = report.unusable.iter().map(|text| &*text.en).collect();
        assert_eq!(said, [expected]);
        assert!(!report.conforms());
        assert!(report.outcomes.is_empty(), "{report}");
        assert!(report.to_string().contains(expected), "{report}");
    }
}

/// Can do nothing.
struct Powerless;

#[async_trait]
impl Control for Powerless {}

#[tokio::test]
async fn what_cannot_exist_and_what_was_forgotten_are_told_apart() {
    let ids = [
        "secrets",
        "types.decimal",
        "types.text-gbk",
        "change.restart",
        "change.schema",
    ];
    let fixture = Fixture {
        specimens: vec![Specimen::standard(table("specimen")).without(Aspect::TextGbk)],
        control: Some(Arc::new(Powerless)),
        secrets: Vec::new(),
        ..Faulty::new(None).fixture()
    };
    let found = report(fixture, only(&ids)).await;
    assert_eq!(
        found.not_applicable().collect::<Vec<_>>(),
        [
            "secrets",
            "types.text-gbk",
            "change.restart",
            "change.schema"
        ]
    );
    assert!(why(&found, "types.text-gbk").contains("left out of every specimen"));
    assert!(why(&found, "change.restart").contains("nothing to restart"));
    assert!(why(&found, "change.schema").contains("let it implement `alter`"));
    assert!(why(&found, "secrets").contains("without secrets"));

    let bare = report(Fixture::default(), only(&ids)).await;
    assert!(why(&bare, "types.text-gbk").contains("make one of `Specimen::standard`"));
    assert!(why(&bare, "change.restart").contains("provide it in the fixture"));
}

#[tokio::test]
async fn the_heading_names_what_was_checked_and_what_was_not() {
    let options = Options {
        tables_max: 3,
        ..only(&["secrets"])
    };
    let report = report(Faulty::new(None).fixture(), options).await;
    assert_eq!(report.server, "memory 1");
    assert_eq!(report.tables, ["drifting", "large", "people"]);
    assert_eq!(report.left_out, ["specimen", "unfit"]);
    let text = report.to_string();
    assert!(text.starts_with("memory 1 · 3 tables · 3 张表\n"), "{text}");
    for line in [
        "checked · 已检查: drifting, large, people",
        "left out · 未检查: specimen, unfit",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

/// The keys of a specimen are the test's own and are named; values are not.
#[tokio::test]
async fn a_difference_is_told_by_the_keys_of_its_rows() {
    let said = async |fault: Fault, id: &str| {
        let source = Faulty::new(Some(fault));
        let fixture = source.fixture();
        let report = check(Arc::new(source), Some(fixture), only(&[id]), |_| {}).await;
        let said = report.outcome(id).unwrap().verdict.said().unwrap().clone();
        (said.en, said.zh)
    };
    let (en, zh) = said(Fault::TextReplaced, "types.text-utf8").await;
    assert_eq!(en, "in `specimen` `words` differs in the rows with `id` 3");
    assert_eq!(zh, "表 `specimen`：`id` 为 3 的行，`words` 与预置不符");
    let (en, _) = said(Fault::NullAsEmpty, "types.null-empty").await;
    assert_eq!(
        en,
        "in `specimen` `remark` differs in the rows with `id` 2, 6"
    );
    let (en, _) = said(Fault::RowsWithNullDropped, "types.null-empty").await;
    assert_eq!(en, "in `specimen` the rows with `id` 2, 6 are missing");
}

/// A specimen that knows fewer rows than there are: the others are counted, and their keys are not shown.
#[tokio::test]
async fn rows_that_nobody_prepared_are_only_counted() {
    let mut specimen = Specimen::standard(table("specimen"));
    specimen.expected = specimen.expected.slice(0, 4);
    let fixture = Fixture {
        specimens: vec![specimen],
        ..Fixture::default()
    };
    let report = report(fixture, only(&["types.decimal"])).await;
    let said = report.outcome("types.decimal").unwrap().verdict.said();
    assert_eq!(
        said.unwrap().en,
        "in `specimen` 2 rows have a `id` that was not prepared"
    );
}

#[test]
fn a_value_that_a_format_cannot_hold_is_changed_in_the_specimen_alone() {
    let specimen = Specimen::standard(table("specimen"));
    let mapped = specimen.clone().map_text("remark", |text| {
        (!text.is_empty()).then(|| text.to_lowercase())
    });
    let column = |specimen: &Specimen| -> Vec<Option<String>> {
        specimen.texts().iter().map(|row| row[5].clone()).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        column(&mapped),
        [None, None, text(" "), text("null"), text("null"), None]
    );
    assert_eq!(column(&specimen)[0], text(""));
    assert_eq!(mapped.aspects, specimen.aspects);
}
