use lingqu_tlog::{Ed25519Signer, Intl, KeyName, sign_note};

use super::*;

fn note() -> Note {
    let text = "coord.example/s/a/4501/2026h2\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let name = KeyName::parse("coord.example/s/a/4501/2026h2").unwrap();
    let signer = Ed25519Signer::from_seed([1; 32]);
    Note {
        text: text.to_owned(),
        signatures: vec![sign_note::<Intl>(text, &name, &signer).unwrap()],
    }
}

#[test]
fn a_stream_has_one_head_log() {
    for (stream, log) in [
        (
            "coord.example/s/a/4501/2026h2",
            Some("coord.example/h/4501"),
        ),
        ("x/s/y/s/a/45/2026h2", Some("x/s/y/h/45")),
        ("coord.example/c/gx/45/2026h2", None),
        ("coord.example/s/a/4501", None),
        ("coord.example/s/a/4501/2026h2/x", None),
        ("coord.example/h/4501", None),
        ("", None),
    ] {
        assert_eq!(head_log_of(stream).as_deref(), log, "{stream}");
    }
}

#[test]
fn a_leaf_reads_back_and_has_one_spelling() {
    let leaf = Head::encode(Timestamp(17), &note());
    assert!(leaf.starts_with(b"lingqu/head/v1\n17\ncoord.example/s/a/"));
    let read = Head::decode(&leaf).unwrap();
    assert_eq!((read.received, read.checkpoint.size), (Timestamp(17), 1));
    assert_eq!(read.note, note());
    let text = String::from_utf8(leaf).unwrap();
    for altered in [
        text.replace("\n17\n", "\n017\n"),
        text.replace("\n17\n", "\n+17\n"),
        text.replace("\n17\n", "\n-\n"),
        text.replace("v1", "v2"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replacen("\n1\n", "\n01\n", 1),
        String::new(),
    ] {
        assert_eq!(Head::decode(altered.as_bytes()), None, "{altered}");
    }
}
