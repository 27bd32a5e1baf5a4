use tonic::metadata::{BinaryMetadataKey, MetadataKey, MetadataValue};

use super::*;

const ID: &str = "call_00112233445566778899aabbccddeeff";

const MINTED: CallId = CallId([9; 16]);

fn product() -> ProductId {
    "unit.product".parse().unwrap()
}

fn headers(of: &[(&'static str, &str)]) -> MetadataMap {
    let mut map = MetadataMap::new();
    for (name, value) in of {
        map.append(
            MetadataKey::from_static(name),
            MetadataValue::try_from(*value).unwrap(),
        );
    }
    map
}

fn stated(of: &[(&'static str, &str)]) -> Result<Stated, CallInvalid> {
    Stated::read(&headers(of))
}

#[test]
fn headers_are_in_the_order_that_they_are_searched_in() {
    assert!(HEADERS.is_sorted());
}

#[test]
fn a_context_is_read() {
    let stated = stated(&[
        ("authorization", "Basic x"),
        ("lingqu-grant", "grant_1"),
        ("lingqu-purpose", "P"),
        ("lingqu-scenario", "S"),
        ("lingqu-end-user", "E"),
        ("lingqu-environment", "TEST"),
        ("lingqu-call-id", ID),
        ("lingqu-as-of-min", "2026-01-01T00:00:00Z"),
    ])
    .unwrap();
    assert_eq!(stated.grant(), Some("grant_1"));
    let (id, asked, as_of_min) = stated.asked(product(), MINTED).unwrap();
    assert_eq!(id.to_string(), ID);
    assert_eq!(asked.grant.unwrap().as_str(), "grant_1");
    assert_eq!(
        (
            asked.purpose.as_str(),
            asked.scenario.as_str(),
            asked.end_user.as_str()
        ),
        ("P", "S", "E")
    );
    assert_eq!(asked.environment, Environment::Test);
    assert_eq!(as_of_min, Some(Timestamp::from_unix_s(1_767_225_600)));
}

#[test]
fn an_id_is_minted_only_where_none_is_chosen() {
    let environment = ("lingqu-environment", "PROD");
    let minted = stated(&[environment]).unwrap().asked(product(), MINTED);
    assert_eq!(minted.unwrap().0, MINTED);
    for wrong in ["", "00", "call_00", "call_00000000000000000000000000000000"] {
        let refused = stated(&[environment, ("lingqu-call-id", wrong)])
            .unwrap()
            .asked(product(), MINTED);
        assert_eq!(
            refused.unwrap_err().code,
            ErrorCode::CallIdInvalid,
            "{wrong}"
        );
    }
}

#[test]
fn what_nobody_knows_is_refused() {
    for wrong in [
        stated(&[("lingqu-grant", "a"), ("lingqu-grant", "a")]),
        stated(&[("lingqu-grants", "a")]),
        stated(&[("lingqu-consent", "a")]),
        stated(&[("lingqu-", "a")]),
    ] {
        assert_eq!(wrong.unwrap_err().code, ErrorCode::RequestInvalid);
    }
    let mut binary = MetadataMap::new();
    binary.insert_bin(
        BinaryMetadataKey::from_static("lingqu-grant-bin"),
        MetadataValue::from_bytes(b"x"),
    );
    assert!(Stated::read(&binary).is_err());
    let mut opaque = http::HeaderMap::new();
    let bytes = http::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    opaque.insert("lingqu-purpose", bytes);
    assert!(Stated::read(&MetadataMap::from_headers(opaque)).is_err());
    for (environment, what) in [("prod", "case"), ("", "empty"), ("PRODUCTION", "other")] {
        let stated = stated(&[("lingqu-environment", environment)]).unwrap();
        assert!(stated.asked(product(), MINTED).is_err(), "{what}");
    }
    let grant = [("lingqu-environment", "PROD"), ("lingqu-grant", "party_a")];
    assert!(stated(&grant).unwrap().asked(product(), MINTED).is_err());
    assert!(stated(&[]).unwrap().asked(product(), MINTED).is_err());
}

#[test]
fn a_later_request_may_leave_out_and_never_change() {
    let first = stated(&[("lingqu-grant", "grant_1"), ("lingqu-purpose", "P")]).unwrap();
    assert_eq!(Stated::default().changed_since(&first), None);
    assert_eq!(first.changed_since(&first), None);
    for (header, value, changed) in [
        ("lingqu-purpose", "P", None),
        ("lingqu-grant", "grant_2", Some("lingqu-grant")),
        ("lingqu-scenario", "S", Some("lingqu-scenario")),
    ] {
        let later = stated(&[(header, value)]).unwrap();
        assert_eq!(later.changed_since(&first), changed);
    }
}

#[test]
fn where_and_under_which_grant_stays_exactly_as_it_was() {
    let of = |environment: &str, grant: &str| {
        let headers = [("lingqu-environment", environment), ("lingqu-grant", grant)];
        stated(&headers).unwrap()
    };
    let first = of("TEST", "grant_1");
    assert_eq!(first.moved_since(&first), None);
    let moved = of("PROD", "grant_1").moved_since(&first);
    assert_eq!(moved, Some("lingqu-environment"));
    let moved = of("TEST", "grant_2").moved_since(&first);
    assert_eq!(moved, Some("lingqu-grant"));
    // Leaving out is a change too: the node would look for a grant that fits.
    let without = stated(&[("lingqu-environment", "TEST")]).unwrap();
    assert_eq!(without.moved_since(&first), Some("lingqu-grant"));
    assert_eq!(first.moved_since(&without), Some("lingqu-grant"));
}
