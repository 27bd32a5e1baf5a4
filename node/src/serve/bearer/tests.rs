use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn party(name: &str) -> PartyId {
    format!("party_{name}").parse().unwrap()
}

#[test]
fn a_token_is_taken_once_and_by_its_party_only() {
    let kept = Bearer::new(8, 8, MINUTE);
    let token = kept.keep(&party("a"), Duration::ZERO, 7).unwrap();
    assert_eq!(
        kept.take(&party("b"), token.as_bytes(), Duration::ZERO),
        None
    );
    for forged in [&[][..], &[0; 32], &token.as_bytes()[..31]] {
        assert_eq!(kept.take(&party("a"), forged, Duration::ZERO), None);
    }
    let taken = kept.take(&party("a"), token.as_bytes(), Duration::ZERO);
    assert_eq!(taken.as_deref(), Some(&7));
    assert_eq!(
        kept.take(&party("a"), token.as_bytes(), Duration::ZERO),
        None
    );
    assert!(kept.is_empty() && kept.parties().is_empty());
}

#[test]
fn what_is_looked_at_stays_and_stays_young() {
    let kept = Bearer::new(8, 8, MINUTE);
    let token = kept.keep(&party("a"), Duration::ZERO, 7).unwrap();
    for minute in 0..5 {
        let at = MINUTE / 2 * minute;
        assert!(kept.look(&party("a"), token.as_bytes(), at).is_some());
        assert!(kept.look(&party("b"), token.as_bytes(), at).is_none());
    }
    assert!(
        kept.look(&party("a"), token.as_bytes(), MINUTE * 3)
            .is_none()
    );
}

#[test]
fn what_is_too_old_is_gone() {
    let kept = Bearer::new(8, 8, MINUTE);
    let token = kept.keep(&party("a"), Duration::ZERO, 7).unwrap();
    kept.keep(&party("b"), MINUTE / 2, 8).unwrap();
    kept.sweep(MINUTE);
    assert_eq!(kept.len(), 1);
    let late = kept.keep(&party("a"), MINUTE, 9).unwrap();
    assert_eq!(kept.take(&party("a"), token.as_bytes(), MINUTE), None);
    assert_eq!(kept.take(&party("a"), late.as_bytes(), MINUTE * 2), None);
}

#[test]
fn a_flood_pushes_out_nobody_else() {
    let kept = Bearer::new(4, 6, MINUTE);
    let quiet = kept.keep(&party("quiet"), Duration::ZERO, 0).unwrap();
    let mut last = None;
    for number in 1..100 {
        let at = Duration::from_millis(number);
        for loud in ["a", "b", "c"] {
            last = Some(kept.keep(&party(loud), at, number).unwrap());
        }
    }
    assert_eq!(kept.len(), 6);
    let at = Duration::from_secs(1);
    assert!(kept.look(&party("quiet"), quiet.as_bytes(), at).is_some());
    let newest = kept.take(&party("c"), last.unwrap().as_bytes(), at);
    assert_eq!(newest.as_deref(), Some(&99));
}

#[test]
fn tokens_differ_and_are_not_shown() {
    let kept = Bearer::new(8, 8, MINUTE);
    let one = kept.keep(&party("a"), Duration::ZERO, 1).unwrap();
    let two = kept.keep(&party("a"), Duration::ZERO, 1).unwrap();
    assert_ne!(one, two);
    assert_eq!(format!("{one:?}"), "Token(redacted)");
}

#[test]
fn what_does_not_fit_stays_and_what_fits_goes_once() {
    let bearer = Bearer::new(4, 16, Duration::from_secs(60));
    let party = party("a");
    let token = bearer.keep(&party, Duration::ZERO, 7).unwrap();
    let take = |at, fits| {
        let at = Duration::from_secs(at);
        let taken = bearer.take_if(&party, token.as_bytes(), at, |_| fits);
        taken.map(|value| value.map(|value| *value))
    };
    assert_eq!(take(1, Err("no")), Err("no"));
    assert_eq!(take(59, Err("no")), Err("no"), "its age did not start anew");
    assert_eq!(take(59, Ok(())), Ok(Some(7)));
    assert_eq!(take(59, Ok(())), Ok(None));
    assert!(bearer.is_empty());
}

/// At the instant at which its time is over a token is over, and not even asked whether it would have fitted.
#[test]
fn a_token_ends_at_its_time() {
    let bearer = Bearer::new(4, 16, Duration::from_secs(60));
    let party = party("a");
    for (after, expected) in [
        (Duration::from_nanos(59_999_999_999), Some(7)),
        (Duration::from_secs(60), None),
        (Duration::from_secs(61), None),
    ] {
        let begun = Duration::from_secs(5);
        let token = bearer.keep(&party, begun, 7).unwrap();
        let mut asked = false;
        let taken = bearer.take_if(&party, token.as_bytes(), begun + after, |_| {
            asked = true;
            Ok::<_, ()>(())
        });
        assert_eq!(taken.unwrap().map(|value| *value), expected);
        assert_eq!(asked, expected.is_some());
        assert!(bearer.is_empty());
    }
}
