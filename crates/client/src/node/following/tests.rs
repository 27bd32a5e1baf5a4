use std::collections::BTreeMap;

use lingqu_core::record::{Draft, Field, Kind};
use lingqu_core::succession::is_bare_link;
use lingqu_testkit::HandWritten;
use lingqu_tlog::Ed25519Signer;
use lingqu_tlog::Signer;

use super::*;
use crate::succession::tests::{
    BALANCES, MIRROR, NEXT, OLD, UNIT, both, old, order, trust, unit_signer, with_unit,
};
use crate::succession::{StepRefused, trust_lines};

fn following(trust: Trust<Intl>, links: &[Vec<u8>]) -> Result<Following, StepRefused> {
    let following = Following::new(trust);
    match following.take(links) {
        Ok(()) => Ok(following),
        Err(CallFailed::Succession(why)) => Err(*why),
        Err(other) => panic!("{other}"),
    }
}

/// The stream after the second.
fn third(next: &mut HandWritten) -> HandWritten {
    let origin = NEXT.replace("2027h1", "2027h2");
    let mut third = next.next(&origin, 3);
    next.end(&order(NEXT, &third, UNIT), &third, BALANCES);
    third.begin(next, BALANCES);
    third
}

#[test]
fn the_chain_is_followed_and_the_lines_of_a_trust_file_come_of_it() {
    let (_, mut next) = both();
    let third = third(&mut next);
    let links = [next.entries[0].clone(), third.entries[0].clone()];
    assert!(links.iter().all(|link| is_bare_link::<Intl>(link)));
    let followed = following(with_unit(&unit_signer()), &links).unwrap();
    for stream in [&next, &third] {
        assert_eq!(followed.trust().log(&stream.origin), Some(&stream.key()));
    }
    let steps = followed.read().steps.clone();
    assert_eq!(steps.len(), 2);
    let (added, lines) = trust_lines(&trust(), &steps);
    assert_eq!(added, steps);
    let file = format!("{}{lines}", old().trust());
    let reread = Trust::<Intl>::parse(&file).unwrap();
    assert_eq!(reread.log(&third.origin), Some(&third.key()));
    // The same links again change nothing, and a file that has them asks for nothing more.
    followed.take(&links).unwrap();
    assert_eq!(followed.read().steps, steps);
    assert_eq!(trust_lines(&reread, &steps), (Vec::new(), String::new()));
}

/// What an attacker hands out who is the node, or stands in for it.
#[test]
fn what_proves_no_step_is_refused() {
    let (ended, mut next) = both();
    let third = third(&mut next);
    let known = || with_unit(&unit_signer());
    // One that leaves a stream out leads nowhere: nothing is believed for it.
    let skipping = following(known(), &[third.entries[0].clone()]).unwrap();
    assert_eq!(skipping.trust().log(&third.origin), None);
    // An end that the stream's key did not sign.
    let forged = HandWritten {
        signer: Ed25519Signer::from_seed([9; 32]),
        entries: ended.entries.clone(),
        ..HandWritten::new(OLD, 1, MIRROR)
    };
    let mut stranger = ended.next(NEXT, 2);
    let mut begin = HandWritten::beginning(&forged, BALANCES);
    begin.previous_key = ended.key().to_string();
    stranger.push(lingqu_core::succession::Succession::Begin(begin).draft());
    let refused = following(known(), &stranger.entries[..1]).err();
    assert!(matches!(refused, Some(StepRefused::Link(_))), "{refused:?}");
    // Another unit's order, signed with its own key: the thief of a log key knows the unit's no more than anybody.
    let another = |unit: &str| {
        let mut ended = old();
        let mut next = ended.next(NEXT, 2);
        ended.end(&order(OLD, &next, unit), &next, BALANCES);
        next.begin(&ended, BALANCES);
        next.entries[0].clone()
    };
    let refused = following(known(), &[another("party_other")]).err();
    assert!(
        matches!(&refused, Some(StepRefused::OtherUnit(unit)) if unit.as_str() == "party_other"),
        "{refused:?}"
    );
    let other_key = Ed25519Signer::from_seed([51; 32]);
    let keys = BTreeMap::from([(UNIT.parse().unwrap(), other_key.public_key().to_vec())]);
    let refused = following(trust().with_units(keys), &[another(UNIT)]).err();
    assert!(matches!(refused, Some(StepRefused::OrderSignature(_))));
    // Too many of them.
    let many = vec![next.entries[0].clone(); LINKS_MAX + 1];
    assert!(matches!(
        following(known(), &many).err(),
        Some(StepRefused::TooMany)
    ));
}

/// Two ends of one stream, each signed and cosigned: whoever sees both has caught somebody, and is told.
#[test]
fn two_links_of_one_stream_are_a_fork() {
    let (_, next) = both();
    let other = |origin: &str| {
        let mut ended = old();
        let mut next = ended.next(origin, 4);
        ended.end(&order(OLD, &next, UNIT), &next, BALANCES);
        next.begin(&ended, BALANCES);
        next.entries[0].clone()
    };
    let first = next.entries[0].clone();
    for origin in [NEXT.replace("2027h1", "2027h2"), format!("{NEXT}.2")] {
        let links = [first.clone(), other(&origin)];
        let forked = |links: &[Vec<u8>]| following(trust(), links).err();
        for links in [links.clone(), [links[1].clone(), links[0].clone()]] {
            let told = forked(&links);
            assert!(
                matches!(&told, Some(StepRefused::Forked(name)) if name.as_str() == OLD),
                "{told:?}"
            );
        }
        // The second one comes later, on another day: the first is believed by then.
        let followed = following(trust(), &links[..1]).unwrap();
        let told = followed.take(&links[1..]);
        assert!(
            matches!(&told, Err(CallFailed::Succession(why)) if matches!(**why, StepRefused::Forked(_))),
            "{told:?}"
        );
    }
    // The same stream under another key.
    let told = following(trust(), &[first, other(NEXT)]).err();
    assert!(
        matches!(
            told,
            Some(StepRefused::Forked(_) | StepRefused::OtherKey(_))
        ),
        "{told:?}"
    );
}

/// What is handed out holds nothing but the succession.
#[test]
fn a_record_with_anything_else_in_it_is_no_link() {
    let (ended, next) = both();
    let begin = next.entries[0].clone();
    assert!(is_bare_link::<Intl>(&begin));
    assert!(!is_bare_link::<Intl>(&next.entries[1]));
    assert!(!is_bare_link::<Intl>(&ended.entries[1]));
    let mut more = ended.next(NEXT, 2);
    let mut draft =
        lingqu_core::succession::Succession::Begin(HandWritten::beginning(&ended, BALANCES))
            .draft();
    draft.clear = draft.clear.text(Field::Purpose, "anything");
    more.push(draft);
    assert!(!is_bare_link::<Intl>(&more.entries[0]));
    let mut call = ended.next(NEXT, 2);
    let mut draft = Draft::new(Kind::StreamBegin);
    draft.call = lingqu_core::CallId([7; 16]);
    call.push(draft);
    assert!(!is_bare_link::<Intl>(&call.entries[0]));
}

#[test]
fn what_is_asked_for_begins_after_the_newest_that_is_believed() {
    let trust = trust();
    assert_eq!(newest_before(&trust, NEXT).as_deref(), Some(OLD));
    for origin in [
        OLD,
        "c.example/s/other/4501/2027h1",
        "c.example/s/n/4501/2026h1",
    ] {
        assert_eq!(newest_before(&trust, origin), None, "{origin}");
    }
}
