//! The application for authorisation.

use lingqu_core::application::{APPLICATION_TYPE, Application, Demand, Material};
use lingqu_core::grant::GrantKind;
use prost::Message;

use super::environment::{environment_from_pb, environment_to_pb};
use super::field::{
    PROSE_LEN_MAX, code_word, credit_code, digest, distinct, from_one, instant, list, named, parse,
    prose, refuse, text,
};
use super::grant::{grant_kind, grant_kind_to_pb};
use super::product::product_ref;
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// Longest payload, in bytes. Documents are named by digest, so an application has no reason to be large.
const APPLICATION_LEN_MAX: usize = 64 << 10;
/// Most documents, and most products, of one application.
const PARTS_MAX: usize = 64;

impl SignedObject for Application {
    const TYPE: &'static str = APPLICATION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        to_pb(self).encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        if payload.len() > APPLICATION_LEN_MAX {
            return refuse("payload", "is longer than 64 KiB");
        }
        decode_canonical(payload, from_pb)
    }
}

fn from_pb(application: pb::Application) -> Result<Application, FieldInvalid> {
    let read = Application {
        case: parse("case_id", &application.case_id)?,
        coordinator: parse("coordinator", &application.coordinator)?,
        submission: from_one("submission", application.submission)?,
        kind: grant_kind(application.kind)?,
        applicant: parse("applicant", &application.applicant)?,
        agency: parse("agency", &application.agency)?,
        summary: named(
            "summary",
            prose("summary", application.summary, PROSE_LEN_MAX)?,
        )?,
        materials: at_most("materials", application.materials, material)?,
        demand: application.demand.map(demand).transpose()?,
        issued: instant("issued_us", application.issued_us)?,
    };
    let items: Vec<&String> = read.materials.iter().map(|one| &one.item).collect();
    distinct("materials.item", &items)?;
    match (read.kind, &read.demand) {
        (GrantKind::Catalog, Some(_)) => refuse("demand", "is not for a catalog authorisation"),
        (GrantKind::Scenario, None) => refuse("demand", "is missing"),
        (GrantKind::Catalog, None) | (GrantKind::Scenario, Some(_)) => Ok(read),
    }
}

fn material(material: pb::Material) -> Result<Material, FieldInvalid> {
    Ok(Material {
        item: code_word("materials.item", material.item)?,
        digest: digest("materials.digest", &material.digest)?,
        dated: instant("materials.dated_us", material.dated_us)?,
    })
}

fn demand(demand: pb::Demand) -> Result<Demand, FieldInvalid> {
    let read = Demand {
        scenario: code_word("demand.scenario", demand.scenario)?,
        purposes: list("demand.purposes", demand.purposes, |purpose| {
            code_word("demand.purposes", purpose)
        })?,
        environments: list("demand.environments", demand.environments, |number| {
            environment_from_pb(number).map_err(|invalid| FieldInvalid {
                field: "demand.environments",
                ..invalid
            })
        })?,
        products: at_most("demand.products", demand.products, |name| {
            product_ref(&name)
        })?,
        end_users: list("demand.end_users", demand.end_users, |code| {
            credit_code("demand.end_users", code)
        })?,
        delegates: list("demand.delegates", demand.delegates, |id| {
            parse("demand.delegates", &id)
        })?,
        calls_per_day: from_one("demand.calls_per_day", demand.calls_per_day)?,
        calls_total: from_one("demand.calls_total", demand.calls_total)?,
        personal_data: demand.personal_data,
        non_public_inputs: at_most(
            "demand.non_public_inputs",
            demand.non_public_inputs,
            |one| {
                named(
                    "demand.non_public_inputs",
                    text("demand.non_public_inputs", one)?,
                )
            },
        )?,
        design: digest("demand.design_digest", &demand.design_digest)?,
    };
    some_distinct("demand.purposes", &read.purposes)?;
    some_distinct("demand.environments", &read.environments)?;
    some_distinct("demand.products", &read.products)?;
    distinct("demand.end_users", &read.end_users)?;
    distinct("demand.delegates", &read.delegates)?;
    distinct("demand.non_public_inputs", &read.non_public_inputs)?;
    Ok(read)
}

/// A list that names at least one thing and nothing twice.
fn some_distinct<T: Ord>(field: &'static str, entries: &[T]) -> Result<(), FieldInvalid> {
    if entries.is_empty() {
        return refuse(field, "is empty");
    }
    distinct(field, entries)
}

/// A list of at most [`PARTS_MAX`] entries.
fn at_most<A, B>(
    field: &'static str,
    entries: Vec<A>,
    convert: impl FnMut(A) -> Result<B, FieldInvalid>,
) -> Result<Vec<B>, FieldInvalid> {
    if entries.len() > PARTS_MAX {
        return refuse(field, "has more than 64 entries");
    }
    entries.into_iter().map(convert).collect()
}

fn to_pb(application: &Application) -> pb::Application {
    let material = |material: &Material| pb::Material {
        item: material.item.clone(),
        digest: material.digest.0.to_vec(),
        dated_us: material.dated.0,
    };
    pb::Application {
        case_id: application.case.to_string(),
        coordinator: application.coordinator.to_string(),
        submission: application.submission,
        kind: grant_kind_to_pb(application.kind).into(),
        applicant: application.applicant.to_string(),
        agency: application.agency.to_string(),
        summary: application.summary.clone(),
        materials: application.materials.iter().map(material).collect(),
        demand: application.demand.as_ref().map(demand_to_pb),
        issued_us: application.issued.0,
    }
}

fn demand_to_pb(demand: &Demand) -> pb::Demand {
    let environment = |environment: &_| environment_to_pb(*environment).into();
    pb::Demand {
        scenario: demand.scenario.clone(),
        purposes: demand.purposes.clone(),
        environments: demand.environments.iter().map(environment).collect(),
        products: demand.products.iter().map(ToString::to_string).collect(),
        end_users: demand.end_users.clone(),
        delegates: demand.delegates.iter().map(ToString::to_string).collect(),
        calls_per_day: demand.calls_per_day,
        calls_total: demand.calls_total,
        personal_data: demand.personal_data,
        non_public_inputs: demand.non_public_inputs.clone(),
        design_digest: demand.design.0.to_vec(),
    }
}
