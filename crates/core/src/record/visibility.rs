//! Who sees which part of a record. The table in `docs/records.md` is made from this one, and a test keeps it so.

use std::fmt::Write as _;

use super::Field;

/// Who can come to see a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The caller, from the receipt of its own call.
    Caller,
    /// The unit, at its own node.
    Unit,
    /// The coordinator, as the mirror.
    Coordinator,
    /// A regulator whose region covers the node's.
    Regulator,
    /// Any other regulator, licensee or unit.
    Other,
    /// Anybody.
    Public,
}

impl Reader {
    const ALL: [Reader; 6] = [
        Reader::Caller,
        Reader::Unit,
        Reader::Coordinator,
        Reader::Regulator,
        Reader::Other,
        Reader::Public,
    ];
}

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header(&'static str),
    Clear(Field),
    Commitment(&'static str),
    Opening(&'static str),
}

/// Whether somebody can read something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    Always,
    /// By a signed order that is on record before anything is handed out.
    ByOrder,
    Never,
}

/// Whether `reader` can read `part`. One row per kind of part, so that nobody sees by omission.
fn sees(reader: Reader, part: Part) -> Sees {
    match (part, reader) {
        // The header and the clear fields are what supervision needs; none is personal.
        (
            Part::Header(_) | Part::Clear(_),
            Reader::Caller | Reader::Unit | Reader::Coordinator | Reader::Regulator,
        ) => Sees::Always,
        // A commitment is visible as a hash; without its key it says nothing.
        (
            Part::Commitment(_),
            Reader::Caller | Reader::Unit | Reader::Coordinator | Reader::Regulator,
        ) => Sees::Always,
        // The key and the values behind the commitments go to the caller. Where the unit's policy keeps bodies, a
        // regulator that the node names has them too, by an order that is on record; the node itself cannot read them.
        (Part::Opening(_), Reader::Caller) => Sees::Always,
        (Part::Opening(_), Reader::Regulator) => Sees::ByOrder,
        (Part::Opening(_), Reader::Unit | Reader::Coordinator) => Sees::Never,
        (_, Reader::Other | Reader::Public) => Sees::Never,
    }
}

fn parts() -> Vec<Part> {
    let mut parts: Vec<Part> = [
        "kind",
        "flags",
        "stream",
        "index",
        "time",
        "call id",
        "refers to",
    ]
    .map(Part::Header)
    .to_vec();
    parts.extend(Field::ALL.iter().copied().map(Part::Clear));
    parts.push(Part::Commitment("body root"));
    parts.extend(["claims or parameters", "answer", "opening key"].map(Part::Opening));
    parts
}

/// The table as Markdown.
pub fn visibility_table() -> String {
    let mut table = String::from("| part |");
    for reader in Reader::ALL {
        let _ = write!(table, " {} |", format!("{reader:?}").to_lowercase());
    }
    table.push_str("\n|---|---|---|---|---|---|---|\n");
    for part in parts() {
        let name = match part {
            Part::Header(name) => format!("header: {name}"),
            Part::Clear(field) => format!("clear {}: `{}`", field as u16, field.name()),
            Part::Commitment(name) => format!("commitment: {name}"),
            Part::Opening(name) => format!("opening: {name}"),
        };
        let _ = write!(table, "| {name} |");
        for reader in Reader::ALL {
            table.push_str(match sees(reader, part) {
                Sees::Always => " yes |",
                Sees::ByOrder => " by recorded order, where kept |",
                Sees::Never => " – |",
            });
        }
        table.push('\n');
    }
    table
}
