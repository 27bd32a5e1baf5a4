use super::*;

#[test]
fn states_are_sorted_by_what_a_person_can_do() {
    let of = |state: &str, stage| Failure::of_state(state.as_bytes(), stage);
    let code = |text: &str| Some(text.to_owned());
    assert_eq!(of("28000", Stage::Connect), Failure::AccountRefused);
    assert_eq!(
        of("08001", Stage::Connect),
        Failure::Unreachable {
            code: code("08001")
        }
    );
    assert_eq!(of("42S02", Stage::Describe), Failure::TableMissing);
    assert_eq!(
        of("42000", Stage::Read),
        Failure::Failed {
            code: code("42000")
        }
    );
    assert_eq!(of("HYT00", Stage::Read), Failure::TimedOut);
    assert_eq!(of("名\0", Stage::Read), Failure::Failed { code: None });
}

#[test]
fn texts_of_a_worker_are_bounded() {
    let failure = Failure::ColumnType {
        column: "列".repeat(1_000),
        found: "a\n\u{1b}[2Jb".to_owned(),
    };
    let Failure::ColumnType { column, found } = failure.bounded() else {
        panic!("another failure")
    };
    assert_eq!(column, "列".repeat(42));
    assert_eq!(found, "a[2Jb");
    let failure = Failure::Failed {
        code: Some("a row's value".to_owned()),
    };
    assert_eq!(failure.bounded(), Failure::Failed { code: None });
}
