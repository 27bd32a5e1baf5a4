//! What holds for models of every format.

use crate::{Limits, Model, ModelFormat, UnknownFormat};

#[test]
fn formats_are_found_by_their_names() {
    for format in ModelFormat::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
        assert_eq!(format.to_string(), format.as_str());
    }
    assert_eq!("ONNX".parse::<ModelFormat>(), Err(UnknownFormat));
    assert_eq!("".parse::<ModelFormat>(), Err(UnknownFormat));
}

#[test]
fn models_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Model>();
}

#[test]
fn a_model_of_one_format_is_not_one_of_the_other() {
    let onnx = include_bytes!("../../../tests/data/models/logistic.onnx");
    let scorecard = include_bytes!("../../../tests/data/models/income_stability.scorecard.json");
    let limits = Limits::default();
    assert!(Model::parse(ModelFormat::Scorecard, onnx, &limits).is_err());
    assert!(Model::parse(ModelFormat::Onnx, scorecard, &limits).is_err());
}
