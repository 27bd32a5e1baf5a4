//! Suspension of grants, and lifting it: a list in the epoch that may shrink, unlike that of what is revoked.
//!
//! A suspension stands until whoever asked for it lifts it, by the digest of its request: neither can the agency lift
//! what a unit suspended, nor an old request a later suspension. A grant is suspended while any of its suspensions
//! stands.

use std::sync::Arc;

use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::epoch::{Lifting, Suspension};
use lingqu_core::grant::GRANT_TYPE;
use lingqu_core::{ErrorCode, GrantId, PartyId};
use lingqu_proto::{encode_envelope, open};
use lingqu_tlog::Hash;

use super::Registry;
use crate::refusal::Refusal;
use crate::store::acts::{self, Act};
use crate::store::parties::Party;
use crate::store::suspensions::{self, SuspensionRow};

/// Most suspensions that one grant ever has. Whoever needs more needs a revocation.
const SUSPENSIONS_MAX: usize = 1_000;

impl Registry {
    /// Suspends a filed grant, and pushes the new epoch. Gives its number, and the digest by which the suspension is
    /// lifted. The same request again changes nothing while it stands, and is refused when it was lifted.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `OBJECT_SIGNATURE_INVALID`, `GRANT_UNKNOWN`, `GRANT_REVOKED`, `SUSPENSION_FORBIDDEN` for who may
    /// not suspend the grant, `OVERLOADED`.
    pub(crate) async fn suspend(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<(u64, Hash), Refusal> {
        let _acting = self.acting().await?;
        let request: Suspension = open(&envelope)?;
        let party = self.asking(caller, &request.by, &envelope)?;
        let digest = envelope.digest();
        let current = Arc::clone(&self.epoch.borrow());
        match self.store.suspension(&digest).await? {
            Some(known) if known.lifted.is_none() => return Ok((current.number, digest)),
            // Whoever sends an old request again must not believe that it holds.
            Some(_) => return Err(ErrorCode::SuspensionUnknown.into()),
            None => {}
        }
        let grant = request.grant;
        // Whether there is such a grant is for those to know who may suspend it; to all others it is forbidden either way.
        if !self.may_revoke(&party, grant.as_str()).await? {
            return Err(ErrorCode::SuspensionForbidden.into());
        }
        if self
            .store
            .versions(GRANT_TYPE, grant.as_str())
            .await?
            .is_empty()
        {
            return Err(ErrorCode::GrantUnknown.into());
        }
        self.not_revoked(grant.as_str(), ErrorCode::GrantRevoked)?;
        if self.store.suspensions_of(&grant).await?.len() >= SUSPENSIONS_MAX {
            return Err(ErrorCode::Overloaded.into());
        }
        let mut lists = current.lists();
        lists.suspended.insert(grant.clone());
        // A number of its own also where the grant is suspended already: each act is in one epoch.
        let next = self.next_epoch(&current, lists)?;
        let row = SuspensionRow {
            digest,
            grant: grant.clone(),
            by: party.id.clone(),
            envelope: encode_envelope(&envelope),
            at: self.clock.now(),
            lifted: None,
        };
        let mut tx = self.store.begin().await?;
        let act = suspension_act("suspend", &grant, digest, &party, next.number);
        let act = acts::insert(&mut tx, &act).await?;
        suspensions::insert(&mut tx, &row, act).await?;
        self.store_epoch(&mut tx, &next).await?;
        self.carry_out(tx).await?;
        // At this point number and lists are durable and logged: nodes may see them.
        let number = next.number;
        self.epoch.send_replace(Arc::new(next));
        Ok((number, digest))
    }

    /// Lifts one suspension. The grant holds again when none of its suspensions stands any more.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `OBJECT_SIGNATURE_INVALID`, `SUSPENSION_UNKNOWN`, `SUSPENSION_FORBIDDEN` for anybody but whoever
    /// suspended.
    pub(crate) async fn lift(&self, caller: &PartyId, envelope: Envelope) -> Result<u64, Refusal> {
        let _acting = self.acting().await?;
        let request: Lifting = open(&envelope)?;
        let party = self.asking(caller, &request.by, &envelope)?;
        let current = Arc::clone(&self.epoch.borrow());
        let found = self.store.suspension(&request.suspension).await?;
        let suspension = found.ok_or(ErrorCode::SuspensionUnknown)?;
        if suspension.by != party.id {
            return Err(ErrorCode::SuspensionForbidden.into());
        }
        let encoded = encode_envelope(&envelope);
        if let Some((lifting, _)) = suspension.lifted {
            // The same request again, or one for what is lifted already.
            return if lifting == encoded {
                Ok(current.number)
            } else {
                Err(ErrorCode::SuspensionUnknown.into())
            };
        }
        let mut lists = current.lists();
        let all = self.store.suspensions_of(&suspension.grant).await?;
        let stands = |row: &SuspensionRow| row.lifted.is_none() && row.digest != suspension.digest;
        if !all.iter().any(stands) {
            lists.suspended.remove(&suspension.grant);
        }
        let next = self.next_epoch(&current, lists)?;
        let digest = envelope.digest();
        let act = suspension_act("lift", &suspension.grant, digest, &party, next.number);
        let mut tx = self.store.begin().await?;
        let act = acts::insert(&mut tx, &act).await?;
        let now = self.clock.now();
        suspensions::lift(&mut tx, &suspension.digest, &encoded, now, act).await?;
        self.store_epoch(&mut tx, &next).await?;
        self.carry_out(tx).await?;
        let number = next.number;
        self.epoch.send_replace(Arc::new(next));
        Ok(number)
    }

    /// The party that asks, if the request is its own and signed with its enrolled key.
    fn asking(
        &self,
        caller: &PartyId,
        by: &PartyId,
        envelope: &Envelope,
    ) -> Result<Party, Refusal> {
        let party = self.actor(caller)?;
        if *by != party.id {
            return Err(ErrorCode::SuspensionForbidden.into());
        }
        if envelope.signed_by(&party.approval_key) != SignedBy::Yes {
            return Err(ErrorCode::ObjectSignatureInvalid.into());
        }
        Ok(party)
    }
}

fn suspension_act(action: &str, grant: &GrantId, digest: Hash, party: &Party, epoch: u64) -> Act {
    Act {
        action: action.to_owned(),
        subject: grant.to_string(),
        digest,
        actor: party.id.to_string(),
        region: None,
        filing_number: None,
        epoch: Some(epoch),
    }
}

#[cfg(test)]
mod tests;
