//! Rules that could let out more than an answer are refused, and those that pass let out nothing else (R-322).

use proptest::prelude::*;

use super::*;
use crate::{Feature, Limits, ModelFormat};

fn scorecard() -> Model {
    let bytes = include_bytes!("../../../../tests/data/models/income_stability.scorecard.json");
    Model::parse(ModelFormat::Scorecard, bytes, &Limits::default()).unwrap()
}

fn onnx(bytes: &[u8]) -> Model {
    Model::parse(ModelFormat::Onnx, bytes, &Limits::default()).unwrap()
}

fn forest() -> Model {
    onnx(include_bytes!("../../../../tests/data/models/forest.onnx"))
}

fn three_classes() -> Model {
    onnx(include_bytes!(
        "../../../../tests/data/models/boosting_classes.onnx"
    ))
}

fn single_feature() -> Model {
    let text = r#"{ "format": "lingqu.scorecard/1", "name": "echo", "base_points": 0, "features": [
        { "name": "age", "kind": "number", "missing": { "points": 0 },
          "bins": [ { "below": 1, "points": 0 }, { "from": 1, "points": 1 } ] },
        { "name": "idle", "kind": "number", "missing": { "points": 5 }, "bins": [ { "points": 5 } ] }
    ] }"#;
    Model::parse(ModelFormat::Scorecard, text.as_bytes(), &Limits::default()).unwrap()
}

fn rounded_score(step: f64, min: f64, max: f64) -> OutputRule {
    OutputRule::RoundedScore { step, min, max }
}

fn by_model() -> OutputRule {
    OutputRule::Classes {
        by: ClassRule::Model,
    }
}

fn cut_offs(below: &str, cut_offs: &[(f64, &str)]) -> OutputRule {
    let cut_offs = { cut_offs.iter() }
        .map(|(from, label)| CutOff {
            from: *from,
            label: (*label).to_owned(),
        })
        .collect();
    OutputRule::Classes {
        by: ClassRule::CutOffs {
            below: below.to_owned(),
            cut_offs,
        },
    }
}

fn scores(score: f64) -> Scores {
    Scores {
        score: Some(score),
        reasons: vec![ReasonCode::new("A"), ReasonCode::new("B")],
        ..Scores::default()
    }
}

#[test]
fn rules_are_checked_against_the_model() {
    let (scorecard, forest, three) = (scorecard(), forest(), three_classes());
    let fine = rounded_score(10.0, 300.0, 800.0);
    for (model, rule, expected) in [
        (&scorecard, by_model(), Ok(())),
        (&scorecard, fine.clone(), Ok(())),
        (
            &scorecard,
            cut_offs("low", &[(400.0, "mid"), (600.0, "high")]),
            Ok(()),
        ),
        (&forest, by_model(), Ok(())),
        (&forest, rounded_score(0.01, 0.0, 1.0), Ok(())),
        (&three, by_model(), Ok(())),
        (
            &three,
            rounded_score(0.1, 0.0, 1.0),
            Err(RuleRefused::NoScore),
        ),
        (
            &three,
            cut_offs("low", &[(0.5, "high")]),
            Err(RuleRefused::NoScore),
        ),
        (&single_feature(), by_model(), Err(RuleRefused::NoClasses)),
        (
            &single_feature(),
            fine.clone(),
            Err(RuleRefused::SingleFeature),
        ),
        (
            &single_feature(),
            rounded_score(0.1, 0.0, 1.0),
            Err(RuleRefused::SingleFeature),
        ),
        // Ten answers judge a feature as classes do.
        (&single_feature(), rounded_score(1.0, 0.0, 9.0), Ok(())),
    ] {
        assert_eq!(rule.check(model), expected, "{rule:?}");
    }
}

#[test]
fn scales_are_whole_steps_and_not_too_many() {
    let model = scorecard();
    let scale = |step, min, max| rounded_score(step, min, max).check(&model);
    assert_eq!(scale(0.001, 0.0, 1.0), Ok(()));
    assert_eq!(scale(0.1, 0.05, 0.35), Ok(()));
    assert_eq!(scale(0.001, 0.0, 1.001), Err(RuleRefused::TooFine));
    assert_eq!(scale(1e-300, 0.0, 1.0), Err(RuleRefused::TooFine));
    for (step, min, max) in [
        (0.0, 0.0, 1.0),
        (-1.0, 0.0, 10.0),
        (1.0, 10.0, 0.0),
        (1.0, 5.0, 5.0),
        (3.0, 0.0, 10.0),
        (f64::NAN, 0.0, 1.0),
        (1.0, f64::NAN, 1.0),
        (1.0, 0.0, f64::NAN),
        (1.0, f64::NEG_INFINITY, 1.0),
        (f64::INFINITY, 0.0, 1.0),
        (1.0, 0.0, f64::INFINITY),
        (1e10, -1e12, 1e12),
    ] {
        assert_eq!(scale(step, min, max), Err(RuleRefused::Scale), "{step}");
    }
}

#[test]
fn cut_offs_grow_and_their_labels_differ() {
    let model = scorecard();
    let check = |rule: OutputRule| rule.check(&model);
    assert_eq!(check(cut_offs("low", &[])), Err(RuleRefused::CutOffs));
    for bad in [f64::NAN, f64::INFINITY, 400.0] {
        let rule = cut_offs("low", &[(400.0, "mid"), (bad, "high")]);
        assert_eq!(check(rule), Err(RuleRefused::CutOffs));
    }
    for bad in ["", "low", "a\nb"] {
        let rule = cut_offs("low", &[(400.0, bad)]);
        assert_eq!(check(rule), Err(RuleRefused::Labels));
    }
    let many: Vec<_> = (0..101).map(f64::from).collect();
    let labels: Vec<String> = many.iter().map(f64::to_string).collect();
    let many: Vec<_> = many
        .into_iter()
        .zip(labels.iter().map(String::as_str))
        .collect();
    assert_eq!(check(cut_offs("low", &many)), Err(RuleRefused::CutOffs));
}

#[test]
fn cut_offs_include_where_they_begin() {
    let rule = cut_offs("low", &[(400.0, "mid"), (600.0, "high")]);
    let label = |score| rule.apply(&scores(score), 0).value().clone();
    for (score, expected) in [
        (f64::MIN, "low"),
        (400.0_f64.next_down(), "low"),
        (400.0, "mid"),
        (600.0_f64.next_down(), "mid"),
        (600.0, "high"),
        (f64::MAX, "high"),
    ] {
        assert_eq!(label(score), OutputValue::Class(expected.to_owned()));
    }
}

#[test]
fn rounded_scores_are_the_decimals_that_they_look_like() {
    let of = |rule: OutputRule, score| rule.apply(&scores(score), 0).value().clone();
    let tenths = || rounded_score(0.1, 0.0, 1.0);
    assert_eq!(of(tenths(), 0.31), OutputValue::Score(0.3));
    assert_eq!(of(tenths(), 0.69), OutputValue::Score(0.7));
    assert_eq!(of(tenths(), 7.0), OutputValue::Score(1.0));
    let OutputValue::Score(zero) = of(tenths(), -0.04) else {
        panic!("no score");
    };
    assert_eq!(zero.to_bits(), 0, "zero has no sign to tell anything by");
    assert_eq!(
        of(rounded_score(25.0, 300.0, 850.0), 561.0),
        OutputValue::Score(550.0)
    );
}

#[test]
fn reasons_are_cut_and_leave_with_an_answer_only() {
    let rule = rounded_score(10.0, 0.0, 100.0);
    for (max, expected) in [(0, 0), (1, 1), (9, 2)] {
        assert_eq!(rule.apply(&scores(50.0), max).reasons().len(), expected);
    }
    assert_eq!(rule.apply(&scores(50.0), 1).reasons()[0].as_str(), "A");
    let without = rule.apply(&scores(f64::NAN), 9);
    assert_eq!(without.value(), &OutputValue::Undetermined);
    assert!(without.reasons().is_empty());
}

#[test]
fn scores_of_nothing_and_rules_of_nonsense_are_undetermined() {
    let nothing = Scores::default();
    for rule in [
        by_model(),
        rounded_score(1.0, 0.0, 10.0),
        cut_offs("low", &[(0.5, "high")]),
    ] {
        assert_eq!(rule.apply(&nothing, 9).value(), &OutputValue::Undetermined);
    }
    let unchecked = rounded_score(f64::NAN, f64::INFINITY, 0.0);
    assert_eq!(
        unchecked.apply(&scores(1.0), 9).value(),
        &OutputValue::Undetermined
    );
}

#[test]
fn a_failed_row_leaves_no_answer_of_the_row_before() {
    let model = scorecard();
    let mut scores = Scores::default();
    model
        .score(&[Feature::Number(24.0); 3], &mut scores)
        .unwrap();
    assert_ne!(
        by_model().apply(&scores, 9).value(),
        &OutputValue::Undetermined
    );
    model
        .score(&[Feature::Text("24"); 3], &mut scores)
        .unwrap_err();
    assert_eq!(
        by_model().apply(&scores, 9).value(),
        &OutputValue::Undetermined
    );
}

#[test]
fn nothing_shows_a_row_in_debug_output() {
    let secret = 271_828.0;
    let shown = format!(
        "{:?} {:?} {:?}",
        Feature::Number(secret),
        Feature::Text("张三"),
        scores(secret)
    );
    assert!(
        !shown.contains("271828") && !shown.contains("张三"),
        "{shown}"
    );
}

#[test]
fn rules_are_read_strictly() {
    let read = serde_json::from_str::<OutputRule>;
    let rule = read(r#"{ "rounded_score": { "step": 10, "min": 300, "max": 800 } }"#).unwrap();
    assert_eq!(rule, rounded_score(10.0, 300.0, 800.0));
    assert_eq!(
        read(r#"{ "classes": { "by": "model" } }"#).unwrap(),
        by_model()
    );
    for bad in [
        r#"{ "rounded_score": { "step": 10, "min": 300, "max": 800, "raw": true } }"#,
        r#"{ "raw_score": {} }"#,
        r#"{ "classes": { "by": "model", "also": 1 } }"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn an_answer_is_one_of_the_scales(score in any::<f64>(), steps in 1..1000_u32, ten in 0..4_i32, min in -500..500_i32) {
        let step = 10.0_f64.powi(-ten);
        let min = f64::from(min);
        let max = min + f64::from(steps) * step;
        let rule = rounded_score(step, min, max);
        match rule.apply(&scores(score), 0).value() {
            OutputValue::Score(value) => {
                prop_assert!((min..=max).contains(value));
                let steps = (value - min) / step;
                prop_assert!((steps - steps.round()).abs() < 1e-6);
            }
            other => prop_assert!(!score.is_finite(), "{other:?}"),
        }
    }
}
