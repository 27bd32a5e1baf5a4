//! What a refused caller can write into the log: nothing of its own. A log is for ever, so that a citizen's number in a
//! clear field could never be taken back.

use lingqu_core::ErrorCode;
use lingqu_core::decide::Asked;
use lingqu_core::record::Field;
use lingqu_demo::cast::Party;

use crate::network::{GRANT, World, call, denied, wire};

/// A citizen's number, which has the form of a purpose, a scenario and, in lower case, of an id.
const CITIZEN: &str = "11010519491231002X";

type Attack = fn(&mut Asked);

const ATTACKS: [(Attack, ErrorCode); 5] = [
    (
        |asked| asked.scenario = CITIZEN.to_owned(),
        ErrorCode::ScenarioMismatch,
    ),
    (
        |asked| asked.purpose = CITIZEN.to_owned(),
        ErrorCode::PurposeMismatch,
    ),
    (
        |asked| asked.product = format!("tb.no_{}", CITIZEN.to_lowercase()).parse().unwrap(),
        ErrorCode::ProductUnknown,
    ),
    (
        |asked| {
            let id = format!("grant_{}", CITIZEN.to_lowercase());
            asked.grant = Some(id.parse().unwrap());
        },
        ErrorCode::GrantUnknown,
    ),
    (
        |asked| {
            asked.grant = None;
            asked.scenario = CITIZEN.to_owned();
            asked.purpose = CITIZEN.to_owned();
        },
        ErrorCode::ScenarioMismatch,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_caller_writes_no_word_of_its_own_into_the_log() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for (attack, code) in ATTACKS {
        let mut question = call(GRANT);
        attack(&mut question.asked);
        assert_eq!(bank.told(&question).await, code.as_str());
        // What only asks for an explanation is refused like the call.
        let explained = bank.checked.explain(&question).await.unwrap_err();
        assert_eq!(explained.code(), Some(code));
    }
    // The counts of the minute are written too.
    world.pass_s(61).await;
    world.journal().flush_denials();
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");

    let records = world.records().await;
    for (code, count) in [
        (ErrorCode::GrantUnknown, 2),
        (ErrorCode::ProductUnknown, 2),
        (ErrorCode::PurposeMismatch, 2),
        (ErrorCode::ScenarioMismatch, 4),
    ] {
        assert_eq!(denied(&records, Party::Bank, code), count, "{code}");
    }
    let mut searched = 0;
    while searched < world.journal().size() {
        let batch = world.journal().next_batch(searched).await.unwrap();
        for entry in &batch.entries {
            let number = &CITIZEN.as_bytes()[..17];
            let found = entry.windows(number.len()).any(|window| window == number);
            assert!(!found, "an entry has the number");
            searched += 1;
        }
    }
    // What the caller's grant says is on record all the same.
    let products = records.iter().filter(|record| {
        let clear = &record.draft.clear;
        clear.get_text(Field::Outcome) == Some(ErrorCode::ScenarioMismatch.as_str())
            && clear.get_text(Field::Product) == Some("tb.plane_registered")
    });
    assert!(products.count() >= 1);
    world.end().await;
}

/// A consent that nobody checks is no consent: it is refused as JSON refuses a field that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_is_refused_and_not_ignored() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut request = wire(&call(GRANT));
    request.context.as_mut().unwrap().consent = "consent_1".to_owned();
    let refused = bank.raw(request).await.unwrap_err();
    assert_eq!(refused, Some(ErrorCode::RequestInvalid));
    assert_eq!(world.charged(), 0);
    world.end().await;
}
