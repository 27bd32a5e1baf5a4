//! Project Wycheproof's Ed25519 vectors: signatures that implementations got wrong.

use serde::Deserialize;

use crate::suite::{Intl, Suite};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    comment: String,
    key: String,
    msg: String,
    sig: String,
    valid: bool,
}

#[test]
fn every_signature_is_judged_as_it_must() {
    let text = include_str!("../testdata/wycheproof-ed25519.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.cases.len(), 151);
    for case in vectors.cases {
        let [key, msg, sig] =
            [&case.key, &case.msg, &case.sig].map(|hex| hex::decode(hex).unwrap());
        let judged = Intl::admit(&key).is_ok() && Intl::verify(&key, &msg, &sig);
        assert_eq!(judged, case.valid, "case {}: {}", case.id, case.comment);
    }
}
