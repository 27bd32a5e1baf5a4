use proptest::prelude::*;

use super::*;

const ROOT: &str = "hEU7UV2yIeAVJB+Rd41UGpHidHKjy71JIrAjsYBFY1k=";

fn checkpoint() -> Checkpoint {
    let root = Hash::from_base64(ROOT).unwrap();
    Checkpoint {
        origin: "coord.example/cn-31".to_owned(),
        size: 1000,
        root,
    }
}

#[test]
fn a_checkpoint_has_three_lines() {
    let text = format!("coord.example/cn-31\n1000\n{ROOT}\n");
    assert_eq!(checkpoint().to_text(), text);
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint()));
}

#[test]
fn malformed_checkpoints_are_refused() {
    use CheckpointMalformed::{Lines, Origin, Root, Size};
    let long = "o".repeat(MAX_ORIGIN_BYTES + 1);
    let unpadded = ROOT.trim_end_matches('=');
    let cases = [
        (String::new(), Lines),
        ("o\n1\n".to_owned(), Lines),
        (format!("o\n1\n{ROOT}"), Lines),
        (format!("o\n1\n{ROOT}\nextension\n"), Lines),
        (format!("o\n1\n{ROOT}\n\n"), Lines),
        (format!("\n1\n{ROOT}\n"), Origin),
        (format!("o\r\n1\n{ROOT}\n"), Origin),
        (format!("o\u{0}\n1\n{ROOT}\n"), Origin),
        (format!("{long}\n1\n{ROOT}\n"), Origin),
        (format!("o\n\n{ROOT}\n"), Size),
        (format!("o\n01\n{ROOT}\n"), Size),
        (format!("o\n+1\n{ROOT}\n"), Size),
        (format!("o\n-1\n{ROOT}\n"), Size),
        (format!("o\n1 \n{ROOT}\n"), Size),
        (format!("o\n9223372036854775808\n{ROOT}\n"), Size),
        (format!("o\n18446744073709551616\n{ROOT}\n"), Size),
        (format!("o\n1\n{unpadded}\n"), Root),
        (format!("o\n1\n {ROOT}\n"), Root),
        ("o\n1\nAAAA\n".to_owned(), Root),
    ];
    for (text, refused) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(refused), "{text:?}");
    }
    let largest = format!("o\n{MAX_TREE_SIZE}\n{ROOT}\n");
    assert_eq!(Checkpoint::parse(&largest).unwrap().size, MAX_TREE_SIZE);
}

proptest! {
    #[test]
    fn checkpoints_round_trip_and_agree_with_another_implementation(
        origin in "[a-z./ +—]{1,20}",
        size in 0..=MAX_TREE_SIZE,
        root in any::<[u8; 32]>(),
    ) {
        let ours = Checkpoint { origin, size, root: Hash(root) };
        let text = ours.to_text();
        prop_assert_eq!(Checkpoint::parse(&text).unwrap(), ours.clone());
        let hash = tlog_tiles::Hash(root);
        let theirs = tlog_tiles::Checkpoint::new(&ours.origin, size, hash, "").unwrap();
        prop_assert_eq!(theirs.to_bytes(), text.as_bytes());
    }

    #[test]
    fn any_text_is_refused_or_round_trips(
        text in prop_oneof![any::<String>(), "[a\n]{1,3}[0-9\n]{1,3}[A-Za-z0-9+/=\n]{43,46}"],
    ) {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text);
        }
    }

    #[test]
    fn a_changed_checkpoint_is_refused_or_round_trips(
        position in any::<prop::sample::Index>(),
        byte in 0..0x80_u8,
    ) {
        let mut bytes = checkpoint().to_text().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text);
        }
    }
}
