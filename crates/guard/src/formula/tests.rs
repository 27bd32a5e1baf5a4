use proptest::prelude::*;

use super::*;

fn figures(figures: &[Option<Number>]) -> Line<'_> {
    Line {
        figures,
        ..Line::default()
    }
}

fn figure(at: usize) -> Box<Formula> {
    Box::new(Formula::Figure(at))
}

fn of(operation: Operation) -> Formula {
    Formula::Arithmetic(operation, figure(0), figure(1))
}

const ALL: [Operation; 4] = [
    Operation::Add,
    Operation::Divide,
    Operation::Multiply,
    Operation::Subtract,
];

#[test]
fn what_has_no_value_is_unknown() {
    let (zero, one) = (Number::Whole(0), Number::Whole(1));
    let (most, least) = (Number::Whole(i64::MAX), Number::Whole(i64::MIN));
    let huge = Number::Real(1e308);
    for (operation, left, right) in [
        (Operation::Divide, one, zero),
        (Operation::Divide, zero, zero),
        (Operation::Divide, one, Number::Real(0.0)),
        (Operation::Divide, Number::Real(0.0), zero),
        (Operation::Divide, least, Number::Whole(-1)),
        (Operation::Add, most, one),
        (Operation::Subtract, least, one),
        (Operation::Multiply, most, most),
        (Operation::Multiply, huge, huge),
        (Operation::Add, huge, huge),
    ] {
        let value = of(operation).value(figures(&[Some(left), Some(right)]));
        assert_eq!(value, None, "{operation:?} {left:?} {right:?}");
    }
    for formula in [Formula::Absolute(figure(0)), Formula::Negative(figure(0))] {
        assert_eq!(formula.value(figures(&[Some(least)])), None);
    }
    let decimal = |number| {
        let computed = Computed {
            formula: Formula::Figure(0),
            decimal: Some((4, 2)),
        };
        computed.decimal((4, 2), figures(&[number]))
    };
    assert_eq!(decimal(Some(Number::Real(99.994))), Some(9_999));
    assert_eq!(decimal(Some(Number::Real(-0.005))), Some(-1));
    for outside in [Number::Real(99.995), Number::Whole(100), most, huge] {
        assert_eq!(decimal(Some(outside)), None, "{outside:?}");
    }
}

#[test]
fn whole_numbers_divide_to_whole_numbers() {
    let of = |left, right| of(Operation::Divide).value(figures(&[Some(left), Some(right)]));
    let (seven, two) = (Number::Whole(7), Number::Whole(2));
    assert_eq!(of(seven, two), Some(Number::Whole(3)));
    assert_eq!(of(Number::Whole(-7), two), Some(Number::Whole(-3)));
    assert_eq!(of(seven, Number::Real(2.0)), Some(Number::Real(3.5)));
}

fn number() -> impl Strategy<Value = Option<Number>> {
    prop_oneof![
        1 => Just(None),
        4 => any::<i64>().prop_map(|n| Some(Number::Whole(n))),
        2 => (-3_i64..3).prop_map(|n| Some(Number::Whole(n))),
        4 => prop::num::f64::NORMAL.prop_map(|n| Some(Number::Real(n))),
        1 => Just(Some(Number::Real(0.0))),
    ]
}

fn formula() -> impl Strategy<Value = Formula> {
    let leaf = prop_oneof![
        (0..3_usize).prop_map(Formula::Figure),
        (-9_i64..9).prop_map(|n| Formula::Number(Number::Whole(n))),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        let boxed = |f: Formula| Box::new(f);
        prop_oneof![
            4 => (0..4_usize, two.clone()).prop_map(move |(of, (left, right))| {
                Formula::Arithmetic(ALL[of], boxed(left), boxed(right))
            }),
            1 => two.prop_map(move |(left, right)| Formula::NullIf(boxed(left), boxed(right))),
            1 => inner.clone().prop_map(move |f| Formula::Absolute(boxed(f))),
            1 => inner.clone().prop_map(move |f| Formula::Negative(boxed(f))),
            1 => inner.clone().prop_map(move |f| Formula::Fraction(boxed(f))),
            1 => (inner, 0..4_u8).prop_map(move |(f, digits)| Formula::Rounded(boxed(f), digits)),
        ]
    })
}

proptest! {
    #[test]
    fn every_formula_has_a_finite_value_or_none(
        formula in formula(),
        figures in prop::collection::vec(number(), 3),
    ) {
        let line = super::tests::figures(&figures);
        let value = formula.value(line);
        if let Some(Number::Real(number)) = value {
            prop_assert!(number.is_finite());
        }
        // The declared type of an output is that of its values.
        let whole = |figure: &Option<Number>| matches!(figure, Some(Number::Whole(_)) | None);
        let whole = Wholes { figures: figures.iter().map(whole).collect(), windows: Vec::new() };
        if let Some(value) = value {
            prop_assert_eq!(matches!(value, Number::Whole(_)), formula.is_whole(&whole));
        }
        let computed = Computed { formula, decimal: Some((9, 3)) };
        if let Some(value) = computed.decimal((9, 3), line) {
            prop_assert!(value.unsigned_abs() < 1_000_000_000);
        }
    }
}

/// Neither a comparison nor its negation nor both together keep a group of which the figure is kept back.
#[test]
fn a_figure_that_is_kept_back_decides_nothing() {
    let zero = Formula::Number(Number::Whole(0));
    let compare = |comparison| Kept::Compare(comparison, Formula::Figure(0), zero.clone());
    for comparison in [
        Comparison::Above,
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::AtMost,
    ] {
        let kept = compare(comparison);
        assert_eq!(kept.holds(figures(&[None])), None);
        assert_eq!(Kept::Not(Box::new(kept)).holds(figures(&[None])), None);
    }
    let both = vec![compare(Comparison::AtMost), compare(Comparison::Above)];
    assert_eq!(Kept::Any(both.clone()).holds(figures(&[None])), None);
    assert_eq!(Kept::All(both).holds(figures(&[None])), None);
    // What is known decides, as in SQL.
    let known = Kept::Compare(Comparison::Equal, zero.clone(), zero.clone());
    let either = vec![known.clone(), compare(Comparison::Above)];
    assert_eq!(
        Kept::Any(either.clone()).holds(figures(&[None])),
        Some(true)
    );
    let never = Kept::Not(Box::new(known));
    let neither = vec![never, compare(Comparison::Above)];
    assert_eq!(Kept::All(neither).holds(figures(&[None])), Some(false));
}
