//! Scorecards and a strict subset of ONNX: trees, linear models, scalers.
