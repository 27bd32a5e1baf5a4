//! The grant (授权令牌).

use lingqu_core::grant::{
    DebugTerms, GRANT_TYPE, Grant, GrantKind, GrantRefused, GrantedProduct, NodeQuota,
};
use lingqu_core::product::ProductRef;
use lingqu_policy::{DpBudget, MicroRho};
use lingqu_tlog::{Intl, Suite};
use prost::Message;

use super::environment::{environment_from_pb, environment_to_pb};
use super::field::{
    code_word, credit_code, digest, distinct, from_one, instant, list, parse, refuse,
};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Grant {
    const TYPE: &'static str = GRANT_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        to_pb(self).encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, from_pb)
    }
}

fn from_pb(grant: pb::Grant) -> Result<Grant, FieldInvalid> {
    // The key enters here, so here it is decided whether signatures by it can mean anything.
    if Intl::admit(&grant.licensee_key).is_err() {
        return refuse("licensee_key", "is weak or malformed");
    }
    let read = Grant {
        id: parse("id", &grant.id)?,
        version: from_one("version", grant.version)?,
        kind: grant_kind(grant.kind)?,
        agency: parse("agency", &grant.agency)?,
        licensee: parse("licensee", &grant.licensee)?,
        licensee_key: grant.licensee_key,
        delegates: list("delegates", grant.delegates, |id| parse("delegates", &id))?,
        scenario: code_word("scenario", grant.scenario)?,
        purposes: list("purposes", grant.purposes, |purpose| {
            code_word("purposes", purpose)
        })?,
        environments: list("environments", grant.environments, |number| {
            environment_from_pb(number).map_err(|invalid| FieldInvalid {
                field: "environments",
                ..invalid
            })
        })?,
        products: list("products", grant.products, product)?,
        quotas: list("quotas", grant.quotas, quota)?,
        not_before: instant("not_before_us", grant.not_before_us)?,
        not_after: instant("not_after_us", grant.not_after_us)?,
        end_users: list("end_users", grant.end_users, |code| {
            credit_code("end_users", code)
        })?,
        region: parse("region", &grant.region)?,
        debug: grant.debug.map(debug).transpose()?,
    };
    distinct("delegates", &read.delegates)?;
    distinct("end_users", &read.end_users)?;
    if read.not_after <= read.not_before {
        return refuse("not_after_us", "is not after `not_before_us`");
    }
    read.check().map_err(|refused| match refused {
        GrantRefused::Term => FieldInvalid::TERM,
        GrantRefused::List(field) => FieldInvalid {
            field,
            reason: "is empty or names something twice",
        },
    })?;
    Ok(read)
}

pub(super) fn grant_kind(number: i32) -> Result<GrantKind, FieldInvalid> {
    match pb::GrantKind::try_from(number) {
        Ok(pb::GrantKind::Catalog) => Ok(GrantKind::Catalog),
        Ok(pb::GrantKind::Scenario) => Ok(GrantKind::Scenario),
        Ok(pb::GrantKind::Unspecified) | Err(_) => refuse("kind", "is unspecified or unknown"),
    }
}

/// The kind for the wire.
pub fn grant_kind_to_pb(kind: GrantKind) -> pb::GrantKind {
    match kind {
        GrantKind::Catalog => pb::GrantKind::Catalog,
        GrantKind::Scenario => pb::GrantKind::Scenario,
    }
}

fn product(product: pb::GrantedProduct) -> Result<GrantedProduct, FieldInvalid> {
    Ok(GrantedProduct {
        reference: ProductRef {
            id: parse("products.product", &product.product)?,
            version: from_one("products.version", product.version)?,
        },
        digest: digest("products.digest", &product.digest)?,
        reveals_not_found: product.reveals_not_found,
        reveals_indeterminate: product.reveals_indeterminate,
    })
}

fn quota(quota: pb::NodeQuota) -> Result<NodeQuota, FieldInvalid> {
    Ok(NodeQuota {
        unit: parse("quotas.unit", &quota.unit)?,
        node: parse("quotas.node", &quota.node)?,
        calls_per_day: quota.calls_per_day,
        calls_total: quota.calls_total,
        rho_total: quota.rho_total_micro.map(rho_total).transpose()?,
    })
}

/// Nothing is said by leaving it out: zero would be a second way to say it.
fn rho_total(micro: u64) -> Result<MicroRho, FieldInvalid> {
    let rho = MicroRho(micro);
    if rho == MicroRho::ZERO || rho > DpBudget::RHO_TOTAL_MAX {
        return refuse("quotas.rho_total_micro", "is out of bounds");
    }
    Ok(rho)
}

fn debug(terms: pb::DebugTerms) -> Result<DebugTerms, FieldInvalid> {
    let read = DebugTerms {
        not_before: instant("debug.not_before_us", terms.not_before_us)?,
        not_after: instant("debug.not_after_us", terms.not_after_us)?,
        calls_total: terms.calls_total,
        national_security_unharmed: terms.national_security_unharmed,
        trade_secrets_unharmed: terms.trade_secrets_unharmed,
        privacy_unharmed: terms.privacy_unharmed,
    };
    if read.not_after <= read.not_before {
        return refuse("debug.not_after_us", "is not after `debug.not_before_us`");
    }
    if !read.stated() {
        return refuse("debug", "lacks one of its three statements");
    }
    Ok(read)
}

fn to_pb(grant: &Grant) -> pb::Grant {
    let product = |product: &GrantedProduct| pb::GrantedProduct {
        product: product.reference.id.to_string(),
        version: product.reference.version,
        digest: product.digest.0.to_vec(),
        reveals_not_found: product.reveals_not_found,
        reveals_indeterminate: product.reveals_indeterminate,
    };
    let quota = |quota: &NodeQuota| pb::NodeQuota {
        unit: quota.unit.to_string(),
        node: quota.node.to_string(),
        calls_per_day: quota.calls_per_day,
        calls_total: quota.calls_total,
        rho_total_micro: quota.rho_total.map(|rho| rho.0),
    };
    let environment = |environment: &_| environment_to_pb(*environment).into();
    pb::Grant {
        id: grant.id.to_string(),
        version: grant.version,
        kind: grant_kind_to_pb(grant.kind).into(),
        agency: grant.agency.to_string(),
        licensee: grant.licensee.to_string(),
        licensee_key: grant.licensee_key.clone(),
        delegates: grant.delegates.iter().map(ToString::to_string).collect(),
        scenario: grant.scenario.clone(),
        purposes: grant.purposes.clone(),
        environments: grant.environments.iter().map(environment).collect(),
        products: grant.products.iter().map(product).collect(),
        quotas: grant.quotas.iter().map(quota).collect(),
        not_before_us: grant.not_before.0,
        not_after_us: grant.not_after.0,
        end_users: grant.end_users.clone(),
        region: grant.region.to_string(),
        debug: grant.debug.map(|terms| pb::DebugTerms {
            not_before_us: terms.not_before.0,
            not_after_us: terms.not_after.0,
            calls_total: terms.calls_total,
            national_security_unharmed: terms.national_security_unharmed,
            trade_secrets_unharmed: terms.trade_secrets_unharmed,
            privacy_unharmed: terms.privacy_unharmed,
        }),
    }
}
