//! Real exported models against what onnxruntime answered, see `tests/data/models/README.md`.

mod hostile;
mod mutated;
mod oracle;
