//! The follower's side of records that were dropped: heads without entries, and the proof that their stream had
//! ended. What is shown of it is only that; nothing of such a stream counts as verified.

use lingqu_core::head::Head;
use lingqu_core::receipt::Receipt;
use lingqu_proto::pb;
use lingqu_tlog::{Frontier, leaf_hash};

use super::{Event, FeedBroken, Intl, Verifier};
use crate::succession::{DroppedEnd, dropped_end, trust_of};

impl Verifier {
    /// Takes a head whose entries were dropped. With the stream's last head comes its end; a head log that is complete
    /// before all ends have come is a gap.
    pub(super) fn dropped(&mut self, span: pb::DroppedSpan) -> Result<Event, FeedBroken> {
        let region = self.region(&span.region)?;
        self.parts.clear();
        self.parts_len = 0;
        let head = Head::decode(&span.head).ok_or(FeedBroken::Malformed("head"))?;
        let checkpoint = self.authentic(head, None)?;
        let origin = checkpoint.origin.clone();
        let gap = || FeedBroken::StreamGap(origin.clone());
        if origin.rsplit('/').nth(1) != Some(region.as_str()) {
            return Err(FeedBroken::NotAuthentic(origin));
        }
        // Behind its end there is no head, and a head never says less than what was seen.
        let seen = self.seen.streams.get(&origin).map_or(0, Frontier::size);
        let has_ended = self.seen.dropped.contains_key(&origin);
        if has_ended || seen >= checkpoint.size || self.is_full(&origin) {
            return Err(gap());
        }
        let end = match span.end.as_slice() {
            [] => None,
            text => Some(self.proven(text, &origin)?),
        };
        if let Some((end, _)) = &end
            && (end.size, end.root) != (checkpoint.size, checkpoint.root)
        {
            return Err(gap());
        }
        // A unit's node stays the unit's.
        if let Some((end, _)) = &end
            && let Some(unit) = self.seen.units.get(&origin)
            && end.unit.as_ref() != Some(unit)
        {
            return Err(FeedBroken::NotAuthentic(origin));
        }
        let heads = self.seen.heads.entry(region.clone()).or_default();
        if span.head_index != heads.size() {
            return Err(FeedBroken::HeadLogGap(region));
        }
        heads.push(leaf_hash::<Intl>(&span.head));
        self.open.insert(region.clone());
        match &end {
            None => drop(self.seen.unproven.insert(origin.clone())),
            Some((end, receipt)) => {
                let trust = trust_of(&self.trust, end.next.clone());
                self.trust = trust.map_err(|why| FeedBroken::Succession {
                    origin: origin.clone(),
                    why,
                })?;
                self.seen.unproven.remove(&origin);
                // What was seen of it stays behind its end, which nothing is compared with any more.
                self.seen.streams.remove(&origin);
                self.seen.ended.remove(&origin);
                if let Some(unit) = &end.unit {
                    self.seen.units.insert(origin.clone(), unit.clone());
                }
                let text = receipt.to_text().into_bytes();
                self.seen.dropped.insert(origin.clone(), text);
            }
        }
        Ok(Event::Dropped {
            origin,
            region,
            head: span.head,
            end: end.map(Box::new),
        })
    }

    /// The end of the stream, and the receipt that proves it.
    fn proven(&self, text: &[u8], origin: &str) -> Result<(DroppedEnd, Receipt), FeedBroken> {
        let text = std::str::from_utf8(text).map_err(|_| FeedBroken::Malformed("end"))?;
        let receipt = Receipt::from_text(text).map_err(|_| FeedBroken::Malformed("end"))?;
        let end = dropped_end(&self.trust, &receipt).map_err(|why| FeedBroken::Succession {
            origin: origin.to_owned(),
            why,
        })?;
        if end.origin == origin {
            Ok((end, receipt))
        } else {
            Err(FeedBroken::StreamGap(origin.to_owned()))
        }
    }
}
