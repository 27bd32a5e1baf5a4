//! What a subscriber has verified so far, as a text that it keeps to resume from.
//!
//! It holds the right edges of trees and nothing of any record. A text that was altered proves nothing wrong: what comes
//! next does not fit it and is refused. One line is believed as it stands, `drop`, which says that a drop was on record: whoever
//! can write this file can silence that finding, for its own reader alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lingqu_core::succession::Course;
use lingqu_core::{PartyId, Region};
use lingqu_tlog::{Frontier, Hash, Intl};

use crate::drops::Drops;

const MAGIC: &str = "lingqu/seen/v1";

/// What the subscriber has verified so far. Keep it to resume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub(super) streams: BTreeMap<String, Frontier<Intl>>,
    pub(super) heads: BTreeMap<Region, Frontier<Intl>>,
    /// The unit that a stream's node says it belongs to, by origin.
    pub(super) units: BTreeMap<String, PartyId>,
    /// The first records of streams that follow others, by origin: kept whole, so that whoever goes on takes the step
    /// anew from the trust file, and this text cannot make anybody believe a key.
    pub(super) links: BTreeMap<String, Vec<u8>>,
    /// Streams that have ended, and the one that each of them names.
    pub(super) ended: BTreeMap<String, String>,
    /// Streams whose records were dropped, and the receipts of their last records, as text.
    pub(super) dropped: BTreeMap<String, Vec<u8>>,
    /// Streams that the coordinator's own stream says were dropped.
    pub(super) drops: Drops,
    /// Streams of which records were dropped, and whose end was not proven yet. In memory alone.
    pub(super) unproven: BTreeSet<String>,
    /// Streams whose balances are still coming. In memory alone.
    pub(super) openings: Openings,
    /// Feed files written, or taken in.
    pub files: u64,
}

/// How far each of these streams has begun. Two are equal if they are about the same streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Openings(pub(super) BTreeMap<String, Course<Intl>>);

impl PartialEq for Openings {
    fn eq(&self, other: &Openings) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}

impl Eq for Openings {}

/// Why a text is not what a subscriber kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not one of what a subscriber keeps")]
pub struct SeenMalformed(pub usize);

impl Seen {
    /// The unit that the node of this stream says it belongs to, if its records said so.
    pub fn unit_of(&self, origin: &str) -> Option<&PartyId> {
        self.units.get(origin)
    }

    /// Whether nothing was verified yet.
    pub fn is_new(&self) -> bool {
        self.heads.is_empty() && self.streams.is_empty()
    }

    /// Whether the text form says everything that is needed to go on: not while a stream is bringing its balances
    /// forward, whose digest is made as they come, or the end of dropped records is to be proven. Whoever keeps nothing then goes on from before.
    pub fn may_be_kept(&self) -> bool {
        self.openings.0.is_empty() && self.unproven.is_empty()
    }

    /// The text form; the last line shows that none was cut off.
    pub fn to_text(&self) -> String {
        let mut text = format!("{MAGIC}\nfiles {}\n", self.files);
        for (origin, edge) in &self.streams {
            let _ = writeln!(text, "stream {origin} {}", edge_text(edge));
        }
        for (region, edge) in &self.heads {
            let _ = writeln!(text, "heads {region} {}", edge_text(edge));
        }
        for (origin, unit) in &self.units {
            let _ = writeln!(text, "unit {origin} {unit}");
        }
        for (origin, record) in &self.links {
            let _ = writeln!(text, "link {origin} {}", hex::encode(record));
        }
        for (origin, next) in &self.ended {
            let _ = writeln!(text, "ended {origin} {next}");
        }
        for (origin, end) in &self.dropped {
            let _ = writeln!(text, "dropped {origin} {}", hex::encode(end));
        }
        for (origin, (size, root)) in &self.drops.0 {
            let _ = writeln!(text, "drop {origin} {size} {}", root.to_base64());
        }
        text.push_str("end\n");
        text
    }

    /// Reads what [`Seen::to_text`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`SeenMalformed`] names the line.
    pub fn parse(text: &str) -> Result<Seen, SeenMalformed> {
        let mut seen = Seen::default();
        let mut number = 0;
        for line in text.lines() {
            number += 1;
            let is_read = match number {
                1 => line == MAGIC,
                _ => line == "end" || seen.read(line).is_some(),
            };
            if !is_read {
                return Err(SeenMalformed(number));
            }
        }
        // What would be written otherwise was not written by us.
        if seen.to_text() == text {
            Ok(seen)
        } else {
            Err(SeenMalformed(number))
        }
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        match (words.next()?, words.next()?) {
            ("files", count) => self.files = count.parse().ok()?,
            ("stream", origin) => {
                self.streams.insert(origin.to_owned(), edge(words)?);
            }
            ("heads", region) => {
                self.heads.insert(region.parse().ok()?, edge(words)?);
            }
            ("unit", origin) => {
                let unit = words.next()?.parse().ok()?;
                self.units.insert(origin.to_owned(), unit);
            }
            ("link", origin) => {
                let record = hex::decode(words.next()?).ok()?;
                self.links.insert(origin.to_owned(), record);
            }
            ("ended", origin) => {
                let next = words.next()?.to_owned();
                self.ended.insert(origin.to_owned(), next);
            }
            ("dropped", origin) => {
                let end = hex::decode(words.next()?).ok()?;
                self.dropped.insert(origin.to_owned(), end);
            }
            ("drop", origin) => {
                let size = words.next()?.parse().ok()?;
                let root = Hash::from_base64(words.next()?).ok()?;
                self.drops.0.insert(origin.to_owned(), (size, root));
            }
            _ => return None,
        }
        Some(())
    }
}

fn edge_text(edge: &Frontier<Intl>) -> String {
    let hashes = edge.hashes().iter().map(Hash::to_base64);
    let words = std::iter::once(edge.size().to_string()).chain(hashes);
    words.collect::<Vec<_>>().join(" ")
}

fn edge<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Frontier<Intl>> {
    let size = words.next()?.parse().ok()?;
    let hashes = words.map(|word| Hash::from_base64(word).ok());
    Frontier::from_parts(size, hashes.collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use lingqu_tlog::leaf_hash;

    use super::*;

    fn seen() -> Seen {
        let mut seen = Seen {
            files: 7,
            ..Seen::default()
        };
        for (origin, size) in [
            ("c.example/s/a/45/2026h2", 5_u8),
            ("c.example/s/b/45/2026h2", 1),
        ] {
            let mut edge = Frontier::new();
            (0..size).for_each(|leaf| edge.push(leaf_hash::<Intl>(&[leaf])));
            seen.streams.insert(origin.to_owned(), edge.clone());
            seen.heads.insert("45".parse().unwrap(), edge);
            seen.units
                .insert(origin.to_owned(), "party_unit".parse().unwrap());
            seen.links.insert(origin.to_owned(), vec![size; 3]);
            seen.ended.insert(origin.to_owned(), "next".to_owned());
            seen.dropped.insert(origin.to_owned(), vec![size; 4]);
            let root = Hash([size; 32]);
            seen.drops
                .0
                .insert(origin.to_owned(), (u64::from(size), root));
        }
        seen
    }

    #[test]
    fn what_was_kept_reads_back() {
        for seen in [Seen::default(), seen()] {
            assert_eq!(Seen::parse(&seen.to_text()), Ok(seen));
        }
    }

    #[test]
    fn nothing_else_is_read() {
        let text = seen().to_text();
        for end in 0..text.len() {
            assert!(Seen::parse(&text[..end]).is_err(), "cut at {end}");
        }
        for (from, to) in [
            ("v1", "v2"),
            ("files 7", "files 07"),
            ("files 7\n", ""),
            ("heads 45", "heads 4"),
            ("/2026h2 5 ", "/2026h2 7 "),
            ("end\n", "end\nend\n"),
            ("end\n", "more\nend\n"),
            ("party_unit", "unit"),
            ("050505", "05050"),
            ("6h2 next", "6h2"),
            ("\n", "\r\n"),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text);
            assert!(Seen::parse(&wrong).is_err(), "{to}");
        }
    }
}
