use proptest::prelude::*;

use super::*;
use crate::cosignature::sign_cosignature;
use crate::note::sign_note;
use crate::oracle::{sha256, signer};
use crate::suite::{Hash, Signer};

const ORIGIN: &str = "log.example/h/45";

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn log() -> VerifierKey {
    VerifierKey::note(name(ORIGIN), signer(1).public_key()).unwrap()
}

fn witness_name(number: u8) -> KeyName {
    name(&format!("witness.example/{number}"))
}

fn witness(number: u8) -> VerifierKey {
    VerifierKey::cosignature(witness_name(number), signer(100 + number).public_key()).unwrap()
}

/// The example of the specification with six witnesses.
fn example() -> String {
    format!(
        "# A comment\n\nlog {}\n\twitness X1 {}\nwitness X2 {} https://x2.example/\nwitness X3 {}\n\
        group X-witnesses 2 X1 X2 X3\n  # another\nwitness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\n\
        group Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        log(),
        witness(0),
        witness(1),
        witness(2),
        witness(3),
        witness(4),
        witness(5)
    )
}

fn cosigned_by(numbers: &[u8]) -> String {
    let text = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 5,
        root: Hash([3; 32]),
    }
    .to_text();
    let mut signatures = vec![sign_note::<Intl>(&text, &name(ORIGIN), &signer(1)).unwrap()];
    for number in numbers {
        let key = signer(100 + number);
        let line = sign_cosignature::<Intl>(&text, &witness_name(*number), 1_700_000_000, &key);
        signatures.push(line.unwrap());
    }
    Note { text, signatures }.to_string()
}

#[test]
fn the_example_of_the_specification_asks_for_both_groups() {
    let policy = Policy::<Intl>::parse(&example()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.quorum(), Some("X-and-Y"));
    assert_eq!(
        policy.witnesses()[1].url.as_deref(),
        Some("https://x2.example/")
    );
    for (numbers, accepted) in [
        (&[0, 1, 3][..], true),
        (&[0, 2, 5], true),
        (&[0, 1, 2, 3, 4, 5], true),
        (&[0, 1, 2], false),
        (&[0, 3, 4, 5], false),
        (&[0, 0, 3], false),
        (&[], false),
    ] {
        let checked = policy.check(&cosigned_by(numbers));
        assert_eq!(checked.is_ok(), accepted, "{numbers:?}: {checked:?}");
    }
    let without = policy.without_quorum();
    assert!(without.check(&cosigned_by(&[])).is_ok());
}

#[test]
fn signatures_are_checked_and_counted_once() {
    let policy = Policy::<Intl>::parse(&example()).unwrap();
    let accepted = policy.check(&cosigned_by(&[0, 1, 3])).unwrap();
    assert_eq!(accepted.checkpoint.size, 5);
    assert_eq!(accepted.cosigned.len(), 3);
    // A known witness's wrong signature refuses the whole, though two others would do.
    let good = cosigned_by(&[0, 1, 2, 3]);
    let line = good
        .lines()
        .find(|line| line.contains("witness.example/2"))
        .unwrap();
    let (head, blob) = line.rsplit_once(' ').unwrap();
    let mut blob = encoding::from_base64(blob).unwrap();
    *blob.last_mut().unwrap() ^= 1;
    let bad = good.replace(line, &format!("{head} {}", encoding::base64(&blob)));
    assert!(matches!(policy.check(&bad), Err(NotAccepted::Signature(_))));
    // Nothing that the log did not sign.
    let (text, _) = good.split_once("\n\n").unwrap();
    let stranger = sign_note::<Intl>(&format!("{text}\n"), &name(ORIGIN), &signer(9)).unwrap();
    let by_stranger = format!("{text}\n\n{stranger}\n");
    assert!(matches!(
        policy.check(&by_stranger),
        Err(NotAccepted::Signature(_))
    ));
    let other = good.replace(ORIGIN, "log.example/h/46");
    assert!(matches!(
        policy.check(&other),
        Err(NotAccepted::UnknownLog { .. })
    ));
}

#[test]
fn what_could_weaken_a_policy_is_refused() {
    let good = example();
    for (from, to) in [
        ("quorum X-and-Y\n", ""),
        ("quorum X-and-Y\n", "quorum X-and-Y"),
        ("quorum X-and-Y", "quorum X-and-Y\nquorum none"),
        ("quorum X-and-Y", "quorum X-and-Z"),
        ("quorum X-and-Y", "quorum none none"),
        ("quorum X-and-Y", "quorum X-and-Y # trailing"),
        ("group X-witnesses 2", "group X-witnesses 0"),
        ("group X-witnesses 2", "group X-witnesses 4"),
        ("group X-witnesses 2", "group X-witnesses 02"),
        ("group X-witnesses 2", "group X-witnesses most"),
        ("group X-witnesses 2", "group X1 2"),
        ("group X-witnesses 2", "group none 2"),
        (
            "group X-witnesses 2 X1 X2 X3",
            "group X-witnesses 2 X1 X1 X3",
        ),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses 1 none"),
        ("group X-witnesses 2 X1 X2 X3", "group X-witnesses all"),
        (
            "group Y-witnesses any Y1 Y2 Y3",
            "group Y-witnesses any X1 Y2 Y3",
        ),
        (
            "group Y-witnesses any Y1",
            "group Y-witnesses any Y-witnesses Y1",
        ),
        ("witness X2", "witness X1"),
        ("witness X2", "witness none"),
        ("witness X2", "witnesses X2"),
        ("log ", "logs "),
        ("log ", "witness L "),
        ("# A comment", "A comment"),
        ("# A comment\n", "# A comment\r\n"),
        ("# A comment", "# A\u{0} comment"),
        ("quorum X-and-Y", "quorum\u{a0}X-and-Y"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(Policy::<Intl>::parse(&bad).is_err(), "{to}");
    }
    let again = good.replace("quorum ", &format!("log {}\nquorum ", log()));
    assert!(Policy::<Intl>::parse(&again).is_err());
    let same_key =
        VerifierKey::<Intl>::cosignature(name("other.example"), signer(100).public_key()).unwrap();
    let twice = good.replace("quorum ", &format!("witness X9 {same_key}\nquorum "));
    assert!(Policy::<Intl>::parse(&twice).is_err());
}

#[test]
fn limits_are_those_that_the_specification_asks_for_at_least() {
    let logs: String = (0..32_u8)
        .map(|number| {
            let name = name(&format!("log.example/{number}"));
            format!(
                "log {}\n",
                VerifierKey::<Intl>::note(name, signer(1).public_key()).unwrap()
            )
        })
        .collect();
    let witnesses: String = (0..32_u8)
        .map(|number| {
            format!(
                "witness w{number} {}\ngroup g{number} all w{number}\n",
                witness(number)
            )
        })
        .collect();
    let policy = Policy::<Intl>::parse(&format!("{logs}{witnesses}quorum none\n")).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (32, 32));
    assert!(!policy.has_quorum());
    let large = "#".repeat(MAX_POLICY_BYTES);
    assert!(Policy::<Intl>::parse(&format!("{large}\nquorum none\n")).is_err());
}

/// Random groups over witnesses, each name used once, in the syntax that both parsers read.
fn groups() -> impl Strategy<Value = String> {
    let group = (1_usize..=3, 1_usize..=3);
    proptest::collection::vec(group, 0..6).prop_map(|groups| {
        let mut free: Vec<String> = (0..6).map(|number| format!("w{number}")).collect();
        let mut text = String::new();
        for (number, (members, at_least)) in groups.into_iter().enumerate() {
            let count = members.min(free.len());
            let members: Vec<String> = free.drain(..count).collect();
            let at_least = at_least.min(count);
            text += &format!("group g{number} {at_least} {}\n", members.join(" "));
            free.push(format!("g{number}"));
        }
        let last = free.pop().expect("a group leaves at least its own name");
        format!("{text}quorum {last}\n")
    })
}

proptest! {
    #[test]
    fn quorums_are_judged_as_by_the_independent_crate(groups in groups(), mask in 0_u8..64) {
        let ours: String = (0..6).map(|n| format!("witness w{n} {}\n", witness(n))).collect();
        let ours = Policy::<Intl>::parse(&format!("{ours}{groups}")).unwrap();
        let key = |n: u8| signer(100 + n).public_key().to_vec();
        let theirs: String =
            (0..6).map(|n| format!("witness w{n} {}\n", hex::encode(key(n)))).collect();
        let theirs = sigsum::Policy::parse(&format!("{theirs}{groups}")).unwrap();
        let cosigned: Vec<u8> = (0..6).filter(|n| mask >> n & 1 == 1).collect();
        let hashes: Vec<sigsum::Hash> =
            cosigned.iter().map(|n| sha256(&[&key(*n)]).0.into()).collect();
        let met = ours.is_met_by(|place| cosigned.contains(&(place as u8)));
        prop_assert_eq!(met, theirs.check_quorum(&hashes));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        prop_assert!(Policy::<Intl>::parse(&text).is_err());
    }
}
