//! Grants that ended before their time, by revocation: retention is counted from the end that really was.
//!
//! When the node first sees that a grant whose bodies it keeps is revoked, it notes its own time, durably, beside the
//! keys. That is never before the revocation, so what is kept is kept long enough. A key says after how many months it
//! may go; keys of earlier versions of the software do not, and stay as long as they say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lingqu_core::body::keep_until;
use lingqu_core::epoch::Epoch;
use lingqu_core::{GrantId, Timestamp};
use lingqu_proto::pb;
use lingqu_tlog::{Intl, Suite};

use super::{Bodies, KEYS};

/// Ending of a note's name.
const ENDING: &str = "ended";

/// When grants ended that were revoked.
#[derive(Debug, Default)]
pub(super) struct Ended(BTreeMap<String, Timestamp>);

impl Ended {
    /// First instant at which a key may be erased.
    pub(super) fn keep_until(&self, key: &pb::BodyKey) -> Timestamp {
        let said = Timestamp(key.keep_until_us);
        let months = u16::try_from(key.keep_months).unwrap_or(0);
        match self.0.get(&key.grant) {
            Some(ended) if months > 0 => said.min(keep_until(*ended, months)),
            Some(_) | None => said,
        }
    }
}

impl Bodies {
    /// The notes. Blocking.
    pub(super) fn ended(&self) -> std::io::Result<Ended> {
        let notes = self.state.read_all(&self.dir(KEYS), ENDING)?;
        let read = notes.into_iter().map(|(_, bytes)| {
            let malformed = || std::io::Error::other("a note of a grant's end is malformed");
            let (at, grant) = bytes.split_first_chunk::<8>().ok_or_else(malformed)?;
            let grant = String::from_utf8(grant.to_vec()).map_err(|_| malformed())?;
            Ok((grant, Timestamp(i64::from_be_bytes(*at))))
        });
        Ok(Ended(read.collect::<std::io::Result<_>>()?))
    }

    /// Notes the grants of `keys` that the list revokes and that were not noted before. Blocking.
    pub(super) fn note_revoked(
        &self,
        keys: &[(PathBuf, pb::BodyKey)],
        epoch: &Epoch,
        now: Timestamp,
    ) -> std::io::Result<()> {
        let noted = self.ended()?;
        let mut fresh: Vec<&str> = keys
            .iter()
            .map(|(_, key)| key.grant.as_str())
            .filter(|grant| !noted.0.contains_key(*grant))
            .filter(|grant| {
                let id = grant.parse::<GrantId>();
                id.is_ok_and(|id| epoch.revokes_grant(&id))
            })
            .collect();
        fresh.sort_unstable();
        fresh.dedup();
        for grant in fresh {
            let note = [&now.0.to_be_bytes()[..], grant.as_bytes()].concat();
            self.state.write(&self.note_path(grant), &note)?;
        }
        Ok(())
    }

    /// Removes the note of a grant of which no key is left.
    pub(super) fn forget_end(&self, grant: &str) -> std::io::Result<()> {
        match std::fs::remove_file(self.note_path(grant)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The name does not say whose bodies are kept.
    fn note_path(&self, grant: &str) -> PathBuf {
        let name = Intl::digest(&[b"lingqu/body-ended/1\0", grant.as_bytes()]);
        let name = hex::encode(&name.0[..16]);
        self.dir(KEYS).join(name).with_extension(ENDING)
    }
}
