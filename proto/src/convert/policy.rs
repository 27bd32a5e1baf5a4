//! The unit's policy on one resource. Columns, their uses, the entries of domains and purposes are sets: canonical is
//! ascending order.

mod domain;

use lingqu_core::product::{POLICY_TYPE, SignedPolicy};
use lingqu_policy::{
    AuditTerms, AuditTermsRefused, Domain, Policy, PolicyRefused, Release, Use, UseSet,
};
use prost::Message;

use super::field::{code_word, from_one, handle, list, name, parse, refuse};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;
use crate::pb::audit_terms::Mode;

impl SignedObject for SignedPolicy {
    const TYPE: &'static str = POLICY_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        to_pb(self).encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, from_pb)
    }
}

fn from_pb(policy: pb::Policy) -> Result<SignedPolicy, FieldInvalid> {
    let columns = list("columns", policy.columns, rule)?;
    let domains: Vec<(String, Domain)> = columns
        .iter()
        .filter_map(|(name, _, domain)| Some((name.clone(), domain.clone()?)))
        .collect();
    let columns = columns.into_iter().map(|(name, uses, _)| (name, uses));
    let purposes = list("purposes", policy.purposes, |purpose| {
        code_word("purposes", purpose)
    })?;
    let audit = match policy.audit.and_then(|audit| audit.mode) {
        Some(Mode::Mirrored(mirrored)) => AuditTerms::Mirrored {
            wait_ms_max: mirrored.wait_ms_max,
        },
        Some(Mode::Lagged(lagged)) => AuditTerms::Lagged {
            entries_max: lagged.entries_max,
            age_s_max: lagged.age_s_max,
        },
        None => return refuse("audit", "is missing or of an unknown mode"),
    };
    let built = Policy::new(columns, purposes, audit, policy.epoch_age_max_s).map_err(refused)?;
    let built = domains
        .into_iter()
        .try_fold(built, |built, (column, domain)| {
            built.with_domain(&column, domain)
        })
        .map_err(refused)?;
    let built = match policy.release {
        Some(terms) => built.with_release(release(&terms)?),
        None => built,
    };
    Ok(SignedPolicy {
        id: handle("id", policy.id)?,
        version: from_one("version", policy.version)?,
        unit: parse("unit", &policy.unit)?,
        resource: name("resource", policy.resource)?,
        policy: built,
    })
}

fn release(terms: &pb::ReleaseTerms) -> Result<Release, FieldInvalid> {
    let dominance = u8::try_from(terms.dominance_percent_max).map_err(|_| FieldInvalid {
        field: "dominance_percent_max",
        reason: "is out of bounds",
    })?;
    Release::new(terms.group_min, dominance, terms.round_to, terms.groups_max).map_err(|refused| {
        FieldInvalid {
            field: refused.field,
            reason: "is out of bounds",
        }
    })
}

fn rule(rule: pb::ColumnRule) -> Result<(String, UseSet, Option<Domain>), FieldInvalid> {
    let uses = list("columns.uses", rule.uses, |word| {
        parse::<Use>("columns.uses", &word)
    })?;
    Ok((
        name("columns.column", rule.column)?,
        uses.into_iter().collect(),
        rule.domain.map(domain::from_pb).transpose()?,
    ))
}

fn refused(refused: PolicyRefused) -> FieldInvalid {
    let (field, reason) = match refused {
        PolicyRefused::ColumnTwice(_) => ("columns", "has two rules for one column"),
        PolicyRefused::Domain(_) => ("columns.domain", "stands without a rule or twice"),
        PolicyRefused::Size => ("columns", "is empty or too long"),
        PolicyRefused::NameEmpty => ("columns", "has an empty name"),
        PolicyRefused::EpochAge => ("epoch_age_max_s", "is zero or more than a week"),
        PolicyRefused::Audit(AuditTermsRefused::OutOfBounds { field, .. }) => {
            (field, "is zero or above its ceiling")
        }
    };
    FieldInvalid { field, reason }
}

fn to_pb(signed: &SignedPolicy) -> pb::Policy {
    let mode = match signed.policy.audit() {
        AuditTerms::Mirrored { wait_ms_max } => Mode::Mirrored(pb::Mirrored { wait_ms_max }),
        AuditTerms::Lagged {
            entries_max,
            age_s_max,
        } => Mode::Lagged(pb::Lagged {
            entries_max,
            age_s_max,
        }),
    };
    let rule = |(column, uses): (&str, UseSet)| pb::ColumnRule {
        column: column.to_owned(),
        uses: uses
            .iter()
            .map(|allowed| allowed.as_str().to_owned())
            .collect(),
        domain: signed.policy.domain(column).map(domain::to_pb),
    };
    let release = |terms: Release| pb::ReleaseTerms {
        group_min: terms.group_min(),
        dominance_percent_max: terms.dominance_percent_max().into(),
        round_to: terms.round_to(),
        groups_max: terms.groups_max(),
    };
    pb::Policy {
        id: signed.id.clone(),
        version: signed.version,
        unit: signed.unit.to_string(),
        resource: signed.resource.clone(),
        columns: signed.policy.columns().map(rule).collect(),
        audit: Some(pb::AuditTerms { mode: Some(mode) }),
        epoch_age_max_s: signed.policy.epoch_age_max_s(),
        purposes: signed.policy.purposes().map(str::to_owned).collect(),
        release: signed.policy.release().map(release),
    }
}
