use std::time::Duration;

use lingqu_tlog::{Note, NoteSignature, verify_cosignature};

use super::super::testbed::{Bed, START, Writer, mirror_key, replicate, say};
use super::*;

fn conflict(answers: &[Answer]) -> Option<Conflict> {
    match answers.last() {
        Some(Answer::Conflict { kind, .. }) => Some(*kind),
        _ => None,
    }
}

fn cosignatures(answers: &[Answer]) -> Vec<(u64, NoteSignature)> {
    let cosigned = answers.iter().filter_map(|answer| match answer {
        Answer::Cosigned { size, cosignature } => Some((*size, cosignature.clone())),
        _ => None,
    });
    cosigned.collect()
}

#[tokio::test]
async fn a_stream_is_taken_and_every_batch_cosigned_in_order() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(5);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let said = vec![
        writer.open(),
        writer.batch(0, 2),
        writer.batch(2, 3),
        writer.batch(3, 5),
    ];
    let answers = say(&mirror, "node_a", said).await;
    assert_eq!(
        answers[0],
        Answer::Resume {
            size: 0,
            checkpoint: String::new(),
            window: 3
        }
    );
    let cosigned = cosignatures(&answers);
    assert_eq!(
        cosigned.iter().map(|(size, _)| *size).collect::<Vec<_>>(),
        [2, 3, 5]
    );
    for (size, cosignature) in &cosigned {
        let text = Note::parse(writer.checkpoint(*size)).unwrap().text;
        let time = verify_cosignature(&text, &mirror_key(), cosignature).unwrap();
        assert_eq!(i64::try_from(time).unwrap(), START / 1_000_000);
    }
    // Resuming shows what is held, with both signatures.
    let answers = say(&mirror, "node_a", vec![writer.open()]).await;
    let Answer::Resume {
        size: 5,
        checkpoint,
        ..
    } = &answers[0]
    else {
        panic!("{answers:?}")
    };
    let keys = [writer.stream().log_key, mirror_key()];
    assert_eq!(
        Note::parse(checkpoint)
            .unwrap()
            .verify(&keys)
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_gap_is_behind_and_changes_nothing() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(5);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let answers = say(
        &mirror,
        "node_a",
        vec![writer.open(), writer.batch(0, 2), writer.batch(3, 5)],
    )
    .await;
    assert_eq!(cosignatures(&answers).len(), 1);
    assert_eq!(conflict(&answers), Some(Conflict::Behind));
    assert_eq!(mirror.size(&writer.origin()), 2);
}

#[tokio::test]
async fn what_is_repeated_is_cosigned_again_and_what_differs_is_a_fork() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(6);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    replicate(&mirror, &writer, 2).await;
    let again = say(&mirror, "node_a", vec![writer.open(), writer.batch(2, 4)]).await;
    assert_eq!(cosignatures(&again)[0].0, 6);
    // Identical entries whose end the mirror never saw a checkpoint of: the node resumes.
    let uneven = say(&mirror, "node_a", vec![writer.open(), writer.batch(1, 3)]).await;
    assert_eq!(conflict(&uneven), Some(Conflict::Behind));
    // A batch that reaches beyond what is held.
    writer.write(2);
    let beyond = say(&mirror, "node_a", vec![writer.open(), writer.batch(4, 8)]).await;
    assert_eq!(conflict(&beyond), Some(Conflict::Behind));
    // Another branch, well signed by the node's own key.
    let mut fork = Writer::new("a", "4501", 1);
    fork.write(2);
    fork.entries.push(fork.record(700));
    fork.entries.push(fork.record(701));
    for range in [(2, 4), (3, 4), (0, 4)] {
        let open = Said::Open {
            origin: writer.origin(),
            checkpoint: String::new(),
            heads: None,
        };
        let forked = say(&mirror, "node_a", vec![open, fork.batch(range.0, range.1)]).await;
        assert_eq!(conflict(&forked), Some(Conflict::Fork), "{range:?}");
    }
    // Its checkpoint alone is enough when the mirror has one of that size.
    let opened = say(&mirror, "node_a", vec![fork.open()]).await;
    let Some(Answer::Conflict {
        kind: Conflict::Fork,
        size: 6,
        checkpoint,
    }) = opened.last()
    else {
        panic!("{opened:?}")
    };
    assert!(
        Note::parse(checkpoint)
            .unwrap()
            .verify(&[mirror_key()])
            .is_ok(),
        "the evidence"
    );
    assert_eq!(mirror.size(&writer.origin()), 6);
}

#[tokio::test]
async fn a_batch_that_is_not_right_in_itself_is_refused() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(4);
    let mut other = Writer::new("b", "4501", 2);
    other.write(4);
    let bed = Bed::new(&[&writer, &other]);
    let mirror = bed.open();
    let batch = |first: u64, entries: Vec<Vec<u8>>, checkpoint: String| Said::Batch {
        first,
        entries,
        checkpoint,
    };
    let entries = writer.entries.clone();
    let mut later = writer.entries.clone();
    later.swap(0, 1);
    let stranger = Writer {
        signer: lingqu_tlog::Ed25519Signer::from_seed([9; 32]),
        ..Writer::new("a", "4501", 1)
    };
    let foreign_origin =
        writer.sign(&writer.checkpoint_of("coord.example/s/x/45/2026h2", &entries));
    let wrong_root = writer.sign(&writer.checkpoint_of(&writer.origin(), &later));
    let mut back = Writer::new("a", "4501", 1);
    back.entries.push(back.record(50));
    back.entries.push(back.record(50));
    let junk = vec![b"CAL1 but not a record".to_vec()];
    let of = |entries: &[Vec<u8>]| writer.sign(&writer.checkpoint_of(&writer.origin(), entries));
    let unsigned = writer.checkpoint(4).replace(
        &writer.checkpoint(4)[writer.checkpoint(4).len() - 12..],
        "AAAAAAAAAAA\n",
    );
    for (said, expected, what) in [
        (
            batch(
                0,
                entries.clone(),
                stranger.sign(&writer.checkpoint_of(&writer.origin(), &entries)),
            ),
            Conflict::BadSignature,
            "another key",
        ),
        (
            batch(0, entries.clone(), unsigned),
            Conflict::BadSignature,
            "an altered signature",
        ),
        (
            batch(0, entries.clone(), "nonsense".to_owned()),
            Conflict::BadBatch,
            "no note",
        ),
        (
            batch(0, entries.clone(), foreign_origin),
            Conflict::NotYours,
            "another origin under our key",
        ),
        (
            batch(0, entries.clone(), wrong_root),
            Conflict::BadBatch,
            "another root",
        ),
        (
            batch(0, entries[..3].to_vec(), writer.checkpoint(4)),
            Conflict::BadBatch,
            "size is not the end",
        ),
        (
            batch(0, Vec::new(), writer.checkpoint(4)),
            Conflict::BadBatch,
            "no entries",
        ),
        (
            batch(0, later.clone(), of(&later)),
            Conflict::BadBatch,
            "entries out of place",
        ),
        (
            batch(0, other.entries.clone(), of(&other.entries)),
            Conflict::BadBatch,
            "another stream's records",
        ),
        (
            batch(0, junk.clone(), of(&junk)),
            Conflict::BadBatch,
            "not a record",
        ),
        (
            batch(0, back.entries.clone(), of(&back.entries)),
            Conflict::BadBatch,
            "time stands still",
        ),
        (
            batch(u64::MAX, entries.clone(), writer.checkpoint(4)),
            Conflict::BadBatch,
            "an index that overflows",
        ),
    ] {
        let open = Said::Open {
            origin: writer.origin(),
            checkpoint: String::new(),
            heads: None,
        };
        let answers = say(&mirror, "node_a", vec![open, said]).await;
        assert_eq!(conflict(&answers), Some(expected), "{what}");
        assert_eq!(mirror.size(&writer.origin()), 0, "{what}");
    }
}

#[tokio::test]
async fn time_does_not_go_back_between_batches_either() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.entries.push(writer.record(100));
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    replicate(&mirror, &writer, 1).await;
    writer.entries.push(writer.record(100));
    let answers = say(&mirror, "node_a", vec![writer.open(), writer.batch(1, 2)]).await;
    assert_eq!(conflict(&answers), Some(Conflict::BadBatch));
}

#[tokio::test]
async fn cosignatures_keep_their_time_when_the_clock_goes_back() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(2);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    bed.clock.advance(Duration::from_secs(60));
    say(&mirror, "node_a", vec![writer.open(), writer.batch(0, 1)]).await;
    bed.clock.set(lingqu_core::Timestamp(START));
    let answers = say(&mirror, "node_a", vec![writer.open(), writer.batch(1, 2)]).await;
    let text = Note::parse(writer.checkpoint(2)).unwrap().text;
    let time = verify_cosignature(&text, &mirror_key(), &cosignatures(&answers)[0].1).unwrap();
    assert_eq!(i64::try_from(time).unwrap(), START / 1_000_000 + 60);
}

#[tokio::test]
async fn only_the_owner_writes_a_stream() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let own = Said::Open {
        origin: mirror.own.origin.clone(),
        checkpoint: String::new(),
        heads: None,
    };
    let unknown = Said::Open {
        origin: "coord.example/s/z/45/2026h2".to_owned(),
        checkpoint: String::new(),
        heads: None,
    };
    for (owner, open) in [
        ("node_b", writer.open()),
        ("node_a", own),
        ("node_a", unknown),
    ] {
        let answers = say(&mirror, owner, vec![open, writer.batch(0, 1)]).await;
        assert_eq!(answers.len(), 1);
        assert_eq!(conflict(&answers), Some(Conflict::NotYours));
    }
    assert_eq!(mirror.size(&writer.origin()), 0);
}

#[tokio::test]
async fn a_newer_conversation_supersedes_the_older() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(2);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let (said, heard) = mpsc::channel(4);
    let (answers, mut older) = mpsc::channel(4);
    let heard = tokio_stream::wrappers::ReceiverStream::new(heard);
    let task = tokio::spawn(converse_owned(Arc::clone(&mirror), heard, answers));
    said.send(Ok(writer.open())).await.unwrap();
    assert!(matches!(
        older.recv().await,
        Some(Ok(Answer::Resume { .. }))
    ));
    let newer = say(&mirror, "node_a", vec![writer.open(), writer.batch(0, 1)]).await;
    assert_eq!(cosignatures(&newer).len(), 1);
    let end = older.recv().await.unwrap().unwrap();
    assert!(
        matches!(
            end,
            Answer::Conflict {
                kind: Conflict::Superseded,
                ..
            }
        ),
        "{end:?}"
    );
    task.await.unwrap();
    // A batch of the older one that was on its way is refused where it would have been appended.
    let batch = Box::new(
        verify(
            &writer.stream(),
            1,
            writer.entries[1..].to_vec(),
            &writer.checkpoint(2),
        )
        .unwrap(),
    );
    let answer = mirror
        .submit(Arc::new(writer.stream()), batch, 1)
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(answer.unwrap_err().refusal, Refusal::Superseded);
}

async fn converse_owned(
    mirror: Arc<Mirror>,
    said: tokio_stream::wrappers::ReceiverStream<Result<Said, ErrorCode>>,
    answers: Answers,
) {
    converse(mirror, "node_a", said, answers).await;
}

#[tokio::test]
async fn batches_beyond_the_limits_end_the_conversation() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(120);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let (answers, mut heard) = mpsc::channel(4);
    let said = futures::stream::iter([Ok(writer.open()), Ok(writer.batch(0, 120))]);
    converse(Arc::clone(&mirror), "node_a", said, answers).await;
    heard.recv().await.unwrap().unwrap();
    assert_eq!(heard.recv().await, Some(Err(ErrorCode::RequestInvalid)));
    assert_eq!(mirror.size(&writer.origin()), 0);
}

#[tokio::test]
async fn signatures_of_strangers_are_not_stored() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let mut note = Note::parse(writer.checkpoint(1)).unwrap();
    let name = lingqu_tlog::KeyName::parse("stranger.example").unwrap();
    note.signatures.push(NoteSignature {
        name,
        id: 1,
        blob: vec![7; 4_096],
    });
    let batch = Said::Batch {
        first: 0,
        entries: writer.entries.clone(),
        checkpoint: note.to_string(),
    };
    say(&mirror, "node_a", vec![writer.open(), batch]).await;
    assert_eq!(
        mirror
            .cosigned(&writer.origin())
            .unwrap()
            .note
            .signatures
            .len(),
        2
    );
}
