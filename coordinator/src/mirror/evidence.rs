//! What nodes signed and may not have signed, kept as files that anybody with the keys can check.
//!
//! A record that the mirror refuses is in no log, so it would be gone with the connection. The files are in clear: an end
//! names no call and no person, and whoever is shown it must be able to read it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::succession::ShownEnd;
use lingqu_tlog::{Intl, Suite};

/// Files that are kept; beyond it a contradiction is only logged.
const FILES_MAX: usize = 4_096;
/// Files of one stream: a node that signs ever new ends has said enough, and keeps nothing of others out.
const FILES_PER_STREAM_MAX: usize = 4;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    dir: Arc<Path>,
}

impl Evidence {
    /// In this directory, which need not be there.
    pub(crate) fn new(dir: PathBuf) -> Evidence {
        Evidence { dir: dir.into() }
    }

    /// Keeps an end as its node signed it; gives where, unless it is there already or too much is. Blocking.
    pub(crate) fn keep_end(&self, shown: &ShownEnd) -> io::Result<Option<PathBuf>> {
        let text = shown.to_string();
        // By the record, not by the checkpoint: what is offered again is the same deed.
        let digest = |bytes: &[u8], len| hex::encode(&Intl::digest(&[bytes]).0[..len]);
        let stream = digest(shown.0.checkpoint.origin.as_bytes(), 8);
        let name = format!("{stream}-{}.end", digest(&shown.0.entry, 16));
        let path = self.dir.join(&name);
        fs::create_dir_all(&self.dir)?;
        let (mut all, mut of_stream) = (0, 0);
        for file in fs::read_dir(&self.dir)? {
            all += 1;
            let name = file?.file_name();
            let is_its = name.to_string_lossy().starts_with(&stream);
            of_stream += usize::from(is_its);
        }
        if path.exists() || all >= FILES_MAX || of_stream >= FILES_PER_STREAM_MAX {
            return Ok(None);
        }
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(Some(path))
    }
}
