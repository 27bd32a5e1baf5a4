//! Where a stream is between its beginning and its end: a part of the fold, so that no log of another shape is continued.
//!
//! A stream that follows another begins with one record that says so and with the balances that it takes over; nothing
//! else may stand between them. A stream that is followed ends with one record, and nothing may stand behind it.

use lingqu_core::Timestamp;
use lingqu_core::forward::{Forward, PARTS_MAX};
use lingqu_core::succession::{StreamBegin, StreamEnd, Succession};
use lingqu_tlog::Suite;

use super::fold::FoldRefused;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    begin: Option<StreamBegin>,
    /// What has come of the balances, while not all has.
    opening: Option<Opening>,
    end: Option<StreamEnd>,
}

#[derive(Clone, Debug)]
struct Opening {
    began: Timestamp,
    records: u64,
    bytes: Vec<u8>,
}

impl Life {
    /// Takes one record in; gives the balances when it was the last part of them.
    pub(crate) fn take<S: Suite>(
        &mut self,
        (index, time): (u64, Timestamp),
        succession: Option<&Succession>,
    ) -> Result<Option<Forward>, FoldRefused> {
        if self.end.is_some() {
            return Err(FoldRefused::Ended);
        }
        match (succession, &mut self.opening) {
            (Some(Succession::Begin(begin)), None) if index == 0 => {
                if begin.forward_records == 0 || begin.forward_records > PARTS_MAX {
                    return Err(FoldRefused::Beginning);
                }
                self.begin = Some(begin.clone());
                self.opening = Some(Opening {
                    began: time,
                    records: 0,
                    bytes: Vec::new(),
                });
                Ok(None)
            }
            (Some(Succession::Forward(part)), Some(opening)) => {
                opening.records += 1;
                opening.bytes.extend_from_slice(part);
                self.close_opening::<S>()
            }
            (Some(Succession::End(end)), None) => {
                self.end = Some(end.clone());
                Ok(None)
            }
            (None, None) => Ok(None),
            (Some(Succession::Begin(_) | Succession::Forward(_)), None) | (_, Some(_)) => {
                Err(FoldRefused::Beginning)
            }
        }
    }

    /// The balances, when all of them are there and are what the stream began with.
    fn close_opening<S: Suite>(&mut self) -> Result<Option<Forward>, FoldRefused> {
        let wanted = self.begin.as_ref().map(|begin| begin.forward_records);
        let complete = |opening: &mut Opening| Some(opening.records) == wanted;
        let Some(opening) = self.opening.take_if(complete) else {
            return Ok(None);
        };
        let digest = self.begin.as_ref().map(|begin| begin.forward_digest);
        if digest != Some(Forward::digest::<S>(&opening.bytes)) {
            return Err(FoldRefused::Forward);
        }
        let forward = Forward::decode(&opening.bytes).map_err(|_| FoldRefused::Forward)?;
        if opening.began <= forward.time {
            return Err(FoldRefused::Time);
        }
        Ok(Some(forward))
    }

    /// Whether the stream follows another and has taken over all of its balances.
    pub(crate) fn has_begun(&self) -> bool {
        self.begin.is_some() && self.opening.is_none()
    }

    /// Whether it has begun to take balances over, and not all of them have come.
    pub(crate) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Its first record, if it follows another stream.
    pub(crate) fn begin(&self) -> Option<&StreamBegin> {
        self.begin.as_ref()
    }

    /// Its last record, if it has ended.
    pub(crate) fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref()
    }
}

#[cfg(test)]
mod tests;
