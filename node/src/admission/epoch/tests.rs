//! How old a list is when one of the two clocks is not to be relied on.

use std::collections::BTreeSet;

use super::*;

const ISSUED: Timestamp = Timestamp(1_000_000_000);

fn held() -> Held {
    Held {
        epoch: Epoch {
            coordinator: "coord_a".parse().unwrap(),
            number: 1,
            issued: ISSUED,
            valid_until: ISSUED.plus(Duration::from_secs(3_600)),
            revoked: BTreeSet::new(),
            suspended: BTreeSet::new(),
        },
        age_at_receipt: Duration::from_secs(2),
        received: Duration::from_secs(100),
    }
}

#[test]
fn a_list_ages_while_the_machine_is_suspended() {
    let now = ISSUED.plus(Duration::from_secs(900));
    // The monotonic clock stood still for 895 of the 898 seconds since.
    let age = held().age(now, Duration::from_secs(103));
    assert_eq!(age, Duration::from_secs(900));
}

#[test]
fn setting_the_wall_clock_back_makes_no_list_young() {
    let age = held().age(ISSUED, Duration::from_secs(400));
    assert_eq!(age, Duration::from_secs(302));
}
