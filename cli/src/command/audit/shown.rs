//! Verified events of a feed as they are printed, and of which regions it is not known yet that this is all.

use std::collections::BTreeSet;

use lingqu_client::succession::{DroppedEnd, Step};
use lingqu_client::{Event, FeedBroken, Seen, Selection};
use lingqu_core::Region;
use serde_json::json;

use super::links;
use crate::failure::Failure;
use crate::record_json;
use crate::session::Session;

/// See the module.
pub(super) struct Shown {
    selection: Selection,
    json: bool,
    /// Records that were verified, and those of them that were printed.
    verified: u64,
    printed: u64,
    open: BTreeSet<Region>,
}

impl Shown {
    pub(super) fn new(selection: Selection, json: bool) -> Shown {
        Shown {
            selection,
            json,
            verified: 0,
            printed: 0,
            open: BTreeSet::new(),
        }
    }

    /// Prints what is wanted of an event that was verified; `seen` knows of it already.
    pub(super) fn show(
        &mut self,
        event: Event,
        seen: &Seen,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        match event {
            Event::Records {
                origin,
                region,
                records,
                follows,
                ..
            } => {
                if let Some(step) = follows {
                    self.tell(&step, session)?;
                }
                self.verified += records.len() as u64;
                for record in &records {
                    if !self.selection.takes(seen, &origin, record) {
                        continue;
                    }
                    self.printed += 1;
                    if self.json {
                        let mut line = record_json::of(record);
                        line["stream"] = origin.as_str().into();
                        line["region"] = region.as_str().into();
                        if let Some(unit) = seen.unit_of(&origin) {
                            line["unit"] = unit.as_str().into();
                        }
                        session.json(&line)?;
                    } else {
                        session.line(format_args!("{origin} {}", record_json::line(record)))?;
                    }
                }
                self.open.insert(region);
            }
            Event::Dropped {
                origin,
                region,
                end,
                ..
            } => {
                if let Some(end) = end {
                    self.tell_dropped(&end.0, session)?;
                }
                tracing::debug!(origin, "a head of dropped records");
                self.open.insert(region);
            }
            Event::Complete { region, heads, .. } => {
                self.tell_complete(&region, heads, seen, session)?;
                self.open.remove(&region);
            }
        }
        Ok(())
    }

    /// That everything of a region was shown, but for what was dropped.
    fn tell_complete(
        &self,
        region: &Region,
        heads: u64,
        seen: &Seen,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let (verified, printed) = (self.verified, self.printed);
        let dropped = seen.dropped_in(region);
        if self.json {
            session.json(&json!({ "complete": {
                "region": region.as_str(),
                "heads": heads,
                "records_verified": verified,
                "records_shown": printed,
                "streams_dropped": dropped,
            } }))?;
        } else if dropped == 0 {
            session.say(
                format_args!("region {region} is complete up to head {heads}"),
                format_args!("区域 {region} 截至第 {heads} 个头部记录完整"),
            );
        } else {
            session.say(
                format_args!(
                    "region {region} is complete up to head {heads}, but for {dropped} dropped streams"
                ),
                format_args!(
                    "区域 {region} 截至第 {heads} 个头部记录完整，另有 {dropped} 个日志流已清除"
                ),
            );
        }
        Ok(())
    }

    /// A stream whose records were dropped: nothing of it is shown, and nothing is claimed but that it had ended.
    fn tell_dropped(&self, end: &DroppedEnd, session: &mut Session<'_>) -> Result<(), Failure> {
        links::check_dropped(end, session)?;
        if self.json {
            return session.json(&json!({ "dropped": links::dropped_value(end) }));
        }
        links::tell_dropped(end, session);
        Ok(())
    }

    /// How a stream follows the one before.
    fn tell(&self, step: &Step, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.json {
            return session.json(&json!({ "follows": links::value(step) }));
        }
        links::tell(std::slice::from_ref(step), session);
        Ok(())
    }

    /// A feed that ends before its head log says that it was all could have left something out.
    pub(super) fn end(self, seen: &Seen, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(region) = self.open.into_iter().next() {
            return Err(FeedBroken::HeadLogGap(region).into());
        }
        let (verified, printed) = (self.verified, self.printed);
        if self.selection.is_everything() {
            session.say(
                format_args!("{verified} records, all verified"),
                format_args!("共 {verified} 条记录，均已核验"),
            );
        } else {
            session.say(
                format_args!("{verified} records, all verified; {printed} of them were asked for"),
                format_args!("共 {verified} 条记录，均已核验；其中 {printed} 条符合筛选条件"),
            );
        }
        let dropped = seen.dropped();
        if dropped > 0 && self.json {
            session.json(&json!({ "end": {
                "records_verified": verified,
                "records_shown": printed,
                "streams_dropped": dropped,
            } }))?;
        } else if dropped > 0 {
            session.say(
                format_args!("{dropped} streams were dropped and are NOT verified"),
                format_args!("另有 {dropped} 个日志流已清除，未予核验"),
            );
        }
        links::check_on_record(seen.off_record().into_iter())
    }
}

#[cfg(test)]
mod tests;
