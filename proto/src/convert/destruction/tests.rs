use super::*;
use crate::{open, seal};

fn wire() -> pb::Destruction {
    pb::Destruction {
        licensee: "party_gx.mingjiang-bank".to_owned(),
        grant: "grant_a".to_owned(),
        node: "node_gx.lanxi-tb-01".to_owned(),
        at_us: 1_700_000_000_000_000,
        what: "verdicts of 2026".to_owned(),
        method: "overwritten, keys erased".to_owned(),
        person: "records office".to_owned(),
        no_copies: true,
        no_backups: true,
    }
}

type Change = fn(&mut pb::Destruction);

#[test]
fn a_confirmation_reads_back() {
    let object = Destruction::from_payload(&wire().encode_to_vec()).unwrap();
    assert_eq!(open::<Destruction>(&seal(&object)), Ok(object));
}

/// what, method, copies, backups, time and person; none may be missing.
#[test]
fn a_confirmation_that_leaves_something_open_is_refused() {
    let changes: [(&str, Change); 9] = [
        ("licensee", |one| one.licensee.clear()),
        ("grant", |one| one.grant.clear()),
        ("node", |one| one.node.clear()),
        ("at_us", |one| one.at_us = -1),
        ("what", |one| one.what.clear()),
        ("method", |one| one.method = "\t".to_owned()),
        ("person", |one| one.person.clear()),
        ("no_copies", |one| one.no_copies = false),
        ("no_backups", |one| one.no_backups = false),
    ];
    for (field, change) in changes {
        let mut one = wire();
        change(&mut one);
        let refused = Destruction::from_payload(&one.encode_to_vec()).unwrap_err();
        assert_eq!(refused.field, field);
    }
}
