use std::collections::BTreeSet;

use lingqu_core::grant::Environment;
use proptest::prelude::*;

use super::*;
use crate::convert::field::with_check_character;

const CANARY: &str = "canary-340123199001011234";

fn text(field: &str, value: &str) -> pb::Claim {
    pb::Claim {
        field: field.to_owned(),
        value: Some(pb::claim::Value::Text(value.to_owned())),
    }
}

fn integer(field: &str, value: i64) -> pb::Claim {
    pb::Claim {
        field: field.to_owned(),
        value: Some(pb::claim::Value::Integer(value)),
    }
}

fn request() -> pb::VerifyRequest {
    pb::VerifyRequest {
        context: Some(pb::CallContext {
            call_id: vec![7; 16],
            grant: "grant_1".to_owned(),
            purpose: "LOAN".to_owned(),
            scenario: "CREDIT-2026".to_owned(),
            end_user: "91450100MA5K00000B".to_owned(),
            environment: 3,
            consent: String::new(),
        }),
        product: "civil.residence".to_owned(),
        version: 2,
        claims: vec![
            text("name", CANARY),
            integer("born_year", 1990),
            text("id_number", "x"),
        ],
        as_of_min_us: 1_767_225_600_000_000,
        request_envelope: None,
    }
}

fn changed(change: impl FnOnce(&mut pb::VerifyRequest)) -> pb::VerifyRequest {
    let mut request = request();
    change(&mut request);
    request
}

fn changed_context(change: impl FnOnce(&mut pb::CallContext)) -> pb::VerifyRequest {
    changed(|request| change(request.context.as_mut().unwrap()))
}

fn refused(request: &pb::VerifyRequest) -> (ErrorCode, &'static str) {
    let invalid = product_call(request).unwrap_err();
    (invalid.code, invalid.field)
}

#[test]
fn a_request_is_read_as_it_states_itself() {
    let call = product_call(&request()).unwrap();
    assert_eq!(call.id, CallId([7; 16]));
    assert_eq!(
        call.asked,
        Asked {
            grant: Some("grant_1".parse().unwrap()),
            product: "civil.residence".parse().unwrap(),
            version: Some(2),
            purpose: "LOAN".to_owned(),
            scenario: "CREDIT-2026".to_owned(),
            end_user: "91450100MA5K00000B".to_owned(),
            environment: Environment::Prod,
        }
    );
    assert_eq!(
        call.arguments,
        [
            ("born_year".to_owned(), ClaimValue::Integer(1990)),
            ("id_number".to_owned(), ClaimValue::Text("x".to_owned())),
            ("name".to_owned(), ClaimValue::Text(CANARY.to_owned())),
        ]
    );
    assert_eq!(call.as_of_min, Some(Timestamp(1_767_225_600_000_000)));
}

/// What may be left out is left to the decision, which has codes of its own for it.
#[test]
fn what_is_left_empty_stays_empty() {
    let bare = changed(|request| {
        request.context = Some(pb::CallContext {
            call_id: vec![7; 16],
            environment: 1,
            ..pb::CallContext::default()
        });
        request.version = 0;
        request.as_of_min_us = 0;
    });
    let call = product_call(&bare).unwrap();
    let Asked {
        grant,
        version,
        purpose,
        scenario,
        end_user,
        ..
    } = call.asked;
    assert_eq!((grant, version, call.as_of_min), (None, None, None));
    assert_eq!((purpose, scenario, end_user), Default::default());
}

#[test]
fn rules_of_the_context() {
    use ErrorCode::{CallIdInvalid, RequestEnvelopeUnsupported, RequestInvalid};
    let context = |change: fn(&mut pb::CallContext)| refused(&changed_context(change));
    assert_eq!(
        refused(&changed(|request| request.context = None)),
        (RequestInvalid, "context")
    );
    assert_eq!(
        context(|context| context.call_id = vec![0; 16]),
        (CallIdInvalid, "context.call_id")
    );
    assert_eq!(
        context(|context| context.call_id = vec![1; 15]),
        (CallIdInvalid, "context.call_id")
    );
    assert_eq!(
        context(|context| context.call_id.clear()),
        (CallIdInvalid, "context.call_id")
    );
    assert_eq!(
        context(|context| context.grant = "party_1".into()),
        (RequestInvalid, "context.grant")
    );
    for number in [0, -1, 4] {
        let request = changed_context(|context| context.environment = number);
        assert_eq!(refused(&request), (RequestInvalid, "context.environment"));
    }
    let envelope = changed(|request| request.request_envelope = Some(pb::Envelope::default()));
    assert_eq!(
        refused(&envelope),
        (RequestEnvelopeUnsupported, "request_envelope")
    );
}

/// Puts a text into one field.
type Set = fn(&mut pb::CallContext, String);

/// These stand in clear in the record: nobody can write a sentence into them.
#[test]
fn clear_fields_take_no_free_text() {
    let long = "A".repeat(65);
    for wrong in ["loan", "A B", "姓名", "A\n", CANARY, long.as_str()] {
        let clear_fields: [(Set, &str); 3] = [
            (|context, word| context.purpose = word, "context.purpose"),
            (|context, word| context.scenario = word, "context.scenario"),
            (|context, word| context.end_user = word, "context.end_user"),
        ];
        for (set, field) in clear_fields {
            let request = changed_context(|context| set(context, wrong.to_owned()));
            assert_eq!(refused(&request), (ErrorCode::RequestInvalid, field));
        }
    }
    for wrong in ["consent_1", "A", "a b", "同意", &"a".repeat(65)] {
        let request = changed_context(|context| context.consent = wrong.to_owned());
        assert_eq!(
            refused(&request),
            (ErrorCode::RequestInvalid, "context.consent")
        );
    }
    let product = changed(|request| request.product = CANARY.to_owned());
    assert_eq!(refused(&product), (ErrorCode::RequestInvalid, "product"));
    let bound = changed(|request| request.as_of_min_us = -1);
    assert_eq!(refused(&bound), (ErrorCode::RequestInvalid, "as_of_min_us"));
}

#[test]
fn rules_of_claims() {
    let many = |count: usize| {
        changed(|request| {
            request.claims = (0..count).map(|n| integer(&format!("f{n}"), 0)).collect();
        })
    };
    let one = |claim| refused(&changed(|request| request.claims = vec![claim]));
    let code = ErrorCode::ClaimInvalid;
    assert!(product_call(&many(32)).is_ok());
    assert_eq!(refused(&many(33)), (code, "claims"));
    assert_eq!(refused(&many(0)), (code, "claims"));
    let twice = changed(|request| request.claims.push(integer("name", 1)));
    assert_eq!(refused(&twice), (code, "claims.field"));
    for field in ["", "Name", "姓名", "a b", CANARY, &"a".repeat(65)] {
        assert_eq!(one(text(field, "x")), (code, "claims.field"));
    }
    assert_eq!(one(text("a", &"x".repeat(1_025))), (code, "claims.text"));
    assert!(
        product_call(&changed(
            |request| request.claims = vec![text("a", &"x".repeat(1_024))]
        ))
        .is_ok()
    );
    let empty = pb::Claim {
        field: "a".to_owned(),
        value: None,
    };
    assert_eq!(one(empty), (code, "claims.value"));
}

#[test]
fn nothing_that_is_printed_shows_a_claim() {
    let call = product_call(&request()).unwrap();
    let shown = format!("{call:?} {call:#?} {:?}", call.arguments[2].1);
    assert!(shown.contains("civil.residence"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    // Nor its bytes, nor a number.
    assert!(!shown.contains("99, 97, 110, 97, 114, 121"), "{shown}");
    assert!(!format!("{:?}", ClaimValue::Integer(4_711)).contains("4711"));

    for request in [
        changed(|request| request.claims.push(text("name", CANARY))),
        changed(|request| request.claims.push(text(CANARY, "x"))),
        changed_context(|context| context.purpose = CANARY.to_owned()),
        changed(|request| request.product = CANARY.to_owned()),
    ] {
        let invalid = product_call(&request).unwrap_err();
        assert!(
            !format!("{invalid} {invalid:?}").contains("canary"),
            "{invalid}"
        );
    }
}

/// One row per field of the request: a change of any must be another request.
#[test]
fn canonical_bytes_differ_for_every_change_but_the_call_id() {
    let original = product_call(&request()).unwrap().canonical;
    let other_id = changed_context(|context| context.call_id = vec![8; 16]);
    assert_eq!(product_call(&other_id).unwrap().canonical, original);
    let requests = [
        changed_context(|context| context.grant.clear()),
        changed_context(|context| context.grant = "grant_2".into()),
        changed_context(|context| context.purpose.clear()),
        changed_context(|context| context.purpose = "RENT".into()),
        changed_context(|context| context.scenario = "LOAN".into()),
        changed_context(|context| context.end_user = "91450100MA5K00001E".into()),
        changed_context(|context| context.environment = 1),
        changed_context(|context| std::mem::swap(&mut context.purpose, &mut context.scenario)),
        changed(|request| request.product = "civil.person".into()),
        changed(|request| request.version = 0),
        changed(|request| request.version = 3),
        changed(|request| request.as_of_min_us = 0),
        changed(|request| request.as_of_min_us += 1),
        changed(|request| request.claims.truncate(2)),
        changed(|request| request.claims.push(text("more", ""))),
        changed(|request| request.claims[0] = text("name", "other")),
        changed(|request| request.claims[0] = text("name", "")),
        changed(|request| request.claims[1] = integer("born_year", 1991)),
        changed(|request| request.claims[1] = integer("born_year", 0)),
        changed(|request| request.claims[1] = text("born_year", "1990")),
        changed(|request| request.claims[1] = integer("year", 1990)),
    ];
    let mut seen = BTreeSet::from([original]);
    for (row, request) in requests.iter().enumerate() {
        assert!(
            seen.insert(product_call(request).unwrap().canonical),
            "row {row}"
        );
    }
}

/// The encoding is published: a third party must get the same bytes from the `.proto` file alone.
#[test]
fn canonical_bytes_are_the_request_in_order_without_its_id() {
    let call = product_call(&request()).unwrap();
    let read = pb::VerifyRequest::decode(call.canonical.as_slice()).unwrap();
    let expected = changed(|request| {
        request.context.as_mut().unwrap().call_id.clear();
        request.claims.sort_by(|a, b| a.field.cmp(&b.field));
    });
    assert_eq!(read, expected);
    assert_eq!(call.canonical, expected.encode_to_vec());
}

proptest! {
    #[test]
    fn the_order_of_claims_means_nothing(
        claims in Just(request().claims).prop_shuffle(),
    ) {
        let shuffled = changed(|request| request.claims = claims);
        prop_assert_eq!(product_call(&shuffled).unwrap(), product_call(&request()).unwrap());
    }

    #[test]
    fn what_a_client_writes_is_what_a_node_reads(
        id in proptest::array::uniform16(1_u8..),
        grant in proptest::option::of("grant_[a-z0-9]{1,64}"),
        version in proptest::option::of(1..=u32::MAX),
        purpose in "[A-Z0-9_.-]{0,64}",
        end_user in proptest::option::of("[0-9A-HJ-N]{17}"),
        texts in proptest::collection::btree_map("[a-z0-9_]{1,64}", ".{0,40}", 1..16),
        number in any::<i64>(),
        as_of_min in proptest::option::of(1..=i64::MAX),
    ) {
        let asked = Asked {
            grant: grant.map(|grant| grant.parse().unwrap()),
            product: "civil.residence".parse().unwrap(),
            version,
            purpose: purpose.clone(),
            scenario: purpose,
            end_user: end_user.map(|code| with_check_character(&code)).unwrap_or_default(),
            environment: Environment::ProdDebug,
        };
        let mut claims: Vec<_> = texts
            .into_iter()
            .map(|(field, text)| (field, ClaimValue::Text(text)))
            .collect();
        claims[0].1 = ClaimValue::Integer(number);
        let as_of_min = as_of_min.map(Timestamp);
        let call = product_call(&verify_request(CallId(id), &asked, &claims, as_of_min)).unwrap();
        prop_assert_eq!((call.id, call.asked, call.arguments, call.as_of_min), (CallId(id), asked, claims, as_of_min));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(request) = pb::VerifyRequest::decode(bytes.as_slice()) {
            let _ = product_call(&request);
        }
    }
}

#[test]
fn an_explanation_is_committed_to_as_no_call_is() {
    let call = product_call(&request()).unwrap();
    let asked = explain_request(call.id, &call.asked, &call.arguments, call.as_of_min);
    let explained = product_call(&asked).unwrap();
    assert!(explained.explains && !call.explains);
    assert_eq!(explained.kind, None);
    assert_eq!(explained.asked, call.asked);
    // One field at the end is all that differs.
    let mut expected = call.canonical.clone();
    expected.extend([0x30, 1]);
    assert_eq!(explained.canonical, expected);
    assert_eq!(explained.clone().explained(), explained, "marked once");
    assert_eq!(call.clone().explained().canonical, expected);
    // Nobody can write the mark into a request: what is not known is not part of what is committed to.
    let mut forged = request().encode_to_vec();
    forged.extend([0x30, 1]);
    let forged = pb::VerifyRequest::decode(forged.as_slice()).unwrap();
    let forged = product_call(&forged).unwrap();
    assert_eq!(forged.canonical, call.canonical);
}
