//! The follower's side of the succession of streams: a stream that follows a believed one is believed, once its first
//! record has proven that it does, and begins with nothing missing.

use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Field, Record, RecordReader, StreamId};
use lingqu_core::succession::{Course, OutOfCourse, Succession};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Frontier, Intl, leaf_hash};

use super::{FeedBroken, Seen, Verifier};
use crate::succession::{
    Step, StepRefused, begins, follow_all_over, previous_origin, step, trust_in,
};

/// The trust of whoever goes on after what was seen: every step that was taken then is taken again, from the trust file
/// and the first records alone.
pub(super) fn trust_after(trust: Trust<Intl>, seen: &Seen) -> Trust<Intl> {
    let firsts: Vec<Vec<u8>> = seen.links.values().cloned().collect();
    let dropped = seen.dropped.values();
    let text = |text| std::str::from_utf8(text).ok();
    let ends = dropped.filter_map(|end| Receipt::from_text(text(end)?).ok());
    let ends: Vec<Receipt> = ends.collect();
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
            let is_awaited = self.seen.ended.values().any(|next| next == origin);
            return match is_awaited {
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
            let end = std::str::from_utf8(end)
                .ok()
                .and_then(|text| Receipt::from_text(text).ok());
            let end = end.map(|end| (end.checkpoint.size, end.checkpoint.root));
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
}

impl Seen {
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
            records.push(record.to_record());
        }
        Ok(Continued {
            stream,
            course,
            records,
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
