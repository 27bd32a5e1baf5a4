//! The calls of the node that is killed: about one aircraft of the demo's register, right and wrong by turns.

use lingqu_core::CallId;
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_demo::cast;
use lingqu_demo::objects::Which;
use lingqu_proto::{ClaimValue, Verdict, pb, verify_request};

use super::world;

/// The grant that every call runs under.
pub(crate) const GRANT: &str = "grant_crash";
/// Its quota: calls in the whole term.
pub(crate) const QUOTA: u64 = 200;

/// The caller's id of call number `call`.
pub(crate) fn call_id(call: u64) -> CallId {
    world::call_id(call)
}

/// Call number `call`.
pub(crate) fn request(call: u64) -> pb::VerifyRequest {
    let asked = Asked {
        grant: Some(GRANT.parse().expect("well-formed")),
        product: Which::Plane.reference().id,
        version: None,
        purpose: cast::PURPOSE.to_owned(),
        scenario: cast::SCENARIO.to_owned(),
        end_user: cast::END_USER.to_owned(),
        environment: Environment::Prod,
    };
    let text = |field: &str, value: &str| (field.to_owned(), ClaimValue::Text(value.to_owned()));
    let year = 2004 + i64::from(call % 2 == 1);
    let claims = [
        text("tail_number", "N10156"),
        text("manufacturer", "EMBRAER"),
        text("model", "EMB-145XR"),
        ("year".to_owned(), ClaimValue::Integer(year)),
    ];
    verify_request(call_id(call), &asked, &claims, None)
}

/// What call number `call` is answered.
pub(crate) fn answer(call: u64) -> u64 {
    let verdict = if call % 2 == 1 {
        Verdict::NoMatch
    } else {
        Verdict::Match
    };
    u64::from(verdict.answer_byte())
}
