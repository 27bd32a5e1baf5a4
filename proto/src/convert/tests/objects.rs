//! Valid objects: one sample of each, and strategies for arbitrary ones.

use lingqu_core::Timestamp;
use lingqu_core::epoch::{Epoch, Revocation};
use lingqu_core::grant::{
    DebugTerms, Environment, Filing, Grant, GrantKind, GrantedProduct, NodeQuota,
};
use lingqu_core::product::{
    Approval, Clamp, Cutoff, Definition, DpTerms, Feature, FieldRule, Model, ModelOutput,
    Parameter, ParameterValues, Product, ProductRef, SignedPolicy, Statistic, Tier, Verification,
};
use lingqu_core::stop::{StopOrder, StopScope};
use lingqu_core::succession::SuccessionOrder;
use lingqu_policy::{
    AuditTerms, BodyTerms, Day, Domain, DpBudget, Function, MicroRho, Policy, Release,
    SubjectLimit, Use, UseSet,
};
use lingqu_tlog::{Ed25519Signer, Hash, Intl, KeyName, Signer, VerifierKey};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::convert::field::with_check_character;

pub(super) const YEAR_US: i64 = 365 * 86_400_000_000;

pub(super) fn key() -> Vec<u8> {
    Ed25519Signer::from_seed([3; 32]).public_key().to_vec()
}

fn reference(text: &str) -> ProductRef {
    crate::product_ref(text).unwrap()
}

pub(super) fn product() -> Product {
    let rule = |name: &str, comparator: &str| FieldRule {
        name: name.to_owned(),
        column: format!("{name}_column"),
        comparator: comparator.to_owned(),
        thresholds: Vec::new(),
    };
    Product {
        reference: reference("civil.residence@2"),
        tier: Tier::Redeveloped,
        derived_from: vec!["civil.person".parse().unwrap()],
        title_zh: "居住核验".to_owned(),
        title_en: "Residence".to_owned(),
        unit: "party_civil".parse().unwrap(),
        node: "node_civil".parse().unwrap(),
        resource: "persons".to_owned(),
        definition: Definition::Verification(Verification {
            key: vec![rule("id_number", "exact")],
            compared: vec![rule("name", "folded"), rule("born", "date")],
        }),
    }
}

/// The same product with a model for its definition.
pub(super) fn model() -> Product {
    let feature = |name: &str| Feature {
        name: name.to_owned(),
        column: format!("{name}_column"),
    };
    let cutoff = |label: &str, from_e6| Cutoff {
        label: label.to_owned(),
        from_e6,
    };
    let key = match product().definition {
        Definition::Verification(verification) => verification.key,
        Definition::Model(_) | Definition::Statistic(_) => unreachable!(),
    };
    Product {
        definition: Definition::Model(Model {
            key,
            features: vec![feature("months"), feature("employers")],
            format: "scorecard".to_owned(),
            model: b"{}".to_vec(),
            output: ModelOutput::Classes {
                cutoffs: vec![cutoff("B", -500_000), cutoff("A", 40_000_000)],
                lowest: "C".to_owned(),
                unknown: "C".to_owned(),
            },
            reasons_max: 2,
        }),
        ..product()
    }
}

/// The same product with a statistic for its definition.
pub(super) fn statistic() -> Product {
    let parameter = |name: &str, allowed| Parameter {
        name: name.to_owned(),
        allowed,
        edges: name == "age",
    };
    Product {
        definition: Definition::Statistic(Statistic {
            sql: "SELECT region, count(*) FROM persons WHERE born >= $born GROUP BY region"
                .to_owned(),
            parameters: vec![
                parameter(
                    "born",
                    ParameterValues::Dates(vec!["1980-01-01".to_owned()]),
                ),
                parameter("age", ParameterValues::Integers(vec![-1, 18, 65])),
                parameter(
                    "sex",
                    ParameterValues::Texts(vec!["f".to_owned(), "m".to_owned()]),
                ),
            ],
            dimensions: vec!["regions".to_owned()],
            dp: Some(DpTerms {
                rho: MicroRho(5_000),
                groups_per_entity_max: 2,
                rows_per_entity_max: 1,
                clamps: vec![Clamp {
                    column: "income".to_owned(),
                    min: -1,
                    max: 30_000,
                }],
            }),
        }),
        ..product()
    }
}

pub(super) fn approval() -> Approval {
    Approval {
        unit: "party_civil".parse().unwrap(),
        node: "node_civil".parse().unwrap(),
        product: reference("civil.residence@2"),
        product_digest: Hash([1; 32]),
        policy_digest: Hash([2; 32]),
    }
}

pub(super) fn policy() -> SignedPolicy {
    let columns = [
        ("born", [Use::Verify].as_slice()),
        ("id_number", &[Use::Entity, Use::Link]),
        ("secret", &[]),
    ];
    let columns =
        columns.map(|(column, uses)| (column.to_owned(), uses.iter().copied().collect::<UseSet>()));
    let audit = AuditTerms::Lagged {
        entries_max: 10,
        age_s_max: 60,
    };
    SignedPolicy {
        id: "policy_persons".to_owned(),
        version: 1,
        unit: "party_civil".parse().unwrap(),
        resource: "persons".to_owned(),
        policy: Policy::new(columns, ["LOAN".to_owned(), "RENT".to_owned()], audit, 600)
            .and_then(|policy| policy.with_domain("born", days(&[15_706, 16_071])))
            .unwrap()
            .with_release(Release::new(10, 50, 5, 200).unwrap()),
    }
}

fn days(days: &[i32]) -> Domain {
    let edges = days.iter().map(|days| Day::from_days(*days).unwrap());
    Domain::date_bins(edges.collect()).unwrap()
}

/// Domains of every kind.
fn domains() -> impl Strategy<Value = Domain> {
    use proptest::collection::btree_set;
    let integers = || btree_set(any::<i64>(), 2..5).prop_map(|set| set.into_iter().collect());
    prop_oneof![
        btree_set("[a-z\u{4e00}-\u{4eff}]{1,8}", 1..4)
            .prop_map(|set| Domain::texts(set.into_iter().collect()).unwrap()),
        integers().prop_map(|list| Domain::integers(list).unwrap()),
        integers().prop_map(|list| Domain::integer_bins(list).unwrap()),
        btree_set(-700_000..2_900_000_i32, 2..5)
            .prop_map(|set| days(&set.into_iter().collect::<Vec<_>>())),
        (-1_000..0_i64, 0..1_000_i64).prop_map(|(min, max)| Domain::bounds(min, max).unwrap()),
    ]
}

pub(super) fn grant() -> Grant {
    Grant {
        id: "grant_1".parse().unwrap(),
        version: 1,
        kind: GrantKind::Scenario,
        agency: "party_agency".parse().unwrap(),
        licensee: "party_bank".parse().unwrap(),
        licensee_key: key(),
        delegates: vec!["party_branch".parse().unwrap()],
        scenario: "CREDIT-2026".to_owned(),
        purposes: vec!["RENT".to_owned(), "LOAN".to_owned()],
        environments: vec![Environment::Prod, Environment::Test],
        products: vec![GrantedProduct {
            reference: reference("civil.residence@2"),
            digest: Hash([4; 32]),
            reveals_not_found: true,
            reveals_indeterminate: false,
        }],
        quotas: vec![NodeQuota {
            unit: "party_civil".parse().unwrap(),
            node: "node_civil".parse().unwrap(),
            calls_per_day: 0,
            calls_total: 1_000,
            rho_total: None,
        }],
        not_before: Timestamp(1_767_225_600_000_000),
        not_after: Timestamp(1_767_225_600_000_000 + YEAR_US),
        end_users: vec!["91450100MA5K00000B".to_owned()],
        region: "4501".parse().unwrap(),
        debug: Some(DebugTerms {
            not_before: Timestamp(2_000),
            not_after: Timestamp(3_000),
            calls_total: 50,
            national_security_unharmed: true,
            trade_secrets_unharmed: true,
            privacy_unharmed: true,
        }),
    }
}

pub(super) fn filing() -> Filing {
    Filing {
        coordinator: "coord_gx".parse().unwrap(),
        object_type: "lingqu.v1.Grant".to_owned(),
        object_digest: Hash([5; 32]),
        number: "桂数备2026-0001".to_owned(),
        filed: Timestamp(1_767_225_600_000_000),
    }
}

pub(super) fn epoch() -> Epoch {
    Epoch {
        coordinator: "coord_gx".parse().unwrap(),
        number: 7,
        issued: Timestamp(1_767_225_600_000_000),
        valid_until: Timestamp(1_767_225_660_000_000),
        revoked: ["civil.residence@1", "grant_2", "party_x"]
            .map(str::to_owned)
            .into(),
        suspended: ["grant_3", "grant_4"].map(|id| id.parse().unwrap()).into(),
    }
}

pub(super) fn revocation() -> Revocation {
    Revocation {
        by: "party_civil".parse().unwrap(),
        target: "civil.residence@1".to_owned(),
        reason: "数据已更正".to_owned(),
        issued: Timestamp(1_767_225_600_000_000),
    }
}

pub(super) fn stop_order() -> StopOrder {
    StopOrder {
        unit: "party_civil".parse().unwrap(),
        node: "node_civil".parse().unwrap(),
        number: 1,
        issued: Timestamp(1_767_225_600_000_000),
        lift: true,
        scope: StopScope::All,
    }
}

/// The key of a log with this origin.
fn log_key(origin: &str, seed: u8) -> String {
    let name = KeyName::parse(origin).unwrap();
    let public = Ed25519Signer::from_seed([seed; 32]);
    let key = VerifierKey::<Intl>::note(name, public.public_key());
    key.unwrap().to_string()
}

pub(super) fn succession_order() -> SuccessionOrder {
    SuccessionOrder {
        unit: "party_civil".parse().unwrap(),
        node: "node_civil".parse().unwrap(),
        issued: Timestamp(1_767_225_600_000_000),
        not_before: Timestamp(1_782_864_000_000_000),
        not_after: Timestamp(1_785_542_400_000_000),
        ends: "net.example/s/node_civil/45/2026h1".to_owned(),
        begins: log_key("net.example/s/node_civil/45/2026h2", 1),
    }
}

pub(super) fn succession_orders() -> impl Strategy<Value = SuccessionOrder> {
    let periods = ("[a-y]{1,8}", "[a-z0-9.-]{0,8}");
    (
        id("party_"),
        id("node_"),
        instants(),
        (instants(), 1..=YEAR_US),
        periods,
        1..=u8::MAX,
    )
        .prop_map(
            |(unit, node, issued, (not_before, life), (ends, more), seed)| {
                let next = format!("n.example/s/1/45/{ends}z{more}");
                SuccessionOrder {
                    unit,
                    node,
                    issued,
                    not_before,
                    not_after: Timestamp(not_before.0 + life),
                    ends: format!("n.example/s/1/45/{ends}"),
                    begins: log_key(&next, seed),
                }
            },
        )
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    prefix: &'static str,
) -> impl Strategy<Value = T> {
    "[a-z0-9]([a-z0-9.-]{0,9}[a-z0-9])?"
        .prop_map(move |name| format!("{prefix}{name}").parse().unwrap())
}

fn references() -> impl Strategy<Value = ProductRef> {
    ("[a-z][a-z0-9_]{0,9}\\.[a-z][a-z0-9_]{0,9}", 1..=u32::MAX).prop_map(|(id, version)| {
        ProductRef {
            id: id.parse().unwrap(),
            version,
        }
    })
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (0..i64::MAX / 2).prop_map(Timestamp)
}

fn hashes() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn titles() -> impl Strategy<Value = String> {
    "[\\p{Han}A-Za-z ,]{0,20}"
}

pub(super) fn products() -> impl Strategy<Value = Product> {
    let names = proptest::collection::btree_set("[a-z0-9_]{1,64}", 2..24);
    let comparators = proptest::sample::select(vec!["exact", "folded", "integer", "date"]);
    let ids = (references(), id("party_"), id("node_"));
    let derived = proptest::option::of(references());
    (
        ids,
        derived,
        titles(),
        titles(),
        "[a-z0-9_]{1,64}",
        names,
        comparators,
    )
        .prop_map(
            |(
                (reference, unit, node),
                derived,
                title_zh,
                title_en,
                resource,
                names,
                comparator,
            )| {
                let mut rules: Vec<FieldRule> = names
                    .into_iter()
                    .map(|name| FieldRule {
                        column: name.chars().rev().collect(),
                        name,
                        comparator: comparator.to_owned(),
                        thresholds: Vec::new(),
                    })
                    .collect();
                let compared = rules.split_off(rules.len().div_ceil(3));
                Product {
                    reference,
                    tier: if derived.is_some() {
                        Tier::Redeveloped
                    } else {
                        Tier::Primary
                    },
                    derived_from: derived.into_iter().map(|other| other.id).collect(),
                    title_zh,
                    title_en,
                    unit,
                    node,
                    resource,
                    definition: Definition::Verification(Verification {
                        key: rules,
                        compared,
                    }),
                }
            },
        )
}

pub(super) fn approvals() -> impl Strategy<Value = Approval> {
    (id("party_"), id("node_"), references(), hashes(), hashes()).prop_map(
        |(unit, node, product, product_digest, policy_digest)| Approval {
            unit,
            node,
            product,
            product_digest,
            policy_digest,
        },
    )
}

pub(super) fn policies() -> impl Strategy<Value = SignedPolicy> {
    let uses = subsequence(Use::ALL.to_vec(), 0..=8).prop_map(|uses| uses.into_iter().collect());
    let domain = proptest::option::of(domains());
    let columns = proptest::collection::btree_map("[a-z0-9_]{1,64}", (uses, domain), 1..6);
    let release = (
        10..1_000_000_u32,
        1..=90_u8,
        1..1_000_000_u32,
        1..=65_536_u32,
    )
        .prop_map(|(k, share, round_to, groups)| Release::new(k, share, round_to, groups).unwrap());
    let functions = subsequence(Function::ALL.to_vec(), 0..=4);
    let further = (1..=90_u8, 50..=100_u8, 0..=50_u8, functions);
    let release = (release, further).prop_map(|(terms, (p, same, withheld, functions))| {
        let terms = terms.with_p_percent(p).unwrap();
        let terms = terms.with_homogeneity_percent_max(same).unwrap();
        let terms = terms.with_withheld_percent_max(withheld).unwrap();
        terms.with_functions(functions.into_iter().collect())
    });
    let release = proptest::option::of(release);
    let purposes = proptest::collection::btree_set("[A-Z0-9_.-]{1,64}", 0..4);
    let audit = prop_oneof![
        (1..=60_000_u32).prop_map(|wait_ms_max| AuditTerms::Mirrored { wait_ms_max }),
        (1..=60_000_u32).prop_map(|wait_ms_max| AuditTerms::Witnessed { wait_ms_max }),
        (1..=1_000_000_u64, 1..=86_400_u32).prop_map(|(entries_max, age_s_max)| {
            AuditTerms::Lagged {
                entries_max,
                age_s_max,
            }
        }),
    ];
    let names = (
        "[a-z0-9_.-]{1,64}",
        1..=u32::MAX,
        id("party_"),
        "[a-z0-9_]{1,64}",
    );
    let bodies = proptest::option::of(6..=120_u16);
    let budget = proptest::option::of((1..=1_000_000_000_u64, 5..=18_u8));
    let kept = (bodies, budget);
    (
        names,
        columns,
        purposes,
        audit,
        1..=604_800_u32,
        release,
        kept,
    )
        .prop_map(
            |(
                (id, version, unit, resource),
                columns,
                purposes,
                audit,
                age,
                release,
                (bodies, budget),
            )| {
                let uses: Vec<_> = columns
                    .iter()
                    .map(|(name, (uses, _))| (name.clone(), *uses))
                    .collect();
                let mut policy = Policy::new(uses, purposes, audit, age).unwrap();
                for (name, (_, domain)) in columns {
                    if let Some(domain) = domain {
                        policy = policy.with_domain(&name, domain).unwrap();
                        policy = policy.with_sensitive(&name).unwrap();
                    }
                    if policy.allows(&name, Use::Entity) {
                        policy = policy.with_space(&name, "person").unwrap();
                    }
                }
                if let Some(release) = release {
                    policy = policy.with_release(release);
                }
                if let Some((rho, exponent)) = budget {
                    policy = policy.with_dp(DpBudget::new(MicroRho(rho), exponent).unwrap());
                }
                if let Some(months) = bodies {
                    let limit = SubjectLimit::new(100, months).unwrap();
                    let of_grant = u32::from(months).min(100);
                    policy =
                        policy.with_subject_limit(limit.with_grant_calls_max(of_grant).unwrap());
                }
                if let Some(months) = bodies {
                    policy = policy.with_bodies(BodyTerms::new(months).unwrap());
                }
                SignedPolicy {
                    id,
                    version,
                    unit,
                    resource,
                    policy,
                }
            },
        )
}

pub(super) fn grants() -> impl Strategy<Value = Grant> {
    let kind = proptest::sample::select(vec![GrantKind::Catalog, GrantKind::Scenario]);
    let environments = vec![Environment::Test, Environment::ProdDebug, Environment::Prod];
    let product = (references(), hashes(), any::<bool>(), any::<bool>()).prop_map(
        |(reference, digest, reveals_not_found, reveals_indeterminate)| GrantedProduct {
            reference,
            digest,
            reveals_not_found,
            reveals_indeterminate,
        },
    );
    let quotas = proptest::collection::btree_map(
        id("node_"),
        (
            id("party_"),
            any::<u64>(),
            any::<u64>(),
            proptest::option::of((1..=1_000_000_000_u64).prop_map(MicroRho)),
        ),
        1..4,
    );
    let words = (
        "[A-Z0-9_.-]{1,64}",
        proptest::collection::btree_set("[A-Z0-9_.-]{1,64}", 1..4),
        proptest::collection::btree_set(
            "[0-9A-HJ-N]{17}".prop_map(|code| with_check_character(&code)),
            0..4,
        ),
        subsequence(environments, 1..=3).prop_shuffle(),
    );
    let parties = (
        id("party_"),
        id("party_"),
        proptest::collection::btree_set(id("party_"), 0..4),
    );
    let ids = (id("grant_"), 1..=u32::MAX, kind, parties);
    (ids, words, product, quotas, instants(), 1..=5 * YEAR_US).prop_map(
        |(
            (id, version, kind, (agency, licensee, delegates)),
            words,
            product,
            quotas,
            from,
            term,
        )| {
            let (scenario, purposes, end_users, environments) = words;
            let quota = |(node, (unit, calls_per_day, calls_total, rho_total))| NodeQuota {
                unit,
                node,
                calls_per_day,
                calls_total,
                rho_total,
            };
            Grant {
                id,
                version,
                kind,
                agency,
                licensee,
                licensee_key: key(),
                delegates: delegates.into_iter().collect(),
                scenario,
                purposes: purposes.into_iter().rev().collect(),
                environments,
                products: vec![product],
                quotas: quotas.into_iter().map(quota).collect(),
                not_before: from,
                not_after: Timestamp(from.0 + term),
                end_users: end_users.into_iter().collect(),
                region: "450102".parse().unwrap(),
                debug: None,
            }
        },
    )
}

pub(super) fn filings() -> impl Strategy<Value = Filing> {
    let types =
        ["Product", "ProductApproval", "Policy", "Grant"].map(|name| format!("lingqu.v1.{name}"));
    let object_type = proptest::sample::select(types.to_vec());
    (
        id("coord_"),
        object_type,
        hashes(),
        "[\\p{Han}A-Z0-9-]{1,20}",
        instants(),
    )
        .prop_map(
            |(coordinator, object_type, object_digest, number, filed)| Filing {
                coordinator,
                object_type,
                object_digest,
                number,
                filed,
            },
        )
}

fn targets() -> impl Strategy<Value = String> {
    prop_oneof![
        id::<lingqu_core::GrantId>("grant_").prop_map(|id| id.to_string()),
        id::<lingqu_core::PartyId>("party_").prop_map(|id| id.to_string()),
        references().prop_map(|reference| reference.to_string()),
    ]
}

pub(super) fn epochs() -> impl Strategy<Value = Epoch> {
    let revoked = proptest::collection::btree_set(targets(), 0..20);
    let suspended = proptest::collection::btree_set(id("grant_"), 0..5);
    let lists = (revoked, suspended);
    (id("coord_"), 1..=u64::MAX, instants(), 1..YEAR_US, lists).prop_map(
        |(coordinator, number, issued, validity, (revoked, suspended))| Epoch {
            coordinator,
            number,
            issued,
            valid_until: Timestamp(issued.0 + validity),
            revoked,
            suspended,
        },
    )
}

pub(super) fn revocations() -> impl Strategy<Value = Revocation> {
    (id("party_"), targets(), titles(), instants()).prop_map(|(by, target, reason, issued)| {
        Revocation {
            by,
            target,
            reason,
            issued,
        }
    })
}

pub(super) fn stop_orders() -> impl Strategy<Value = StopOrder> {
    let scope = prop_oneof![
        Just(StopScope::All),
        id("grant_").prop_map(StopScope::Grant),
        id("party_").prop_map(StopScope::Party),
        references().prop_map(StopScope::Product),
    ];
    (
        id("party_"),
        id("node_"),
        1..=u64::MAX,
        instants(),
        any::<bool>(),
        scope,
    )
        .prop_map(|(unit, node, number, issued, lift, scope)| StopOrder {
            unit,
            node,
            number,
            issued,
            lift,
            scope,
        })
}
