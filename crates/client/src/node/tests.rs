//! What a node may not get away with: a proven record of its own log that is not quite of this call.

use lingqu_core::grant::Environment;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Draft, StreamId};
use lingqu_proto::{load_to_pb, receipt_to_pb, verdict_to_pb};
use lingqu_tlog::{Checkpoint, Ed25519Signer, KeyName, Signer, VerifierKey, leaf_hash, sign_note};

use super::*;

const ORIGIN: &str = "lingqu.example/node-a/2026h2";
const KEY: [u8; 32] = [7; 32];
const AS_OF: Timestamp = Timestamp(1_700_000_000_000_000);

fn verification() -> Question {
    let asked = Asked {
        grant: Some("grant_g".parse().unwrap()),
        product: "unit.product".parse().unwrap(),
        version: Some(1),
        purpose: "CREDIT".to_owned(),
        scenario: "SCENARIO-A".to_owned(),
        end_user: String::new(),
        environment: Environment::Prod,
    };
    let claims = vec![("name".to_owned(), ClaimValue::Text("A".to_owned()))];
    Question {
        as_of_min: Some(AS_OF),
        lagged_accepted: true,
        ..Question::new(asked, claims)
    }
}

fn load() -> Load {
    Load {
        id: "load_register-1".parse().unwrap(),
        resource: "register".to_owned(),
        as_of: AS_OF,
    }
}

/// What a node answers that has recorded the call truly, but for what `change` does to record and load.
fn answered(
    call: &Question,
    change: impl FnOnce(&mut Clear, &mut Load),
) -> Result<Answered<Verdict>, CallFailed> {
    let request = verify_request(call.id, &call.asked, &call.arguments, call.as_of_min);
    let read = product_call(&request).unwrap();
    let mut load = load();
    let mut clear = Clear::default()
        .text(Field::Grant, "grant_g")
        .number(Field::GrantVersion, 1)
        .text(Field::Product, "unit.product")
        .number(Field::ProductVersion, 1)
        .text(Field::Purpose, "CREDIT")
        .text(Field::Scenario, "SCENARIO-A")
        .text(Field::Environment, "PROD")
        .text(Field::Action, "verify")
        .text(Field::Outcome, "ANSWERED")
        .text(Field::Load, load.id.as_str())
        .text(Field::Resource, &load.resource)
        .number(Field::AsOf, u64::try_from(load.as_of.0).unwrap());
    change(&mut clear, &mut load);
    let mut draft = Draft::new(Kind::Call);
    draft.flags = flag::LAGGED;
    draft.call = call.id;
    let answer = [Verdict::Match.answer_byte()];
    let fields = [
        (Tag::Request, read.canonical.as_slice()),
        (Tag::Answer, answer.as_slice()),
    ];
    draft.body_root = body_root::<Intl>(&KEY, &fields);
    draft.clear = clear;
    let (receipt, trust) = alone(draft);
    let response = pb::VerifyResponse {
        call_id: call.id.0.to_vec(),
        verdict: verdict_to_pb(Verdict::Match).into(),
        load: Some(load_to_pb(&load)),
        receipt: Some(receipt_to_pb(&receipt, Level::Local)),
        opening_key: KEY.to_vec(),
        environment: 0,
    };
    let trusted = Trusted {
        streams: &trust,
        heads: None,
        lagged_accepted: call.lagged_accepted,
    };
    check(&request, response, trusted)
}

/// The receipt of the only record of a stream.
fn alone(draft: Draft) -> (Receipt, Trust<Intl>) {
    let signer = Ed25519Signer::from_seed([1; 32]);
    let name = KeyName::parse(ORIGIN).unwrap();
    let stream = StreamId::of::<Intl>(ORIGIN);
    let entry = draft.at(stream, 0, AS_OF).encode::<Intl>();
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 1,
        root: leaf_hash::<Intl>(&entry),
    };
    let signature = sign_note::<Intl>(&checkpoint.to_text(), &name, &signer).unwrap();
    let receipt = Receipt {
        entry,
        index: 0,
        proof: Vec::new(),
        checkpoint,
        signatures: vec![signature],
        head: None,
    };
    let key = VerifierKey::note(name, signer.public_key()).unwrap();
    let trust = Trust::of_logs(&[key]).unwrap();
    (receipt, trust)
}

#[test]
fn a_true_record_is_accepted() {
    let verified = answered(&verification(), |_, _| {}).unwrap();
    assert_eq!(verified.value, Verdict::Match);
}

#[test]
fn a_record_that_tells_the_regulator_something_else_is_refused() {
    let lies: [(Field, &str); 6] = [
        (Field::Grant, "grant_h"),
        (Field::Product, "unit.other"),
        (Field::Purpose, "MARKETING"),
        (Field::Scenario, "SCENARIO-B"),
        (Field::EndUser, "91310000MA1FL0000X"),
        (Field::Environment, "TEST"),
    ];
    for (field, lie) in lies {
        let told = answered(&verification(), |clear, _| {
            *clear = clear.clone().text(field, lie);
        });
        let Err(CallFailed::OtherCall(what)) = told else {
            panic!("{field:?}: {told:?}")
        };
        assert_eq!(what, "what was stated", "{field:?}");
    }
    let told = answered(&verification(), |clear, _| {
        *clear = clear.clone().number(Field::ProductVersion, 2);
    });
    assert!(matches!(told, Err(CallFailed::OtherCall(_))), "{told:?}");
}

#[test]
fn data_is_not_made_younger_on_the_way() {
    let younger = |load: &mut Load| load.as_of = AS_OF.plus(std::time::Duration::from_secs(1));
    let told = answered(&verification(), |_, load| younger(load));
    assert!(
        matches!(told, Err(CallFailed::OtherCall("load"))),
        "{told:?}"
    );
    // A record of older data than was asked for answers another question, however truly it is dated.
    let mut call = verification();
    call.as_of_min = Some(AS_OF.plus(std::time::Duration::from_secs(1)));
    let told = answered(&call, |_, _| {});
    assert!(
        matches!(told, Err(CallFailed::OtherCall("date of the data"))),
        "{told:?}"
    );
}
