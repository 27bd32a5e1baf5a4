//! The engine says the same of the same table of released figures, and every order is total.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use lingqu_policy::Domain;
use proptest::prelude::*;

use super::*;
use crate::infer::{Operation, Origin};
use crate::query::{Recode, Words};
use crate::tests::register::block_on;

const TEXTS: [&str; 4] = ["ant", "bee", "cow", "dog"];
const NUMBERS: [i64; 3] = [2, 10, 30];
/// In no order, as a statement may write them.
const WORDS: [&str; 3] = ["more", "less", "none"];

fn key(domain: Domain, recode: Option<Recode>) -> Key {
    Key {
        origin: Origin { scan: 0, column: 0 },
        domain,
        recode,
    }
}

/// Texts, numbers, and words of a statement: each with a cell for everything else.
fn keys() -> Vec<Key> {
    let texts = TEXTS.map(str::to_owned).to_vec();
    let words = WORDS.map(str::to_owned).to_vec();
    let recode = Recode {
        groups: Vec::new(),
        words: Words::Texts(words),
    };
    vec![
        key(Domain::texts(texts).unwrap(), None),
        key(Domain::integers(NUMBERS.to_vec()).unwrap(), None),
        key(Domain::integers(NUMBERS.to_vec()).unwrap(), Some(recode)),
    ]
}

const PLACES: usize = 5 * 4 * 4;

fn group(place: usize, figures: Vec<Option<Number>>) -> Group {
    Group {
        place,
        raw: figures.clone(),
        figures,
        is_hidden: false,
    }
}

/// Any of the groups, with two counts of which any may be kept back.
fn groups() -> impl Strategy<Value = Vec<Group>> {
    let number = || prop::option::weighted(0.8, (-3_i64..4).prop_map(|n| Number::Whole(n * 5)));
    let figures = (number(), number());
    prop::collection::btree_map(0..PLACES, figures, 0..24).prop_map(|groups| {
        { groups.into_iter() }
            .map(|(place, (one, two))| group(place, vec![one, two]))
            .collect()
    })
}

fn table(keys: &[Key], groups: &[Group]) -> RecordBatch {
    let shown = Shown {
        keys,
        groups,
        parameters: &[],
    };
    let cell = |key: usize| groups.iter().map(move |group| (key, group));
    let text = |(key, group), words: &[&'static str]| {
        shown.cell(key, group).map(|cell: usize| words[cell])
    };
    let figure = |at: usize| {
        let figures = groups.iter().map(|group| match group.figures[at] {
            Some(Number::Whole(number)) => Some(number),
            _ => None,
        });
        Arc::new(figures.collect::<Int64Array>())
    };
    let numbers = cell(1).map(|(key, group)| shown.cell(key, group).map(|cell| NUMBERS[cell]));
    let columns: [(&str, ArrayRef); 5] = [
        (
            "k0",
            Arc::new(cell(0).map(|at| text(at, &TEXTS)).collect::<StringArray>()),
        ),
        ("k1", Arc::new(numbers.collect::<Int64Array>())),
        (
            "k2",
            Arc::new(cell(2).map(|at| text(at, &WORDS)).collect::<StringArray>()),
        ),
        ("f0", figure(0)),
        ("f1", figure(1)),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// What the bare engine says of each group, in the order of the table.
fn engine(table: RecordBatch, windows: &[String]) -> Vec<Vec<Option<i64>>> {
    let rows = table.num_rows();
    let place: ArrayRef = Arc::new((0..rows as i64).collect::<Int64Array>());
    let schema = table.schema();
    let columns = { schema.fields().iter().zip(table.columns()) }
        .map(|(field, column)| (field.name().clone(), Arc::clone(column), true));
    let all = columns.chain([("place".to_owned(), place, true)]);
    let table = RecordBatch::try_from_iter_with_nullable(all).unwrap();
    let outputs: Vec<String> = { windows.iter().enumerate() }
        .map(|(at, window)| format!("CAST({window} AS BIGINT) AS w{at}"))
        .collect();
    let sql = format!("SELECT {} FROM r ORDER BY place", outputs.join(", "));
    block_on(async {
        let context = SessionContext::new();
        context.register_batch("r", table).unwrap();
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        let mut lines = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let line = { batch.columns().iter() }.map(|column| {
                    let numbers = column.as_any().downcast_ref::<Int64Array>().unwrap();
                    numbers.iter().nth(row).unwrap()
                });
                lines.push(line.collect());
            }
        }
        lines
    })
}

fn of(at: usize) -> Formula {
    Formula::Figure(at)
}

fn difference() -> Formula {
    Formula::Arithmetic(Operation::Subtract, Box::new(of(0)), Box::new(of(1)))
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        (1..3_usize).prop_map(|distance| Asked::Lag(of(0), distance)),
        (1..3_usize).prop_map(|distance| Asked::Lead(difference(), distance)),
        Just(Asked::Rank),
        Just(Asked::RowNumber),
        Just(Asked::Sum(of(1))),
        Just(Asked::Sum(difference())),
    ]
}

/// Orders in which nothing ties where the function says who stands beside whom, since the engine leaves ties open.
fn window() -> impl Strategy<Value = Window> {
    let by = prop_oneof![
        (0..3_usize).prop_map(By::Group),
        (0..2_usize).prop_map(|at| By::Formula(of(at))),
    ];
    let order =
        (by, any::<bool>(), any::<bool>()).prop_map(|(by, descending, nulls_first)| OrderBy {
            by,
            descending,
            nulls_first,
        });
    let parts = prop::collection::btree_set(0..3_usize, 0..3);
    (asked(), parts, prop::collection::vec(order, 0..3)).prop_map(|(asked, parts, mut order)| {
        let ties = matches!(asked, Asked::Rank | Asked::Sum(_));
        if matches!(asked, Asked::Rank) && order.is_empty() || !ties {
            let rest = (0..3).map(|group| OrderBy {
                by: By::Group(group),
                descending: group == 1,
                nulls_first: false,
            });
            order.extend(rest);
        }
        Window {
            asked,
            partition: parts.into_iter().collect(),
            order,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_engine_says_the_same_of_the_released_table(
        groups in groups(),
        windows in prop::collection::vec(window(), 1..4),
    ) {
        let keys = keys();
        let said = evaluate(&windows, &keys, &groups, &[]);
        let texts = Texts {
            figures: vec!["f0".to_owned(), "f1".to_owned()],
            ..Texts::default()
        };
        let names = ["k0", "k1", "k2"].map(str::to_owned);
        let windows: Vec<String> = windows.iter().map(|w| w.text(&texts, &names)).collect();
        let bare = engine(table(&keys, &groups), &windows);
        let whole = |number: &Option<Number>| match number {
            Some(Number::Whole(number)) => Some(*number),
            other => { assert_eq!(*other, None); None }
        };
        let said: Vec<Vec<Option<i64>>> =
            said.iter().map(|line| line.iter().map(whole).collect()).collect();
        prop_assert_eq!(said, bare, "{:?}", windows);
    }
}

fn total(numbers: &[Option<Number>]) -> Option<Number> {
    let groups: Vec<Group> = { numbers.iter().enumerate() }
        .map(|(place, number)| group(place, vec![*number]))
        .collect();
    let window = Window {
        asked: Asked::Sum(of(0)),
        partition: Vec::new(),
        order: Vec::new(),
    };
    evaluate(&[window], &keys(), &groups, &[])[0][0]
}

#[test]
fn a_sum_has_a_value_or_none() {
    let whole = |number| Some(Number::Whole(number));
    let real = |number| Some(Number::Real(number));
    assert_eq!(total(&[None, None]), None);
    assert_eq!(total(&[None, whole(3), whole(-5)]), whole(-2));
    // Neither wraps nor depends on what is added first.
    assert_eq!(
        total(&[whole(i64::MAX), whole(i64::MAX), whole(-i64::MAX)]),
        whole(i64::MAX)
    );
    assert_eq!(total(&[whole(i64::MAX), whole(1)]), None);
    assert_eq!(total(&[real(1e308), real(1e308)]), None);
    assert_eq!(total(&[real(0.5), None, real(0.25)]), real(0.75));
}

#[test]
fn what_ties_stands_in_the_order_of_the_domains() {
    let tied: Vec<Group> = (0..4)
        .map(|at| group(at, vec![Some(Number::Whole(7))]))
        .collect();
    let by_figure = |asked| Window {
        asked,
        partition: Vec::new(),
        order: vec![OrderBy {
            by: By::Formula(of(0)),
            descending: true,
            nulls_first: true,
        }],
    };
    let said = evaluate(
        &[by_figure(Asked::RowNumber), by_figure(Asked::Rank)],
        &keys(),
        &tied,
        &[],
    );
    let whole = |number| Some(Number::Whole(number));
    let wanted: Vec<Vec<Option<Number>>> = (1..5).map(|at| vec![whole(at), whole(1)]).collect();
    assert_eq!(said, wanted);
}
