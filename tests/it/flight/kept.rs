//! What a caller leaves at the node between two requests: a ticket that is presented wrongly, a statement that is presented
//! elsewhere, and bytes that are no values.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use futures::TryStreamExt;
use lingqu_core::ErrorCode;
use lingqu_demo::cast::Party;
use prost::bytes::Bytes;

use super::{Flight, MATCH, code};
use crate::network::{World, denied};

/// A header that its owner got wrong costs the ticket nothing: only what fits spends it, and only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_does_not_spend_a_ticket() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let ticket = bank.ticket(MATCH).await.unwrap();
    for (header, value) in [
        ("lingqu-grant", "grant_other"),
        ("lingqu-environment", "TEST"),
        ("lingqu-purpose", "MARKETING"),
        ("lingqu-call-id", "call_00000000000000000000000000000001"),
    ] {
        let mut wrong = bank.clone();
        wrong.set(header, value);
        let refused = wrong.fetch(ticket.clone()).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::TicketInvalid);
        let why = format!(
            "(`{header}` is not what the ticket was asked for with; the ticket is still good)"
        );
        assert!(refused.message().ends_with(&why), "{}", refused.message());
    }
    // Nobody else gets anything by it, and takes nothing away.
    let broker = world.flight(Party::Broker).await;
    let refused = broker.fetch(ticket.clone()).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::TicketInvalid);
    assert!(!refused.message().contains("still good"));
    // A client may leave headers out when it fetches.
    let bare = Flight {
        headers: Vec::new(),
        ..bank.clone()
    };
    let mut fetching = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (bare, ticket) = (bare.clone(), ticket.clone());
        fetching.spawn(async move { bare.fetch(ticket).await.is_ok() });
    }
    let answers = fetching.join_all().await;
    assert_eq!(answers.into_iter().filter(|answered| *answered).count(), 1);
    assert_eq!(world.charged(), 1);
    let records = world.records().await;
    assert_eq!(denied(&records, Party::Bank, ErrorCode::TicketInvalid), 1);
    world.end().await;
}

/// A statement was described for one environment and grant, and is good for no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_statement_stays_where_it_was_prepared() {
    let world = World::ready().await;
    let other = world.sign(&world.grant("grant_other"));
    world.push_filed(&other).await.unwrap();
    let bank = world.flight(Party::Bank).await;
    let handle = bank.prepare(MATCH).await.unwrap();
    let without = |header: &str| {
        let mut bank = bank.clone();
        bank.headers.retain(|(name, _)| *name != header);
        bank
    };
    let with = |header: &'static str, value: &str| {
        let mut bank = bank.clone();
        bank.set(header, value);
        bank
    };
    for (moved, header) in [
        (with("lingqu-environment", "TEST"), "lingqu-environment"),
        (without("lingqu-environment"), "lingqu-environment"),
        (with("lingqu-grant", "grant_other"), "lingqu-grant"),
        (without("lingqu-grant"), "lingqu-grant"),
    ] {
        let refused = moved.execute(&handle).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::RequestInvalid);
        let why = format!("(`{header}` is not what the statement was prepared with)");
        assert!(refused.message().ends_with(&why), "{}", refused.message());
    }
    // One that was prepared without a grant is good without one.
    let bare = without("lingqu-grant");
    let unnamed = bare.prepare(MATCH).await.unwrap();
    assert!(bare.execute(&unnamed).await.is_ok());
    assert!(bank.execute(&unnamed).await.is_err());
    // Other headers belong to the single call.
    let ticket = bank.execute(&handle).await.unwrap().endpoint[0]
        .ticket
        .clone();
    bank.fetch(ticket.unwrap()).await.unwrap();
    assert_eq!(world.charged(), 1);
    world.end().await;
}

/// Bytes where Arrow should be: each is refused with a code, and the node goes on. A compressed body, which states how
/// much memory is to be taken for it, would end the whole process if it were believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bound_is_arrow_or_refused() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let handle = bank
        .prepare("SELECT * FROM tb.plane_registered(?, ?, ?, ?)")
        .await
        .unwrap();
    let bombs = [i64::MAX, 1 << 40].map(bomb);
    let garbage = [
        FlightData::default().with_data_header(vec![0xff; 64]),
        FlightData::default().with_data_header(vec![0; 64]),
        FlightData::default().with_data_body(vec![0; 64]),
    ];
    let cases = bombs.into_iter().chain(garbage.map(|data| vec![data]));
    for messages in cases.chain([Vec::new()]) {
        let refused = bank.put(&handle, messages).await.unwrap_err();
        let told = [ErrorCode::ParameterInvalid, ErrorCode::RequestInvalid];
        assert!(told.contains(&code(&refused)), "{refused:?}");
    }
    let foreign = Bytes::from_static(&[7; 32]);
    let refused = bank
        .put(&foreign, bound(&IpcWriteOptions::default()))
        .await
        .unwrap_err();
    assert_eq!(code(&refused), ErrorCode::StatementUnknown);
    let handle = bank
        .put(&handle, bound(&IpcWriteOptions::default()))
        .await
        .unwrap();
    let ticket = bank.execute(&handle).await.unwrap().endpoint[0]
        .ticket
        .clone();
    bank.fetch(ticket.unwrap()).await.unwrap();
    assert_eq!(world.charged(), 1);
    world.end().await;
}

/// The messages that carry the claims of [`MATCH`] as one row.
fn bound(options: &IpcWriteOptions) -> Vec<FlightData> {
    let text = |value: String| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    // Long enough to be worth compressing; a claim is compared without blanks around it.
    let model = format!("EMB-145XR{}", " ".repeat(500));
    let columns = [
        text("N10156".to_owned()),
        text("EMBRAER".to_owned()),
        text(model),
    ];
    let year: ArrayRef = Arc::new(Int64Array::from(vec![2004]));
    let named = columns.into_iter().chain([year]).enumerate();
    let row = RecordBatch::try_from_iter(named.map(|(at, column)| (at.to_string(), column)));
    let encoder = FlightDataEncoderBuilder::new()
        .with_options(options.clone())
        .build(futures::stream::iter([Ok(row.unwrap())]));
    futures::executor::block_on(encoder.try_collect()).unwrap()
}

/// The same compressed, and in the place where a buffer says how large it is, `size`.
fn bomb(size: i64) -> Vec<FlightData> {
    let options = IpcWriteOptions::default();
    let options = options.try_with_compression(Some(CompressionType::LZ4_FRAME));
    let mut messages = bound(&options.unwrap());
    let row = messages.last_mut().unwrap();
    let mut body = row.data_body.to_vec();
    let real = 509_i64.to_le_bytes();
    let at = body.windows(8).rposition(|bytes| bytes == real).unwrap();
    body[at..at + 8].copy_from_slice(&size.to_le_bytes());
    row.data_body = body.into();
    messages
}
