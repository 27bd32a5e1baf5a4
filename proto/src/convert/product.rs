//! Registered products.

mod definition;

use lingqu_core::product::{PRODUCT_TYPE, Product, ProductRef, Tier};
use prost::Message;

use super::field::{distinct, from_one, list, name, parse, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

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
    let resource = name("resource", product.resource)?;
    let definition = definition::from_pb(product.kind, product.definition, &resource)?;
    Ok(Product {
        reference,
        tier,
        derived_from,
        title_zh: text("title_zh", product.title_zh)?,
        title_en: text("title_en", product.title_en)?,
        unit: parse("unit", &product.unit)?,
        node: parse("node", &product.node)?,
        resource,
        definition,
    })
}

fn to_pb(product: &Product) -> pb::Product {
    let (kind, definition) = definition::to_pb(&product.definition);
    pb::Product {
        id: product.reference.id.to_string(),
        version: product.reference.version,
        kind: kind.into(),
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
        definition: Some(definition),
    }
}
