//! Calls that are decided by the real table, since there is no other way to a permit.

use std::collections::BTreeSet;
use std::time::Duration;

use lingqu_core::call::{Call, Denial, Header, Permitted};
use lingqu_core::decide::{Asked, ClockState, Facts, GrantFact, ProductFact};
use lingqu_core::epoch::Epoch;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{Definition, FieldRule, Load, Product, ProductRef, Tier, Verification};
use lingqu_core::stop::Stops;
use lingqu_core::{CallId, NodeId, PartyId, Timestamp};
use lingqu_policy::{AuditTerms, Policy, Preset};
use lingqu_tlog::Hash;

/// Calls that the grant allows: more than any run makes.
const QUOTA: u64 = 1_000_000_000_000;
/// Digest of the product, as the grant and the approval name it.
const DIGEST: Hash = Hash([4; 32]);

/// Everything that a decision depends on, made once.
pub(super) struct Decided {
    header: Header,
    node: NodeId,
    caller: PartyId,
    policy: Policy,
    product: Product,
    grant: Grant,
    epoch: Epoch,
    stops: Stops,
    load: Load,
}

impl Decided {
    /// One product under one grant, and a policy with these terms.
    pub(super) fn under(terms: AuditTerms) -> Decided {
        let columns = [
            ("tailnum".to_owned(), Preset::LinkOnly.uses()),
            ("model".to_owned(), Preset::VerifyOnly.uses()),
        ];
        Decided {
            header: header(),
            node: id("node_bench"),
            caller: id("party_bank"),
            policy: Policy::new(columns, ["LENDING".to_owned()], terms, 60)
                .expect("the policy is well-formed"),
            product: product(),
            grant: grant(),
            epoch: Epoch {
                coordinator: id("coord_bench"),
                number: 1,
                issued: Timestamp(0),
                valid_until: Timestamp(i64::MAX),
                revoked: BTreeSet::new(),
                suspended: BTreeSet::new(),
            },
            stops: Stops::default(),
            load: Load {
                id: id("load_20261120-7d1c0f52a9"),
                resource: "planes".into(),
                as_of: Timestamp(1_795_132_800_000_000),
            },
        }
    }

    /// Call number `number`, permitted.
    pub(super) fn call(
        &self,
        number: u64,
        now: Timestamp,
        clock: ClockState,
    ) -> Result<Call<Permitted>, Denial> {
        let mut header = self.header.clone();
        header.id.0[8..].copy_from_slice(&number.to_be_bytes());
        header.request_tag[8..].copy_from_slice(&number.to_be_bytes());
        Call::received(header).decide(&Facts {
            now,
            node: &self.node,
            clock,
            reconciled: true,
            stops: &self.stops,
            epoch: Some((&self.epoch, Duration::ZERO)),
            caller: &self.caller,
            asked: &self.header.asked,
            grant: GrantFact::Checked(&self.grant),
            product: ProductFact::Approved {
                product: &self.product,
                digest: DIGEST,
                policy: &self.policy,
            },
        })
    }

    /// What an answer was made from.
    pub(super) fn loads(&self) -> Vec<Load> {
        vec![self.load.clone()]
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("the id is well-formed")
}

fn header() -> Header {
    Header {
        id: CallId([0xcc; 16]),
        caller: id("party_bank"),
        certificate: [9; 32],
        asked: Asked {
            grant: None,
            product: id("tb.plane"),
            version: None,
            purpose: "LENDING".into(),
            scenario: "SC-2026-000117".into(),
            end_user: "91450000MA5K00001X".into(),
            environment: Environment::Prod,
        },
        request_tag: [7; 16],
    }
}

fn product() -> Product {
    let field = |name: &str| FieldRule {
        name: name.into(),
        column: name.into(),
        comparator: "exact".into(),
        thresholds: Vec::new(),
    };
    Product {
        reference: ProductRef {
            id: id("tb.plane"),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: vec![],
        title_zh: "飞机登记核验".into(),
        title_en: "plane registration".into(),
        unit: id("party_unit"),
        node: id("node_bench"),
        resource: "planes".into(),
        definition: Definition::Verification(Verification {
            key: vec![field("tailnum")],
            compared: vec![field("model")],
        }),
    }
}

fn grant() -> Grant {
    Grant {
        id: id("grant_bench"),
        version: 1,
        kind: GrantKind::Scenario,
        agency: id("party_agency"),
        licensee: id("party_bank"),
        licensee_key: vec![1; 32],
        delegates: vec![],
        scenario: "SC-2026-000117".into(),
        purposes: vec!["LENDING".into()],
        environments: vec![Environment::Prod],
        products: vec![GrantedProduct {
            reference: product().reference,
            digest: DIGEST,
            reveals_not_found: false,
            reveals_indeterminate: false,
        }],
        quotas: vec![NodeQuota {
            unit: id("party_unit"),
            node: id("node_bench"),
            calls_per_day: QUOTA,
            calls_total: QUOTA,
            rho_total: None,
        }],
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        end_users: vec!["91450000MA5K00001X".into()],
        region: id("45"),
        debug: None,
    }
}
