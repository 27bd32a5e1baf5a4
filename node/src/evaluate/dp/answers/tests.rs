use arrow_array::{ArrayRef, Int64Array};

use super::*;
use crate::evaluate::statistic::ipc_stream;

fn table(number: i64) -> Table {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
    let rows = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let stream = ipc_stream(&rows).unwrap();
    Table { rows, stream }
}

fn key(number: u64) -> Hash {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Hash(key)
}

fn open(dir: &Path) -> Arc<Answers> {
    Arc::new(Answers::open(&State::open(dir, None).unwrap()).unwrap())
}

#[tokio::test]
async fn an_answer_is_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let schema = table(7).rows.schema();
    let answers = open(dir.path());
    assert_eq!(answers.find(key(1), &schema).await, None);
    answers.keep(key(1), &table(7)).await;
    assert_eq!(answers.find(key(1), &schema).await, Some(table(7)));
    let again = open(dir.path());
    assert_eq!(again.find(key(1), &schema).await, Some(table(7)));
    assert_eq!(again.find(key(2), &schema).await, None);
}

#[tokio::test]
async fn what_is_not_an_answer_of_these_columns_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let answers = open(dir.path());
    let schema = table(7).rows.schema();
    answers.keep(key(1), &table(7)).await;
    let other = RecordBatch::try_from_iter([("m", table(7).rows.column(0).clone())]).unwrap();
    assert_eq!(answers.find(key(1), &other.schema()).await, None);
    let path = answers.path(key(1));
    let bytes = fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &[], b"anything at all"] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(answers.find(key(1), &schema).await, None);
    }
}

#[tokio::test]
async fn the_oldest_gives_way() {
    let dir = tempfile::tempdir().unwrap();
    let answers = open(dir.path());
    let schema = table(0).rows.schema();
    for number in 0..ANSWERS_MAX as u64 {
        let mut known = answers.lock();
        known.keys.insert(key(number));
        known.order.push_back(key(number));
    }
    fs::write(answers.path(key(0)), b"").unwrap();
    answers.keep(key(9_999), &table(1)).await;
    assert!(!answers.path(key(0)).exists());
    assert_eq!(answers.lock().order.len(), ANSWERS_MAX);
    assert_eq!(answers.find(key(9_999), &schema).await, Some(table(1)));
}

#[tokio::test]
async fn one_question_has_one_turn_and_others_do_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let answers = open(dir.path());
    let held = answers.turn(key(1)).lock_owned().await;
    assert!(answers.turn(key(1)).try_lock_owned().is_err());
    assert!(answers.turn(key(2)).try_lock_owned().is_ok());
    drop(held);
    assert!(answers.turn(key(1)).try_lock_owned().is_ok());
    // Nothing is kept of questions that nobody asks any more.
    answers.turn(key(3));
    assert_eq!(answers.lock().turns.len(), 1);
}
