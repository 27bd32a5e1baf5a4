use lingqu_tlog::{Ed25519Signer, Signer};

use super::*;

fn entry(origin: &str, seed: u8, unit_seed: u8) -> MirroredConfig {
    let key = |seed| Ed25519Signer::from_seed([seed; 32]).public_key().to_vec();
    let stream = VerifierKey::<Intl>::note(origin.parse().unwrap(), &key(seed)).unwrap();
    let text = format!(
        "node = \"node_gx.dev1\"\nstream = \"{stream}\"\nregion = \"4501\"\n\
         unit = \"party_gx.hrss\"\nunit_key = \"{}\"\n",
        hex::encode(key(unit_seed))
    );
    toml::from_str(&text).unwrap()
}

const STREAM: &str = "a.example/s/node_gx.dev1/4501/2026h2";

#[test]
fn a_stream_of_another_coordinators_node_is_known_with_its_unit() {
    let stream = entry(STREAM, 1, 2).stream().unwrap();
    assert_eq!(
        (stream.origin.as_str(), stream.owner.as_str()),
        (STREAM, "node_gx.dev1")
    );
    assert!(stream.is_anothers);
    assert_eq!(stream.unit.unwrap().id.as_str(), "party_gx.hrss");
    assert!(check(&[entry(STREAM, 1, 2)], "b.example").is_ok());
}

#[test]
fn what_could_not_be_told_apart_is_refused() {
    let twice = [entry(STREAM, 1, 2), entry(STREAM, 3, 2)];
    assert!(matches!(
        check(&twice, "b.example"),
        Err(ConfigError::Mirrored(_))
    ));
    // A stream under this coordinator's own names, and a unit whose approval key signs its own log.
    assert!(check(&[entry(STREAM, 1, 2)], "a.example").is_err());
    assert!(check(&[entry(STREAM, 1, 1)], "b.example").is_err());
    let elsewhere = entry(&STREAM.replace("4501", "4502"), 1, 2);
    assert!(check(&[elsewhere], "b.example").is_err());
}

#[test]
fn keys_to_which_everybody_has_the_private_half_are_refused() {
    let text = "node = \"node_gx.dev1\"\nstream = \"a+00000000+AQ==\"\nregion = \"45\"\n\
                unit = \"party_gx.hrss\"\nunit_key = \"00\"\n";
    assert!(toml::from_str::<MirroredConfig>(text).is_err());
}
