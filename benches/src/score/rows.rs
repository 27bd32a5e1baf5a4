//! The rows that both sides score: the numbers of the committed loans, again and again.

use std::path::{Path, PathBuf};

use super::Failed;

/// Numbers of a row; they stand before the categories.
pub(super) const WIDTH: usize = 7;

/// Where models and data are.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/models")
}

/// As many rows, one after the other.
pub(super) fn read(rows: usize) -> Result<Vec<f32>, Failed> {
    parse(
        &std::fs::read_to_string(directory().join("german_credit.csv"))?,
        rows,
    )
}

pub(super) fn parse(text: &str, rows: usize) -> Result<Vec<f32>, Failed> {
    let mut values = Vec::new();
    for line in text.lines().skip(1) {
        // No number is quoted, and behind the last of them nothing is read.
        let numbers = line.split(',').take(WIDTH).map(str::parse::<f32>);
        let before = values.len();
        for number in numbers {
            values.push(number.map_err(|_| Failed::Data)?);
        }
        if values.len() != before + WIDTH {
            return Err(Failed::Data);
        }
    }
    if values.is_empty() {
        return Err(Failed::Data);
    }
    Ok(values.into_iter().cycle().take(rows * WIDTH).collect())
}
