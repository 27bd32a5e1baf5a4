//! The registers of the transport bureau: `planes` and `flights` of NYC flights 2013, CC0, and the airlines' names.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};

use super::tables;

const PLANES: &[u8] = include_bytes!("../../data/planes.parquet");
const FLIGHTS: &[u8] = include_bytes!("../../data/flights.parquet");

/// The date that both registers speak for: the end of the year that they cover.
pub const AS_OF: &str = "2014-01-01";

/// The airlines of the register by their two-letter codes: public names, the dimension of statistics.
pub const AIRLINES: [(&str, &str); 16] = [
    ("9E", "Endeavor Air"),
    ("AA", "American Airlines"),
    ("AS", "Alaska Airlines"),
    ("B6", "JetBlue Airways"),
    ("DL", "Delta Air Lines"),
    ("EV", "ExpressJet Airlines"),
    ("F9", "Frontier Airlines"),
    ("FL", "AirTran Airways"),
    ("HA", "Hawaiian Airlines"),
    ("MQ", "Envoy Air"),
    ("OO", "SkyWest Airlines"),
    ("UA", "United Air Lines"),
    ("US", "US Airways"),
    ("VX", "Virgin America"),
    ("WN", "Southwest Airlines"),
    ("YV", "Mesa Airlines"),
];

/// Writes the registers into `dir`, as the unit's files that its node reads.
pub fn write(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("planes.parquet"), PLANES)?;
    std::fs::write(dir.join("flights.parquet"), FLIGHTS)?;
    let column = |of: fn(&(&'static str, &'static str)) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(AIRLINES.iter().map(of)))
    };
    let columns = [
        ("carrier", column(|(code, _)| code)),
        ("name", column(|(_, name)| name)),
    ];
    tables::write_small(&dir.join("airlines.parquet"), columns)
}
