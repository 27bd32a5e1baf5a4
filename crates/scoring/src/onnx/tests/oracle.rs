//! Every committed model gives what onnxruntime gave: the same label, and the same numbers but for the last bits.
//!
//! How many last bits: sums over trees are made in the same order in the same precision, so they are the same number.
//! An exponential differs by one unit in the last place between libraries, which the divisions behind it keep: 4 units,
//! measured against the largest number of the answer, since `1 - p` is exact but has the error of `p`. Linear models
//! multiply matrices in blocks there and one by one here: see [`tolerance`].

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    Batch, BatchScores, Column, Feature, FeatureKind, Limits, Model, ModelFormat, ScoreFailed,
    Scores,
};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/models")
}

/// Names of the committed models.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

pub(super) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(format!("{name}.onnx"))).unwrap()
}

pub(super) fn model(name: &str) -> Model {
    Model::parse(ModelFormat::Onnx, &bytes(name), &Limits::default())
        .unwrap_or_else(|refused| panic!("{name}: {refused}"))
}

struct Expected {
    rows: Vec<Vec<Value>>,
    answers: Vec<Value>,
}

fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(directory().join(format!("{name}.expected.json"))).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let mut list = |key: &str| value[key].as_array_mut().map(std::mem::take).unwrap();
    Expected {
        rows: list("rows")
            .into_iter()
            .map(|row| row.as_array().unwrap().clone())
            .collect(),
        answers: list("answers"),
    }
}

fn feature(value: &Value, kind: FeatureKind) -> Feature<'_> {
    match (value, kind) {
        (Value::Null, _) => Feature::Missing,
        (Value::String(text), FeatureKind::Category) => Feature::Text(text),
        (Value::String(text), FeatureKind::Number) => Feature::Number(match text.as_str() {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            other => panic!("{other}"),
        }),
        (value, _) => Feature::Number(value.as_f64().unwrap()),
    }
}

fn row<'a>(values: &'a [Value], model: &Model) -> Vec<Feature<'a>> {
    let kinds = model.features().iter().map(|f| f.kind);
    values
        .iter()
        .zip(kinds)
        .map(|(v, k)| feature(v, k))
        .collect()
}

/// The largest difference to a number of this answer, as a share of the answer's largest number.
///
/// A sum of n products cᵢxᵢ made in any order is off by at most n · 2⁻²⁴ · Σ|cᵢxᵢ|; with 6 to 26 features of similar
/// weight, both sides stay within 32 units in the last place. (Measured: 1.6 for linear models, 0 for all others.)
fn tolerance(name: &str) -> f64 {
    let units = match name {
        "linear_value" | "logistic" | "normalized" | "one_hot" => 32.0,
        "forest" | "forest_classes" | "forest_value" | "every_mode" | "ordinal"
        | "whole_numbers" | "xgboost_value" | "lightgbm_value" => 0.0,
        _ => 4.0,
    };
    units * f64::from(f32::EPSILON)
}

/// What onnxruntime gave; none if any number of it is not finite.
fn answer(value: &Value) -> Option<(Option<&str>, Vec<f64>)> {
    let values = value["values"].as_array().unwrap();
    // The decimals are those of a float32, which a reader of JSON that is off by one unit of a float64 still finds.
    let single = |value: &Value| value.as_f64().map(|value| f64::from(value as f32));
    let values: Option<Vec<f64>> = values.iter().map(single).collect();
    Some((value["label"].as_str(), values?))
}

fn same(name: &str, ours: &[f64], theirs: &[f64]) -> bool {
    let largest = theirs.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    let pairs = ours.iter().zip(theirs);
    ours.len() == theirs.len() && { pairs }
        .all(|(a, b)| (a - b).abs() <= tolerance(name) * largest.max(1e-30))
}

#[test]
fn every_model_answers_as_onnxruntime_does() {
    let names = names();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let (model, expected) = (model(&name), expected(&name));
        let mut scores = Scores::default();
        let mut finite = 0;
        for (at, (values, theirs)) in expected.rows.iter().zip(&expected.answers).enumerate() {
            let scored = model.score(&row(values, &model), &mut scores);
            let Some((label, theirs)) = answer(theirs) else {
                assert_eq!(scored, Err(ScoreFailed::NotFinite), "{name} row {at}");
                continue;
            };
            assert_eq!(scored, Ok(()), "{name} row {at}");
            assert_eq!(scores.label(), label, "{name} row {at}");
            let ours = match scores.probabilities[..] {
                [] => vec![scores.score.unwrap()],
                ref p => p.to_vec(),
            };
            assert!(
                same(&name, &ours, &theirs),
                "{name} row {at}: {ours:?} {theirs:?}"
            );
            finite += 1;
        }
        assert!(finite > 80, "{name}: only {finite} rows");
        assert_eq!(expected.rows.len(), expected.answers.len());
    }
}

#[test]
fn a_batch_answers_exactly_as_its_rows_do() {
    for name in names() {
        let (model, expected) = (model(&name), expected(&name));
        // Not a multiple of any block.
        let rows: Vec<_> = { expected.rows.iter() }
            .chain(&expected.rows)
            .chain(&expected.rows)
            .take(301)
            .map(|values| row(values, &model))
            .collect();
        let numbers: Vec<Vec<f64>> = (0..model.features().len())
            .map(|at| rows.iter().map(|row| number(row[at])).collect())
            .collect();
        let texts: Vec<Vec<Option<&str>>> = (0..model.features().len())
            .map(|at| rows.iter().map(|row| text(row[at])).collect())
            .collect();
        let columns: Vec<Column<'_>> = { model.features().iter().enumerate() }
            .map(|(at, feature)| match feature.kind {
                FeatureKind::Category => Column::Text(&texts[at]),
                FeatureKind::Number => Column::F64(&numbers[at]),
            })
            .collect();
        let mut batch = BatchScores::default();
        model
            .score_batch(Batch::Columns(&columns), &mut batch)
            .unwrap();
        assert_eq!(batch.len(), rows.len());
        same_rows(&name, &model, &rows, &batch);

        if texts.iter().flatten().all(Option::is_none) && name != "whole_numbers" {
            let matrix: Vec<f32> = { rows.iter().flatten() }
                .map(|value| number(*value) as f32)
                .collect();
            model
                .score_batch(Batch::Matrix(&matrix), &mut batch)
                .unwrap();
            same_rows(&name, &model, &rows, &batch);
        }
    }
}

fn same_rows(name: &str, model: &Model, rows: &[Vec<Feature<'_>>], batch: &BatchScores) {
    let mut scores = Scores::default();
    for (at, row) in rows.iter().enumerate() {
        let scored = model.score(row, &mut scores);
        assert_eq!(batch.outcome(at), scored, "{name} row {at}");
        assert_eq!(batch.class(at), scores.class, "{name} row {at}");
        assert_eq!(batch.label(at), scores.label(), "{name} row {at}");
        assert_eq!(batch.score(at), scores.score, "{name} row {at}");
        assert_eq!(
            batch.probabilities(at),
            scores.probabilities,
            "{name} row {at}"
        );
    }
}

fn number(value: Feature<'_>) -> f64 {
    match value {
        Feature::Number(value) => value,
        Feature::Missing | Feature::Text(_) => f64::NAN,
    }
}

fn text(value: Feature<'_>) -> Option<&str> {
    match value {
        Feature::Text(text) => Some(text),
        Feature::Missing | Feature::Number(_) => None,
    }
}

#[test]
fn features_are_named_by_input_and_column() {
    let forest = model("forest");
    assert_eq!(forest.features()[3].name, "X[3]");
    assert_eq!(forest.classes(), ["bad", "good"]);
    assert!(forest.has_score());
    assert_eq!(forest.features_used(), 7);

    let one_hot = model("one_hot");
    assert_eq!(one_hot.features()[0].name, "duration_months");
    assert_eq!(one_hot.features()[9].name, "purpose");
    assert_eq!(one_hot.features()[9].kind, FeatureKind::Category);

    assert!(!model("boosting_classes").has_score());
    assert!(model("linear_value").classes().is_empty());
    assert_eq!(format!("{forest:?}"), "Model(onnx, 7 features, 2 classes)");
}
