use ring::rand::SystemRandom;

use super::{DigestKeys, IndexKey};
use crate::{Comparator, Field, Schema};

fn schema(key: &str, compared: &[&str]) -> Schema {
    let field = |name: &&str| Field::new(*name, Comparator::Exact);
    Schema::new(vec![field(&key)], compared.iter().map(field).collect()).unwrap()
}

#[test]
fn digests_depend_on_key_schema_field_row_and_value() {
    let one = schema("id", &["name", "city"]);
    let keys = DigestKeys::derive(&IndexKey::from_bytes([1; 32]), &one);
    let other_key = DigestKeys::derive(&IndexKey::from_bytes([2; 32]), &one);
    let other_schema = DigestKeys::derive(
        &IndexKey::from_bytes([1; 32]),
        &schema("nr", &["name", "city"]),
    );
    let (row, other_row) = (keys.key_tuple(b"row"), keys.key_tuple(b"other"));
    let mut digests = vec![
        row.stored(),
        other_row.stored(),
        other_key.key_tuple(b"row").stored(),
        other_schema.key_tuple(b"row").stored(),
        keys.compared(0, &row, b"v"),
        keys.compared(1, &row, b"v"),
        keys.compared(0, &row, b"w"),
        keys.compared(0, &other_row, b"v"),
        other_key.compared(0, &row, b"v"),
        other_schema.compared(0, &row, b"v"),
        keys.null(0, &row),
        keys.null(1, &row),
        keys.null(0, &other_row),
    ];
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
    assert_eq!(keys.compared(0, &row, b"v"), keys.compared(0, &row, b"v"));
}

#[test]
fn generated_keys_differ() {
    let random = SystemRandom::new();
    let (a, b) = (
        IndexKey::generate(&random).unwrap(),
        IndexKey::generate(&random).unwrap(),
    );
    assert_ne!(*a.0, *b.0);
    assert_ne!(*a.0, [0; 32]);
}
