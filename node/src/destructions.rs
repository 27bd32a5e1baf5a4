//! Confirmations that a licensee has destroyed what it held under a grant: signed by it, countersigned by the unit, kept as
//! the files that they came as, and on record.
//!
//! With the confirmation the node forgets what it still has of the grant itself: the answers that it keeps for retries.
//! Kept bodies are another matter: they are the supervisor's, and have a retention of their own.

use std::collections::BTreeSet;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::destruction::{DESTRUCTION_TYPE, Destruction};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::record::{Clear, Field};
use lingqu_proto::{decode_envelope, encode_envelope, open};
use serde::{Deserialize, Serialize};

use crate::Node;
use crate::state::create_dir;

/// Directory of the confirmations.
pub(crate) const DIR: &str = "destructions";
/// How far ahead the time of a destruction may be: the skew that clocks are allowed.
const AHEAD_MAX: Duration = Duration::from_secs(30);

/// Which grants that have ended are confirmed, and which are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destructions {
    /// Grants with a confirmation.
    pub confirmed: BTreeSet<String>,
    /// Grants that have ended and have none.
    pub missing: BTreeSet<String>,
}

impl Node {
    /// Takes a confirmation in. Handing it in again records it again and changes nothing else. Blocking: it writes a file.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `GRANT_UNKNOWN`, `OBJECT_SIGNATURE_INVALID` when licensee or unit did not sign, `GRANT_IN_FORCE`
    /// when the grant has not ended.
    pub(crate) fn take_destruction(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        const INVALID: ErrorCode = ErrorCode::ObjectInvalid;
        if envelope.payload_type != DESTRUCTION_TYPE {
            return Err(INVALID);
        }
        let confirmed = open::<Destruction>(envelope).map_err(|_| INVALID)?;
        let view = self.facts();
        let grant = view.holdings().grant(&confirmed.grant);
        let grant = grant.ok_or(ErrorCode::GrantUnknown)?;
        let is_about_this =
            confirmed.node == self.pinned.node && confirmed.licensee == grant.licensee;
        if !is_about_this || confirmed.at.since(view.now()) > AHEAD_MAX {
            return Err(INVALID);
        }
        for key in [&grant.licensee_key, &self.pinned.unit_key] {
            if envelope.signed_by(key) != SignedBy::Yes {
                return Err(ErrorCode::ObjectSignatureInvalid);
            }
        }
        let is_revoked = view
            .epoch()
            .is_some_and(|held| held.epoch.revokes_grant(&grant.id));
        if view.now() < grant.not_after && !is_revoked {
            return Err(ErrorCode::GrantInForce);
        }
        let dir = self.state.dir().join(DIR);
        let path = dir
            .join(hex::encode(envelope.digest().0))
            .with_extension("env");
        create_dir(&dir)
            .and_then(|()| self.state.write(&path, &encode_envelope(envelope)))
            .map_err(|error| {
                tracing::error!(%error, "cannot store a confirmation of destruction");
                ErrorCode::Internal
            })?;
        let forgotten = self.retries.forget_grant(&grant.id);
        let clear = Clear::default()
            .text(Field::Grant, grant.id.as_str())
            .text(Field::Action, "destruction")
            .text(Field::Actor, grant.licensee.as_str())
            .number(Field::Count, forgotten as u64)
            .bytes(Field::ObjectDigest, &envelope.digest().0);
        self.record_change(clear);
        Ok(())
    }

    /// Which grants that have ended are confirmed. Blocking: it reads files.
    pub(crate) fn destructions(&self) -> Result<Destructions, ErrorCode> {
        let view = self.facts();
        let dir = self.state.dir().join(DIR);
        let files = if dir.exists() {
            self.state.read_all(&dir, "env").map_err(|error| {
                tracing::error!(%error, "cannot read the confirmations of destruction");
                ErrorCode::Internal
            })?
        } else {
            Vec::new()
        };
        let confirmed: BTreeSet<String> = files
            .iter()
            .filter_map(|(_, bytes)| decode_envelope(bytes).ok())
            .filter(|envelope| envelope.signed_by(&self.pinned.unit_key) == SignedBy::Yes)
            .filter_map(|envelope| open::<Destruction>(&envelope).ok())
            .map(|confirmed| confirmed.grant.to_string())
            .collect();
        let epoch = view.epoch();
        let ended = view.holdings().grants().filter(|grant| {
            view.now() >= grant.not_after
                || epoch.is_some_and(|held| held.epoch.revokes_grant(&grant.id))
        });
        let missing = ended.map(|grant| grant.id.to_string());
        Ok(Destructions {
            missing: missing.filter(|grant| !confirmed.contains(grant)).collect(),
            confirmed,
        })
    }
}
