use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::array::ArrayRef;

use super::engine::same;
use super::small::{plain, questions};

fn table(names: &[&str], numbers: ArrayRef) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    RecordBatch::try_from_iter([("name", names), ("number", numbers)]).unwrap()
}

#[test]
fn answers_are_the_same_only_in_every_cell() {
    let whole = |numbers: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
    let ours = table(&["a", "b"], whole(&[1, 2]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    assert!(same(&ours, &table(&["a", "b"], floats)).unwrap());
    assert!(!same(&ours, &table(&["a", "b"], whole(&[1, 3]))).unwrap());
    assert!(!same(&ours, &table(&["a", "c"], whole(&[1, 2]))).unwrap());
    assert!(!same(&ours, &table(&["a"], whole(&[1]))).unwrap());
    let missing: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    assert!(!same(&ours, &table(&["a", "b"], missing)).unwrap());
    // Two empty answers agree about nothing.
    let empty = table(&[], whole(&[]));
    assert!(!same(&empty, &empty).unwrap());
}

#[test]
fn the_peer_is_asked_the_products_own_sql() {
    let questions = questions();
    assert_eq!(questions.len(), 36);
    for (origin, month) in questions {
        let sql = plain(origin, month);
        assert!(!sql.contains('$'), "{sql}");
        assert!(
            sql.contains(&format!("origin = '{origin}' AND flights.month = {month} ")),
            "{sql}"
        );
    }
}
