//! The fixed world of the journal that is killed: keys, one product, one grant whose quota ends, permitted calls.

use std::time::Duration;

use lingqu_core::call::{Call, Denial, Header, Permitted};
use lingqu_core::decide::{Asked, ClockState, Facts, GrantFact, ProductFact};
use lingqu_core::epoch::Epoch;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{Definition, FieldRule, Product, ProductRef, Tier, Verification};
use lingqu_core::stop::Stops;
use lingqu_core::{CallId, Timestamp};
use lingqu_journal::JournalLimits;
use lingqu_policy::{AuditTerms, Policy, Preset};
use lingqu_tlog::{Ed25519Signer, Hash, Intl, KeyName, Signer, VerifierKey};

/// The stream.
pub(crate) const ORIGIN: &str = "crash.example/s/node-a/45/2026h2";
/// The grant that every call runs under.
pub(crate) const GRANT: &str = "grant_1";
/// Its quota: calls in the whole term.
pub(crate) const QUOTA: u64 = 500;
/// Terms under which answers leave without a mirror.
pub(crate) const LAGGED: AuditTerms = AuditTerms::Lagged {
    entries_max: 1_000,
    age_s_max: 3_600,
};
/// Terms under which no answer leaves without the mirror's cosignature.
pub(crate) const MIRRORED: AuditTerms = AuditTerms::Mirrored { wait_ms_max: 2_000 };

/// Sizes so small that segments end and frames hold several entries within one short life.
pub(crate) fn limits() -> JournalLimits {
    JournalLimits {
        segment_len: 256 << 10,
        frame_bytes_max: 192 << 10,
        queue_max: 64,
        denial_queue_max: 8,
        denial_keys_max: 64,
        recent_entries_max: 4_096,
        recent_bytes_max: 32 << 10,
        subjects_max: 64,
        frame_entries_max: 64,
        batch_entries_max: 16,
        batch_bytes_max: 16 << 10,
    }
}

pub(crate) fn log_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([1; 32])
}

pub(crate) fn log_key() -> VerifierKey<Intl> {
    let name = KeyName::parse(ORIGIN).expect("well-formed");
    VerifierKey::note(name, log_signer().public_key()).expect("a key of full order")
}

pub(crate) fn mirror_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([2; 32])
}

pub(crate) fn mirror_key() -> VerifierKey<Intl> {
    let name = KeyName::parse("crash.example/mirror").expect("well-formed");
    VerifierKey::cosignature(name, mirror_signer().public_key()).expect("a key of full order")
}

/// The caller's id of call number `call`.
pub(crate) fn call_id(call: u64) -> CallId {
    let mut id = [0xcc; 16];
    id[8..].copy_from_slice(&call.to_be_bytes());
    CallId(id)
}

/// What call number `call` is answered.
pub(crate) fn answer(call: u64) -> u64 {
    call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}

fn header(call: u64) -> Header {
    Header {
        id: call_id(call),
        caller: "party_bank".parse().expect("well-formed"),
        certificate: [9; 32],
        asked: Asked {
            grant: None,
            product: "tb.plane".parse().expect("well-formed"),
            version: None,
            purpose: "LENDING".into(),
            scenario: "SC-1".into(),
            end_user: "91450000X".into(),
            environment: Environment::Prod,
        },
        request_tag: call_id(call).0,
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
            id: "tb.plane".parse().expect("well-formed"),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: vec![],
        title_zh: "飞机登记核验".into(),
        title_en: "plane registration".into(),
        unit: "party_unit".parse().expect("well-formed"),
        node: "node_a".parse().expect("well-formed"),
        resource: "planes".into(),
        definition: Definition::Verification(Verification {
            key: vec![field("tailnum")],
            compared: vec![field("model")],
        }),
    }
}

fn grant() -> Grant {
    Grant {
        id: GRANT.parse().expect("well-formed"),
        version: 1,
        kind: GrantKind::Scenario,
        agency: "party_agency".parse().expect("well-formed"),
        licensee: "party_bank".parse().expect("well-formed"),
        licensee_key: vec![1; 32],
        delegates: vec![],
        scenario: "SC-1".into(),
        purposes: vec!["LENDING".into()],
        environments: vec![Environment::Prod],
        products: vec![GrantedProduct {
            reference: product().reference,
            digest: Hash([4; 32]),
            reveals_not_found: false,
            reveals_indeterminate: false,
        }],
        quotas: vec![NodeQuota {
            unit: "party_unit".parse().expect("well-formed"),
            node: "node_a".parse().expect("well-formed"),
            calls_per_day: QUOTA,
            calls_total: QUOTA,
            rho_total: None,
        }],
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        end_users: vec!["91450000X".into()],
        region: "45".parse().expect("well-formed"),
        debug: None,
    }
}

/// Decides call number `call` by the real table, since there is no other way to a permit.
pub(crate) fn decide(
    call: u64,
    audit: AuditTerms,
    now: Timestamp,
    clock: ClockState,
) -> Result<Call<Permitted>, Denial> {
    let header = header(call);
    let columns = [
        ("tailnum".to_owned(), Preset::LinkOnly.uses()),
        ("model".to_owned(), Preset::VerifyOnly.uses()),
    ];
    let policy = Policy::new(columns, ["LENDING".to_owned()], audit, 60).expect("well-formed");
    let epoch = Epoch {
        coordinator: "coord_c".parse().expect("well-formed"),
        number: 1,
        issued: Timestamp(0),
        valid_until: Timestamp(i64::MAX),
        revoked: std::collections::BTreeSet::new(),
        suspended: std::collections::BTreeSet::new(),
    };
    let asked = header.asked.clone();
    Call::received(header).decide(&Facts {
        now,
        node: &"node_a".parse().expect("well-formed"),
        clock,
        reconciled: true,
        stops: &Stops::default(),
        epoch: Some((&epoch, Duration::ZERO)),
        caller: &"party_bank".parse().expect("well-formed"),
        asked: &asked,
        grant: GrantFact::Checked(&grant()),
        product: ProductFact::Approved {
            product: &product(),
            digest: Hash([4; 32]),
            policy: &policy,
        },
    })
}
