use super::*;

const LOG: LogId = LogId([0xab; 16]);

fn framed(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write(&mut frame, LOG, sequence, payload);
    frame
}

#[test]
fn a_frame_reads_back_whatever_its_length() {
    for len in [0, 1, 4_059, 4_060, 4_061, 8_156, 8_157, 100_000] {
        let bytes = vec![7; len];
        let frame = framed(3, &bytes);
        assert_eq!(frame.len(), frame_len(len));
        assert!(frame.len().is_multiple_of(BLOCK));
        let head = read_head(frame.first_chunk().unwrap(), LOG).unwrap();
        assert_eq!(
            head,
            Head {
                payload_len: len,
                sequence: 3
            }
        );
        assert_eq!(payload(&frame, len), Some(bytes.as_slice()));
    }
}

#[test]
fn any_flipped_bit_is_found() {
    let bytes = [0x5a; 40];
    let whole = framed(1, &bytes);
    for bit in 0..(HEAD_LEN + bytes.len() + CRC_LEN) * 8 {
        let mut frame = whole.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(payload(&frame, bytes.len()), None, "bit {bit}");
    }
}

#[test]
fn another_logs_frame_is_not_read() {
    let frame = framed(1, b"x");
    assert_eq!(
        read_head(frame.first_chunk().unwrap(), LogId([1; 16])),
        None
    );
}

#[test]
fn what_a_torn_write_leaves_of_a_head_is_known_from_damage() {
    let frame = framed(0x0102_0304_0506_0708, &[9; 300]);
    let whole: [u8; HEAD_LEN] = *frame.first_chunk().unwrap();
    for cut in 0..=HEAD_LEN {
        let mut head = whole;
        head[cut..].fill(0);
        assert!(
            is_torn_head(&head, LOG, 0x0102_0304_0506_0708),
            "cut at {cut}"
        );
    }
    for at in (0..4).chain(8..HEAD_LEN) {
        let mut head = whole;
        head[at] ^= 0x40;
        assert!(
            !is_torn_head(&head, LOG, 0x0102_0304_0506_0708),
            "byte {at}"
        );
    }
    assert!(!is_torn_head(&whole, LOG, 9), "another number");
}

#[test]
fn a_segments_head_names_its_log() {
    let head = segment_head(LOG, 2, 65_536, false);
    assert_eq!(
        (head.len(), segment_log(&head)),
        (BLOCK, Some((LOG, false)))
    );
    let sealed = segment_head(LOG, 2, 65_536, true);
    assert_eq!(segment_log(&sealed), Some((LOG, true)));
    for at in 0..SEGMENT_HEAD_LEN {
        let mut damaged = head.clone();
        damaged[at] ^= 1;
        assert_eq!(segment_log(&damaged), None, "byte {at}");
    }
}
