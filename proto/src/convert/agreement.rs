//! The agreement with its mandatory terms.

use lingqu_core::agreement::{AGREEMENT_TYPE, Agreement, Terms};
use lingqu_core::grant::GrantKind;
use lingqu_tlog::Hash;
use prost::Message;

use super::field::{PROSE_LEN_MAX, digest, from_one, instant, parse, prose, refuse, text};
use super::grant::{grant_kind, grant_kind_to_pb};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

impl SignedObject for Agreement {
    const TYPE: &'static str = AGREEMENT_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        to_pb(self).encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, from_pb)
    }
}

fn from_pb(agreement: pb::Agreement) -> Result<Agreement, FieldInvalid> {
    let kind = grant_kind(agreement.kind)?;
    // Left out on the wire, an instant reads as 1970: no agreement means that.
    if agreement.not_before_us == 0 || agreement.not_after_us == 0 {
        return Err(FieldInvalid::missing_term(
            "not_before_us, not_after_us (授权期限)",
        ));
    }
    let terms = Terms {
        scope: term("scope", agreement.scope)?,
        processing: term("processing", agreement.processing)?,
        revenue_mode: term("revenue_mode", agreement.revenue_mode)?,
        revenue_method: term("revenue_method", agreement.revenue_method)?,
        security: term("security", agreement.security)?,
        disposal: term("disposal", agreement.disposal)?,
        breach: term("breach", agreement.breach)?,
    };
    if let Some(name) = terms.missing(kind) {
        return Err(FieldInvalid::missing_term(name));
    }
    let read = Agreement {
        case: parse("case_id", &agreement.case_id)?,
        round: from_one("round", agreement.round)?,
        application: digest("application_digest", &agreement.application_digest)?,
        previous: optional("previous_digest", &agreement.previous_digest)?,
        kind,
        agency: parse("agency", &agreement.agency)?,
        licensee: parse("licensee", &agreement.licensee)?,
        not_before: instant("not_before_us", agreement.not_before_us)?,
        not_after: instant("not_after_us", agreement.not_after_us)?,
        terms,
        template: text("template", agreement.template)?,
        grant: optional("grant_digest", &agreement.grant_digest)?,
    };
    if read.not_after <= read.not_before {
        return refuse("not_after_us", "is not after `not_before_us`");
    }
    if !read.term_fits() {
        return Err(FieldInvalid::TERM);
    }
    if read.agency == read.licensee {
        return refuse("licensee", "is the agency itself");
    }
    if (read.round == 1) != read.previous.is_none() {
        return refuse("previous_digest", "is what a renewal has, and nothing else");
    }
    if (kind == GrantKind::Scenario) != read.grant.is_some() {
        return refuse(
            "grant_digest",
            "is what a scenario agreement has, and nothing else",
        );
    }
    Ok(read)
}

fn term(field: &'static str, value: String) -> Result<String, FieldInvalid> {
    prose(field, value, PROSE_LEN_MAX)
}

fn optional(field: &'static str, bytes: &[u8]) -> Result<Option<Hash>, FieldInvalid> {
    if bytes.is_empty() {
        Ok(None)
    } else {
        digest(field, bytes).map(Some)
    }
}

fn to_pb(agreement: &Agreement) -> pb::Agreement {
    let optional = |digest: Option<Hash>| digest.map_or(Vec::new(), |digest| digest.0.to_vec());
    let terms = agreement.terms.clone();
    pb::Agreement {
        case_id: agreement.case.to_string(),
        round: agreement.round,
        application_digest: agreement.application.0.to_vec(),
        previous_digest: optional(agreement.previous),
        kind: grant_kind_to_pb(agreement.kind).into(),
        agency: agreement.agency.to_string(),
        licensee: agreement.licensee.to_string(),
        not_before_us: agreement.not_before.0,
        not_after_us: agreement.not_after.0,
        scope: terms.scope,
        processing: terms.processing,
        revenue_mode: terms.revenue_mode,
        revenue_method: terms.revenue_method,
        security: terms.security,
        disposal: terms.disposal,
        breach: terms.breach,
        template: agreement.template.clone(),
        grant_digest: optional(agreement.grant),
    }
}
