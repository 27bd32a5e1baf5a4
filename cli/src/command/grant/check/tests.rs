use std::fs;
use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_core::grant::Filing;
use lingqu_proto::{open, seal};
use lingqu_tlog::{Ed25519Signer, Intl, Signer, VerifierKey};

use super::*;
use crate::language::Language;

fn key(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

const UNIT: u8 = 1;
const AGENCY: u8 = 2;
const LICENSEE: u8 = 3;
const COORDINATOR: u8 = 4;

fn node_toml() -> String {
    let hex = |seed| hex::encode(key(seed).public_key());
    let mirror =
        VerifierKey::<Intl>::cosignature("m.example/m".parse().unwrap(), key(5).public_key());
    format!(
        r#"
id = "node_gx.lanxi-tb-01"
unit = "party_gx.lanxi-transport"
region = "4591"
data_dir = "state"
tls = {{ cert_chain = "c", key = "k", authorities = [] }}
keys = {{ log = "log.key" }}
[trust]
unit_key = "{}"
coordinator_key = "{}"
mirror_key = "{}"
[[trust.agency]]
id = "party_gx.guiyun"
key = "{}"
[coordinator]
url = "https://coordinator.example:7600"
id = "coord_gx"
"#,
        hex(UNIT),
        hex(COORDINATOR),
        mirror.unwrap(),
        hex(AGENCY),
    )
}

/// A grant signed by these keys, and its filing signed by another one.
fn write(dir: &Path, signers: &[u8], filed_by: Option<u8>) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/grant.toml");
    let text = fs::read_to_string(sample)
        .unwrap()
        .replace("@product.env", &"ab".repeat(32));
    let mut grant: Grant = open(&document::author::<Grant>(&text, dir).unwrap()).unwrap();
    grant.licensee_key = key(LICENSEE).public_key().to_vec();
    let mut envelope = seal(&grant);
    for signer in signers {
        envelope.sign("party_gx.somebody", &key(*signer));
    }
    let file = dir.join("grant.env");
    envelope_file::replace(&file, &envelope).unwrap();
    let _ = fs::remove_file(envelope_file::filing_of(&file));
    if let Some(seed) = filed_by {
        let mut filing = seal(&Filing {
            coordinator: "coord_gx".parse().unwrap(),
            object_type: envelope.payload_type.clone(),
            object_digest: envelope.digest(),
            number: "2026-000001".to_owned(),
            filed: Timestamp(1),
        });
        filing.sign("coord_gx", &key(seed));
        envelope_file::replace(&envelope_file::filing_of(&file), &filing).unwrap();
    }
}

fn check(dir: &Path) -> (Option<Failure>, serde_json::Value) {
    let check = Check {
        file: dir.join("grant.env"),
        node: dir.join("node.toml"),
        filing: None,
        json: true,
    };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let ended = check.run(&mut Session::new(&mut out, &mut notes, Language::En));
    (ended.err(), serde_json::from_slice(&out).unwrap())
}

#[test]
fn each_missing_signature_is_named_with_the_nodes_code() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("node.toml"), node_toml()).unwrap();
    let stranger = 9;
    for (signers, filed_by, wrong, code) in [
        (vec![UNIT, AGENCY, LICENSEE], Some(COORDINATOR), None, None),
        (
            vec![AGENCY, LICENSEE, stranger],
            Some(COORDINATOR),
            Some("unit"),
            Some("GRANT_UNSIGNED_BY_UNIT"),
        ),
        (
            vec![UNIT, LICENSEE],
            Some(COORDINATOR),
            Some("agency"),
            Some("GRANT_UNSIGNED_BY_AGENCY"),
        ),
        (
            vec![UNIT, AGENCY],
            Some(COORDINATOR),
            Some("licensee"),
            Some("GRANT_UNSIGNED_BY_LICENSEE"),
        ),
        (
            vec![UNIT, AGENCY, LICENSEE],
            None,
            Some("filing"),
            Some("GRANT_NOT_FILED"),
        ),
        (
            vec![UNIT, AGENCY, LICENSEE],
            Some(stranger),
            Some("filing"),
            Some("GRANT_NOT_FILED"),
        ),
    ] {
        write(dir.path(), &signers, filed_by);
        let (failure, json) = check(dir.path());
        assert_eq!(json["code"].as_str(), code, "{json}");
        assert_eq!(failure.map(|failure| failure.exit_code()), code.map(|_| 1));
        for who in ["unit", "agency", "licensee", "filing"] {
            let word = if wrong == Some(who) {
                "missing"
            } else {
                "valid"
            };
            assert_eq!(json["signatures"][who], word, "{json}");
        }
    }
}

#[test]
fn an_altered_grant_is_called_altered() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("node.toml"), node_toml()).unwrap();
    write(dir.path(), &[UNIT, AGENCY, LICENSEE], Some(COORDINATOR));
    let file = dir.path().join("grant.env");
    let mut envelope = envelope_file::read(&file).unwrap();
    let mut grant: Grant = open(&envelope).unwrap();
    grant.quotas[0].calls_per_day += 1;
    envelope.payload = seal(&grant).payload;
    envelope_file::replace(&file, &envelope).unwrap();
    let (_, json) = check(dir.path());
    assert_eq!(json["code"], "GRANT_ALTERED");
    assert_eq!(json["signatures"]["unit"], "altered");
}
