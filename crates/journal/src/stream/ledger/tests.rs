use lingqu_core::record::{Draft, Record, StreamId};
use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::*;

const DAY_US: i64 = DAY_S * 1_000_000;
/// Midnight in UTC+8 of some day.
const MIDNIGHT: i64 = 20_000 * DAY_US - UTC8_S * 1_000_000;

fn grant(number: u8) -> AccountId {
    AccountId {
        grant: format!("grant_{number}").parse().unwrap(),
        environment: Environment::Prod,
    }
}

fn quota(per_day: u64, total: u64) -> NodeQuota {
    NodeQuota {
        unit: "party_u".parse().unwrap(),
        node: "node_a".parse().unwrap(),
        calls_per_day: per_day,
        calls_total: total,
        rho_total: None,
    }
}

fn call(id: &AccountId, time: i64) -> Record {
    record_of(id, time, 1)
}

fn record_of(id: &AccountId, time: i64, units: u64) -> Record {
    let mut draft = Draft::new(Kind::Call);
    draft.clear = draft
        .clear
        .text(Field::Grant, id.grant.as_str())
        .text(Field::Environment, id.environment.as_str())
        .number(Field::Units, units);
    draft.at(StreamId([0; 16]), 0, Timestamp(time))
}

fn fold(ledger: &mut Ledger, record: &Record) -> Result<(), Unchargeable> {
    let bytes = record.encode::<Intl>();
    let view = RecordView::read::<Intl>(&bytes).unwrap();
    ledger.fold(
        view.time(),
        Charged::by(&view, &mut LastNamed::default())?.as_ref(),
    );
    Ok(())
}

fn end(ledger: &mut Ledger, id: &AccountId) {
    let number = ledger.numbers[id];
    ledger.end_reservations(number, 1);
}

#[test]
fn a_record_without_grant_or_units_is_refused() {
    let mut ledger = Ledger::default();
    let bare = Draft::new(Kind::Call).at(StreamId([0; 16]), 0, Timestamp(1));
    assert_eq!(fold(&mut ledger, &bare), Err(Unchargeable));
}

#[test]
fn a_reservation_from_before_midnight_counts_after_it() {
    let (mut ledger, one, quota) = (Ledger::default(), grant(1), quota(2, 100));
    let (before, after) = (Timestamp(MIDNIGHT - 1), Timestamp(MIDNIGHT));
    ledger
        .reserve(&one, &quota, before, Reserved::Call)
        .unwrap();
    ledger.reserve(&one, &quota, after, Reserved::Call).unwrap();
    // Both may be recorded on the new day, so a third must not.
    let third = ledger.reserve(&one, &quota, after, Reserved::Call);
    assert_eq!(third, Err(ErrorCode::QuotaExhausted));
    fold(&mut ledger, &call(&one, before.0)).unwrap();
    end(&mut ledger, &one);
    // The first was recorded on the old day after all: there is room on the new one.
    ledger.reserve(&one, &quota, after, Reserved::Call).unwrap();
}

#[test]
fn a_late_decision_of_yesterday_is_held_against_today() {
    let (mut ledger, one, quota) = (Ledger::default(), grant(1), quota(1, 100));
    fold(&mut ledger, &call(&one, MIDNIGHT)).unwrap();
    // Decided before midnight, reserved after the new day's quota was used up: it would be recorded today.
    let late = ledger.reserve(&one, &quota, Timestamp(MIDNIGHT - 1), Reserved::Call);
    assert_eq!(late, Err(ErrorCode::QuotaExhausted));
}

#[test]
fn a_record_is_not_dated_before_the_day_it_was_counted_on() {
    let (mut ledger, one) = (Ledger::default(), grant(1));
    let (not_before, _) = ledger
        .reserve(&one, &quota(1, 1), Timestamp(MIDNIGHT + 5), Reserved::Call)
        .unwrap();
    assert_eq!(not_before, Timestamp(MIDNIGHT));
    assert_eq!(not_before.day_utc8(), 20_000);
}

#[test]
fn environments_do_not_share() {
    let (mut ledger, quota) = (Ledger::default(), quota(1, 1));
    let at = Timestamp(MIDNIGHT);
    let debugging = AccountId {
        environment: Environment::ProdDebug,
        ..grant(1)
    };
    fold(&mut ledger, &call(&debugging, MIDNIGHT)).unwrap();
    assert_eq!(ledger.usage(&grant(1), at), Usage::default());
    assert!(
        ledger
            .reserve(&debugging, &quota, at, Reserved::Call)
            .is_err()
    );
    ledger
        .reserve(&grant(1), &quota, at, Reserved::Call)
        .unwrap();
}

#[test]
fn grants_do_not_share_and_a_returned_unit_is_free() {
    let (mut ledger, quota) = (Ledger::default(), quota(1, 1));
    let at = Timestamp(MIDNIGHT);
    ledger
        .reserve(&grant(1), &quota, at, Reserved::Call)
        .unwrap();
    ledger
        .reserve(&grant(2), &quota, at, Reserved::Call)
        .unwrap();
    assert!(
        ledger
            .reserve(&grant(1), &quota, at, Reserved::Call)
            .is_err()
    );
    end(&mut ledger, &grant(1));
    ledger
        .reserve(&grant(1), &quota, at, Reserved::Call)
        .unwrap();
    assert_eq!(ledger.usage(&grant(1), at), Usage { today: 1, total: 1 });
    assert_eq!(ledger.usage(&grant(3), at), Usage::default());
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    /// The clock moves, also back.
    Clock(i64),
    /// A call is decided now and reserves; `late` µs pass between the two.
    Reserve { grant: u8, late: i64 },
    /// One of the outstanding reservations is recorded.
    Record(usize),
    /// One is given back.
    Return(usize),
    /// The node restarts: reservations are gone, the fold is made anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (-DAY_US..DAY_US).prop_map(Step::Clock),
        8 => (0..2_u8, 0..DAY_US / 2).prop_map(|(grant, late)| Step::Reserve { grant, late }),
        8 => (0..20_usize).prop_map(Step::Record),
        2 => (0..20_usize).prop_map(Step::Return),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of reservations, records, clock changes and restarts, no day and no term is overspent.
    #[test]
    fn never_overspent(steps in proptest::collection::vec(step(), 1..120)) {
        let quota = quota(3, 7);
        let mut ledger = Ledger::default();
        let mut clock = MIDNIGHT;
        let mut last = 0;
        let mut outstanding: Vec<(AccountId, Timestamp)> = Vec::new();
        let mut records: Vec<Record> = Vec::new();
        for step in steps {
            match step {
                Step::Clock(by) => clock += by,
                Step::Reserve { grant: number, late } => {
                    let grant = grant(number);
                    let at = Timestamp(clock);
                    clock += late;
                    if let Ok((not_before, _)) = ledger.reserve(&grant, &quota, at, Reserved::Call) {
                        outstanding.push((grant, not_before));
                    }
                }
                Step::Record(which) if which < outstanding.len() => {
                    let (grant, not_before) = outstanding.swap_remove(which);
                    // As the stage gives time to a record.
                    last = clock.max(last + 1).max(not_before.0);
                    let record = call(&grant, last);
                    fold(&mut ledger, &record).unwrap();
                    end(&mut ledger, &grant);
                    records.push(record);
                }
                Step::Return(which) if which < outstanding.len() => {
                    end(&mut ledger, &outstanding.swap_remove(which).0);
                }
                Step::Record(_) | Step::Return(_) => {}
                Step::Restart => {
                    outstanding.clear();
                    ledger = Ledger::default();
                    for record in &records {
                        fold(&mut ledger, record).unwrap();
                    }
                }
            }
        }
        for number in 0..2 {
            let grant = grant(number);
            let mut days = HashMap::new();
            let of_grant = |record: &&Record| record.draft.clear.get_text(Field::Grant) == Some(grant.grant.as_str());
            for record in records.iter().filter(of_grant) {
                *days.entry(record.time.day_utc8()).or_insert(0) += 1;
            }
            prop_assert!(days.values().all(|of_day| *of_day <= 3), "{days:?}");
            prop_assert!(days.values().sum::<i32>() <= 7, "{days:?}");
        }
    }
}

#[test]
fn explanations_cost_nothing_and_there_are_as_many_a_day_as_calls() {
    let (mut ledger, one, quota) = (Ledger::default(), grant(1), quota(2, 5));
    let explain = |ledger: &mut Ledger, time: i64| {
        let reserved = ledger.reserve(&one, &quota, Timestamp(time), Reserved::Explanation);
        if reserved.is_ok() {
            fold(ledger, &record_of(&one, time, 0)).unwrap();
            end(ledger, &one);
        }
        reserved.is_ok()
    };
    for day in 0..4 {
        let noon = MIDNIGHT + day * DAY_US + DAY_US / 2;
        let told: Vec<bool> = (0..4).map(|at| explain(&mut ledger, noon + at)).collect();
        assert_eq!(told, [true, true, false, false], "day {day}");
    }
    let now = Timestamp(MIDNIGHT + 3 * DAY_US + DAY_US / 2 + 9);
    assert_eq!(ledger.usage(&one, now), Usage::default());
    // Those in flight count too, and calls are not in the way of explanations but by the quota that both need.
    let tomorrow = Timestamp(MIDNIGHT + 4 * DAY_US);
    ledger
        .reserve(&one, &quota, tomorrow, Reserved::Explanation)
        .unwrap();
    ledger
        .reserve(&one, &quota, tomorrow, Reserved::Explanation)
        .unwrap();
    assert!(
        ledger
            .reserve(&one, &quota, tomorrow, Reserved::Explanation)
            .is_err()
    );
    assert!(
        ledger
            .reserve(&one, &quota, tomorrow, Reserved::Call)
            .is_err()
    );
}
