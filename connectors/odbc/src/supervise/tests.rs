use std::time::Duration;

use super::*;
use crate::types::ColumnType;

#[test]
fn pauses_double_up_to_their_bound_and_end_with_a_success() {
    let now = Instant::now();
    let mut back_off = BackOff::new(1);
    assert!(!back_off.pauses(now));
    for millis in [100, 200, 400, 800, 1_000, 1_000] {
        back_off.failed(now);
        assert!(back_off.pauses(now + Duration::from_millis(millis - 1)));
        assert!(!back_off.pauses(now + Duration::from_millis(millis)));
    }
    back_off.clear();
    assert!(!back_off.pauses(now));
    for _ in 0..100 {
        back_off.failed(now);
    }
    assert!(!back_off.pauses(now + Duration::from_secs(1)));
}

#[test]
fn a_worker_says_of_a_table_only_what_it_may() {
    let column = |name: &str, nullable| Column {
        name: name.to_owned(),
        column_type: ColumnType::Int64,
        nullable,
    };
    let open = Table {
        name: vec!["t".to_owned()],
        columns: None,
    };
    assert!(may_be(&[column("a", true)], &open));
    assert!(!may_be(&[column("a\n", true)], &open));
    // Only the unit can say that a column holds no NULL.
    assert!(!may_be(&[column("a", false)], &open));
    let declared = Table {
        columns: Some(vec![column("a", false)]),
        ..open
    };
    assert!(may_be(&[column("a", false)], &declared));
    assert!(!may_be(&[column("a", true)], &declared));
    assert!(!may_be(&[column("b", false)], &declared));
    let many: Vec<Column> = (0..5_000).map(|n| column(&n.to_string(), true)).collect();
    assert!(!may_be(
        &many,
        &Table {
            name: Vec::new(),
            columns: None
        }
    ));
}
