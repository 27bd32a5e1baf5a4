use lingqu_core::record::{Draft, Kind};
use lingqu_core::succession::SuccessionOrder;
use lingqu_proto::{encode_envelope, seal};
use lingqu_testkit::{EndPlace, EndSeeds, HandWritten, bad_ends};

use super::super::tests::unit_signer;
use super::super::tests::{BALANCES, DUE, MIRROR, NEXT, OLD, UNIT, both, old, trust, with_unit};
use super::*;

/// The receipt of the stream's second record under its newest checkpoint, as no mirror has seen it.
fn shown(stream: &HandWritten) -> ShownEnd {
    let mut receipt = stream.receipt(1);
    receipt.signatures.truncate(1);
    let text = ShownEnd(receipt.clone()).to_string();
    assert_eq!(ShownEnd::parse(&text), Some(ShownEnd(receipt.clone())));
    ShownEnd(receipt)
}

#[test]
fn each_end_that_may_not_be_is_evidence() {
    let next = old().next(NEXT, 2);
    let place = EndPlace {
        good: SuccessionOrder {
            unit: UNIT.parse().unwrap(),
            node: "node_n".parse().unwrap(),
            issued: DUE,
            not_before: DUE,
            not_after: DUE.plus_months_utc8(1),
            ends: OLD.to_owned(),
            begins: next.key().to_string(),
        },
        seal: &|order| seal(order),
        encode: &encode_envelope,
        seeds: EndSeeds {
            unit: 50,
            log: 1,
            mirror: 250,
            heads: 250,
            next: 2,
        },
    };
    let (with, without) = (with_unit(&unit_signer()), trust());
    let mut by_key_alone = 0;
    for bad in bad_ends(&place) {
        let mut stream = old();
        stream.end(&bad.order, &bad.next, BALANCES);
        let shown = shown(&stream);
        match judge_end(&shown, &with) {
            Ok(BadEnd::Refused(_)) => {}
            // Whose key nobody gave.
            Err(NoBadEnd::UnitKeyMissing(unit)) => assert_eq!(unit.as_str(), "party_other"),
            // Only the registry of that day knows.
            Err(NoBadEnd::KeyTaken) => {}
            other => panic!("{}: {other:?}", bad.why),
        }
        match judge_end(&shown, &without) {
            Ok(BadEnd::Refused(_)) => {}
            Err(NoBadEnd::UnitKeyMissing(_)) => by_key_alone += 1,
            Err(NoBadEnd::KeyTaken) => {}
            // The unit's own key as a log's: only who has it can see that.
            other => panic!("{}: {other:?}", bad.why),
        }
    }
    assert!(by_key_alone >= 4, "{by_key_alone}");
}

/// A good end is nothing against the node, whoever shows it; and what the node did not sign is not either.
#[test]
fn nothing_else_is_evidence() {
    let (stream, next) = both();
    let with = with_unit(&unit_signer());
    assert_eq!(judge_end(&shown(&stream), &with), Err(NoBadEnd::InOrder));
    let unknown = judge_end(&shown(&stream), &trust());
    assert_eq!(
        unknown,
        Err(NoBadEnd::UnitKeyMissing(UNIT.parse().unwrap()))
    );
    let forged = HandWritten {
        signer: lingqu_tlog::Ed25519Signer::from_seed([9; 32]),
        entries: stream.entries.clone(),
        ..HandWritten::new(OLD, 1, MIRROR)
    };
    let refused = judge_end(&shown(&forged), &with);
    assert_eq!(
        refused,
        Err(NoBadEnd::Receipt(ReceiptRefused::LogSignature))
    );
    let stranger = judge_end(&shown(&next), &with);
    assert!(matches!(
        stranger,
        Err(NoBadEnd::Receipt(ReceiptRefused::StreamUnknown(_)))
    ));
    // The same end with a record behind it.
    let mut longer = stream;
    longer.push(Draft::new(Kind::Heartbeat));
    assert_eq!(judge_end(&shown(&longer), &with), Ok(BadEnd::NotLast));
}

#[test]
fn a_file_has_one_spelling() {
    let text = shown(&both().0).to_string();
    for altered in [
        text.replacen("lingqu/end/v1", "lingqu/end/v2", 1),
        format!("{text}\n"),
        text.replacen('\n', "\r\n", 1),
        String::new(),
    ] {
        assert_eq!(ShownEnd::parse(&altered), None, "{altered}");
    }
}

/// Whoever has a receipt of anything else of the stream has nothing against it.
#[test]
fn a_record_that_ends_nothing_is_no_evidence() {
    let (stream, next) = both();
    let with = with_unit(&unit_signer());
    let first = |of: &HandWritten| {
        let mut receipt = of.receipt(0);
        receipt.signatures.truncate(1);
        ShownEnd(receipt)
    };
    assert_eq!(judge_end(&first(&stream), &with), Err(NoBadEnd::NotAnEnd));
    let key = lingqu_core::trust::Trust::parse(&format!("log {}\nquorum none\n", next.key()));
    let begin = judge_end(&first(&next), &key.unwrap());
    assert_eq!(begin, Err(NoBadEnd::NotAnEnd));
}
