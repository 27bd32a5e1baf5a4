//! Orders on a disk that takes nothing for a while.

use std::collections::BTreeMap;

use lingqu_core::Timestamp;
use lingqu_core::stop::StopScope;
use lingqu_proto::seal;
use lingqu_tlog::{Ed25519Signer, Signer};

use super::*;

fn unit() -> Ed25519Signer {
    Ed25519Signer::from_seed([1; 32])
}

fn pinned() -> Pinned {
    Pinned {
        node: "node_n".parse().unwrap(),
        unit: "party_u".parse().unwrap(),
        unit_key: unit().public_key().to_vec(),
        agencies: BTreeMap::new(),
        coordinator_key: Vec::new(),
    }
}

fn order(number: u64, lift: bool, scope: StopScope) -> Envelope {
    let mut envelope = seal(&StopOrder {
        unit: pinned().unit,
        node: pinned().node,
        number,
        issued: Timestamp(1_700_000_000_000_000),
        lift,
        scope,
    });
    envelope.sign("party_u", &unit());
    envelope
}

#[test]
fn a_stop_that_could_not_be_stored_outlives_a_restart_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let party = || StopScope::Party("party_a".parse().unwrap());
    let (first, second) = (order(1, false, StopScope::All), order(2, false, party()));
    for again in [true, false] {
        let place = dir.path().join(again.to_string());
        let state = State::open(&place, None).unwrap();
        let keeper = StopKeeper::open(&state, &pinned(), 0).unwrap();
        std::fs::remove_dir(place.join("stops")).unwrap();
        let told = keeper.carry_out(&first, &pinned()).map(|_| ());
        assert_eq!(told, Err(ErrorCode::Internal));
        assert_eq!(
            keeper.current().scopes().count(),
            1,
            "in force all the same"
        );
        // A lift that cannot be stored lifts nothing.
        let lift = order(2, true, StopScope::All);
        assert!(keeper.carry_out(&lift, &pinned()).is_err());
        assert_eq!(keeper.current().scopes().count(), 1);

        create_dir(&place.join("stops")).unwrap();
        let next = if again { &first } else { &second };
        keeper.carry_out(next, &pinned()).unwrap();
        let reopened = StopKeeper::open(&state, &pinned(), 0).unwrap();
        assert_eq!(*reopened.current(), *keeper.current());
    }
}
