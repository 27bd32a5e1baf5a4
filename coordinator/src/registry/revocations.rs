//! Revocation and the epoch: one signed, numbered set of everything that is revoked, and of what is suspended.
//!
//! The number is durable, with the sets that it numbers, before a node can see it; a renewal keeps the number and moves
//! the date of issue. Nothing is ever taken out of the revoked set; `suspensions.rs` changes the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::envelope::{Envelope, PAYLOAD_LEN_MAX, SignedBy};
use lingqu_core::epoch::{Epoch, REVOKED_MAX, Revocation};
use lingqu_core::grant::{GRANT_TYPE, Grant};
use lingqu_core::product::{PRODUCT_TYPE, Product};
use lingqu_core::{CoordinatorId, ErrorCode, GrantId, PartyId, Role, Timestamp};
use lingqu_proto::{encode_envelope, open, product_ref, seal};
use lingqu_tlog::Signer;

use super::Registry;
use super::objects::read;
use crate::refusal::Refusal;
use crate::store::acts::{self, Act};
use crate::store::objects::Identity;
use crate::store::parties::Party;
use crate::store::{Writing, revocations};

/// What an epoch names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) revoked: BTreeSet<String>,
    pub(crate) suspended: BTreeSet<GrantId>,
}

/// The epoch as it was last signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CurrentEpoch {
    pub(crate) number: u64,
    pub(crate) revoked: BTreeSet<String>,
    pub(crate) suspended: BTreeSet<GrantId>,
    pub(crate) issued: Timestamp,
    pub(crate) envelope: Envelope,
}

impl CurrentEpoch {
    pub(super) fn sign(
        coordinator: &CoordinatorId,
        signer: &dyn Signer,
        number: u64,
        lists: Lists,
        issued: Timestamp,
        valid_s: u64,
    ) -> CurrentEpoch {
        let epoch = Epoch {
            coordinator: coordinator.clone(),
            number,
            issued,
            valid_until: issued.plus(Duration::from_secs(valid_s)),
            revoked: lists.revoked,
            suspended: lists.suspended,
        };
        let mut envelope = seal(&epoch);
        envelope.sign(coordinator.as_str(), signer);
        CurrentEpoch {
            number,
            revoked: epoch.revoked,
            suspended: epoch.suspended,
            issued,
            envelope,
        }
    }

    pub(super) fn lists(&self) -> Lists {
        Lists {
            revoked: self.revoked.clone(),
            suspended: self.suspended.clone(),
        }
    }
}

impl Registry {
    /// Adds what a signed request names to the revoked set, and pushes the new epoch. Gives its number; a target that is
    /// revoked already leaves the number as it is.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `OBJECT_SIGNATURE_INVALID`, `REVOCATION_FORBIDDEN` for who may not revoke the target,
    /// `OVERLOADED` when the set is full.
    pub(crate) async fn revoke(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<u64, Refusal> {
        let _acting = self.acting().await?;
        let revocation: Revocation = open(&envelope)?;
        let party = self.actor(caller)?;
        if revocation.by != party.id {
            return Err(ErrorCode::RevocationForbidden.into());
        }
        if envelope.signed_by(&party.approval_key) != SignedBy::Yes {
            return Err(ErrorCode::ObjectSignatureInvalid.into());
        }
        if !self.may_revoke(&party, &revocation.target).await? {
            return Err(ErrorCode::RevocationForbidden.into());
        }
        let current = Arc::clone(&self.epoch.borrow());
        if current.revoked.contains(&revocation.target) {
            return Ok(current.number);
        }
        let mut lists = current.lists();
        lists.revoked.insert(revocation.target.clone());
        let next = self.next_epoch(&current, lists)?;
        let act = Act {
            action: "revoke".to_owned(),
            subject: revocation.target.clone(),
            digest: envelope.digest(),
            actor: party.id.to_string(),
            region: None,
            filing_number: None,
            epoch: Some(next.number),
        };
        let mut tx = self.store.begin().await?;
        let act = acts::insert(&mut tx, &act).await?;
        let stored = encode_envelope(&envelope);
        revocations::insert(&mut tx, &revocation.target, &stored, act).await?;
        self.store_epoch(&mut tx, &next).await?;
        self.carry_out(tx).await?;
        // At this point number and set are durable and logged: nodes may see them.
        let number = next.number;
        self.epoch.send_replace(Arc::new(next));
        Ok(number)
    }

    /// Operating agencies revoke anything; a unit revokes grants that touch it and its own products.
    pub(super) async fn may_revoke(&self, party: &Party, target: &str) -> Result<bool, Refusal> {
        if party.roles.contains(&Role::OperatingAgency) {
            return Ok(true);
        }
        if !party.roles.contains(&Role::DataSourceUnit) {
            return Ok(false);
        }
        if target.parse::<GrantId>().is_ok() {
            for version in self.store.versions(GRANT_TYPE, target).await? {
                let grant: Grant = read(&version)?;
                if grant.quotas.iter().any(|quota| quota.unit == party.id) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let Ok(reference) = product_ref(target) else {
            return Ok(false);
        };
        let identity = Identity {
            kind: PRODUCT_TYPE,
            id: reference.id.to_string(),
            version: reference.version,
        };
        match self.store.object(&identity).await? {
            Some(object) => Ok(read::<Product>(&object)?.unit == party.id),
            None => Ok(false),
        }
    }

    /// Signs the current set again, with a later date of issue and the same number.
    pub(crate) async fn renew_epoch(&self) {
        // Also after an act that could not be logged: what was published stays true, and it must stay fresh.
        let _acting = self.acting.lock().await;
        let current = Arc::clone(&self.epoch.borrow());
        let renewed = self.sign_epoch(current.number, current.lists());
        self.epoch.send_replace(Arc::new(renewed));
    }

    /// The epoch as nodes see it now.
    pub(crate) fn current_epoch(&self) -> Arc<CurrentEpoch> {
        Arc::clone(&self.epoch.borrow())
    }

    /// Makes the first number durable.
    pub(super) async fn begin_epochs(&self) -> Result<(), Refusal> {
        let first = self.current_epoch();
        let mut tx = self.store.begin().await?;
        self.store_epoch(&mut tx, &first).await?;
        self.carry_out(tx).await
    }

    /// The epoch that follows `current`, if it fits one envelope.
    pub(super) fn next_epoch(
        &self,
        current: &CurrentEpoch,
        lists: Lists,
    ) -> Result<CurrentEpoch, Refusal> {
        let next = self.sign_epoch(current.number + 1, lists);
        let entries = next.revoked.len() + next.suspended.len();
        if entries > REVOKED_MAX || next.envelope.payload.len() > PAYLOAD_LEN_MAX {
            return Err(ErrorCode::Overloaded.into());
        }
        Ok(next)
    }

    pub(super) async fn store_epoch(
        &self,
        tx: &mut Writing,
        epoch: &CurrentEpoch,
    ) -> Result<(), Refusal> {
        let act = Act {
            action: "epoch".to_owned(),
            subject: self.id.to_string(),
            digest: epoch.envelope.digest(),
            actor: self.id.to_string(),
            region: None,
            filing_number: None,
            epoch: Some(epoch.number),
        };
        acts::insert(tx, &act).await?;
        Ok(revocations::set_epoch_number(tx, epoch.number).await?)
    }

    fn sign_epoch(&self, number: u64, lists: Lists) -> CurrentEpoch {
        // The date of issue never goes back, whatever the clock does.
        let issued = self.clock.now().max(self.epoch.borrow().issued);
        CurrentEpoch::sign(
            &self.id,
            self.keys.signing.as_ref(),
            number,
            lists,
            issued,
            self.epoch_config.valid_s,
        )
    }
}

#[cfg(test)]
mod tests;
