use lingqu_tlog::Intl;

use super::*;
use crate::CallId;

fn body() -> Body {
    Body {
        opening_key: [7; 32],
        request: b"who and what".to_vec(),
        answer: vec![1],
    }
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn a_body_reads_back_and_nothing_else_does() {
    let bytes = body().encode();
    assert_eq!(Body::decode(&bytes), Ok(body()));
    for cut in 0..HEAD_LEN + body().request.len() {
        assert_eq!(Body::decode(&bytes[..cut]), Err(BodyMalformed), "{cut}");
    }
    let mut other = bytes.clone();
    other[0] ^= 1;
    assert_eq!(Body::decode(&other), Err(BodyMalformed));
    let mut longer = bytes;
    longer[36..40].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(Body::decode(&longer), Err(BodyMalformed));
}

#[test]
fn a_body_shows_nothing_in_a_log_line() {
    assert_eq!(format!("{:?}", body()), "Body(13 bytes, redacted)");
}

#[test]
fn the_root_is_that_of_the_record() {
    let expected = body_root::<Intl>(
        &[7; 32],
        &[(Tag::Request, b"who and what"), (Tag::Answer, &[1])],
    );
    assert_eq!(body().root::<Intl>(), expected);
    let swapped = Body {
        answer: vec![2],
        ..body()
    };
    assert_ne!(swapped.root::<Intl>(), expected);
}

#[test]
fn a_sealed_body_opens_in_its_own_place_with_its_own_key_only() {
    let (grant, other_grant): (GrantId, GrantId) =
        ("grant_a".parse().unwrap(), "grant_b".parse().unwrap());
    let place = BodyPlace {
        origin: "o/s/1",
        grant: &grant,
        day: day("2026-03-01"),
        call: CallId([1; 16]),
    };
    let (key, salt) = ([3; KEY_LEN], [4; SALT_LEN]);
    let sealed = seal_body(&key, &salt, &place, body().encode());
    let opened = open_body(&key, &salt, &place, sealed.clone());
    assert_eq!(opened, Ok(body().encode()));
    let others = [
        BodyPlace {
            origin: "o/s/2",
            ..place
        },
        BodyPlace {
            grant: &other_grant,
            ..place
        },
        BodyPlace {
            day: day("2026-03-02"),
            ..place
        },
        BodyPlace {
            call: CallId([2; 16]),
            ..place
        },
    ];
    for other in others {
        let opened = open_body(&key, &salt, &other, sealed.clone());
        assert_eq!(opened, Err(BodyUnopenable), "{other:?}");
    }
    for (key, salt) in [([5; KEY_LEN], salt), (key, [5; SALT_LEN])] {
        assert_eq!(
            open_body(&key, &salt, &place, sealed.clone()),
            Err(BodyUnopenable)
        );
    }
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(
            open_body(&key, &salt, &place, altered),
            Err(BodyUnopenable),
            "{at}"
        );
    }
}

#[test]
fn a_range_of_days_has_an_order_and_an_end() {
    assert!(Days::new(day("2026-03-02"), day("2026-03-01")).is_none());
    assert!(Days::new(day("2026-03-01"), day("2046-03-01")).is_none());
    let days = Days::new(day("2026-03-01"), day("2026-03-03")).unwrap();
    assert!(days.contains(day("2026-03-01")) && days.contains(day("2026-03-03")));
    assert!(!days.contains(day("2026-02-28")) && !days.contains(day("2026-03-04")));
}

/// six calendar months, not 180 days, in the regulations' own time zone.
#[test]
fn retention_is_counted_in_calendar_months() {
    for (ended, months, until) in [
        ("2026-01-15T00:00:00Z", 6, "2026-07-15T00:00:00Z"),
        // 31 August in UTC+8; February has no 31st.
        ("2026-08-30T16:00:00Z", 6, "2027-02-27T16:00:00Z"),
        ("2027-08-30T16:00:00Z", 6, "2028-02-28T16:00:00Z"),
        ("2026-12-31T15:59:59Z", 36, "2029-12-31T15:59:59Z"),
        ("2026-07-01T00:00:00Z", 6, "2027-01-01T00:00:00Z"),
    ] {
        let (ended, until): (Timestamp, Timestamp) =
            (ended.parse().unwrap(), until.parse().unwrap());
        assert_eq!(keep_until(ended, months), until, "{ended}");
    }
    assert_eq!(keep_until(Timestamp(i64::MAX), 6), Timestamp(i64::MAX));
}
