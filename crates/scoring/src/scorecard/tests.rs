//! Scorecards: the example that is shipped, every way of not being one, and what the bins do at their ends.

use serde_json::{Value, json};

use crate::{
    Batch, BatchScores, Column, Feature, FeatureKind, Limits, Model, ModelFormat, ModelRefused,
    ScoreFailed, Scores,
};

use Feature::{Missing, Number, Text};

fn parse(document: &Value) -> Result<Model, ModelRefused> {
    let bytes = document.to_string().into_bytes();
    Model::parse(ModelFormat::Scorecard, &bytes, &Limits::default())
}

fn example() -> Value {
    let bytes = include_bytes!("../../../../tests/data/models/income_stability.scorecard.json");
    serde_json::from_slice(bytes).unwrap()
}

fn small() -> Value {
    json!({
        "format": "lingqu.scorecard/1",
        "name": "small",
        "base_points": 100,
        "features": [
            {
                "name": "months", "kind": "number",
                "bins": [
                    { "below": 6, "points": 0, "reason": "FEW" },
                    { "from": 6, "below": 12.5, "points": 20, "reason": "SOME" },
                    { "from": 12.5, "points": 50 },
                ],
                "missing": { "points": -10, "reason": "UNKNOWN" },
            },
            {
                "name": "employment", "kind": "category",
                "bins": [
                    { "values": ["employee", "职工"], "points": 40 },
                    { "values": ["self"], "points": 25, "reason": "SOME" },
                ],
                "other": { "points": 5, "reason": "OTHER" },
                "missing": { "points": 0 },
            },
        ],
        "classes": [{ "below": 130, "label": "B" }, { "from": 130, "label": "A" }],
    })
}

fn scored(model: &Model, row: &[Feature<'_>]) -> (f64, String, Vec<String>) {
    let mut scores = Scores::default();
    model.score(row, &mut scores).unwrap();
    let reasons = scores.reasons.iter().map(ToString::to_string).collect();
    (
        scores.score.unwrap(),
        scores.label().unwrap().to_owned(),
        reasons,
    )
}

#[test]
fn the_example_tells_stable_incomes_from_others() {
    let model = parse(&example()).unwrap();
    let names: Vec<&str> = model.features().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "contribution_months_24",
            "employers_count",
            "average_contribution_base"
        ]
    );
    assert_eq!(model.classes(), ["C", "B", "A"]);
    assert_eq!(model.features_used(), 3);

    let of = |months, employers, base| {
        scored(&model, &[Number(months), Number(employers), Number(base)])
    };
    assert_eq!(of(24.0, 1.0, 25_000.0), (800.0, "A".to_owned(), vec![]));
    let (score, class, reasons) = of(14.0, 2.0, 6_000.0);
    assert_eq!((score, class.as_str()), (560.0, "B"));
    assert_eq!(
        reasons,
        ["BASE_BELOW_AVERAGE", "MONTHS_WITH_GAPS", "EMPLOYER_CHANGED"]
    );
    let (score, class, reasons) = scored(&model, &[Missing, Missing, Missing]);
    assert_eq!((score, class.as_str()), (300.0, "C"));
    assert_eq!(
        reasons,
        ["MONTHS_UNKNOWN", "BASE_UNKNOWN", "EMPLOYERS_UNKNOWN"]
    );
}

#[test]
fn a_number_lies_in_exactly_one_bin() {
    let model = parse(&small()).unwrap();
    let points = |months| scored(&model, &[months, Text("employee")]).0 - 140.0;
    for (months, expected) in [
        (Number(f64::NEG_INFINITY), 0.0),
        (Number(-0.0), 0.0),
        (Number(6.0_f64.next_down()), 0.0),
        (Number(6.0), 20.0),
        (Number(12.5_f64.next_down()), 20.0),
        (Number(12.5), 50.0),
        (Number(f64::INFINITY), 50.0),
        (Number(f64::NAN), -10.0),
        (Missing, -10.0),
    ] {
        assert_eq!(points(months), expected);
    }
}

#[test]
fn categories_are_compared_byte_by_byte() {
    let model = parse(&small()).unwrap();
    let points = |text| scored(&model, &[Number(20.0), text]).0 - 150.0;
    for (text, expected) in [
        (Text("employee"), 40.0),
        (Text("职工"), 40.0),
        (Text("self"), 25.0),
        (Text("Employee"), 5.0),
        (Text("self "), 5.0),
        (Text(""), 5.0),
        (Missing, 0.0),
    ] {
        assert_eq!(points(text), expected);
    }
}

#[test]
fn reasons_come_with_the_most_points_lost_first_and_once() {
    let model = parse(&small()).unwrap();
    let reasons = |row: [Feature<'_>; 2]| scored(&model, &row).2;
    assert_eq!(reasons([Number(1.0), Text("other")]), ["FEW", "OTHER"]);
    assert_eq!(reasons([Number(8.0), Text("self")]), ["SOME"]);
    assert_eq!(reasons([Missing, Text("self")]), ["UNKNOWN", "SOME"]);
    // A bin without a reason gives none, however few points it has.
    assert_eq!(reasons([Number(20.0), Missing]), [""; 0]);
}

#[test]
fn a_row_of_another_shape_is_no_row() {
    let model = parse(&small()).unwrap();
    let mut scores = Scores::default();
    model
        .score(&[Number(1.0), Text("self")], &mut scores)
        .unwrap();
    let mut failed = |row: &[Feature<'_>]| {
        let failed = model.score(row, &mut scores).unwrap_err();
        // Nothing of the row before is left to be taken for this one's.
        assert_eq!((scores.score, scores.class), (None, None));
        assert!(scores.reasons.is_empty());
        failed
    };
    let arity = |found| ScoreFailed::Arity { expected: 2, found };
    assert_eq!(failed(&[]), arity(0));
    assert_eq!(failed(&[Number(1.0); 3]), arity(3));
    assert_eq!(
        failed(&[Text("1"), Text("self")]),
        ScoreFailed::Kind { feature: 0 }
    );
    assert_eq!(
        failed(&[Number(1.0), Number(1.0)]),
        ScoreFailed::Kind { feature: 1 }
    );
}

#[test]
fn a_batch_scores_as_its_rows_do() {
    let model = parse(&small()).unwrap();
    let months = [1.0, 6.0, f64::NAN, 99.0];
    let employment = [Some("self"), None, Some("x"), Some("employee")];
    let mut batch = BatchScores::default();
    let columns = [Column::F64(&months), Column::Text(&employment)];
    model
        .score_batch(Batch::Columns(&columns), &mut batch)
        .unwrap();
    for at in 0..4 {
        let row = [
            Number(months[at]),
            employment[at].map_or(Missing, Feature::Text),
        ];
        let (score, label, _) = scored(&model, &row);
        assert_eq!(batch.score(at), Some(score));
        assert_eq!(batch.label(at), Some(label.as_str()));
        assert!(batch.probabilities(at).is_empty());
    }
    let uneven = [Column::F64(&months[1..]), Column::Text(&employment)];
    let refused = model.score_batch(Batch::Columns(&uneven), &mut batch);
    let arity = |expected, found| Err(ScoreFailed::Arity { expected, found });
    assert_eq!(refused, arity(3, 4));
    assert_eq!(
        model.score_batch(Batch::Matrix(&[1.0; 3]), &mut batch),
        arity(0, 1)
    );
    // Texts cannot stand in a matrix, so none of its rows has an answer.
    model
        .score_batch(Batch::Matrix(&[1.0; 4]), &mut batch)
        .unwrap();
    assert_eq!(batch.outcome(0), Err(ScoreFailed::Kind { feature: 1 }));
    assert_eq!((batch.score(0), batch.class(0)), (None, None));
}

#[test]
fn without_classes_there_is_only_a_score() {
    let mut document = small();
    document.as_object_mut().unwrap().remove("classes");
    let model = parse(&document).unwrap();
    assert!(model.classes().is_empty() && model.has_score());
    let mut scores = Scores::default();
    model
        .score(&[Number(8.0), Text("self")], &mut scores)
        .unwrap();
    assert_eq!((scores.score, scores.class), (Some(145.0), None));
    assert_eq!(model.features()[1].kind, FeatureKind::Category);
}

/// A change to the small scorecard, and what it is refused with.
type Change = (&'static str, fn(&mut Value), fn(&ModelRefused) -> bool);

const NOT_SCORECARDS: &[Change] = &[
    (
        "another format",
        |d| d["format"] = json!("lingqu.scorecard/2"),
        |r| matches!(r, ModelRefused::Format(_)),
    ),
    ("an unknown key", |d| d["extra"] = json!(1), is_document),
    (
        "an unknown key of a bin",
        |d| d["features"][0]["bins"][0]["above"] = json!(1),
        is_document,
    ),
    (
        "an unknown key of a feature",
        |d| d["features"][0]["script"] = json!("x"),
        is_document,
    ),
    (
        "other for numbers",
        |d| d["features"][0]["other"] = json!({"points": 1}),
        is_document,
    ),
    (
        "no missing",
        |d| drop(d["features"][0].as_object_mut().unwrap().remove("missing")),
        is_document,
    ),
    (
        "no other",
        |d| drop(d["features"][1].as_object_mut().unwrap().remove("other")),
        is_document,
    ),
    (
        "a third kind",
        |d| d["features"][0]["kind"] = json!("script"),
        is_document,
    ),
    (
        "points as text",
        |d| d["base_points"] = json!("100"),
        is_document,
    ),
    (
        "points without measure",
        |d| d["features"][0]["bins"][0]["points"] = json!(1e300),
        |r| matches!(r, ModelRefused::NotFinite(_)),
    ),
    (
        "a gap",
        |d| d["features"][0]["bins"][1]["from"] = json!(7),
        is_coverage,
    ),
    (
        "an overlap",
        |d| d["features"][0]["bins"][1]["from"] = json!(5),
        is_coverage,
    ),
    (
        "a beginning",
        |d| d["features"][0]["bins"][0]["from"] = json!(0),
        is_coverage,
    ),
    (
        "an end",
        |d| d["features"][0]["bins"][2]["below"] = json!(100),
        is_coverage,
    ),
    (
        "an empty interval",
        |d| {
            d["features"][0]["bins"][1]["below"] = json!(6);
            d["features"][0]["bins"][2]["from"] = json!(6);
        },
        is_coverage,
    ),
    (
        "a falling interval",
        |d| {
            d["features"][0]["bins"][1]["below"] = json!(3);
            d["features"][0]["bins"][2]["from"] = json!(3);
        },
        is_coverage,
    ),
    (
        "no bins",
        |d| d["features"][0]["bins"] = json!([]),
        is_coverage,
    ),
    (
        "classes with a gap",
        |d| d["classes"][1]["from"] = json!(131),
        is_coverage,
    ),
    (
        "no class",
        |d| d["classes"] = json!([]),
        |r| matches!(r, ModelRefused::Nothing(_)),
    ),
    (
        "no feature",
        |d| d["features"] = json!([]),
        |r| matches!(r, ModelRefused::Nothing(_)),
    ),
    (
        "a category twice",
        |d| d["features"][1]["bins"][1]["values"] = json!(["self", "employee"]),
        |r| matches!(r, ModelRefused::CategoryTwice(_)),
    ),
    (
        "a bin of no category",
        |d| d["features"][1]["bins"][1]["values"] = json!([]),
        |r| matches!(r, ModelRefused::Nothing(_)),
    ),
    (
        "a label twice",
        |d| d["classes"][1]["label"] = json!("B"),
        |r| matches!(r, ModelRefused::Duplicate { .. }),
    ),
    (
        "a feature twice",
        |d| d["features"][1]["name"] = json!("months"),
        |r| matches!(r, ModelRefused::Duplicate { .. }),
    ),
    (
        "a label with a line break",
        |d| d["classes"][1]["label"] = json!("A\nB"),
        is_name,
    ),
    (
        "a label that turns the text around",
        |d| d["classes"][1]["label"] = json!("A\u{202e}"),
        is_name,
    ),
    (
        "an empty name",
        |d| d["features"][0]["name"] = json!(""),
        is_name,
    ),
    (
        "a reason that is a sentence",
        |d| d["features"][0]["bins"][0]["reason"] = json!("too few months"),
        is_name,
    ),
];

fn is_document(refused: &ModelRefused) -> bool {
    matches!(refused, ModelRefused::Document(_))
}

fn is_coverage(refused: &ModelRefused) -> bool {
    matches!(refused, ModelRefused::Coverage(_))
}

fn is_name(refused: &ModelRefused) -> bool {
    matches!(refused, ModelRefused::Name { .. })
}

#[test]
fn what_is_not_completely_a_scorecard_is_refused() {
    assert!(parse(&small()).is_ok());
    for (what, change, expected) in NOT_SCORECARDS {
        let mut document = small();
        change(&mut document);
        let refused = parse(&document).expect_err(what);
        assert!(expected(&refused), "{what}: {refused}");
    }
}

#[test]
fn repeated_keys_numbers_beyond_numbers_and_depth_are_refused() {
    let text = small().to_string();
    let refused = |text: &str| {
        let limits = Limits::default();
        Model::parse(ModelFormat::Scorecard, text.as_bytes(), &limits).unwrap_err()
    };
    for (from, to) in [
        ("\"base_points\":", "\"base_points\":1,\"base_points\":"),
        (
            "\"name\":\"months\"",
            "\"name\":\"months\",\"name\":\"months\"",
        ),
        (
            "\"kind\":\"number\"",
            "\"kind\":\"number\",\"kind\":\"category\"",
        ),
        ("\"below\":12.5", "\"below\":1e999"),
        ("\"below\":12.5", "\"below\":NaN"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(is_document(&refused(&text.replace(from, to))), "{to}");
    }
    assert!(is_document(&refused(&"[".repeat(100_000))));
    assert!(is_document(&refused(&format!("{text} {text}"))));
    assert!(is_document(&refused("")));
}

#[test]
fn limits_hold() {
    let bytes = small().to_string().into_bytes();
    let refused = |limits: Limits| {
        Model::parse(ModelFormat::Scorecard, &bytes, &limits)
            .unwrap_err()
            .to_string()
    };
    let limits = Limits::default;
    for (limits, expected) in [
        (
            Limits {
                features_max: 1,
                ..limits()
            },
            "more than 1 features",
        ),
        (
            Limits {
                nodes_max: 7,
                ..limits()
            },
            "more than 7 bins and categories",
        ),
        (
            Limits {
                classes_max: 1,
                ..limits()
            },
            "more than 1 classes",
        ),
    ] {
        assert_eq!(refused(limits), expected);
    }
    let max = bytes.len() - 1;
    let limits = Limits {
        model_bytes_max: max,
        ..limits()
    };
    assert!(refused(limits).contains(&format!("at most {max}")));
}

#[test]
fn what_is_refused_does_not_speak_with_the_errors_voice() {
    let mut document = small();
    document["format"] = json!(format!("\u{1b}[31m{}", "x".repeat(1_000)));
    let text = parse(&document).unwrap_err().to_string();
    assert!(text.len() < 120 && !text.contains('\u{1b}'), "{text}");
    let unknown = format!("\"{}\": 1, \"format\"", "y\\u001b".repeat(200));
    let text = small().to_string().replacen("\"format\"", &unknown, 1);
    let refused = Model::parse(ModelFormat::Scorecard, text.as_bytes(), &Limits::default());
    let text = refused.unwrap_err().to_string();
    assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
}
