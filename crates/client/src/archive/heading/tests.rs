use lingqu_core::receipt::Level;

use super::super::tests::{HEADS, STREAM, archive, records, trusts, write};
use super::*;

/// what an archive proves of a head log and its witnesses, a receipt out of it proves too.
#[test]
fn a_receipt_out_of_an_archive_has_the_head_s_proof() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), &[1, 300, 7, 520]);
    let stream = LogFiles::open(&dir.path().join(STREAM)).unwrap();
    let beside = head_log_beside(&dir.path().join(STREAM), &stream);
    assert_eq!(beside, Some(dir.path().canonicalize().unwrap().join(HEADS)));
    let headed = Headed::newest(&beside.unwrap(), &stream).unwrap().unwrap();
    assert_eq!((headed.index, headed.head.checkpoint.size), (3, 520));
    let trusts = trusts();
    for index in [0, 255, 256, 519] {
        let receipt = receipt_of(&stream, Some(&headed), index).unwrap();
        assert_eq!(receipt.checkpoint.size, 520);
        let proven = receipt.verify_witnessed(&trusts[0], &trusts[1]).unwrap();
        assert_eq!(proven.level, Level::Witnessed);
        assert_eq!(proven.record.index, index);
        // As text it reads back.
        assert_eq!(Receipt::from_text(&receipt.to_text()), Ok(receipt));
    }
    // Beyond the head there is what the stream's own checkpoint proves.
    let receipt = receipt_of(&stream, Some(&headed), 520).unwrap();
    let proven = receipt.verify(&trusts[0]).unwrap();
    assert_eq!((proven.level, receipt.head), (Level::Mirrored, None));
    assert!(receipt_of(&stream, Some(&headed), 600).is_err());
}

#[test]
fn a_head_of_another_stream_or_beyond_the_archive_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), &[300, 520]);
    let heads = dir.path().join(HEADS);
    // An older copy of the stream: the newest head that it reaches.
    let older = records(400);
    let note = super::super::tests::stream_note(&older);
    let short = dir.path().join("short");
    write(&short, STREAM, &older, &note).unwrap();
    let stream = LogFiles::open(&short.join(STREAM)).unwrap();
    let headed = Headed::newest(&heads, &stream).unwrap().unwrap();
    assert_eq!(headed.head.checkpoint.size, 300);
    // There is none beside it, and a directory with another name is not taken for the archive's.
    assert_eq!(head_log_beside(&short.join(STREAM), &stream), None);
    let renamed = dir.path().join("c.example/s/tb-01/4591/2026");
    std::fs::rename(dir.path().join(STREAM), &renamed).unwrap();
    let stream = LogFiles::open(&renamed).unwrap();
    assert_eq!(head_log_beside(&renamed, &stream), None);
    // A log that is not the head log of its region says nothing of it.
    assert!(
        Headed::newest(&short.join(STREAM), &stream)
            .unwrap()
            .is_none()
    );
}
