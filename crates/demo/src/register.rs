//! The registers that ship with the product: `planes` and `flights` of NYC flights 2013, CC0. See `data/README.md`.

use std::io;
use std::path::Path;

const PLANES: &[u8] = include_bytes!("../data/planes.parquet");
const FLIGHTS: &[u8] = include_bytes!("../data/flights.parquet");

/// The date that both registers speak for: the end of the year that they cover.
pub(crate) const AS_OF: &str = "2014-01-01";

/// Writes both registers into `dir`, as the unit's files that its node reads.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("planes.parquet"), PLANES)?;
    std::fs::write(dir.join("flights.parquet"), FLIGHTS)
}
