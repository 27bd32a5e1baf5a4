//! The course of a stream from its beginning to its end, as whoever reads its records in order sees it.
//!
//! A stream that follows another begins with one record that says so and then with the balances that it takes over, all
//! of them and nothing between; a stream that has ended has nothing behind its end. Mirror, followers and offline checks
//! hold every stream against this, and none of them has to keep the balances for it: their digest is made as they come.

use lingqu_tlog::{Digest, Hash, Suite};

use super::{StreamBegin, Succession};
use crate::forward::{Forward, PARTS_MAX};

/// See the module. The default is a stream of which nothing was read.
#[derive(Clone)]
pub struct Course<S: Suite> {
    opening: Option<Opening<S>>,
    has_ended: bool,
}

#[derive(Clone)]
struct Opening<S: Suite> {
    /// Records that are still to come.
    left: u64,
    wanted: Hash,
    digest: S::Digest,
}

/// A record that no stream has in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfCourse {
    /// It stands behind the stream's end.
    #[error("a record stands behind the end of its stream")]
    AfterEnd,
    /// The stream does not begin with the balances of the one before, or something else stands between them.
    #[error("the stream does not begin with the balances of the one before, and with them alone")]
    Beginning,
    /// The balances are not those that the first record says.
    #[error("the balances brought forward are not those that the stream began with")]
    Forward,
}

impl<S: Suite> Default for Course<S> {
    fn default() -> Self {
        Course {
            opening: None,
            has_ended: false,
        }
    }
}

impl<S: Suite> std::fmt::Debug for Course<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course")
            .field("left", &self.opening.as_ref().map(|opening| opening.left))
            .field("has_ended", &self.has_ended)
            .finish()
    }
}

impl<S: Suite> Course<S> {
    /// A stream that was read to its end.
    pub fn ended() -> Course<S> {
        Course {
            opening: None,
            has_ended: true,
        }
    }

    /// Takes the next record: its index, and what it has to do with the succession.
    ///
    /// # Errors
    /// [`OutOfCourse`]: the stream is not one that a node of ours writes.
    pub fn take(&mut self, index: u64, record: Option<&Succession>) -> Result<(), OutOfCourse> {
        if self.has_ended {
            return Err(OutOfCourse::AfterEnd);
        }
        match (record, &mut self.opening) {
            (None, None) => Ok(()),
            (Some(Succession::Begin(begin)), None) if index == 0 => self.begin(begin),
            (Some(Succession::Forward(part)), Some(opening)) => {
                opening.digest.take(part);
                opening.left -= 1;
                self.close()
            }
            (Some(Succession::End(_)), None) => {
                self.has_ended = true;
                Ok(())
            }
            (Some(Succession::Begin(_) | Succession::Forward(_)), None) | (_, Some(_)) => {
                Err(OutOfCourse::Beginning)
            }
        }
    }

    fn begin(&mut self, begin: &StreamBegin) -> Result<(), OutOfCourse> {
        if !(1..=PARTS_MAX).contains(&begin.forward_records) {
            return Err(OutOfCourse::Beginning);
        }
        self.opening = Some(Opening {
            left: begin.forward_records,
            wanted: begin.forward_digest,
            digest: Forward::begin_digest::<S>(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), OutOfCourse> {
        match self.opening.take_if(|opening| opening.left == 0) {
            Some(Opening { wanted, digest, .. }) => match digest.finish() == wanted {
                true => Ok(()),
                false => Err(OutOfCourse::Forward),
            },
            None => Ok(()),
        }
    }

    /// Whether balances are still to come.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Whether the stream's end was read.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }
}

#[cfg(test)]
mod tests;
