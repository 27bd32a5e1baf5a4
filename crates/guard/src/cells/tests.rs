use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray,
    RecordBatch, StringViewArray, UInt32Array,
};
use arrow_schema::{Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::col;
use datafusion::prelude::SessionContext;

use super::*;

/// The function over one column.
fn apply(function: impl Fn(Expr) -> Expr, values: ArrayRef) -> ArrayRef {
    let field = Field::new("v", values.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let rows = values.len();
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap();
    let schema = DFSchema::try_from(schema).unwrap();
    let expr = SessionContext::new()
        .create_physical_expr(function(col("v")), &schema)
        .unwrap();
    expr.evaluate(&batch).unwrap().into_array(rows).unwrap()
}

fn cells(domain: &Domain, values: ArrayRef) -> Vec<Option<i32>> {
    let found = apply(|value| cell(value, domain, None), values);
    found
        .as_primitive::<arrow_array::types::Int32Type>()
        .iter()
        .collect()
}

fn sums(measure: Measure, values: ArrayRef) -> Vec<Option<i128>> {
    let found = apply(|value| bounded(value, measure), values);
    found.as_primitive::<Decimal128Type>().iter().collect()
}

#[test]
fn every_text_type_finds_its_cell() {
    let domain = Domain::texts(vec!["a".to_owned(), "b".to_owned()]).unwrap();
    let expected = [Some(1), None, None, Some(0)];
    let values = [Some("b"), Some("c"), None, Some("a")];
    assert_eq!(
        cells(&domain, Arc::new(StringViewArray::from_iter(values))),
        expected
    );
    assert_eq!(
        cells(&domain, Arc::new(LargeStringArray::from_iter(values))),
        expected
    );
}

#[test]
fn a_bin_holds_its_lower_edge_and_not_its_upper() {
    let domain = Domain::integer_bins(vec![-5, 0, 100]).unwrap();
    let values = Int8Array::from(vec![
        Some(-6),
        Some(-5),
        Some(-1),
        Some(0),
        Some(99),
        Some(100),
        None,
    ]);
    assert_eq!(
        cells(&domain, Arc::new(values)),
        [None, Some(0), Some(0), Some(1), Some(1), None, None]
    );
    let list = Domain::integers(vec![1, 4_000_000_000]).unwrap();
    let values = UInt32Array::from(vec![4_000_000_000, 1, 2]);
    assert_eq!(cells(&list, Arc::new(values)), [Some(1), Some(0), None]);
}

#[test]
fn every_number_is_brought_into_the_bounds_and_nothing_fails() {
    let measure = |scale| Measure {
        min: -10,
        max: 1_000_000_000_000,
        scale,
    };
    let max = 1_000_000_000_000_i128;
    let whole = Int64Array::from(vec![Some(i64::MIN), Some(7), Some(i64::MAX), None]);
    assert_eq!(
        sums(measure(0), Arc::new(whole)),
        [Some(-10), Some(7), Some(max), None]
    );
    let million = 1_000_000_i128;
    let floats = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        -0.0,
        1.234_567_8,
    ];
    let found = sums(measure(6), Arc::new(Float64Array::from(floats.to_vec())));
    let expected = [
        None,
        Some(max * million),
        Some(-10 * million),
        Some(max * million),
        Some(0),
        Some(1_234_568),
    ];
    assert_eq!(found, expected);
    let single = Float32Array::from(vec![0.5, f32::NAN]);
    assert_eq!(sums(measure(6), Arc::new(single)), [Some(500_000), None]);
    let decimals = Decimal128Array::from(vec![Some(150), Some(i128::MAX), Some(i128::MIN), None])
        .with_precision_and_scale(38, 2)
        .unwrap();
    let found = sums(measure(6), Arc::new(decimals));
    assert_eq!(
        found,
        [
            Some(1_500_000),
            Some(max * million),
            Some(-10 * million),
            None
        ]
    );
}
