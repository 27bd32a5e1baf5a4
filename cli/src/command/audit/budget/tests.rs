use lingqu_core::Timestamp;
use lingqu_core::record::{Clear, Draft, Field, Kind, StreamId};

use super::*;
use crate::language::Language;

fn debit(index: u64, grant: &str, environment: &str, action: &str, rho: u64) -> Vec<u8> {
    let mut draft = Draft::new(Kind::Debit);
    draft.clear = Clear::default()
        .text(Field::Grant, grant)
        .text(Field::Environment, environment)
        .text(Field::Action, action)
        .text(Field::BudgetSpace, "person")
        .number(Field::RhoMicro, rho);
    let time = Timestamp::from_unix_s(1_767_225_600 + i64::try_from(index).unwrap());
    let stream = StreamId::of::<Intl>("budget.test");
    draft.at(stream, index, time).encode::<Intl>()
}

fn run(entries: &[Vec<u8>]) -> (Result<(), Failure>, String) {
    let dir = tempfile::tempdir().unwrap();
    let bundle: Vec<u8> = entries
        .iter()
        .flat_map(|entry| {
            let length = u16::try_from(entry.len()).unwrap();
            [&length.to_be_bytes(), entry.as_slice()].concat()
        })
        .collect();
    let path = dir.path().join("tile/entries");
    std::fs::create_dir_all(path.join("000.p")).unwrap();
    // A partial bundle repeats what the full one has.
    std::fs::write(path.join("000"), &bundle).unwrap();
    std::fs::write(path.join("000.p/9"), &bundle).unwrap();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En);
    let budget = Budget {
        archives: vec![dir.path().to_owned()],
    };
    let ended = budget.run(&mut session);
    (ended, String::from_utf8(out).unwrap())
}

#[test]
fn debits_add_up_by_space_and_grant_each_once() {
    let (ended, out) = run(&[
        debit(0, "grant_1", "PROD", "debit", 50_000),
        debit(1, "grant_2", "PROD_DEBUG", "debit", 25_000),
        debit(2, "grant_2", "PROD", "debit_stored", 50_000),
        debit(3, "grant_1", "TEST", "debit", 7),
    ]);
    ended.unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "space person (sample data): 0.000007 ρ in 1 debits",
            "space person (production data): 0.075 ρ in 2 debits",
            "grant grant_1 (sample data): 0.000007 ρ in 1 debits",
            "grant grant_1 (production data): 0.05 ρ in 1 debits",
            "grant grant_2 (production data): 0.075 ρ in 2 debits",
        ]
    );
}

#[test]
fn half_a_debit_and_a_sum_without_end_are_no_answer() {
    let half = debit(0, "grant_1", "PROD", "refund", 1);
    assert!(run(&[half]).0.is_err());
    let most = |index| debit(index, "grant_1", "PROD", "debit", u64::MAX);
    assert!(run(&[most(0), most(1)]).0.is_err());
}

fn call(index: u64, grant: &str, debit: u64) -> Vec<u8> {
    let mut draft = Draft::new(Kind::Call);
    draft.refers_to = Some(debit);
    draft.clear = Clear::default()
        .text(Field::Grant, grant)
        .text(Field::Environment, "PROD");
    let time = Timestamp::from_unix_s(1_767_225_600 + i64::try_from(index).unwrap());
    let stream = StreamId::of::<Intl>("budget.test");
    draft.at(stream, index, time).encode::<Intl>()
}

/// A node that answers twice for one payment, or on somebody else's, or pays afterwards.
#[test]
fn a_call_has_a_debit_of_its_own() {
    let paid = || debit(1, "grant_1", "PROD", "debit", 5);
    run(&[paid(), call(2, "grant_1", 1)]).0.unwrap();
    for calls in [
        vec![call(2, "grant_1", 1), call(3, "grant_1", 1)],
        vec![call(2, "grant_2", 1)],
        vec![call(2, "grant_1", 7)],
        vec![call(0, "grant_1", 1)],
    ] {
        let (ended, _) = run(&[vec![paid()], calls].concat());
        assert!(matches!(ended, Err(Failure::CheckFailed { .. })));
    }
}
