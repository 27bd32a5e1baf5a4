//! `application.toml` (申请): what an applicant asks for and what it hands in. Signed by the applicant.

use std::path::{Path, PathBuf};

use lingqu_core::application::{Application, Demand, Material};
use lingqu_core::grant::Environment;
use lingqu_core::{CaseId, CoordinatorId, PartyId};
use lingqu_proto::product_ref;
use lingqu_tlog::{Hash, Intl, Suite};
use serde::{Deserialize, Serialize};

use super::agreement::KindToml;
use super::text::{Instant, Text};
use super::{Document, DocumentRefused};

/// Longest document that is digested here, in bytes; give the digest of a longer one.
const DOCUMENT_LEN_MAX: u64 = 256 << 20;

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationToml {
    /// The case, `case_…`: the applicant chooses an id that nobody else has.
    case: Text<CaseId>,
    /// The coordinator that it is handed in to, `coord_…`.
    coordinator: Text<CoordinatorId>,
    /// From 1; a supplement counts on. Default 1.
    #[serde(default = "first")]
    submission: u32,
    /// `scenario` or `catalog`.
    kind: KindToml,
    /// Who applies.
    applicant: Text<PartyId>,
    /// The operating agency that is asked.
    agency: Text<PartyId>,
    /// What it is for, in words; at most 8,192 bytes.
    summary: String,
    /// When it is signed: `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`.
    issued: Instant,
    /// For a scenario, and only for one: what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    demand: Option<DemandToml>,
    /// What is handed in; the coordinator's checklist says what must be there.
    #[serde(rename = "material", default)]
    materials: Vec<MaterialToml>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DemandToml {
    /// The scenario's code, 1 to 64 of `A-Z 0-9 _ . -`.
    scenario: String,
    /// Purposes that calls would state, of the same form.
    purposes: Vec<String>,
    /// `TEST`, `PROD_DEBUG`, `PROD`.
    environments: Vec<String>,
    /// `unit.product@version`.
    products: Vec<String>,
    /// Unified social credit codes that calls would name as end user.
    end_users: Vec<String>,
    /// Parties that would call for the applicant. Default none.
    #[serde(default)]
    delegates: Vec<Text<PartyId>>,
    /// Expected calls a day at each node.
    calls_per_day: u64,
    /// Expected calls over the whole term at each node.
    calls_total: u64,
    /// Whether personal data is processed.
    personal_data: bool,
    /// Data that is not public and that the applicant brings in. Default none.
    #[serde(default)]
    non_public_inputs: Vec<String>,
    /// The product's design document: the digest of its bytes, or `@FILE`.
    design: Document256,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaterialToml {
    /// Which item of the checklist, for example `LEGAL_REPRESENTATIVE`.
    item: String,
    /// The document: the digest of its bytes, or `@FILE`.
    document: Document256,
    /// The document's date.
    dated: Instant,
}

/// 64 hexadecimal digits, or `@` and a file whose bytes are digested (SHA-256).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Document256(String);

impl Document256 {
    fn digest(&self, key: &'static str, base: &Path) -> Result<Hash, DocumentRefused> {
        if let Some(path) = self.0.strip_prefix('@') {
            let path: PathBuf = base.join(path);
            let long = std::fs::metadata(&path).is_ok_and(|file| file.len() > DOCUMENT_LEN_MAX);
            if long {
                return Err(DocumentRefused::key(key, "is longer than 256 MiB"));
            }
            let shown = path.display();
            let bytes = std::fs::read(&path)
                .map_err(|error| DocumentRefused::key(key, format!("`{shown}`: {error}")))?;
            return Ok(Intl::digest(&[&bytes]));
        }
        let bytes = hex::decode(&self.0).ok();
        let digest = bytes.and_then(|bytes| bytes.try_into().ok());
        let reason = "expected 64 hexadecimal digits, or `@` and a file";
        let digest = digest.ok_or_else(|| DocumentRefused::key(key, reason))?;
        Ok(Hash(digest))
    }

    fn of(digest: Hash) -> Document256 {
        Document256(digest.to_string())
    }
}

fn first() -> u32 {
    1
}

impl Document for Application {
    type Written = ApplicationToml;

    fn from_written(written: ApplicationToml, base: &Path) -> Result<Self, DocumentRefused> {
        let material = |material: MaterialToml| {
            Ok(Material {
                digest: material.document.digest("material.document", base)?,
                item: material.item,
                dated: material.dated.0,
            })
        };
        let materials: Result<Vec<Material>, DocumentRefused> =
            written.materials.into_iter().map(material).collect();
        Ok(Application {
            case: written.case.0,
            coordinator: written.coordinator.0,
            submission: written.submission,
            kind: written.kind.into(),
            applicant: written.applicant.0,
            agency: written.agency.0,
            summary: written.summary,
            materials: materials?,
            demand: written
                .demand
                .map(|demand| demand.demand(base))
                .transpose()?,
            issued: written.issued.0,
        })
    }

    fn to_written(&self) -> ApplicationToml {
        let material = |material: &Material| MaterialToml {
            item: material.item.clone(),
            document: Document256::of(material.digest),
            dated: Instant(material.dated),
        };
        ApplicationToml {
            case: Text(self.case.clone()),
            coordinator: Text(self.coordinator.clone()),
            submission: self.submission,
            kind: self.kind.into(),
            applicant: Text(self.applicant.clone()),
            agency: Text(self.agency.clone()),
            summary: self.summary.clone(),
            issued: Instant(self.issued),
            demand: self.demand.as_ref().map(DemandToml::of),
            materials: self.materials.iter().map(material).collect(),
        }
    }
}

impl DemandToml {
    fn demand(self, base: &Path) -> Result<Demand, DocumentRefused> {
        let products: Result<Vec<_>, _> =
            self.products.iter().map(|name| product_ref(name)).collect();
        let environment = |word: &String| {
            let read = word.parse::<Environment>();
            read.map_err(|error| DocumentRefused::key("demand.environments", error))
        };
        let environments: Result<Vec<Environment>, _> =
            self.environments.iter().map(environment).collect();
        Ok(Demand {
            design: self.design.digest("demand.design", base)?,
            scenario: self.scenario,
            purposes: self.purposes,
            environments: environments?,
            products: products?,
            end_users: self.end_users,
            delegates: self.delegates.into_iter().map(|id| id.0).collect(),
            calls_per_day: self.calls_per_day,
            calls_total: self.calls_total,
            personal_data: self.personal_data,
            non_public_inputs: self.non_public_inputs,
        })
    }

    fn of(demand: &Demand) -> DemandToml {
        DemandToml {
            scenario: demand.scenario.clone(),
            purposes: demand.purposes.clone(),
            environments: demand
                .environments
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            products: demand.products.iter().map(ToString::to_string).collect(),
            end_users: demand.end_users.clone(),
            delegates: demand.delegates.iter().cloned().map(Text).collect(),
            calls_per_day: demand.calls_per_day,
            calls_total: demand.calls_total,
            personal_data: demand.personal_data,
            non_public_inputs: demand.non_public_inputs.clone(),
            design: Document256::of(demand.design),
        }
    }
}
