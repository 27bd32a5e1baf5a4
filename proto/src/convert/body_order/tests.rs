use super::*;
use crate::{SignedObject, open, seal};

fn wire() -> pb::BodyOrder {
    pb::BodyOrder {
        by: "party_gx.data-bureau".to_owned(),
        node: "node_gx.lanxi-tb-01".to_owned(),
        issued_us: 1_700_000_000_000_000,
        grant: "grant_a".to_owned(),
        day_first: "2026-03-01".to_owned(),
        day_last: "2026-03-31".to_owned(),
        act: pb::BodyAct::Open.into(),
        reason: "案 7".to_owned(),
    }
}

type Change = fn(&mut pb::BodyOrder);

#[test]
fn an_order_reads_back() {
    for act in [pb::BodyAct::Open, pb::BodyAct::Erase] {
        let mut wire = wire();
        wire.act = act.into();
        let order = BodyOrder::from_payload(&wire.encode_to_vec()).unwrap();
        assert_eq!(open::<BodyOrder>(&seal(&order)), Ok(order));
    }
}

#[test]
fn an_order_that_is_unclear_is_refused() {
    let changes: [(&str, Change); 9] = [
        ("by", |order| order.by.clear()),
        ("node", |order| order.node = "party_x".to_owned()),
        ("issued_us", |order| order.issued_us = -1),
        ("grant", |order| order.grant = "all".to_owned()),
        ("day_first", |order| {
            order.day_first = "2026-02-30".to_owned()
        }),
        ("day_last", |order| order.day_last = "2026-02-28".to_owned()),
        ("act", |order| order.act = 0),
        ("act", |order| order.act = 3),
        ("reason", |order| order.reason = " ".to_owned()),
    ];
    for (field, change) in changes {
        let mut order = wire();
        change(&mut order);
        let refused = BodyOrder::from_payload(&order.encode_to_vec()).unwrap_err();
        assert_eq!(refused.field, field);
    }
    let mut hidden = wire();
    hidden.reason = "a\u{202e}b".to_owned();
    assert!(BodyOrder::from_payload(&hidden.encode_to_vec()).is_err());
}
