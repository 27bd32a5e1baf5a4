use super::*;

fn facts() -> Vec<Fact> {
    let region: Region = "4501".parse().unwrap();
    vec![
        Fact::Batch(StoredBatch {
            origin: "coord.example/s/a/4501/2026h2".to_owned(),
            first: 7,
            time: Timestamp(1_795_132_800_000_001),
            entries: vec![b"one".to_vec(), Vec::new(), vec![0; 300]],
            checkpoint: "a note\n".to_owned(),
        }),
        Fact::Head(StoredHead {
            region: region.clone(),
            index: 3,
            leaf: b"leaf".to_vec(),
        }),
        Fact::HeadLog(StoredHeadLog {
            region,
            checkpoint: "another\n".to_owned(),
        }),
    ]
}

#[test]
fn facts_read_back() {
    let mut frame = Vec::new();
    encode(&facts(), &mut frame);
    assert_eq!(decode(&frame), Ok(facts()));
}

/// Nothing that is cut short or altered in a length may panic, take memory without measure, or read as the same.
#[test]
fn damaged_frames_are_refused_or_read_as_something_else() {
    let mut frame = Vec::new();
    encode(&facts(), &mut frame);
    for end in 0..frame.len() {
        assert_ne!(decode(&frame[..end]), Ok(facts()), "{end}");
    }
    for at in 0..frame.len() {
        let mut altered = frame.clone();
        altered[at] ^= 0xff;
        assert_ne!(decode(&altered), Ok(facts()), "{at}");
    }
    assert_eq!(decode(b"LQM1\x09"), Err(FrameMalformed));
    assert_eq!(decode(b""), Err(FrameMalformed));
}
