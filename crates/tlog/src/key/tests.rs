use proptest::prelude::*;

use super::*;
use crate::oracle::signer;
use crate::suite::Signer;

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

#[test]
fn names_follow_the_rules() {
    let longest = "n".repeat(MAX_NAME_BYTES);
    for good in [
        "a",
        "node.example/2026h2",
        "数源节点",
        "oid/1.2.3",
        "—",
        longest.as_str(),
    ] {
        assert_eq!(KeyName::parse(good).unwrap().to_string(), good);
    }
    assert_eq!(KeyName::parse(""), Err(NameRefused::Empty));
    let too_long = "n".repeat(MAX_NAME_BYTES + 1);
    assert_eq!(KeyName::parse(&too_long), Err(NameRefused::TooLong));
    let bad = [
        "a b",
        "a+b",
        "a\n",
        "a\tb",
        "a\u{a0}b",
        "a\u{2003}b",
        "a\u{3000}b",
        "a\u{85}",
        "a\u{7f}b",
        "\0",
    ];
    for bad in bad {
        assert_eq!(
            KeyName::parse(bad),
            Err(NameRefused::ForbiddenCharacter),
            "{bad:?}"
        );
    }
}

#[test]
fn vkeys_agree_with_another_implementation() {
    let ours: VerifierKey =
        VerifierKey::note(name("example.com/log"), signer(1).public_key()).unwrap();
    let theirs = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
    let vkey = signed_note::new_ed25519_verifier_key("example.com/log", &theirs);
    assert_eq!(ours.to_string(), vkey);
    assert_eq!(VerifierKey::parse(&vkey), Ok(ours));
}

#[test]
fn name_and_kind_change_the_id() {
    let signer = signer(1);
    let key = signer.public_key();
    let note: VerifierKey = VerifierKey::note(name("a"), key).unwrap();
    let cosignature: VerifierKey = VerifierKey::cosignature(name("a"), key).unwrap();
    let renamed: VerifierKey = VerifierKey::note(name("b"), key).unwrap();
    assert_ne!(note.id(), cosignature.id());
    assert_ne!(note.id(), renamed.id());
    assert_eq!(note.public_key(), cosignature.public_key());
    assert_eq!(
        VerifierKey::parse(&cosignature.to_string()),
        Ok(cosignature)
    );
}

#[test]
fn malformed_vkeys_are_refused() {
    let good = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let parse = VerifierKey::<Intl>::parse;
    assert!(parse(good).is_ok());
    let cases = [
        ("", VkeyRefused::Malformed),
        ("PeterNeumann+c74f20a3", VkeyRefused::Malformed),
        ("PeterNeumann+c74f20a3+ARpc2Qc*", VkeyRefused::Malformed),
        ("+c74f20a3+ARpc", VkeyRefused::Name(NameRefused::Empty)),
        (
            "Peter Neumann+c74f20a3+ARpc",
            VkeyRefused::Name(NameRefused::ForbiddenCharacter),
        ),
        ("PeterNeumann+c74f20a3+AA==", VkeyRefused::UnknownType),
        ("PeterNeumann+c74f20a3+", VkeyRefused::UnknownType),
        (
            "PeterNeumann+c74f20a3+AQ==",
            VkeyRefused::Key(KeyRefused::WrongLength {
                expected: 32,
                got: 0,
            }),
        ),
    ];
    for (vkey, refused) in cases {
        assert_eq!(parse(vkey), Err(refused), "{vkey}");
    }
    for id in ["c74f20a4", "C74F20A3", "c74f20a", "0c74f20a3", ""] {
        let vkey = good.replace("c74f20a3", id);
        assert_eq!(parse(&vkey), Err(VkeyRefused::IdMismatch), "{vkey}");
    }
    // No trailing bytes, in either reading of "key".
    assert!(parse(&format!("{good}\n")).is_err());
    assert!(parse(&format!("{good}AAAA")).is_err());
    assert_eq!(
        parse(&"a".repeat(MAX_VKEY_BYTES + 1)),
        Err(VkeyRefused::Malformed)
    );
}

#[test]
fn vkeys_of_forgeable_keys_are_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let id = key_id::<Intl>(&name("evil"), KeyKind::Note, &neutral);
    let typed = [&[1], neutral.as_slice()].concat();
    let vkey = format!("evil+{id:08x}+{}", encoding::base64(&typed));
    let refused = VerifierKey::<Intl>::parse(&vkey);
    assert_eq!(refused, Err(VkeyRefused::Key(KeyRefused::SmallOrder)));
    let refused = VerifierKey::<Intl>::cosignature(name("evil"), &neutral);
    assert_eq!(refused, Err(KeyRefused::SmallOrder));
}

proptest! {
    #[test]
    fn any_text_is_refused_or_round_trips(text in any::<String>()) {
        if let Ok(name) = KeyName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.as_str());
        }
        prop_assert!(VerifierKey::<Intl>::parse(&text).is_err());
    }

    #[test]
    fn a_changed_vkey_is_refused_or_round_trips(
        position in 0..67_usize,
        replacement in prop::char::range(' ', '~'),
    ) {
        let good = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let mut changed: Vec<char> = good.chars().collect();
        let position = position % changed.len();
        changed[position] = replacement;
        let changed: String = changed.into_iter().collect();
        let read = VerifierKey::<Intl>::parse(&changed);
        prop_assert_eq!(read.is_ok(), changed == good);
    }
}
