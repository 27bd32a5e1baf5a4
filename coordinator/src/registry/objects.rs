//! Filing (备案): the registry checks an object and every signature it needs, numbers it and passes it on.
//!
//! One function per type says what that type needs; [`Registry::file`] is what all have in common. The same bytes filed
//! again have the same number; other bytes under the same id and version are refused for ever.

use lingqu_core::agreement::{AGREEMENT_TYPE, Agreement};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::grant::{
    Filing, GRANT_TYPE, Grant, GrantKind, GrantRefused, GrantedProduct, NodeQuota,
};
use lingqu_core::product::{
    APPROVAL_TYPE, Approval, POLICY_TYPE, PRODUCT_TYPE, Product, SignedPolicy,
};
use lingqu_core::{ErrorCode, NodeId, PartyId, Region, Role};
use lingqu_proto::{SignedObject, decode_envelope, encode_envelope, open, seal};

use super::Registry;
use crate::refusal::Refusal;
use crate::store::acts::{self, Act};
use crate::store::objects::{self, Identity, Object};
use crate::store::parties::Party;
use crate::store::{StoreError, Writing};

/// A filed object's number, and the coordinator's signed statement of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filed {
    pub(crate) number: String,
    pub(crate) filing: Envelope,
}

/// An object that fulfils everything its type needs.
pub(crate) struct Checked {
    identity: Identity,
    /// What the act's record calls it.
    subject: String,
    region: Option<Region>,
    /// Nodes and units that are sent it.
    concerns: Vec<String>,
}

/// Whose signatures a grant must have already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signers {
    /// Agency, licensee and every unit: to be filed.
    All,
    /// The agency alone: to be signed by the others.
    AgencyOnly,
}

impl Registry {
    /// Files an object that `caller` hands in.
    ///
    /// # Errors
    /// The code of the first thing that is missing or wrong; `OBJECT_CONFLICT` for other bytes under a filed id and
    /// version.
    pub(crate) async fn file(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<Filed, Refusal> {
        let _acting = self.acting().await?;
        let caller = self.actor(caller)?;
        let checked = match envelope.payload_type.as_str() {
            PRODUCT_TYPE => self.check_product(&caller, &envelope)?,
            POLICY_TYPE => self.check_policy(&caller, &envelope)?,
            APPROVAL_TYPE => self.check_approval(&caller, &envelope).await?,
            GRANT_TYPE if self.workflow.grants_need_case => {
                return Err(Refusal::of(ErrorCode::IllegalTransition, "object"));
            }
            GRANT_TYPE => self.check_grant(&caller, &envelope, Signers::All).await?,
            _ => return Err(Refusal::of(ErrorCode::ObjectInvalid, "payload_type")),
        };
        match self.store.object(&checked.identity).await? {
            Some(known) if known.digest == envelope.digest() => filed(&known),
            Some(_) => Err(ErrorCode::ObjectConflict.into()),
            None => self.enter(&caller, envelope, checked).await,
        }
    }

    async fn enter(
        &self,
        caller: &Party,
        envelope: Envelope,
        checked: Checked,
    ) -> Result<Filed, Refusal> {
        let mut tx = self.store.begin().await?;
        let filed = self.enter_in(&mut tx, caller, &envelope, checked).await?;
        self.carry_out(tx).await?;
        self.filed.send_modify(|version| *version += 1);
        Ok(filed)
    }

    /// Enters a checked object under the next number. It is filed when the transaction is carried out.
    pub(crate) async fn enter_in(
        &self,
        tx: &mut Writing,
        caller: &Party,
        envelope: &Envelope,
        checked: Checked,
    ) -> Result<Filed, Refusal> {
        let now = self.clock.now();
        let half_year = now.half_year();
        let year = half_year
            .split('h')
            .next()
            .and_then(|year| year.parse().ok())
            .unwrap_or(0);
        let number = format!("{year}-{:06}", objects::count_in_year(tx, year).await? + 1);
        let mut filing = seal(&Filing {
            coordinator: self.id.clone(),
            object_type: envelope.payload_type.clone(),
            object_digest: envelope.digest(),
            number: number.clone(),
            filed: now,
        });
        filing.sign(self.id.as_str(), self.keys.signing.as_ref());
        let object = Object {
            digest: envelope.digest(),
            envelope: encode_envelope(envelope),
            filing: encode_envelope(&filing),
            number: number.clone(),
        };
        let act = Act {
            action: "file".to_owned(),
            subject: checked.subject,
            digest: object.digest,
            actor: caller.id.to_string(),
            region: checked.region,
            filing_number: Some(number.clone()),
            epoch: None,
        };
        let act = acts::insert(tx, &act).await?;
        objects::insert(tx, &checked.identity, &object, act, &checked.concerns).await?;
        Ok(Filed { number, filing })
    }

    /// An agreement that its case has checked: nobody is sent it.
    pub(crate) fn checked_agreement(agreement: &Agreement, region: Region) -> Checked {
        Checked {
            identity: Identity {
                kind: AGREEMENT_TYPE,
                id: agreement.case.to_string(),
                version: agreement.round,
            },
            subject: agreement.case.to_string(),
            region: Some(region),
            concerns: Vec::new(),
        }
    }

    /// A product needs the signature of the operating agency that hands it in.
    fn check_product(&self, caller: &Party, envelope: &Envelope) -> Result<Checked, Refusal> {
        let product: Product = open(envelope)?;
        if !caller.roles.contains(&Role::OperatingAgency) {
            return Err(ErrorCode::CallerRoleForbidden.into());
        }
        signed(envelope, caller, ErrorCode::ObjectSignatureInvalid)?;
        self.node_of(&product.node, &product.unit)?;
        self.not_revoked(&product.reference.to_string(), ErrorCode::ProductRevoked)?;
        Ok(Checked {
            identity: Identity {
                kind: PRODUCT_TYPE,
                id: product.reference.id.to_string(),
                version: product.reference.version,
            },
            subject: product.reference.to_string(),
            region: None,
            concerns: vec![product.node.to_string(), product.unit.to_string()],
        })
    }

    /// A policy needs the signature of the unit that hands it in.
    fn check_policy(&self, caller: &Party, envelope: &Envelope) -> Result<Checked, Refusal> {
        let policy: SignedPolicy = open(envelope)?;
        by_unit(envelope, caller, &policy.unit)?;
        let id = format!("{}/{}", policy.unit, policy.id);
        Ok(Checked {
            subject: format!("{id}@{}", policy.version),
            identity: Identity {
                kind: POLICY_TYPE,
                id,
                version: policy.version,
            },
            region: None,
            concerns: vec![policy.unit.to_string()],
        })
    }

    /// An approval needs the signature of the unit that hands it in, and what it approves must be filed and fit.
    async fn check_approval(
        &self,
        caller: &Party,
        envelope: &Envelope,
    ) -> Result<Checked, Refusal> {
        let approval: Approval = open(envelope)?;
        by_unit(envelope, caller, &approval.unit)?;
        self.node_of(&approval.node, &approval.unit)?;
        let product = self
            .store
            .object_by_digest(PRODUCT_TYPE, &approval.product_digest)
            .await?;
        let product: Product = read(&product.ok_or(ErrorCode::ProductUnknown)?)?;
        let is_it = product.reference == approval.product
            && product.unit == approval.unit
            && product.node == approval.node;
        if !is_it {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "product"));
        }
        let policy = self
            .store
            .object_by_digest(POLICY_TYPE, &approval.policy_digest)
            .await?;
        let invalid = Refusal::of(ErrorCode::ObjectInvalid, "policy_digest");
        let policy: SignedPolicy = read(&policy.ok_or(invalid)?)?;
        let fits = policy.unit == approval.unit && policy.resource == product.resource;
        if !fits || product.check_against(&policy.policy).is_err() {
            return Err(invalid);
        }
        Ok(Checked {
            identity: Identity {
                kind: APPROVAL_TYPE,
                // A product version can be approved anew under another policy.
                id: format!(
                    "{}{}",
                    approvals_of(&approval.node, &product),
                    approval.policy_digest
                ),
                version: approval.product.version,
            },
            subject: approval.product.to_string(),
            region: None,
            concerns: vec![approval.node.to_string(), approval.unit.to_string()],
        })
    }

    /// A grant needs the signatures of the agency that hands it in, of the licensee and of every unit it touches, and
    /// every product that it names must be filed and approved.
    pub(crate) async fn check_grant(
        &self,
        caller: &Party,
        envelope: &Envelope,
        signers: Signers,
    ) -> Result<Checked, Refusal> {
        let grant: Grant = open(envelope)?;
        grant.check().map_err(|refused| match refused {
            GrantRefused::Term => Refusal::from(ErrorCode::TermTooLong),
            GrantRefused::List(list) => Refusal::of(ErrorCode::ObjectInvalid, list),
        })?;
        if self.clock.now() >= grant.not_after {
            return Err(ErrorCode::GrantExpired.into());
        }
        if grant.agency != caller.id || !caller.roles.contains(&Role::OperatingAgency) {
            return Err(ErrorCode::CallerRoleForbidden.into());
        }
        signed(envelope, caller, ErrorCode::GrantUnsignedByAgency)?;
        self.check_licensee(&grant, envelope, signers)?;
        for quota in &grant.quotas {
            self.check_quota(quota, envelope, signers)?;
        }
        for product in &grant.products {
            self.check_granted(&grant, product).await?;
        }
        self.not_revoked(grant.id.as_str(), ErrorCode::GrantRevoked)?;
        let concerned = |quota: &NodeQuota| [quota.node.to_string(), quota.unit.to_string()];
        Ok(Checked {
            identity: Identity {
                kind: GRANT_TYPE,
                id: grant.id.to_string(),
                version: grant.version,
            },
            subject: grant.id.to_string(),
            region: Some(grant.region),
            concerns: grant.quotas.iter().flat_map(concerned).collect(),
        })
    }

    fn check_licensee(
        &self,
        grant: &Grant,
        envelope: &Envelope,
        signers: Signers,
    ) -> Result<(), Refusal> {
        let licensee = self.party(&grant.licensee)?;
        if licensee.approval_key != grant.licensee_key {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "licensee_key"));
        }
        let role = match grant.kind {
            GrantKind::Catalog => Role::CatalogLicensee,
            GrantKind::Scenario => Role::ScenarioLicensee,
        };
        if !licensee.roles.contains(&role) {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "licensee"));
        }
        self.not_revoked(licensee.id.as_str(), ErrorCode::CallerRevoked)?;
        match signers {
            Signers::AgencyOnly => Ok(()),
            Signers::All => signed(envelope, &licensee, ErrorCode::GrantUnsignedByLicensee),
        }
    }

    fn check_quota(
        &self,
        quota: &NodeQuota,
        envelope: &Envelope,
        signers: Signers,
    ) -> Result<(), Refusal> {
        self.node_of(&quota.node, &quota.unit)?;
        let unit = self.party(&quota.unit)?;
        match signers {
            Signers::AgencyOnly => Ok(()),
            Signers::All => signed(envelope, &unit, ErrorCode::GrantUnsignedByUnit),
        }
    }

    async fn check_granted(&self, grant: &Grant, granted: &GrantedProduct) -> Result<(), Refusal> {
        let filed = self
            .store
            .object_by_digest(PRODUCT_TYPE, &granted.digest)
            .await?;
        let filed = filed.ok_or(ErrorCode::ProductUnknown)?;
        let product: Product = read(&filed)?;
        if product.reference != granted.reference {
            return Err(ErrorCode::ProductUnknown.into());
        }
        self.not_revoked(&product.reference.to_string(), ErrorCode::ProductRevoked)?;
        // The unit whose data is read must be among those that sign.
        let quota = grant.quota_at(&product.node);
        if quota.is_none_or(|quota| quota.unit != product.unit) {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "quotas"));
        }
        let below = approvals_of(&product.node, &product);
        for approval in self.store.objects_below(APPROVAL_TYPE, &below).await? {
            let approval: Approval = read(&approval)?;
            if approval.product_digest == granted.digest {
                return Ok(());
            }
        }
        Err(ErrorCode::ProductNotApproved.into())
    }

    /// Whether the node is enrolled and the unit's.
    fn node_of(&self, node: &NodeId, unit: &PartyId) -> Result<(), Refusal> {
        if self.node(node)?.unit == *unit {
            Ok(())
        } else {
            Err(Refusal::of(ErrorCode::ObjectInvalid, "node"))
        }
    }

    pub(crate) fn not_revoked(&self, target: &str, code: ErrorCode) -> Result<(), Refusal> {
        if self.epoch.borrow().revoked.contains(target) {
            Err(code.into())
        } else {
            Ok(())
        }
    }
}

/// What the ids of a product version's approvals at a node begin with.
pub(super) fn approvals_of(node: &NodeId, product: &Product) -> String {
    format!("{node}/{}/", product.reference)
}

/// Whether a unit signed its own object and hands it in itself.
fn by_unit(envelope: &Envelope, caller: &Party, unit: &PartyId) -> Result<(), Refusal> {
    if caller.id != *unit || !caller.roles.contains(&Role::DataSourceUnit) {
        return Err(ErrorCode::CallerRoleForbidden.into());
    }
    signed(envelope, caller, ErrorCode::ObjectSignatureInvalid)
}

/// Whether the party signed with its enrolled key; `missing` is the code when it did not.
fn signed(envelope: &Envelope, party: &Party, missing: ErrorCode) -> Result<(), Refusal> {
    match envelope.signed_by(&party.approval_key) {
        SignedBy::Yes => Ok(()),
        SignedBy::No => Err(missing.into()),
        SignedBy::Altered if envelope.payload_type == GRANT_TYPE => {
            Err(ErrorCode::GrantAltered.into())
        }
        SignedBy::Altered => Err(ErrorCode::ObjectSignatureInvalid.into()),
    }
}

/// Reads back an object that was checked when it was filed.
pub(crate) fn read<T: SignedObject>(object: &Object) -> Result<T, Refusal> {
    let corrupt = || Refusal::from(StoreError::Corrupt("object"));
    let envelope = decode_envelope(&object.envelope).map_err(|_| corrupt())?;
    open(&envelope).map_err(|_| corrupt())
}

fn filed(object: &Object) -> Result<Filed, Refusal> {
    let corrupt = |_| Refusal::from(StoreError::Corrupt("filing"));
    Ok(Filed {
        number: object.number.clone(),
        filing: decode_envelope(&object.filing).map_err(corrupt)?,
    })
}

#[cfg(test)]
mod tests;
