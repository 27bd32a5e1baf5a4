use super::*;
use crate::{Comparator, Field};

fn schema() -> Schema {
    let field = |name: &str| Field::new(name, Comparator::Folded);
    Schema::of_key(vec![field("id"), field("name")]).unwrap()
}

fn built(rows: &[[Value<'_>; 2]]) -> Result<Directory, KeyShared> {
    let mut builder = DirectoryBuilder::new(schema(), IndexKey::from_bytes([7; 32]), 100);
    for row in rows {
        builder.add_key(row).unwrap();
    }
    builder.build()
}

fn row(directory: &Directory, id: &str, name: &str) -> Option<usize> {
    let values = [("id", Value::Text(id)), ("name", Value::Text(name))];
    directory.row(&Claim::parse(directory.schema(), values).unwrap())
}

#[test]
fn each_subject_has_its_row_and_strangers_have_none() {
    let names: Vec<String> = (0..50).map(|number| format!("person {number}")).collect();
    let rows: Vec<[Value<'_>; 2]> = names
        .iter()
        .map(|name| [Value::Text(name), Value::Text("li")])
        .collect();
    let directory = built(&rows).unwrap();
    for (number, name) in names.iter().enumerate() {
        assert_eq!(row(&directory, name, "LI"), Some(number));
        assert_eq!(row(&directory, name, "wang"), None);
    }
    assert_eq!(row(&built(&[]).unwrap(), "a", "b"), None);
}

#[test]
fn a_row_without_key_keeps_its_number() {
    let (a, b) = (Value::Text("a"), Value::Text("b"));
    let directory = built(&[[Value::Null, a], [a, b]]).unwrap();
    assert_eq!(row(&directory, "a", "b"), Some(1));
}

#[test]
fn a_key_of_two_rows_is_refused() {
    let (a, b) = (Value::Text("a"), Value::Text("b"));
    assert_eq!(built(&[[a, b], [b, a], [a, b]]).unwrap_err(), KeyShared);
}

#[test]
fn what_is_no_row_is_refused() {
    let mut builder = DirectoryBuilder::new(schema(), IndexKey::from_bytes([7; 32]), 1);
    let (a, seven) = (Value::Text("a"), Value::Integer(7));
    assert!(matches!(
        builder.add_key(&[a]),
        Err(RowRefused::WrongWidth { found: 1, .. })
    ));
    builder.add_key(&[a, a]).unwrap();
    assert!(matches!(
        builder.add_key(&[a, seven]),
        Err(RowRefused::TooManyRows { .. })
    ));
    assert!(!format!("{builder:?}").contains('a'.to_string().repeat(2).as_str()));
}
