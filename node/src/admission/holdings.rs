//! What the node holds to decide offline: grants, products, approvals and policies, each accepted only with the
//! signatures that it needs, checked against keys pinned in `node.toml`.
//!
//! A snapshot is immutable; adopting an object makes a new one. What is refused leaves what was held untouched, so a
//! bad copy of a grant cannot push out the good one; its code is remembered, so that a call under it is told why.

use std::collections::BTreeMap;
use std::sync::Arc;

use lingqu_core::decide::{GrantFact, ProductFact};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::grant::{FILING_TYPE, Filing, GRANT_TYPE, Grant};
use lingqu_core::product::{
    APPROVAL_TYPE, Approval, Definition, POLICY_TYPE, PRODUCT_TYPE, Product, ProductRef,
    SignedPolicy,
};
use lingqu_core::{ErrorCode, GrantId, NodeId, PartyId};
use lingqu_proto::open;
use lingqu_tlog::Hash;

/// Most refused grants whose code is remembered.
const REFUSED_MAX: usize = 10_000;

/// The keys that signatures are checked against; from `node.toml`, never from the wire.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// This node.
    pub node: NodeId,
    /// Its unit.
    pub unit: PartyId,
    /// The unit's approval key.
    pub unit_key: Vec<u8>,
    /// Operating agencies that the unit accepts, with their approval keys.
    pub agencies: BTreeMap<PartyId, Vec<u8>>,
    /// The coordinator's signing key.
    pub coordinator_key: Vec<u8>,
}

/// A product with everything that it needs to be called.
#[derive(Clone, Debug)]
pub struct ApprovedProduct {
    /// The product.
    pub product: Product,
    /// Digest of its signed bytes.
    pub digest: Hash,
    /// The unit's policy that it was approved under.
    pub policy: Arc<SignedPolicy>,
}

/// One consistent view of all held objects.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    grants: BTreeMap<GrantId, Arc<Grant>>,
    refused: BTreeMap<GrantId, Refused>,
    products: BTreeMap<ProductRef, (Arc<Product>, Hash)>,
    /// By resource: there is one policy in force on a resource, the one with the highest version.
    policies: BTreeMap<String, (Arc<SignedPolicy>, Hash)>,
    /// By product, policy and product bytes: which of them counts is found in `join`, never by what came last.
    approvals: BTreeMap<(ProductRef, Hash, Hash), Approval>,
    approved: BTreeMap<ProductRef, Arc<ApprovedProduct>>,
}

/// A grant that was offered and refused.
#[derive(Clone, Debug)]
struct Refused {
    code: ErrorCode,
    /// Whom its bytes name, signed or not: they alone are told the code.
    parties: Vec<PartyId>,
}

/// What was adopted, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Payload type without the package.
    pub kind: &'static str,
    /// Typed id of the object.
    pub subject: String,
    /// Digest of its signed bytes.
    pub digest: Hash,
    /// Its filing number, if it has one.
    pub filing: Option<String>,
}

impl Holdings {
    /// The view with `envelope` adopted, or the code by which it is refused. Adopting the same bytes again is fine and
    /// changes nothing ([`None`]).
    pub fn adopt(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
        filing: Option<&Envelope>,
    ) -> Result<Option<(Holdings, Adopted)>, ErrorCode> {
        match envelope.payload_type.as_str() {
            GRANT_TYPE => self.adopt_grant(pinned, envelope, filing),
            PRODUCT_TYPE => self.adopt_product(pinned, envelope),
            POLICY_TYPE => self.adopt_policy(pinned, envelope),
            APPROVAL_TYPE => self.adopt_approval(pinned, envelope),
            _ => Err(ErrorCode::ObjectInvalid),
        }
    }

    /// The view that remembers why a grant was refused, if its id can be read at all and no good copy is held.
    #[must_use]
    pub fn with_refused(&self, envelope: &Envelope, code: ErrorCode) -> Option<Holdings> {
        let grant = open::<Grant>(envelope).ok()?;
        if self.grants.contains_key(&grant.id) || self.refused.len() >= REFUSED_MAX {
            return None;
        }
        let mut next = self.clone();
        let mut parties = grant.delegates;
        parties.push(grant.licensee);
        next.refused.insert(grant.id, Refused { code, parties });
        Some(next)
    }

    /// A held grant.
    pub fn grant(&self, id: &GrantId) -> Option<&Grant> {
        self.grants.get(id).map(Arc::as_ref)
    }

    /// What `caller` may be told of the grant `id`. The same few steps are taken whether there is such a grant or not.
    pub fn grant_for(&self, id: &GrantId, caller: &PartyId) -> GrantFact<'_> {
        match (self.grants.get(id), self.refused.get(id)) {
            (Some(grant), _) if grant.admits(caller) => GrantFact::Checked(grant),
            (None, Some(refused)) if refused.parties.contains(caller) => {
                GrantFact::Refused(refused.code)
            }
            (None, None) => GrantFact::Unknown,
            (Some(_), _) | (None, Some(_)) => GrantFact::Foreign,
        }
    }

    /// Every held grant.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values().map(Arc::as_ref)
    }

    /// Held grants that admit `party`.
    pub fn grants_of<'a, 'p>(
        &'a self,
        party: &'p PartyId,
    ) -> impl Iterator<Item = &'a Grant> + use<'a, 'p> {
        self.grants
            .values()
            .map(Arc::as_ref)
            .filter(move |grant| grant.admits(party))
    }

    /// What is known of a product version.
    pub fn product(&self, reference: &ProductRef) -> ProductFact<'_> {
        match self.approved.get(reference) {
            Some(approved) => ProductFact::Approved {
                product: &approved.product,
                digest: approved.digest,
                policy: &approved.policy.policy,
            },
            None if self.products.contains_key(reference) => ProductFact::Unapproved,
            None => ProductFact::Unknown,
        }
    }

    /// Whether any version of the product is known, for the version that a grant does not name.
    pub fn newest(&self, id: &lingqu_core::ProductId) -> Option<&ProductRef> {
        let of_version = |version| ProductRef {
            id: id.clone(),
            version,
        };
        let mut versions = self.products.range(of_version(0)..=of_version(u32::MAX));
        versions.next_back().map(|(reference, _)| reference)
    }

    /// The policy in force on a resource.
    pub fn policy_on(&self, resource: &str) -> Option<Arc<SignedPolicy>> {
        let (policy, _) = self.policies.get(resource)?;
        Some(Arc::clone(policy))
    }

    /// Every policy in force.
    pub fn policies(&self) -> impl Iterator<Item = &SignedPolicy> {
        self.policies.values().map(|(policy, _)| policy.as_ref())
    }

    /// Every product that may be called.
    pub fn approved(&self) -> impl Iterator<Item = &Arc<ApprovedProduct>> {
        self.approved.values()
    }

    /// How many objects are held.
    pub fn len(&self) -> usize {
        self.grants.len() + self.products.len() + self.policies.len() + self.approvals.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn adopt_grant(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
        filing: Option<&Envelope>,
    ) -> Result<Option<(Holdings, Adopted)>, ErrorCode> {
        // The own unit's signature comes first: without it nothing else is even read.
        signed(envelope, &pinned.unit_key, ErrorCode::GrantUnsignedByUnit)?;
        let grant = open::<Grant>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
        let agency_key = pinned
            .agencies
            .get(&grant.agency)
            .ok_or(ErrorCode::GrantUnsignedByAgency)?;
        signed(envelope, agency_key, ErrorCode::GrantUnsignedByAgency)?;
        signed(
            envelope,
            &grant.licensee_key,
            ErrorCode::GrantUnsignedByLicensee,
        )?;
        let filing = self.check_filing(pinned, envelope, filing)?;
        if let Some(held) = self.grants.get(&grant.id) {
            if **held == grant {
                return Ok(None);
            }
            if held.version >= grant.version {
                return Err(ErrorCode::ObjectConflict);
            }
        }
        let adopted = Adopted {
            kind: "grant",
            subject: grant.id.to_string(),
            digest: envelope.digest(),
            filing: Some(filing.number),
        };
        let mut next = self.clone();
        next.refused.remove(&grant.id);
        next.grants.insert(grant.id.clone(), Arc::new(grant));
        Ok(Some((next, adopted)))
    }

    fn check_filing(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
        filing: Option<&Envelope>,
    ) -> Result<Filing, ErrorCode> {
        let filing = filing.ok_or(ErrorCode::GrantNotFiled)?;
        if filing.payload_type != FILING_TYPE
            || filing.signed_by(&pinned.coordinator_key) != SignedBy::Yes
        {
            return Err(ErrorCode::GrantNotFiled);
        }
        let filing = open::<Filing>(filing).map_err(|_| ErrorCode::GrantNotFiled)?;
        let fits = filing.object_type == envelope.payload_type
            && filing.object_digest == envelope.digest();
        if fits {
            Ok(filing)
        } else {
            Err(ErrorCode::GrantNotFiled)
        }
    }

    fn adopt_product(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
    ) -> Result<Option<(Holdings, Adopted)>, ErrorCode> {
        if !pinned
            .agencies
            .values()
            .any(|key| envelope.signed_by(key) == SignedBy::Yes)
        {
            return Err(ErrorCode::ObjectSignatureInvalid);
        }
        let product = open::<Product>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
        if let Definition::Model(model) = &product.definition {
            crate::evaluate::model::check(model).map_err(|_| ErrorCode::ModelRefused)?;
        }
        let digest = envelope.digest();
        if let Some((_, held)) = self.products.get(&product.reference) {
            return if *held == digest {
                Ok(None)
            } else {
                Err(ErrorCode::ObjectConflict)
            };
        }
        let adopted = Adopted {
            kind: "product",
            subject: product.reference.to_string(),
            digest,
            filing: None,
        };
        let mut next = self.clone();
        next.products
            .insert(product.reference.clone(), (Arc::new(product), digest));
        next.join();
        Ok(Some((next, adopted)))
    }

    fn adopt_policy(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
    ) -> Result<Option<(Holdings, Adopted)>, ErrorCode> {
        signed(
            envelope,
            &pinned.unit_key,
            ErrorCode::ObjectSignatureInvalid,
        )?;
        let policy = open::<SignedPolicy>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
        if policy.unit != pinned.unit {
            return Err(ErrorCode::ObjectInvalid);
        }
        let digest = envelope.digest();
        match self.policies.get(&policy.resource) {
            Some((_, held)) if *held == digest => return Ok(None),
            // An older policy may be wider: once a newer one was seen it never comes back.
            Some((held, _)) if held.version >= policy.version => {
                return Err(ErrorCode::ObjectConflict);
            }
            Some(_) | None => {}
        }
        let adopted = Adopted {
            kind: "policy",
            subject: format!("{}@{}", policy.id, policy.version),
            digest,
            filing: None,
        };
        let mut next = self.clone();
        next.policies
            .insert(policy.resource.clone(), (Arc::new(policy), digest));
        next.join();
        Ok(Some((next, adopted)))
    }

    fn adopt_approval(
        &self,
        pinned: &Pinned,
        envelope: &Envelope,
    ) -> Result<Option<(Holdings, Adopted)>, ErrorCode> {
        signed(
            envelope,
            &pinned.unit_key,
            ErrorCode::ObjectSignatureInvalid,
        )?;
        let approval = open::<Approval>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
        if approval.unit != pinned.unit || approval.node != pinned.node {
            return Err(ErrorCode::ObjectInvalid);
        }
        // Approvals under several policies may be held; only one under the policy in force opens the product.
        let key = (
            approval.product.clone(),
            approval.policy_digest,
            approval.product_digest,
        );
        if self.approvals.get(&key) == Some(&approval) {
            return Ok(None);
        }
        let adopted = Adopted {
            kind: "approval",
            subject: approval.product.to_string(),
            digest: envelope.digest(),
            filing: None,
        };
        let mut next = self.clone();
        next.approvals.insert(key, approval);
        next.join();
        Ok(Some((next, adopted)))
    }

    /// Finds the products that may be called: bytes as approved, under the newest version of the policy that the
    /// approval names, every column allowed. An approval under a superseded policy holds no more.
    fn join(&mut self) {
        self.approved = self
            .approvals
            .values()
            .filter_map(|approval| {
                let (product, digest) = self.products.get(&approval.product)?;
                let (policy, _) = self
                    .policies
                    .values()
                    .find(|(_, held)| *held == approval.policy_digest)?;
                let fits = approval.product_digest == *digest
                    && product.unit == approval.unit
                    && product.node == approval.node
                    && product.resource == policy.resource
                    && product.check_against(&policy.policy).is_ok();
                fits.then(|| {
                    let approved = ApprovedProduct {
                        product: Product::clone(product),
                        digest: *digest,
                        policy: Arc::clone(policy),
                    };
                    (approval.product.clone(), Arc::new(approved))
                })
            })
            .collect();
    }
}

/// `key` signed; otherwise the code for "altered" or for "not signed".
fn signed(envelope: &Envelope, key: &[u8], unsigned: ErrorCode) -> Result<(), ErrorCode> {
    match envelope.signed_by(key) {
        SignedBy::Yes => Ok(()),
        SignedBy::Altered if envelope.payload_type == GRANT_TYPE => Err(ErrorCode::GrantAltered),
        SignedBy::Altered => Err(ErrorCode::ObjectSignatureInvalid),
        SignedBy::No => Err(unsigned),
    }
}
