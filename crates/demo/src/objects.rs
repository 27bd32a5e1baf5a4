//! The signed objects of the story: what the units allow, what the agency registers, what is granted to whom.

mod columns;
mod definitions;
mod grants;

use lingqu_core::envelope::Envelope;
use lingqu_core::product::{Approval, Product, ProductKind, ProductRef, SignedPolicy, Tier};
use lingqu_policy::{AuditTerms, Policy};

use crate::cast::{self, Unit};

pub use definitions::{
    AGE_EDGES, NOISY_RHO, ORIGINS, REGIONS, SCORECARD, contributions_parameters, delays_parameters,
};
pub use grants::grant;

/// Which of the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// Does this person have at least so many months of contributions? Answers only when mirrored.
    ContribMonths,
    /// Insured persons and their average base, by industry. Answers only when mirrored.
    Contributions,
    /// Flights, aircraft and delays by airline. Answers also while the mirror lags.
    Delays,
    /// Did this aircraft fly this flight? Answers also while the mirror lags, within the unit's limits.
    Flight,
    /// How stable is this person's income: A, B or C? Answers only when mirrored.
    IncomeStability,
    /// Insured persons by industry, every industry, with noise. Answers only when mirrored.
    PersonsNoisy,
    /// Was this aircraft registered as claimed? Answers only when mirrored.
    Plane,
}

impl Which {
    /// All of them.
    pub const ALL: [Which; 7] = [
        Which::ContribMonths,
        Which::Contributions,
        Which::Delays,
        Which::Flight,
        Which::IncomeStability,
        Which::PersonsNoisy,
        Which::Plane,
    ];

    /// Those of one unit.
    pub fn of(unit: Unit) -> impl Iterator<Item = Which> {
        Which::ALL
            .into_iter()
            .filter(move |which| which.unit() == unit)
    }

    /// Name and version.
    pub fn reference(self) -> ProductRef {
        let id = match self {
            Which::ContribMonths => "ssb.contrib_months_ge",
            Which::Contributions => "ssb.contributions_by_industry",
            Which::Delays => "tb.delays_by_carrier",
            Which::Flight => "tb.flight_flown",
            Which::IncomeStability => "ssb.income_stability",
            Which::PersonsNoisy => "ssb.persons_noisy",
            Which::Plane => "tb.plane_registered",
        };
        ProductRef {
            id: id.parse().expect("well-formed"),
            version: 1,
        }
    }

    /// The unit whose data it reads.
    pub fn unit(self) -> Unit {
        match self {
            Which::ContribMonths
            | Which::Contributions
            | Which::IncomeStability
            | Which::PersonsNoisy => Unit::SocialSecurity,
            Which::Delays | Which::Flight | Which::Plane => Unit::Transport,
        }
    }

    /// The resource behind it.
    pub fn resource(self) -> &'static str {
        match self {
            Which::ContribMonths
            | Which::Contributions
            | Which::IncomeStability
            | Which::PersonsNoisy => "insured_person",
            Which::Delays | Which::Flight => "flights",
            Which::Plane => "planes",
        }
    }

    /// Its kind.
    pub fn kind(self) -> ProductKind {
        definitions::of(self).kind()
    }

    /// Titles in Chinese and English.
    pub fn titles(self) -> (&'static str, &'static str) {
        match self {
            Which::ContribMonths => (
                "社保缴费月数核验",
                "at least so many months of contributions",
            ),
            Which::Contributions => ("分行业参保统计", "insured persons by industry"),
            Which::Delays => ("分航司延误统计", "delays by airline"),
            Which::Flight => ("航班执飞核验", "flight flown"),
            Which::IncomeStability => ("收入稳定性等级", "class of income stability"),
            Which::PersonsNoisy => (
                "分行业参保人数（加噪）",
                "insured persons by industry, with noise",
            ),
            Which::Plane => ("飞机登记核验", "aircraft registration"),
        }
    }
}

/// Resources that are public and only explain codes: the dimensions of statistics.
pub fn dimensions(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::SocialSecurity => &["industry"],
        Unit::Transport => &["airlines"],
    }
}

/// Every resource of a unit that has a policy: the products' and the dimensions.
pub fn resources(unit: Unit) -> Vec<&'static str> {
    let mut resources: Vec<&str> = Which::of(unit).map(Which::resource).collect();
    resources.extend(dimensions(unit));
    resources.sort_unstable();
    resources.dedup();
    resources
}

/// The unit's policy on the resource behind a product.
pub fn policy(which: Which) -> SignedPolicy {
    resource_policy(which.unit(), which.resource())
}

/// The unit's policy on one of its resources: for each column what may be done with it, and nothing for all others.
pub fn resource_policy(unit: Unit, resource: &str) -> SignedPolicy {
    let lagged = AuditTerms::Lagged {
        entries_max: 100,
        age_s_max: 600,
    };
    let audit = match resource {
        "flights" | "airlines" => lagged,
        _ => AuditTerms::Mirrored { wait_ms_max: 5_000 },
    };
    let rules = columns::of(resource);
    let uses = rules
        .iter()
        .map(|rule| (rule.column.to_owned(), rule.uses.iter().copied().collect()));
    let mut policy = Policy::new(uses, [cast::PURPOSE.to_owned()], audit, 3_600)
        .expect("the story's policies are valid");
    for rule in &rules {
        if let Some(domain) = &rule.domain {
            policy = policy
                .with_domain(rule.column, domain.clone())
                .expect("each column has one rule and one domain");
        }
    }
    if let Some(release) = columns::release(resource) {
        policy = policy.with_release(release);
    }
    if let Some((entity, space, budget)) = columns::budget(resource) {
        policy = policy
            .with_space(entity, space)
            .expect("the story's spaces are of entities")
            .with_dp(budget);
    }
    SignedPolicy {
        id: format!("{}-{}", cast::handle(unit), resource.replace('_', "-")),
        version: 1,
        unit: unit.party().id(),
        resource: resource.to_owned(),
        policy,
    }
}

/// The product as the agency registers it.
pub fn product(which: Which) -> Product {
    let (title_zh, title_en) = which.titles();
    Product {
        reference: which.reference(),
        tier: Tier::Primary,
        derived_from: Vec::new(),
        title_zh: title_zh.to_owned(),
        title_en: title_en.to_owned(),
        unit: which.unit().party().id(),
        node: which.unit().node(),
        resource: which.resource().to_owned(),
        definition: definitions::of(which),
    }
}

/// The unit's approval of exactly these bytes under exactly this policy.
pub fn approval(which: Which, product: &Envelope, policy: &Envelope) -> Approval {
    Approval {
        unit: which.unit().party().id(),
        node: which.unit().node(),
        product: which.reference(),
        product_digest: product.digest(),
        policy_digest: policy.digest(),
    }
}
