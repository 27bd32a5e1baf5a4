use std::sync::Arc;

use arrow_schema::ArrowError;
use datafusion::error::DataFusionError;

use super::SourceError;

#[test]
fn a_source_error_comes_out_of_a_stream_as_it_went_in() {
    let wrapped = [
        DataFusionError::from(SourceError::TooLarge),
        DataFusionError::from(SourceError::TooLarge).context("while reading"),
        DataFusionError::Shared(Arc::new(SourceError::TooLarge.into())),
        DataFusionError::ArrowError(
            Box::new(ArrowError::ExternalError(Box::new(SourceError::TooLarge))),
            None,
        ),
    ];
    for error in wrapped {
        assert_eq!(SourceError::from(error), SourceError::TooLarge);
    }
}

#[test]
fn the_words_of_the_engine_are_left_behind() {
    let error = DataFusionError::Execution("cannot parse 'canary-7719' as a number".into());
    let error = SourceError::from(error.context("column `x`"));
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(
        error,
        SourceError::Failed {
            code: Some("engine".into())
        }
    );
}
