//! Which streams the coordinator has put on record as dropped: acts of its own stream, which stands apart from all
//! others by its name. Heads without records are believed to be of a dropped stream only where such an act says so: else
//! whoever hides a stream would merely call it dropped.

use std::collections::BTreeMap;

use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_tlog::{Hash, KeyName};

/// What the act is called.
pub(crate) const STREAM_DROPPED: &str = "stream_dropped";
/// Most such streams that are remembered. What is beyond counts as not on record.
const DROPS_MAX: usize = 200_000;

/// By origin, how many records a dropped stream had, and the root over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops(pub(crate) BTreeMap<String, (u64, Hash)>);

impl Drops {
    /// Takes in a record of `origin`, if it is such an act of a coordinator's own stream.
    pub(crate) fn take(&mut self, origin: &str, record: &RecordView<'_>) {
        if !is_own_stream(origin)
            || record.kind() != Kind::Control
            || record.text(Field::Action) != Some(STREAM_DROPPED)
        {
            return;
        }
        let subject = record.text(Field::Subject);
        let subject = subject.filter(|subject| KeyName::parse(subject).is_ok());
        let root = record.bytes(Field::ObjectDigest);
        let root = root.and_then(|root| root.try_into().ok()).map(Hash);
        if let (Some(subject), Some(count), Some(root)) =
            (subject, record.number(Field::Count), root)
            && (self.0.len() < DROPS_MAX || self.0.contains_key(subject))
        {
            self.0.insert(subject.to_owned(), (count, root));
        }
    }

    /// Whether this stream, as it was at its end, is on record as dropped.
    pub(crate) fn has(&self, origin: &str, size: u64, root: Hash) -> bool {
        self.0.get(origin) == Some(&(size, root))
    }
}

/// A coordinator's own stream is `…/c/<name>/<region>/<half-year>`, a node's `…/s/…`.
pub(crate) fn is_own_stream(origin: &str) -> bool {
    origin.rsplit('/').nth(3) == Some("c")
}
