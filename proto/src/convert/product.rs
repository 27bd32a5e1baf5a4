//! Registered products.

use std::collections::BTreeSet;

use lingqu_core::product::{
    Definition, FieldRule, PRODUCT_TYPE, Product, ProductRef, Tier, Verification,
};
use prost::Message;

use super::field::{distinct, from_one, list, name, parse, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// Most fields that select register rows.
const KEY_FIELDS_MAX: usize = 8;
/// Most fields that are compared.
const COMPARED_FIELDS_MAX: usize = 16;
/// The comparators that a verification may name.
const COMPARATORS: [&str; 5] = ["at_least", "date", "exact", "folded", "integer"];

impl SignedObject for Product {
    const TYPE: &'static str = PRODUCT_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        to_pb(self).encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, from_pb)
    }
}

/// `unit.product@version`, as revocations and stop orders name a product version. The version is a decimal from 1
/// without leading zeros.
///
/// # Errors
/// [`FieldInvalid`] for any other text.
pub fn product_ref(text: &str) -> Result<ProductRef, FieldInvalid> {
    let read = || {
        let (id, version) = text.split_once('@')?;
        let reference = ProductRef {
            id: id.parse().ok()?,
            version: version.parse().ok().filter(|version| *version != 0)?,
        };
        // `+1` and `01` parse as numbers too; only one text may name a version.
        (reference.to_string() == text).then_some(reference)
    };
    read().ok_or(FieldInvalid {
        field: "product",
        reason: "is not `unit.product@version`",
    })
}

fn from_pb(product: pb::Product) -> Result<Product, FieldInvalid> {
    let reference = ProductRef {
        id: parse("id", &product.id)?,
        version: from_one("version", product.version)?,
    };
    let tier = match pb::ProductTier::try_from(product.tier) {
        Ok(pb::ProductTier::Primary) => Tier::Primary,
        Ok(pb::ProductTier::Redeveloped) => Tier::Redeveloped,
        Ok(pb::ProductTier::Unspecified) | Err(_) => {
            return refuse("tier", "is unspecified or unknown");
        }
    };
    let derived_from = list("derived_from", product.derived_from, |id| {
        parse("derived_from", &id)
    })?;
    distinct("derived_from", &derived_from)?;
    match (tier, derived_from.is_empty()) {
        (Tier::Primary, false) => return refuse("derived_from", "is not for a primary product"),
        (Tier::Redeveloped, true) => {
            return refuse("derived_from", "is empty in a redeveloped product");
        }
        (Tier::Primary, true) | (Tier::Redeveloped, false) => {}
    }
    Ok(Product {
        reference,
        tier,
        derived_from,
        title_zh: text("title_zh", product.title_zh)?,
        title_en: text("title_en", product.title_en)?,
        unit: parse("unit", &product.unit)?,
        node: parse("node", &product.node)?,
        resource: name("resource", product.resource)?,
        definition: definition(product.kind, product.definition)?,
    })
}

fn definition(
    kind: i32,
    definition: Option<pb::product::Definition>,
) -> Result<Definition, FieldInvalid> {
    match (pb::ProductKind::try_from(kind), definition) {
        (
            Ok(pb::ProductKind::Verification),
            Some(pb::product::Definition::Verification(fields)),
        ) => verification(fields).map(Definition::Verification),
        (Ok(pb::ProductKind::Verification), None) => {
            refuse("definition", "is missing or not of the product's kind")
        }
        (Ok(pb::ProductKind::Unspecified) | Err(_), _) => {
            refuse("kind", "is unspecified or unknown")
        }
    }
}

fn verification(verification: pb::Verification) -> Result<Verification, FieldInvalid> {
    if !(1..=KEY_FIELDS_MAX).contains(&verification.key.len()) {
        return refuse("verification.key", "does not have 1 to 8 fields");
    }
    if !(1..=COMPARED_FIELDS_MAX).contains(&verification.compared.len()) {
        return refuse("verification.compared", "does not have 1 to 16 fields");
    }
    let key = list("verification.key", verification.key, rule)?;
    let compared = list("verification.compared", verification.compared, rule)?;
    // Rows are found by equality only; a product that could never open is refused where it is registered.
    if key.iter().any(|rule| rule.comparator == "at_least") {
        return refuse("verification.key", "has a field that is compared by order");
    }
    let names: BTreeSet<&str> = key
        .iter()
        .chain(&compared)
        .map(|rule| rule.name.as_str())
        .collect();
    if names.len() != key.len() + compared.len() {
        return refuse("verification", "has two fields of one name");
    }
    Ok(Verification { key, compared })
}

fn rule(rule: pb::FieldRule) -> Result<FieldRule, FieldInvalid> {
    if !COMPARATORS.contains(&rule.comparator.as_str()) {
        return refuse(
            "verification.comparator",
            "is not `at_least`, `exact`, `folded`, `integer` or `date`",
        );
    }
    Ok(FieldRule {
        name: name("verification.name", rule.name)?,
        column: name("verification.column", rule.column)?,
        comparator: rule.comparator,
    })
}

fn to_pb(product: &Product) -> pb::Product {
    let Definition::Verification(verification) = &product.definition;
    pb::Product {
        id: product.reference.id.to_string(),
        version: product.reference.version,
        kind: pb::ProductKind::Verification.into(),
        tier: match product.tier {
            Tier::Primary => pb::ProductTier::Primary,
            Tier::Redeveloped => pb::ProductTier::Redeveloped,
        }
        .into(),
        derived_from: product
            .derived_from
            .iter()
            .map(ToString::to_string)
            .collect(),
        title_zh: product.title_zh.clone(),
        title_en: product.title_en.clone(),
        unit: product.unit.to_string(),
        node: product.node.to_string(),
        resource: product.resource.clone(),
        definition: Some(pb::product::Definition::Verification(pb::Verification {
            key: verification.key.iter().map(rule_to_pb).collect(),
            compared: verification.compared.iter().map(rule_to_pb).collect(),
        })),
    }
}

fn rule_to_pb(rule: &FieldRule) -> pb::FieldRule {
    pb::FieldRule {
        name: rule.name.clone(),
        column: rule.column.clone(),
        comparator: rule.comparator.clone(),
    }
}
