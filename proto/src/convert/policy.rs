//! The unit's policy on one resource. Columns, their uses, the entries of domains and purposes are sets: canonical is
//! ascending order.

mod domain;

use lingqu_core::product::{POLICY_TYPE, SignedPolicy};
use lingqu_policy::{
    AuditTerms, AuditTermsRefused, BodyTerms, Domain, DpBudget, Function, Functions, MicroRho,
    Policy, PolicyRefused, Release, ReleaseRefused, SubjectLimit, Use, UseSet,
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
    let rules = list("columns", policy.columns, rule)?;
    let columns: Vec<(String, UseSet)> = rules
        .iter()
        .map(|rule| (rule.column.clone(), rule.uses))
        .collect();
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
        Some(Mode::Witnessed(witnessed)) => AuditTerms::Witnessed {
            wait_ms_max: witnessed.wait_ms_max,
        },
        None => return refuse("audit", "is missing or of an unknown mode"),
    };
    let built = Policy::new(columns, purposes, audit, policy.epoch_age_max_s).map_err(refused)?;
    let built = rules
        .into_iter()
        .try_fold(built, with_rule)
        .map_err(refused)?;
    let built = match policy.release {
        Some(terms) => built.with_release(release(&terms)?),
        None => built,
    };
    let built = match policy.dp {
        Some(budget) => built.with_dp(dp(budget)?),
        None => built,
    };
    let built = match policy.bodies {
        Some(terms) => built.with_bodies(bodies(terms)?),
        None => built,
    };
    let built = match policy.subject_limit {
        Some(limit) => built.with_subject_limit(subject_limit(limit)?),
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

fn dp(budget: pb::DpBudget) -> Result<DpBudget, FieldInvalid> {
    let out = |field| FieldInvalid {
        field,
        reason: "is out of bounds",
    };
    let exponent = u8::try_from(budget.delta_exponent).map_err(|_| out("delta_exponent"))?;
    DpBudget::new(MicroRho(budget.rho_total_micro), exponent).map_err(|refused| out(refused.field))
}

fn subject_limit(limit: pb::SubjectLimit) -> Result<SubjectLimit, FieldInvalid> {
    let refused = FieldInvalid {
        field: "subject_limit",
        reason: "is out of bounds",
    };
    let hours = u16::try_from(limit.window_hours).map_err(|_| refused)?;
    let read = SubjectLimit::new(limit.calls_max, hours).map_err(|_| refused)?;
    match limit.grant_calls_max {
        Some(calls) => read.with_grant_calls_max(calls).map_err(|_| refused),
        None => Ok(read),
    }
}

fn bodies(terms: pb::BodyTerms) -> Result<BodyTerms, FieldInvalid> {
    let refused = FieldInvalid {
        field: "keep_months",
        reason: "is not between 6 and 120",
    };
    let months = u16::try_from(terms.keep_months).map_err(|_| refused)?;
    BodyTerms::new(months).map_err(|_| refused)
}

/// Terms of later versions are absent where they are the usual ones, so that a payload has one form.
fn release(terms: &pb::ReleaseTerms) -> Result<Release, FieldInvalid> {
    const OUT: &str = "is out of bounds";
    let share = |field: &'static str, share: u32| {
        u8::try_from(share).map_err(|_| FieldInvalid { field, reason: OUT })
    };
    let out = |refused: ReleaseRefused| FieldInvalid {
        field: refused.field,
        reason: OUT,
    };
    let dominance = share("dominance_percent_max", terms.dominance_percent_max)?;
    let mut built =
        Release::new(terms.group_min, dominance, terms.round_to, terms.groups_max).map_err(out)?;
    if let Some(p) = terms.p_percent {
        built = built.with_p_percent(share("p_percent", p)?).map_err(out)?;
    }
    if let Some(largest) = terms.homogeneity_percent_max {
        let largest = share("homogeneity_percent_max", largest)?;
        built = built.with_homogeneity_percent_max(largest).map_err(out)?;
    }
    if let Some(largest) = terms.withheld_percent_max {
        let largest = share("withheld_percent_max", largest)?;
        built = built.with_withheld_percent_max(largest).map_err(out)?;
    }
    if let Some(functions) = &terms.functions {
        let functions = list("functions", functions.entries.clone(), |word| {
            parse::<Function>("functions", &word)
        })?;
        if !functions.is_sorted_by(|one, next| one < next) {
            return refuse("functions", "is not in alphabetical order");
        }
        built = built.with_functions(functions.into_iter().collect());
    }
    Ok(built)
}

/// What stands about one column.
struct Rule {
    column: String,
    uses: UseSet,
    domain: Option<Domain>,
    space: Option<String>,
    sensitive: bool,
}

fn rule(rule: pb::ColumnRule) -> Result<Rule, FieldInvalid> {
    let uses = list("columns.uses", rule.uses, |word| {
        parse::<Use>("columns.uses", &word)
    })?;
    let space = Some(rule.space).filter(|space| !space.is_empty());
    Ok(Rule {
        column: name("columns.column", rule.column)?,
        uses: uses.into_iter().collect(),
        domain: rule.domain.map(domain::from_pb).transpose()?,
        space: space
            .map(|space| name("columns.space", space))
            .transpose()?,
        sensitive: rule.sensitive,
    })
}

fn with_rule(mut built: Policy, rule: Rule) -> Result<Policy, PolicyRefused> {
    let Rule {
        column,
        uses: _, // with the columns
        domain,
        space,
        sensitive,
    } = rule;
    if let Some(domain) = domain {
        built = built.with_domain(&column, domain)?;
    }
    if let Some(space) = space {
        built = built.with_space(&column, &space)?;
    }
    if sensitive {
        built = built.with_sensitive(&column)?;
    }
    Ok(built)
}

fn refused(refused: PolicyRefused) -> FieldInvalid {
    let (field, reason) = match refused {
        PolicyRefused::ColumnTwice(_) => ("columns", "has two rules for one column"),
        PolicyRefused::Domain(_) => ("columns.domain", "stands without a rule or twice"),
        PolicyRefused::Sensitive(_) => ("columns.sensitive", "stands without a rule or twice"),
        PolicyRefused::Space(_) => ("columns.space", "stands on a column that is no entity"),
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
        AuditTerms::Witnessed { wait_ms_max } => Mode::Witnessed(pb::Witnessed { wait_ms_max }),
    };
    let rule = |(column, uses): (&str, UseSet)| pb::ColumnRule {
        column: column.to_owned(),
        uses: uses
            .iter()
            .map(|allowed| allowed.as_str().to_owned())
            .collect(),
        domain: signed.policy.domain(column).map(domain::to_pb),
        space: signed.policy.space(column).unwrap_or_default().to_owned(),
        sensitive: signed.policy.is_sensitive(column),
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
        release: signed.policy.release().map(release_to_pb),
        bodies: signed.policy.bodies().map(|terms| pb::BodyTerms {
            keep_months: terms.keep_months().into(),
        }),
        subject_limit: signed.policy.subject_limit().map(|limit| pb::SubjectLimit {
            calls_max: limit.calls_max(),
            window_hours: limit.window_hours().into(),
            grant_calls_max: Some(limit.grant_calls_max())
                .filter(|calls| *calls != limit.calls_max()),
        }),
        dp: signed.policy.dp().map(|budget| pb::DpBudget {
            rho_total_micro: budget.rho_total().0,
            delta_exponent: budget.delta_exponent().into(),
        }),
    }
}

fn release_to_pb(terms: Release) -> pb::ReleaseTerms {
    let unusual = |share: u8, usual: u8| (share != usual).then_some(u32::from(share));
    let functions = terms.functions();
    let words = functions.iter().map(|known| known.as_str().to_owned());
    pb::ReleaseTerms {
        group_min: terms.group_min(),
        dominance_percent_max: terms.dominance_percent_max().into(),
        round_to: terms.round_to(),
        groups_max: terms.groups_max(),
        p_percent: unusual(terms.p_percent(), Release::P_PERCENT_USUAL),
        homogeneity_percent_max: unusual(
            terms.homogeneity_percent_max(),
            Release::HOMOGENEITY_PERCENT_USUAL,
        ),
        withheld_percent_max: unusual(
            terms.withheld_percent_max(),
            Release::WITHHELD_PERCENT_USUAL,
        ),
        functions: (functions != Functions::ALL).then(|| pb::FunctionList {
            entries: words.collect(),
        }),
    }
}
