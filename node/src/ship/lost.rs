//! That the journal lost records, remembered over restarts until every mirror was heard.
//!
//! Of several mirrors, one alone may have what the journal lost. What the others give back makes the journal look whole, so
//! a mark beside it says that it is not known to be, from before the first record comes back until all were heard.

use std::io;
use std::path::PathBuf;

use crate::Node;
use crate::state::State;

const FILE: &str = "journal-lost";

fn path(state: &State) -> PathBuf {
    state.dir().join(FILE)
}

/// Whether an earlier run left the mark.
pub(crate) fn is_marked(state: &State) -> bool {
    path(state).exists()
}

impl Node {
    /// Leaves the mark, durable, if the journal may have lost something.
    ///
    /// # Errors
    /// Why not; nothing may be taken back then.
    pub(crate) fn mark_lost(&self) -> io::Result<()> {
        if self.journal.may_have_lost() && !is_marked(&self.state) {
            self.state
                .write(&path(&self.state), b"every mirror has to be heard\n")?;
        }
        Ok(())
    }

    /// Takes it away: the journal was opened for records, so every mirror was heard.
    pub(super) fn unmark_lost(&self) {
        match std::fs::remove_file(path(&self.state)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // The next start waits for all mirrors once more.
                tracing::warn!(%error, "the mark of a lost journal cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
