//! Whatever the bytes are, they are refused or make a model; whatever the row is, it is scored or refused.

use proptest::prelude::*;

use super::oracle;
use crate::{Batch, BatchScores, Feature, Limits, Model, ModelFormat, ScoreFailed, Scores};

/// Small models of every kind of operator.
const SMALL: [&str; 5] = [
    "boosting",
    "every_mode",
    "logistic",
    "normalized",
    "one_hot",
];

/// A change of bytes: at a place (as a share of the length), some bytes out, some bytes in.
#[derive(Clone, Debug)]
struct Change {
    at: f64,
    out: usize,
    into: Vec<u8>,
}

fn change() -> impl Strategy<Value = Change> {
    let into = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        // The largest numbers that a varint and a float can be.
        Just(vec![0xff; 9]),
        Just(vec![0x00, 0x00, 0xc0, 0x7f]),
    ];
    (0.0..1.0, 0..6_usize, into).prop_map(|(at, out, into)| Change { at, out, into })
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for Change { at, out, into } in changes {
        let begin = (bytes.len() as f64 * at) as usize;
        let end = (begin + out).min(bytes.len());
        bytes.splice(begin..end, into.iter().copied());
    }
    bytes
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<f32>().prop_map(f64::from),
        -50.0..50.0_f64,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ]
}

fn any_feature() -> impl Strategy<Value = Feature<'static>> {
    let texts = prop::sample::select(vec!["", "none", "business", "没有", "\u{0}"]);
    prop_oneof![
        Just(Feature::Missing),
        any_number().prop_map(Feature::Number),
        texts.prop_map(Feature::Text),
    ]
}

/// Scores a row, checking what holds for every model.
fn score(model: &Model, row: &[Feature<'_>]) {
    let mut scores = Scores::default();
    let scored = model.score(row, &mut scores);
    if row.len() != model.features().len() {
        assert!(matches!(scored, Err(ScoreFailed::Arity { .. })));
    }
    if scored.is_err() {
        assert!(scores.score.is_none() && scores.class.is_none());
        assert!(scores.probabilities.is_empty() && scores.reasons.is_empty());
        return;
    }
    assert_eq!(scores.probabilities.len(), model.classes().len());
    assert_eq!(scores.class.is_some(), !model.classes().is_empty());
    assert_eq!(scores.score.is_some(), model.has_score());
    assert!(
        scores
            .class
            .is_none_or(|class| class < model.classes().len())
    );
    assert!(scores.probabilities.iter().all(|p| p.is_finite()));
    assert!(scores.score.is_none_or(f64::is_finite));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_changed_model_is_refused_or_scores(
        name in prop::sample::select(&SMALL[..]),
        changes in prop::collection::vec(change(), 1..4),
        row in prop::collection::vec(any_feature(), 10),
    ) {
        let bytes = changed(oracle::bytes(name), &changes);
        if let Ok(model) = Model::parse(ModelFormat::Onnx, &bytes, &Limits::default()) {
            let width = model.features().len().min(row.len());
            score(&model, &row[..width]);
            let mut batch = BatchScores::default();
            let matrix = vec![1.0; 3 * model.features().len()];
            model.score_batch(Batch::Matrix(&matrix), &mut batch).unwrap();
            prop_assert_eq!(batch.len(), 3);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in ModelFormat::ALL {
            prop_assert!(Model::parse(format, &bytes, &Limits::default()).is_err());
        }
    }

    #[test]
    fn any_row_is_scored_or_refused(
        name in prop::sample::select(&["forest_classes", "histogram", "xgboost", "one_hot", "whole_numbers", "logistic"][..]),
        row in prop::collection::vec(any_feature(), 6..12),
    ) {
        let model = oracle::model(name);
        score(&model, &row);
        score(&model, &row[..row.len().min(model.features().len())]);
    }
}

#[test]
fn a_model_that_ends_early_is_refused_wherever_it_ends() {
    for name in SMALL {
        let bytes = oracle::bytes(name);
        // Behind the graph stand the operator sets, one of them twice: without the last few bytes, nothing is missing.
        for len in (0..bytes.len() - 40).step_by(1 + bytes.len() / 500) {
            let cut = Model::parse(ModelFormat::Onnx, &bytes[..len], &Limits::default());
            assert!(cut.is_err(), "{name} cut at {len}");
        }
    }
}
