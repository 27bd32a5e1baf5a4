//! The signed objects of the story: what the unit allows, what the agency registers, what is granted to whom.

use lingqu_core::Timestamp;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{
    Approval, Definition, FieldRule, Product, ProductRef, SignedPolicy, Tier, Verification,
};
use lingqu_policy::{AuditTerms, Policy, Preset};
use lingqu_tlog::Hash;

use crate::cast::{self, Party};

/// Which of the two products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Was this aircraft registered as claimed? Answers only when mirrored.
    Plane,
    /// Did this aircraft fly this flight? Answers also while the mirror lags, within the unit's limits.
    Flight,
}

impl Which {
    /// Both.
    pub const ALL: [Which; 2] = [Which::Plane, Which::Flight];

    /// Name and version.
    pub fn reference(self) -> ProductRef {
        let id = match self {
            Which::Plane => "tb.plane_registered",
            Which::Flight => "tb.flight_flown",
        };
        ProductRef {
            id: id.parse().expect("well-formed"),
            version: 1,
        }
    }

    /// The resource behind it.
    pub fn resource(self) -> &'static str {
        match self {
            Which::Plane => "planes",
            Which::Flight => "flights",
        }
    }

    fn fields(self) -> (&'static [Rule], &'static [Rule]) {
        match self {
            Which::Plane => (
                &[("tail_number", "tailnum", "folded")],
                &[
                    ("manufacturer", "manufacturer", "folded"),
                    ("model", "model", "folded"),
                    ("year", "year", "integer"),
                ],
            ),
            Which::Flight => (
                &[
                    ("year", "year", "integer"),
                    ("month", "month", "integer"),
                    ("day", "day", "integer"),
                    ("carrier", "carrier", "folded"),
                    ("flight", "flight", "integer"),
                    ("origin", "origin", "folded"),
                ],
                &[
                    ("tail_number", "tailnum", "folded"),
                    ("destination", "dest", "folded"),
                ],
            ),
        }
    }
}

type Rule = (&'static str, &'static str, &'static str);

fn rules(rules: &[Rule]) -> Vec<FieldRule> {
    rules
        .iter()
        .map(|(name, column, comparator)| FieldRule {
            name: (*name).to_owned(),
            column: (*column).to_owned(),
            comparator: (*comparator).to_owned(),
        })
        .collect()
}

/// The unit's policy: key columns may select, compared columns may be compared, everything else is forbidden.
pub fn policy(which: Which) -> SignedPolicy {
    let (key, compared) = which.fields();
    let columns = key
        .iter()
        .map(|(_, column, _)| ((*column).to_owned(), Preset::LinkOnly.uses()))
        .chain(
            compared
                .iter()
                .map(|(_, column, _)| ((*column).to_owned(), Preset::VerifyOnly.uses())),
        );
    let audit = match which {
        Which::Plane => AuditTerms::Mirrored { wait_ms_max: 5_000 },
        Which::Flight => AuditTerms::Lagged {
            entries_max: 100,
            age_s_max: 600,
        },
    };
    SignedPolicy {
        id: format!("lanxi-{}", which.resource()),
        version: 1,
        unit: Party::Unit.id(),
        resource: which.resource().to_owned(),
        policy: Policy::new(columns, [cast::PURPOSE.to_owned()], audit, 3_600)
            .expect("the story's policy is valid"),
    }
}

/// The product as the agency registers it.
pub fn product(which: Which) -> Product {
    let (key, compared) = which.fields();
    let (title_zh, title_en) = match which {
        Which::Plane => ("飞机登记核验", "aircraft registration"),
        Which::Flight => ("航班执飞核验", "flight flown"),
    };
    Product {
        reference: which.reference(),
        tier: Tier::Primary,
        derived_from: Vec::new(),
        title_zh: title_zh.to_owned(),
        title_en: title_en.to_owned(),
        unit: Party::Unit.id(),
        node: cast::node(),
        resource: which.resource().to_owned(),
        definition: Definition::Verification(Verification {
            key: rules(key),
            compared: rules(compared),
        }),
    }
}

/// The unit's approval of exactly these bytes under exactly this policy.
pub fn approval(which: Which, product: &Envelope, policy: &Envelope) -> Approval {
    Approval {
        unit: Party::Unit.id(),
        node: cast::node(),
        product: which.reference(),
        product_digest: product.digest(),
        policy_digest: policy.digest(),
    }
}

/// A grant to `licensee` for both products; the story changes single fields of it.
pub fn grant(
    id: &str,
    licensee: Party,
    licensee_key: &[u8],
    products: &[(Which, Hash)],
    now: Timestamp,
) -> Grant {
    let day = std::time::Duration::from_secs(86_400);
    Grant {
        id: id.parse().expect("the story's grant ids are well-formed"),
        version: 1,
        kind: GrantKind::Scenario,
        agency: Party::Agency.id(),
        licensee: licensee.id(),
        licensee_key: licensee_key.to_vec(),
        delegates: Vec::new(),
        scenario: cast::SCENARIO.to_owned(),
        purposes: vec![cast::PURPOSE.to_owned()],
        environments: vec![Environment::Prod],
        products: products
            .iter()
            .map(|(which, digest)| GrantedProduct {
                reference: which.reference(),
                digest: *digest,
                reveals_not_found: false,
                reveals_indeterminate: false,
            })
            .collect(),
        quotas: vec![NodeQuota {
            unit: Party::Unit.id(),
            node: cast::node(),
            calls_per_day: 5_000,
            calls_total: 1_000_000,
        }],
        // A little back, so that a caller whose clock is behind is not turned away in the first seconds.
        not_before: Timestamp(now.0 - 60_000_000),
        not_after: now.plus(day * 365 * 3),
        end_users: vec![cast::END_USER.to_owned()],
        region: cast::CITY.parse().expect("well-formed"),
        debug: None,
    }
}
