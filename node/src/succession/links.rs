//! How this node's streams follow each other, for callers who trust an earlier one.
//!
//! The first record of a stream proves the end of the one before and so the key of the stream: who trusts the first key needs
//! nothing else. It is handed out to whoever may connect. It must hold no call: what is handed out is a record of the
//! succession and nothing more, byte for byte ([`is_bare_link`]).

use std::io;
use std::path::PathBuf;

use lingqu_core::record::RECORD_LEN_MAX;
use lingqu_core::succession::{LINKS_MAX, is_bare_link, period};
use lingqu_tlog::Intl;

use super::DIR;
use crate::Node;
use crate::state::{State, create_dir};

/// Ending of the files in which first records of past streams are kept, beside the orders.
const KEPT: &str = "begin";

impl Node {
    /// First records of the streams after that of this origin, or of all; the oldest first, the newest
    /// [`LINKS_MAX`] of them. Blocking: it reads files.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn links(&self, after: &str) -> io::Result<Vec<Vec<u8>>> {
        let mut links: Vec<(String, Vec<u8>)> = Vec::new();
        let dir = self.state.dir().join(DIR);
        if dir.exists() {
            let kept = self.state.read_all(&dir, KEPT)?;
            links.extend(kept.into_iter().map(|(path, record)| {
                let period = path.file_stem().unwrap_or_default();
                (period.to_string_lossy().into_owned(), record)
            }));
        }
        let current = period(self.journal.origin());
        links.retain(|(period, _)| period.as_str() != current);
        links.extend(
            self.journal
                .first_record()
                .map(|record| (current.to_owned(), record)),
        );
        // Periods follow each other in the order of bytes.
        links.retain(|(of, _)| after.is_empty() || of.as_str() > period(after));
        links.retain(|(_, record)| is_link(record));
        links.sort();
        let surplus = links.len().saturating_sub(LINKS_MAX);
        Ok(links.drain(surplus..).map(|(_, record)| record).collect())
    }

    /// Keeps the first record of the stream that has ended: its journal may be dropped some day.
    pub(super) fn keep_link(&self) -> io::Result<()> {
        match self.journal.first_record() {
            Some(record) => keep(&self.state, self.journal.origin(), &record),
            // The first stream of all follows none.
            None => Ok(()),
        }
    }
}

fn keep(state: &State, origin: &str, record: &[u8]) -> io::Result<()> {
    let path = path(state, origin);
    if path.exists() {
        return Ok(());
    }
    create_dir(&state.dir().join(DIR))?;
    state.write(&path, record)
}

fn path(state: &State, origin: &str) -> PathBuf {
    // A period has points in it, which are no endings here.
    let name = format!("{}.{KEPT}", period(origin));
    state.dir().join(DIR).join(name)
}

fn is_link(record: &[u8]) -> bool {
    let is_bare = record.len() <= RECORD_LEN_MAX && is_bare_link::<Intl>(record);
    if !is_bare {
        tracing::error!("a stream's first record is not handed out: something else is in it");
    }
    is_bare
}
