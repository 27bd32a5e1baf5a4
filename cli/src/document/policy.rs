//! `policy.toml`: what the unit allows on one resource. Signed by the unit.

mod domain;

use std::collections::BTreeMap;
use std::path::Path;

use lingqu_core::PartyId;
use lingqu_core::product::SignedPolicy;
use lingqu_policy::{
    AuditTerms, BodyTerms, DpBudget, Function, Functions, MicroRho, Policy, Preset, Release,
    SubjectLimit, Use, UseSet,
};
use serde::{Deserialize, Serialize};

use super::text::Text;
use super::{Document, DocumentRefused};
use domain::DomainToml;

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyToml {
    /// Name of the policy, 1 to 64 of `a-z 0-9 _ . -`.
    id: String,
    /// Its version, from 1. At a node the highest version is in force.
    version: u32,
    /// The unit, `party_…`.
    unit: Text<PartyId>,
    /// The resource that it is about.
    resource: String,
    /// Purposes that calls may state. None listed means none allowed.
    purposes: Vec<String>,
    /// Oldest revocation list under which calls are still answered, in seconds, 1 to 604,800.
    epoch_age_max_s: u32,
    /// Columns of which no cell of a statistic may have nearly all its entities at one value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sensitive: Vec<String>,
    /// How strictly "no log, no answer" holds.
    audit: AuditToml,
    /// Column → uses: `aggregate`, `entity`, `filter`, `group`, `link`, `model`, `show`, `verify`; or the name of a
    /// preset. A column that is not listed is forbidden.
    columns: BTreeMap<String, UsesToml>,
    /// Entity column → the space that its ids are from, such as `person`. Tables are joined only within one space.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spaces: BTreeMap<String, String>,
    /// Column → what its values may be asked about in statistics. A column without a domain is neither selected,
    /// grouped nor summed by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    domains: BTreeMap<String, DomainToml>,
    /// Under which terms statistics may leave. Absent means that there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseToml>,
    /// The privacy budget of each entity space of the resource. Absent means that there is no differentially private
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dp: Option<DpToml>,
    /// Whether request and answer of each call are kept, sealed to regulators. Absent means that they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bodies: Option<BodiesToml>,
    /// How often one subject may be asked about. Absent means that only grants' quotas limit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_limit: Option<SubjectLimitToml>,
}

/// At most so many verifications and scores about one subject within a window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectLimitToml {
    /// Calls of all callers together, 1 to 1,000,000.
    calls_max: u32,
    /// Calls under one grant, 1 to `calls_max`. Default: `calls_max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant_calls_max: Option<u32>,
    /// Hours, 1 to 744; 24 is a day of UTC+8.
    window_hours: u16,
}

impl SubjectLimitToml {
    fn read(self) -> Result<SubjectLimit, DocumentRefused> {
        let read =
            SubjectLimit::new(self.calls_max, self.window_hours).and_then(|limit| {
                match self.grant_calls_max {
                    Some(calls) => limit.with_grant_calls_max(calls),
                    None => Ok(limit),
                }
            });
        read.map_err(|error| DocumentRefused::key("subject_limit", error))
    }

    fn write(limit: SubjectLimit) -> SubjectLimitToml {
        let of_grant = limit.grant_calls_max();
        SubjectLimitToml {
            calls_max: limit.calls_max(),
            grant_calls_max: (of_grant != limit.calls_max()).then_some(of_grant),
            window_hours: limit.window_hours(),
        }
    }
}

/// What all callers together may learn of the entities of a space, for ever. What was spent stays spent under every
/// later version of the policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DpToml {
    /// In ρ of zero-concentrated differential privacy: `"2.5"`, at most six digits behind the point, up to 1,000.
    rho_total: Text<MicroRho>,
    /// The n of δ = 10⁻ⁿ under which the budget is told as (ε, δ), 5 to 18. Default: 9.
    #[serde(default = "delta_usual")]
    delta_exponent: u8,
}

fn delta_usual() -> u8 {
    9
}

/// Request and answer are kept.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodiesToml {
    /// Calendar months after the end of the grant, 6 to 120; 36 where they are personal information that is shared.
    keep_months: u16,
}

/// A list of uses, or the name of a preset: `dimension`, `entity`, `filter_only`, `forbidden`, `link_only`, `measure`,
/// `model_only`, `public`, `verify_only`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum UsesToml {
    Preset(String),
    Uses(Vec<String>),
}

impl UsesToml {
    fn read(&self) -> Result<UseSet, DocumentRefused> {
        match self {
            UsesToml::Preset(word) => {
                let preset: Result<Preset, _> = word.parse();
                let preset = preset.map_err(|error| DocumentRefused::key("columns", error))?;
                Ok(preset.uses())
            }
            UsesToml::Uses(words) => {
                let uses: Result<Vec<Use>, _> = words.iter().map(|word| word.parse()).collect();
                let uses = uses.map_err(|error| DocumentRefused::key("columns", error))?;
                Ok(uses.into_iter().collect())
            }
        }
    }
}

/// Under which terms statistics may leave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseToml {
    /// Fewest entities in a group that is shown, 10 to 1,000,000.
    group_min: u32,
    /// Largest share of one entity in a figure that is shown, in percent, 1 to 90. Default: 50.
    #[serde(default = "dominance_usual")]
    dominance_percent_max: u8,
    /// Counts are rounded to multiples of this, 1 (not at all) to 1,000,000.
    round_to: u32,
    /// Most groups of one answer, 1 to 65,536.
    groups_max: u32,
    /// A figure is kept back if the second-largest contributor could tell the largest within this many percent, 1 to
    /// 90. Default: 10.
    #[serde(default = "p_usual")]
    p_percent: u8,
    /// Largest share of a cell's entities at one value of a sensitive column, in percent, 50 to 100. Default: 90.
    #[serde(default = "homogeneity_usual")]
    homogeneity_percent_max: u8,
    /// Largest share of rows that figures may leave out because their cells are too small, in percent, 0 to 50; a
    /// product beyond it does not open. Default: 10.
    #[serde(default = "withheld_usual")]
    withheld_percent_max: u8,
    /// Functions that may be asked: `average`, `count`, `entities`, `sum`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<String>>,
}

fn p_usual() -> u8 {
    Release::P_PERCENT_USUAL
}

fn homogeneity_usual() -> u8 {
    Release::HOMOGENEITY_PERCENT_USUAL
}

fn withheld_usual() -> u8 {
    Release::WITHHELD_PERCENT_USUAL
}

impl ReleaseToml {
    fn read(self) -> Result<Release, DocumentRefused> {
        let ReleaseToml {
            group_min,
            dominance_percent_max,
            round_to,
            groups_max,
            p_percent,
            homogeneity_percent_max,
            withheld_percent_max,
            functions,
        } = self;
        let terms = Release::new(group_min, dominance_percent_max, round_to, groups_max)
            .and_then(|terms| terms.with_p_percent(p_percent))
            .and_then(|terms| terms.with_homogeneity_percent_max(homogeneity_percent_max))
            .and_then(|terms| terms.with_withheld_percent_max(withheld_percent_max))
            .map_err(|error| DocumentRefused::key("release", error))?;
        let Some(words) = functions else {
            return Ok(terms);
        };
        let functions: Result<Functions, _> = words.iter().map(|w| w.parse::<Function>()).collect();
        let functions = functions.map_err(|error| DocumentRefused::key("release", error))?;
        Ok(terms.with_functions(functions))
    }

    fn write(terms: Release) -> ReleaseToml {
        let functions = terms.functions();
        let words = functions.iter().map(|known| known.as_str().to_owned());
        ReleaseToml {
            group_min: terms.group_min(),
            dominance_percent_max: terms.dominance_percent_max(),
            round_to: terms.round_to(),
            groups_max: terms.groups_max(),
            p_percent: terms.p_percent(),
            homogeneity_percent_max: terms.homogeneity_percent_max(),
            withheld_percent_max: terms.withheld_percent_max(),
            functions: (functions != Functions::ALL).then(|| words.collect()),
        }
    }
}

fn dominance_usual() -> u8 {
    Release::DOMINANCE_PERCENT_USUAL
}

/// The three modes; there is nothing below a durable local record.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
enum AuditToml {
    /// No answer without the mirror's cosignature.
    Mirrored {
        /// How long one call waits for it, in milliseconds, 1 to 60,000.
        wait_ms_max: u32,
    },
    /// While the mirror is away, answers leave on the durable local record, within both limits.
    Lagged {
        /// Most records that the mirror may be behind, 1 to 1,000,000.
        entries_max: u64,
        /// Longest that the oldest of them may wait, in seconds, 1 to 86,400.
        age_s_max: u32,
    },
    /// No answer without a head log over its record that the witnesses pinned at the node have cosigned.
    Witnessed {
        /// How long one call waits for it, in milliseconds, 1 to 60,000.
        wait_ms_max: u32,
    },
}

impl Document for SignedPolicy {
    type Written = PolicyToml;

    fn from_written(written: PolicyToml, _base: &Path) -> Result<Self, DocumentRefused> {
        let mut columns = Vec::with_capacity(written.columns.len());
        for (column, uses) in written.columns {
            let uses = uses.read()?;
            columns.push((column, uses));
        }
        let audit = match written.audit {
            AuditToml::Mirrored { wait_ms_max } => AuditTerms::Mirrored { wait_ms_max },
            AuditToml::Witnessed { wait_ms_max } => AuditTerms::Witnessed { wait_ms_max },
            AuditToml::Lagged {
                entries_max,
                age_s_max,
            } => AuditTerms::Lagged {
                entries_max,
                age_s_max,
            },
        };
        let refused = |error| DocumentRefused::key("policy", error);
        let mut policy = Policy::new(columns, written.purposes, audit, written.epoch_age_max_s)
            .map_err(refused)?;
        for (column, domain) in written.domains {
            policy = policy
                .with_domain(&column, domain.read()?)
                .map_err(refused)?;
        }
        for (column, space) in written.spaces {
            policy = policy.with_space(&column, &space).map_err(refused)?;
        }
        for column in written.sensitive {
            policy = policy.with_sensitive(&column).map_err(refused)?;
        }
        if let Some(terms) = written.release {
            policy = policy.with_release(terms.read()?);
        }
        if let Some(dp) = written.dp {
            let budget = DpBudget::new(dp.rho_total.0, dp.delta_exponent)
                .map_err(|error| DocumentRefused::key("dp", error))?;
            policy = policy.with_dp(budget);
        }
        if let Some(limit) = written.subject_limit {
            policy = policy.with_subject_limit(limit.read()?);
        }
        if let Some(bodies) = written.bodies {
            let terms = BodyTerms::new(bodies.keep_months)
                .map_err(|error| DocumentRefused::key("bodies", error))?;
            policy = policy.with_bodies(terms);
        }
        Ok(SignedPolicy {
            id: written.id,
            version: written.version,
            unit: written.unit.0,
            resource: written.resource,
            policy,
        })
    }

    fn to_written(&self) -> PolicyToml {
        let words = |(column, uses): (&str, lingqu_policy::UseSet)| {
            let words = uses.iter().map(|word| word.as_str().to_owned());
            (column.to_owned(), UsesToml::Uses(words.collect()))
        };
        let names = || self.policy.columns().map(|(column, _)| column);
        PolicyToml {
            id: self.id.clone(),
            version: self.version,
            unit: Text(self.unit.clone()),
            resource: self.resource.clone(),
            purposes: self.policy.purposes().map(str::to_owned).collect(),
            epoch_age_max_s: self.policy.epoch_age_max_s(),
            audit: match self.policy.audit() {
                AuditTerms::Mirrored { wait_ms_max } => AuditToml::Mirrored { wait_ms_max },
                AuditTerms::Witnessed { wait_ms_max } => AuditToml::Witnessed { wait_ms_max },
                AuditTerms::Lagged {
                    entries_max,
                    age_s_max,
                } => AuditToml::Lagged {
                    entries_max,
                    age_s_max,
                },
            },
            columns: self.policy.columns().map(words).collect(),
            domains: self
                .policy
                .columns()
                .filter_map(|(column, _)| {
                    let domain = self.policy.domain(column)?;
                    Some((column.to_owned(), DomainToml::write(domain)))
                })
                .collect(),
            spaces: names()
                .filter_map(|column| {
                    let space = self.policy.space(column)?;
                    Some((column.to_owned(), space.to_owned()))
                })
                .collect(),
            sensitive: names()
                .filter(|column| self.policy.is_sensitive(column))
                .map(str::to_owned)
                .collect(),
            release: self.policy.release().map(ReleaseToml::write),
            bodies: self.policy.bodies().map(|terms| BodiesToml {
                keep_months: terms.keep_months(),
            }),
            subject_limit: self.policy.subject_limit().map(SubjectLimitToml::write),
            dp: self.policy.dp().map(|budget| DpToml {
                rho_total: Text(budget.rho_total()),
                delta_exponent: budget.delta_exponent(),
            }),
        }
    }
}
