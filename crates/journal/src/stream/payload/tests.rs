use super::*;

fn payload<'a>(entries: Vec<&'a [u8]>) -> Payload<'a> {
    Payload {
        stream: StreamId([1; 16]),
        first: 5,
        root: Hash([2; 32]),
        signature: &[3; 64],
        entries,
    }
}

#[test]
fn a_payload_reads_back_and_no_part_of_it_does() {
    let longest = vec![7; usize::from(u16::MAX)];
    let written = payload(vec![b"one", b"", &longest]);
    let mut bytes = Vec::new();
    written.write(&mut bytes);
    assert_eq!(
        Payload::read(&bytes),
        Some(payload(vec![b"one", b"", &longest]))
    );
    assert_eq!(written.end(), 8);

    let mut small = Vec::new();
    payload(vec![b"one"]).write(&mut small);
    for len in 0..small.len() {
        assert_eq!(Payload::read(&small[..len]), None, "{len} bytes");
    }
    small.push(0);
    assert_eq!(Payload::read(&small), None, "a byte too many");
}

#[test]
fn a_count_that_lies_is_refused() {
    let mut bytes = Vec::new();
    payload(vec![b"one"]).write(&mut bytes);
    bytes[24..28].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(Payload::read(&bytes), None);
    let mut bytes = Vec::new();
    let mut at_the_end = payload(vec![b"one"]);
    at_the_end.first = u64::MAX;
    at_the_end.write(&mut bytes);
    assert_eq!(Payload::read(&bytes), None);
}

#[test]
fn writing_entry_by_entry_gives_the_same_bytes() {
    let mut whole = Vec::new();
    payload(vec![b"one", b"", b"three"]).write(&mut whole);
    let mut bytes = Vec::new();
    let mut writer = PayloadWriter::new(&mut bytes, StreamId([1; 16]), 5, 64);
    for entry in [b"one".as_slice(), b"", b"three"] {
        writer.push(entry);
    }
    writer.finish(Hash([2; 32]), &[3; 64]);
    assert_eq!(bytes, whole);
    PayloadWriter::new(&mut Vec::new(), StreamId([1; 16]), 5, 64).abandon();
}
