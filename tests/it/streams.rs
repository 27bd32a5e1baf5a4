//! Streams and limits: many calls on one stream, callers who hang up or do not read, requests that are no requests,
//! and a party that asks for refusals without end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lingqu_core::ErrorCode;
use lingqu_core::record::Kind;
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_proto::pb;
use lingqu_proto::pb::verify_stream_response::Outcome;
use lingqu_transport::code_of;
use tokio_stream::wrappers::ReceiverStream;

use crate::network::{
    Caller, GRANT, Setup, World, call, calls, claims, denied, patiently, records, wire,
};

/// Sends `requests` on one stream and gives what came back, by call id.
async fn streamed(caller: &Caller, requests: Vec<pb::VerifyRequest>) -> Vec<(Vec<u8>, Outcome)> {
    let mut raw = caller.raw.clone();
    let answers = raw.verify_stream(tokio_stream::iter(requests)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut items = Vec::new();
    while let Some(item) = patiently("an item", answers.message()).await.unwrap() {
        items.push((item.call_id, item.outcome.unwrap()));
    }
    items
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answer(answer) => answer.verdict().as_str_name().to_owned(),
        Outcome::Refusal(refusal) => refusal.code.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_answers_by_call_id_and_a_refusal_is_an_item() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut expected = BTreeMap::new();
    let mut requests = Vec::new();
    for n in 0..40 {
        let mut call = call(GRANT);
        let word = match n % 4 {
            0 => "VERDICT_MATCH",
            1 => {
                call.arguments = claims(2005);
                "VERDICT_NO_MATCH"
            }
            2 => {
                call.asked.purpose = "MARKETING".to_owned();
                "PURPOSE_MISMATCH"
            }
            _ => {
                call.arguments.pop();
                "CLAIM_INVALID"
            }
        };
        expected.insert(call.id.0.to_vec(), word.to_owned());
        requests.push(wire(&call));
    }
    let items = streamed(&bank, requests).await;
    assert_eq!(items.len(), expected.len());
    for (id, outcome) in &items {
        assert_eq!(word(outcome), expected[id]);
        if let Outcome::Answer(answer) = outcome {
            assert_eq!(answer.call_id, *id);
        }
    }
    let records = world.records().await;
    assert_eq!(calls(&records).len(), 20);
    for code in [ErrorCode::PurposeMismatch, ErrorCode::ClaimInvalid] {
        // Those after the first of their kind are counted, and written when their minute is over.
        assert!(denied(&records, Party::Bank, code) >= 1);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_is_charged_and_recorded_all_the_same() {
    let world = World::ready().await;
    let mut sent = BTreeSet::new();
    for hang_up_after in [0, 1] {
        let bank = world.caller(Party::Bank).await;
        let (requests, stream) = tokio::sync::mpsc::channel(32);
        let mut raw = bank.raw.clone();
        let answers = raw.verify_stream(ReceiverStream::new(stream)).await;
        let mut answers = answers.unwrap().into_inner();
        for _ in 0..20 {
            let call = call(GRANT);
            sent.insert(call.id.0);
            requests.send(wire(&call)).await.unwrap();
        }
        for _ in 0..hang_up_after {
            answers.message().await.unwrap().unwrap();
        }
        drop((answers, raw, requests, bank));
    }
    // The second stream's first answer came, so at least one of its calls is on record; of every call on record there
    // is one record, and one charge.
    let node = Arc::clone(world.node());
    world.end().await;
    let records = records(node.journal()).await;
    let recorded: Vec<_> = calls(&records).iter().map(|r| r.draft.call.0).collect();
    assert!(!recorded.is_empty());
    let distinct: BTreeSet<_> = recorded.iter().copied().collect();
    assert_eq!(distinct.len(), recorded.len());
    assert!(distinct.is_subset(&sent));
    let grant = GRANT.parse().unwrap();
    let usage = node.journal().usage(&grant, node.journal().time_floor());
    assert_eq!(usage.total, recorded.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_is_gone_keeps_its_record_and_its_answer() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let abandoned = call(GRANT);
    // The request is on its way when its future is dropped; the retry finds one call, made once.
    let mut raw = bank.raw.clone();
    let pending = raw.verify(wire(&abandoned));
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(1), pending)
            .await
            .is_err()
    );
    let answer = bank.verify(&abandoned).await.unwrap();
    let records = world.records().await;
    assert_eq!(calls(&records).len(), 1);
    assert_eq!(*calls(&records)[0], answer.proven.record);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_read_holds_up_nobody_else() {
    let world = World::ready().await;
    let slow = world.caller(Party::Broker).await;
    let (requests, stream) = tokio::sync::mpsc::channel(1);
    let mut raw = slow.raw.clone();
    let answers = raw
        .verify_stream(ReceiverStream::new(stream))
        .await
        .unwrap();
    // Offers far more than the stream has places for. What the node takes in is bounded by what it can send.
    let offering = tokio::spawn(async move {
        let mut taken = 0_u32;
        while taken < 100_000 && requests.send(wire(&call(GRANT))).await.is_ok() {
            taken += 1;
        }
        taken
    });
    let bank = world.caller(Party::Bank).await;
    for _ in 0..10 {
        assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    }
    assert!(!offering.is_finished(), "everything was taken in");
    offering.abort();
    drop((answers, raw, slow));
    patiently("the end of everything", world.end()).await;
}

type Fault = (&'static str, fn(&mut pb::VerifyRequest), ErrorCode);

fn context(request: &mut pb::VerifyRequest) -> &mut pb::CallContext {
    request.context.as_mut().unwrap()
}

const FAULTS: [Fault; 19] = [
    (
        "no context",
        |r| r.context = None,
        ErrorCode::RequestInvalid,
    ),
    (
        "no call id",
        |r| context(r).call_id.clear(),
        ErrorCode::CallIdInvalid,
    ),
    (
        "a zero call id",
        |r| context(r).call_id = vec![0; 16],
        ErrorCode::CallIdInvalid,
    ),
    (
        "a long call id",
        |r| context(r).call_id.push(1),
        ErrorCode::CallIdInvalid,
    ),
    (
        "no grant id",
        |r| context(r).grant = "good".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    (
        "a path as grant",
        |r| context(r).grant = "grant_../../x".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    (
        "free text as purpose",
        |r| context(r).purpose = "he lives at No. 5".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    (
        "free text as scenario",
        |r| context(r).scenario = "x\ny".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    (
        "no credit code",
        |r| context(r).end_user = "Zhang San".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    (
        "no environment",
        |r| context(r).environment = 0,
        ErrorCode::RequestInvalid,
    ),
    (
        "an unknown environment",
        |r| context(r).environment = 77,
        ErrorCode::RequestInvalid,
    ),
    (
        "no product",
        |r| r.product.clear(),
        ErrorCode::RequestInvalid,
    ),
    (
        "SQL as product",
        |r| r.product = "tb.x; DROP TABLE".to_owned(),
        ErrorCode::RequestInvalid,
    ),
    ("no claims", |r| r.claims.clear(), ErrorCode::ClaimInvalid),
    (
        "a claim twice",
        |r| r.claims.push(r.claims[0].clone()),
        ErrorCode::ClaimInvalid,
    ),
    (
        "a claim without value",
        |r| r.claims[0].value = None,
        ErrorCode::ClaimInvalid,
    ),
    (
        "an unknown field",
        |r| r.claims[0].field = "seats".to_owned(),
        ErrorCode::ClaimInvalid,
    ),
    (
        "a text for a number",
        |r| r.claims[3].value = r.claims[0].value.clone(),
        ErrorCode::ClaimInvalid,
    ),
    (
        "a signed envelope",
        |r| r.request_envelope = Some(pb::Envelope::default()),
        ErrorCode::RequestEnvelopeUnsupported,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_gets_its_code_and_an_oversized_one_is_not_read() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for (what, fault, code) in FAULTS {
        let mut request = wire(&call(GRANT));
        fault(&mut request);
        let refused = bank.raw(request.clone()).await.unwrap_err();
        assert_eq!(refused, Some(code), "{what}");
        let items = streamed(&bank, vec![request]).await;
        assert_eq!(word(&items[0].1), code.as_str(), "{what}");
    }
    let mut huge = wire(&call(GRANT));
    huge.claims[0].field = "x".repeat(1 << 20);
    let mut raw = bank.raw.clone();
    let refused = raw.verify(huge.clone()).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(ErrorCode::RequestInvalid));
    let answers = raw.verify_stream(tokio_stream::iter([huge])).await;
    let ended = answers.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(ended.code(), tonic::Code::OutOfRange);
    assert!(calls(&world.records().await).is_empty());
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_costs_a_few_records_and_takes_nothing_from_others() {
    let world = World::with(Setup {
        config: |config| config.limits.denials_per_minute_max = 300,
        ..Setup::default()
    })
    .await;
    let (broker, bank) = (
        world.caller(Party::Broker).await,
        world.caller(Party::Bank).await,
    );
    let before = world.journal().size();
    let (mut denials, mut turned_away) = (0, 0);
    let mut flood = FuturesUnordered::new();
    let (mut sent, mut answered) = (0, 0);
    while sent < 5_000 || !flood.is_empty() {
        while sent < 5_000 && flood.len() < 100 {
            let broker = &broker;
            flood.push(async move { broker.raw(wire(&call(GRANT))).await });
            sent += 1;
            if sent % 1_000 == 0 {
                // In the middle of it, somebody else is answered.
                assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
                answered += 1;
            }
        }
        match flood.next().await.unwrap().unwrap_err() {
            Some(ErrorCode::GrantUnknown) => denials += 1,
            Some(ErrorCode::RateLimited) => turned_away += 1,
            other => panic!("{other:?}"),
        }
    }
    drop(flood);
    assert_eq!(denials + turned_away, 5_000);
    // A slow machine takes several minutes' shares, never all of seventeen minutes.
    assert!(turned_away > 0 && denials >= 300);
    let grown = world.journal().size() - before;
    assert!(grown < 30, "{grown} records");
    let node = Arc::clone(world.node());
    drop((broker, bank));
    world.end().await;
    let records = records(node.journal()).await;
    assert_eq!(
        denied(&records, Party::Broker, ErrorCode::GrantPartyMismatch),
        denials
    );
    assert_eq!(calls(&records).len(), answered);
    let kinds = records.iter().filter(|r| r.draft.kind == Kind::Denials);
    assert!(kinds.count() < 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_party_has_a_bounded_number_of_calls_at_once() {
    let world = World::with(Setup {
        config: |config| config.limits.calls_per_party_max = 2,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    let requests: Vec<_> = (0..60).map(|_| wire(&call(GRANT))).collect();
    let items = streamed(&bank, requests).await;
    let words: Vec<String> = items.iter().map(|(_, outcome)| word(outcome)).collect();
    let count = |wanted: &str| words.iter().filter(|word| *word == wanted).count();
    assert_eq!(
        count("VERDICT_MATCH") + count("RATE_LIMITED"),
        60,
        "{words:?}"
    );
    assert!(
        count("VERDICT_MATCH") >= 1 && count("RATE_LIMITED") >= 1,
        "{words:?}"
    );
    assert_eq!(calls(&world.records().await).len(), count("VERDICT_MATCH"));
    wait_until(&world.network, "nothing runs", |node| node.ready())
        .await
        .unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.end().await;
}
