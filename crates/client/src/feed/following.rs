//! The follower's side of the succession of streams: a stream that follows a believed one is believed, once its first
//! record has proven that it does, and begins with nothing missing.

use lingqu_core::Region;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Field, Record, RecordReader, StreamId};
use lingqu_core::succession::{Course, OutOfCourse, Succession};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Frontier, Intl, leaf_hash};

use super::{FeedBroken, Seen, Verifier};
use crate::drops::Drops;
use crate::succession::{
    Step, StepRefused, begins, end_in, follow_all_over, previous_origin, step, trust_in,
};

/// The trust of whoever goes on after what was seen: every step that was taken then is taken again, from the trust file
/// and the first records alone.
pub(super) fn trust_after(trust: Trust<Intl>, seen: &Seen) -> Trust<Intl> {
    let firsts: Vec<Vec<u8>> = seen.links.values().cloned().collect();
    let ends: Vec<Receipt> = seen
        .dropped
        .values()
        .filter_map(|end| end_of(end))
        .collect();
    match follow_all_over(std::slice::from_ref(&trust), &firsts, &ends) {
        Ok((mut trusts, _)) => trusts.pop().unwrap_or(trust),
        // What was kept was altered, or the trust file is another one. What comes next is then not believed.
        Err(_) => trust,
    }
}

impl Verifier {
    /// The step to the stream `origin`, if these are its first entries and it follows a stream that is believed, and the
    /// trust after it.
    pub(super) fn step(
        &self,
        origin: &str,
        entries: &[Vec<u8>],
    ) -> Result<Option<(Step, Trust<Intl>)>, FeedBroken> {
        let is_new = !self.seen.streams.contains_key(origin);
        let Some(first) = entries.first().filter(|_| is_new) else {
            return Ok(None);
        };
        let begin = begins(first);
        let Some(begin) = begin.filter(|begin| self.trust.log(previous_origin(begin)).is_some())
        else {
            return match self.seen.awaits(origin) {
                true => Err(FeedBroken::Course {
                    origin: origin.to_owned(),
                    why: OutOfCourse::Beginning,
                }),
                false => Ok(None),
            };
        };
        let refused = |why: StepRefused| FeedBroken::Succession {
            origin: origin.to_owned(),
            why,
        };
        let step = step(&self.trust, first).map_err(refused)?;
        let previous = previous_origin(&begin);
        // Whoever followed the stream before has all of it, its end included; else something was held back.
        if let Some(seen) = self.seen.streams.get(previous)
            && (seen.size(), seen.root()) != (step.end.0 + 1, step.root)
        {
            return Err(FeedBroken::StreamGap(previous.to_owned()));
        }
        // The same of one whose records were dropped, as its end said.
        if let Some(end) = self.seen.dropped.get(previous) {
            let end = end_of(end).map(|end| (end.checkpoint.size, end.checkpoint.root));
            if end != Some((step.end.0 + 1, step.root)) {
                return Err(FeedBroken::StreamGap(previous.to_owned()));
            }
        }
        // A unit's node stays the unit's.
        if let Some(unit) = self.seen.units.get(previous)
            && *unit != step.order.unit
        {
            return Err(FeedBroken::NotAuthentic(origin.to_owned()));
        }
        let trust = trust_in(&self.trust, &step).map_err(refused)?;
        Ok(Some((step, trust)))
    }

    /// Believes the stream from here on, whose first entries were found to lead to its signed root.
    pub(super) fn follow(
        &mut self,
        origin: &str,
        step: Step,
        trust: Trust<Intl>,
        entries: &[Vec<u8>],
    ) -> Box<Step> {
        self.trust = trust;
        let first = entries.first().cloned().unwrap_or_default();
        self.seen.links.insert(origin.to_owned(), first);
        let unit = step.order.unit.clone();
        self.seen.units.insert(origin.to_owned(), unit);
        Box::new(step)
    }
}

/// A stream as it is after some more entries; nothing of it is kept before a head has proven them.
pub(super) struct Continued {
    pub(super) stream: Frontier<Intl>,
    pub(super) course: Course<Intl>,
    pub(super) records: Vec<Record>,
    /// Streams that these records say were dropped.
    pub(super) drops: Drops,
}

/// The receipt of a dropped stream's last record, as it is kept.
fn end_of(text: &[u8]) -> Option<Receipt> {
    Receipt::from_text(std::str::from_utf8(text).ok()?).ok()
}

impl Seen {
    /// Whether a stream that has ended, dropped or not, names this one as the next: then it begins with the proof of that.
    fn awaits(&self, origin: &str) -> bool {
        let names = |end: &Vec<u8>| {
            let next = end_of(end).and_then(|end| end_in(&end).ok());
            next.is_some_and(|(_, next)| next.name().as_str() == origin)
        };
        self.ended.values().any(|next| next == origin) || self.dropped.values().any(names)
    }

    /// The streams whose records were withheld, and of which no verified record of the coordinator's own stream says that
    /// they were dropped. That stream may be in another region than was followed.
    pub fn off_record(&self) -> Vec<&str> {
        let dropped = self.dropped.iter();
        let is_off = |end: &[u8], origin: &str| {
            let end = end_of(end).map(|end| end.checkpoint);
            end.is_none_or(|end| !self.drops.has(origin, end.size, end.root))
        };
        let off = dropped.filter(|(origin, end)| is_off(end, origin));
        off.map(|(origin, _)| origin.as_str()).collect()
    }

    /// How many streams of the region are not here but for their ends.
    pub fn dropped_in(&self, region: &Region) -> usize {
        let dropped = self.dropped.keys();
        let of_region = |origin: &&String| origin.rsplit('/').nth(1) == Some(region.as_str());
        dropped.filter(of_region).count()
    }

    /// How many streams are not here but for their ends.
    pub fn dropped(&self) -> usize {
        self.dropped.len()
    }

    /// Continues a stream with entries, each the record of its place and one that a stream has there.
    pub(super) fn continued(
        &self,
        origin: &str,
        entries: &[Vec<u8>],
    ) -> Result<Continued, FeedBroken> {
        let malformed = || FeedBroken::Malformed("record");
        let id = StreamId::of::<Intl>(origin);
        let mut stream = self.streams.get(origin).cloned().unwrap_or_default();
        let mut course = self.course(origin);
        let mut records = Vec::with_capacity(entries.len());
        let mut reader = RecordReader::<Intl>::new();
        let mut drops = Drops::default();
        for entry in entries {
            let record = reader.read(entry).map_err(|_| malformed())?;
            if record.index() != stream.size() || record.stream() != id {
                return Err(FeedBroken::StreamGap(origin.to_owned()));
            }
            let succession = Succession::of(&record).map_err(|_| malformed())?;
            let taken = course.take(stream.size(), succession.as_ref());
            taken.map_err(|why| FeedBroken::Course {
                origin: origin.to_owned(),
                why,
            })?;
            stream.push(leaf_hash::<Intl>(entry));
            drops.take(origin, &record);
            records.push(record.to_record());
        }
        Ok(Continued {
            stream,
            course,
            records,
            drops,
        })
    }

    /// Where the stream is between its beginning and its end.
    pub(super) fn course(&self, origin: &str) -> Course<Intl> {
        if self.ended.contains_key(origin) {
            return Course::ended();
        }
        let opening = self.openings.0.get(origin);
        opening.cloned().unwrap_or_default()
    }

    /// Remembers it, and which stream follows if it has ended.
    pub(super) fn keep_course(&mut self, origin: &str, course: Course<Intl>, last: &Record) {
        if let Some(next) = last.draft.clear.get_text(Field::NextKey)
            && course.has_ended()
        {
            let next = next.split('+').next().unwrap_or_default();
            self.ended.insert(origin.to_owned(), next.to_owned());
        }
        if course.is_opening() {
            self.openings.0.insert(origin.to_owned(), course);
        } else {
            self.openings.0.remove(origin);
        }
    }
}

#[cfg(test)]
mod tests;
