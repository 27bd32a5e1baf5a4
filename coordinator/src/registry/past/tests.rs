//! Whatever a node wrote keeps its own stream at most, and nobody else's; no single unit says what time it is.

use lingqu_core::forward::GrantUse;
use lingqu_core::grant::Environment;
use lingqu_core::record::StreamId;
use lingqu_core::succession::Succession;

use super::super::testbed::{Net, close, populate};
use super::*;
use crate::mirror::testbed::START;

fn named(drafts: Vec<Draft>) -> (BTreeSet<String>, u64) {
    let id = StreamId::of::<Intl>("coord.example/s/a/4501/2026h2");
    let mut named = Named::default();
    for (draft, index) in drafts.into_iter().zip(0_i64..) {
        let record = draft.at(id, index.unsigned_abs(), Timestamp(index + 1));
        named.take(&record.encode::<Intl>()).unwrap();
    }
    named.all()
}

fn with_forward(kind: Kind, bytes: &[u8]) -> Draft {
    let mut draft = Draft::new(kind);
    draft.clear = Clear::default().bytes(Field::Forward, bytes);
    draft
}

fn balances() -> Vec<u8> {
    let forward = Forward {
        grants: vec![GrantUse {
            grant: "grant_forwarded".parse().unwrap(),
            environment: Environment::Prod,
            day: 1,
            of_day: 1,
            explained: 0,
            total: 1,
        }],
        ..Forward::default()
    };
    forward.encode()
}

#[test]
fn balances_are_those_of_the_beginning_alone() {
    let forward = Succession::Forward(balances()).draft();
    let call = || {
        let mut call = Draft::new(Kind::NodeStart);
        call.clear = Clear::default().text(Field::Grant, "grant_called");
        call
    };
    let expected = BTreeSet::from(["grant_called".to_owned(), "grant_forwarded".to_owned()]);
    assert_eq!(named(vec![forward.clone(), call()]), (expected.clone(), 0));
    // The same field in a record that brings no balances, before and after.
    let other = || with_forward(Kind::Heartbeat, b"junk");
    assert_eq!(
        named(vec![other(), forward, call(), other()]),
        (expected, 0)
    );
}

#[test]
fn balances_that_cannot_be_read_keep_the_stream_and_fail_nothing() {
    let junk = Succession::Forward(b"junk".to_vec()).draft();
    assert_eq!(named(vec![junk]), (BTreeSet::new(), 1));
}

#[test]
fn more_grants_than_can_be_looked_up_keep_the_stream() {
    let mut named = Named::default();
    for number in 0..=NAMED_MAX {
        named.name(&format!("grant_{number}"));
    }
    let (grants, unknown) = named.all();
    assert_eq!((grants.len(), unknown), (NAMED_MAX, 1));
}

#[test]
fn no_single_unit_moves_the_time() {
    let unit = |unit: &str, time| (unit.to_owned(), Timestamp(time));
    assert_eq!(heard(Vec::new()), None);
    assert_eq!(heard(vec![unit("party_a", 9)]), Some(Timestamp(9)));
    // Two nodes of one unit are one voice.
    let times = vec![unit("party_a", 90), unit("party_a", 80), unit("party_b", 7)];
    assert_eq!(heard(times), Some(Timestamp(7)));
}

#[test]
fn unknown_grants_give_no_time() {
    let until = Some(Timestamp(5));
    assert_eq!(Judged::Until(0, until).until(), until);
    assert_eq!(Judged::Until(1, until).until(), None);
    assert_eq!(Judged::Unreadable.until(), None);
}

fn ended(owner: &str, is_anothers: bool) -> Ended {
    Ended {
        origin: format!("coord.example/s/{owner}/4501/2026h2"),
        owner: owner.to_owned(),
        size: 3,
        root: lingqu_tlog::Hash([1; 32]),
        at: Timestamp(START),
        is_anothers,
        is_settled: true,
        is_dropped: false,
    }
}

/// a stream that cannot be judged, or whose node nobody here knows, is kept; the ones beside it are judged.
#[tokio::test]
async fn each_stream_is_judged_for_itself() {
    let mut net = Net::new();
    net.config.limits.stream_keep_months = Some(6);
    let registry = net.open().await;
    populate(&registry).await;
    let at = Timestamp(START);
    let after = |months: u16| at.plus_months_utc8(months);
    let past = [
        // The log has no such stream: reading it fails.
        ended("node_n", false),
        ended("node_unknown", false),
        ended("node_elsewhere", true),
    ];
    let (streams, may_go) = registry.judged(&past, after(66)).await;
    let told: Vec<_> = streams
        .iter()
        .map(|stream| {
            (
                stream.state,
                stream.unknown_grants,
                stream.keep_until.clone(),
            )
        })
        .collect();
    assert_eq!(told[0], (PastState::Unreadable, 0, None));
    assert_eq!(told[1], (PastState::Kept, 1, None));
    let until = Some(after(66).to_string());
    assert_eq!(
        told[2],
        (PastState::Kept, 0, until),
        "five years and six months"
    );
    assert_eq!(may_go, BTreeSet::from([past[2].origin.clone()]));
    let (_, may_go) = registry.judged(&past, Timestamp(after(66).0 - 1)).await;
    assert!(may_go.is_empty());
    close(registry).await;
}
