use ed25519_dalek::{Signer as _, Verifier as _};
use proptest::prelude::*;

use super::*;
use crate::oracle::{sha256, signer};

/// The encodings of small order, under both sign bits.
fn small_order_keys() -> Vec<[u8; 32]> {
    let y = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    y.iter()
        .flat_map(|y| {
            let key: [u8; 32] = hex::decode(y).unwrap().try_into().unwrap();
            let mut negative = key;
            negative[31] |= 0x80;
            [key, negative]
        })
        .collect()
}

/// The signature "R = neutral element, S = 0", which no private key was needed for.
fn universal_signature() -> [u8; 64] {
    let mut signature = [0; 64];
    signature[0] = 1;
    signature
}

fn messages() -> impl Iterator<Item = String> {
    (0..64).map(|number| format!("message {number}"))
}

#[test]
fn one_signature_under_a_small_order_key_verifies_for_many_messages() {
    // This is the attack that admission prevents: without it these keys are usable, as the
    // verifier alone does not refuse them.
    let forgeable = small_order_keys()
        .into_iter()
        .filter(|key| {
            let accepted =
                messages().filter(|m| Intl::verify(key, m.as_bytes(), &universal_signature()));
            accepted.count() >= 2
        })
        .count();
    assert!(forgeable >= 8, "only {forgeable} keys show the attack");
    let neutral = small_order_keys()[2];
    assert!(messages().all(|m| Intl::verify(&neutral, m.as_bytes(), &universal_signature())));
}

#[test]
fn small_order_keys_are_refused() {
    for key in small_order_keys() {
        assert_eq!(
            Intl::admit(&key),
            Err(KeyRefused::SmallOrder),
            "{}",
            hex::encode(key)
        );
        if let Ok(point) = ed25519_dalek::VerifyingKey::from_bytes(&key) {
            assert!(
                point.is_weak(),
                "{} is not of small order",
                hex::encode(key)
            );
        }
    }
}

#[test]
fn non_canonical_keys_are_refused_though_the_verifier_accepts_them() {
    let mut forgeable = 0;
    for low in 0xed..=0xff {
        for top in [0x7f, 0xff] {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (low, top);
            assert_eq!(
                Intl::admit(&key),
                Err(KeyRefused::NonCanonical),
                "{}",
                hex::encode(key)
            );
            forgeable += usize::from(
                messages().any(|m| Intl::verify(&key, m.as_bytes(), &universal_signature())),
            );
        }
    }
    // p and p + 1 are other spellings of 0 and 1.
    assert!(forgeable >= 2, "only {forgeable} keys show the attack");
}

#[test]
fn wrong_lengths_are_refused() {
    for got in [0, 31, 33, 64] {
        let refused = Intl::admit(&vec![5; got]);
        assert_eq!(refused, Err(KeyRefused::WrongLength { expected: 32, got }));
        assert!(!Intl::verify(&vec![5; got], b"message", &[0; 64]));
    }
}

/// Whether an independent implementation finds the key a canonical point of large order; `None`
/// where the bytes are no point at all.
fn admitted_by_dalek(key: &[u8; 32]) -> Option<bool> {
    let point = ed25519_dalek::VerifyingKey::from_bytes(key).ok()?;
    let is_canonical = point.to_edwards().compress().to_bytes() == *key;
    Some(is_canonical && !point.is_weak())
}

#[test]
fn admission_at_the_edges_agrees_with_dalek() {
    let mut compared = 0;
    for middle in [0x00, 0xff] {
        for low in 0..=0xff {
            for top in [0x00, 0x05, 0x7a, 0x7f, 0x80, 0x85, 0xfa, 0xff] {
                let mut key = [middle; 32];
                (key[0], key[31]) = (low, top);
                if let Some(expected) = admitted_by_dalek(&key) {
                    assert_eq!(Intl::admit(&key).is_ok(), expected, "{}", hex::encode(key));
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000);
}

#[test]
fn a_signer_of_a_seed_is_the_one_of_rfc_8032() {
    // RFC 8032 §7.1, test 1.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let signer = Ed25519Signer::from_seed(hex::decode(seed).unwrap().try_into().unwrap());
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(hex::encode(signer.public_key()), key);
    let signature = hex::encode(signer.sign(b""));
    assert!(
        signature.starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    );
}

#[test]
fn pkcs8_keys_are_read_and_written() {
    let der = Ed25519Signer::generate_pkcs8();
    assert_ne!(der, Ed25519Signer::generate_pkcs8());
    let made = Ed25519Signer::from_pkcs8(&der).unwrap();
    let signature = made.sign(b"message");
    assert!(Intl::verify(made.public_key(), b"message", &signature));

    // Version 1, as OpenSSL writes it: a fixed header, then the seed.
    let header = hex::decode("302e020100300506032b657004220420").unwrap();
    let seed = [7; 32];
    let read = Ed25519Signer::from_pkcs8(&[header.as_slice(), &seed].concat()).unwrap();
    assert_eq!(
        read.public_key(),
        Ed25519Signer::from_seed(seed).public_key()
    );

    // Version 2 whose public key is another's.
    let mut wrong = der.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(
        Ed25519Signer::from_pkcs8(&wrong).unwrap_err(),
        SignerRefused
    );
    for length in 0..der.len() {
        assert!(Ed25519Signer::from_pkcs8(&der[..length]).is_err());
    }
}

#[test]
fn a_signer_shows_its_public_key_only() {
    let seed = [0xab; 32];
    let signer = Ed25519Signer::from_seed(seed);
    let shown = format!("{signer:?}");
    assert!(shown.contains(&hex::encode(signer.public_key())));
    assert!(!shown.contains(&hex::encode(&seed[..4])));
}

#[test]
fn a_hash_is_shown_in_hexadecimal_and_written_in_base64() {
    let hash = sha256(&[b""]);
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hash.to_string(), hex);
    assert_eq!(format!("{hash:?}"), hex);
    let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(hash.to_base64(), base64);
    assert_eq!(Hash::from_base64(base64), Ok(hash));
    let malformed = [
        "",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA",
    ];
    for text in malformed {
        assert_eq!(Hash::from_base64(text), Err(HashMalformed), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn admission_agrees_with_dalek(key in any::<[u8; 32]>()) {
        if let Some(expected) = admitted_by_dalek(&key) {
            prop_assert_eq!(Intl::admit(&key).is_ok(), expected);
        }
    }

    #[test]
    fn keys_of_signers_are_admitted_and_dalek_verifies_what_they_sign(
        seed in any::<[u8; 32]>(),
        message in any::<Vec<u8>>(),
    ) {
        let ours = Ed25519Signer::from_seed(seed);
        let theirs = ed25519_dalek::SigningKey::from_bytes(&seed);
        prop_assert_eq!(Intl::admit(ours.public_key()), Ok(()));
        prop_assert_eq!(ours.public_key(), theirs.verifying_key().to_bytes());
        let by_us = ours.sign(&message);
        prop_assert_eq!(by_us.len(), Intl::SIGNATURE_LEN);
        let parsed = ed25519_dalek::Signature::from_slice(&by_us).unwrap();
        prop_assert!(theirs.verifying_key().verify(&message, &parsed).is_ok());
        let by_them = theirs.sign(&message).to_bytes();
        prop_assert!(Intl::verify(ours.public_key(), &message, &by_them));
        let mut other = message.clone();
        other.push(0);
        prop_assert!(!Intl::verify(ours.public_key(), &other, &by_them));
    }

    #[test]
    fn a_digest_is_of_the_concatenation(parts in any::<Vec<Vec<u8>>>()) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Intl::digest(&parts), sha256(&[&parts.concat()]));
    }

    #[test]
    fn verification_takes_any_bytes(
        key in any::<Vec<u8>>(),
        message in any::<Vec<u8>>(),
        signature in any::<Vec<u8>>(),
    ) {
        prop_assert!(!Intl::verify(&key, &message, &signature));
        prop_assert!(!Intl::verify(signer(1).public_key(), &message, &signature));
    }
}
