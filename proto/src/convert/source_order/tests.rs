use lingqu_core::Timestamp;
use lingqu_core::grant::Environment;
use lingqu_tlog::Hash;

use super::*;

fn order(act: SourceAct) -> SourceOrder {
    SourceOrder {
        unit: "party_u".parse().unwrap(),
        node: "node_n".parse().unwrap(),
        number: 7,
        issued: Timestamp::from_unix_s(1_767_225_600),
        resource: "insured_person".to_owned(),
        environment: Environment::Prod,
        act,
    }
}

#[test]
fn both_acts_come_back_as_they_were() {
    for act in [
        SourceAct::Accept {
            schema: Hash([7; 32]),
        },
        SourceAct::Correct {
            wrong: "load_0123456789".parse().unwrap(),
            reason: "一列错位".to_owned(),
        },
    ] {
        let order = order(act);
        assert_eq!(
            SourceOrder::from_payload(&order.to_payload()),
            Ok(order.clone())
        );
    }
}

#[test]
fn an_order_that_says_two_things_or_nothing_is_refused() {
    let good = pb::SourceOrder::decode(
        order(SourceAct::Accept {
            schema: Hash([7; 32]),
        })
        .to_payload()
        .as_slice(),
    )
    .unwrap();
    type Change = fn(&mut pb::SourceOrder);
    let changes: [Change; 7] = [
        |order| order.wrong_load = "load_x".to_owned(),
        |order| order.accepted_schema.clear(),
        |order| order.reason = "because".to_owned(),
        |order| order.accepted_schema.truncate(31),
        |order| order.number = 0,
        |order| order.environment = "STAGING".to_owned(),
        |order| {
            order.accepted_schema.clear();
            order.wrong_load = "load_x".to_owned();
            order.reason = "two\nlines".to_owned();
        },
    ];
    for change in changes {
        let mut order = good.clone();
        change(&mut order);
        assert!(SourceOrder::from_payload(&order.encode_to_vec()).is_err());
    }
}
