//! A world for tests of the journal: a disk, clocks, keys, permits, a mirror.

pub(crate) use lingqu_testkit::ManualClock;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::call::{Call, Denial, Evaluated, Permitted};
use lingqu_core::decide::{Asked, Facts, GrantFact, ProductFact};
use lingqu_core::epoch::Epoch;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{Definition, FieldRule, Product, ProductRef, Tier, Verification};
use lingqu_core::stop::Stops;
use lingqu_core::trust::Trust;
use lingqu_core::{CallId, Clock, ErrorCode};
use lingqu_policy::{AuditTerms, MicroRho, Policy, Preset};
use lingqu_tlog::{Ed25519Signer, Hash, Note, NoteSignature, Signer, sign_cosignature};

use super::*;
use crate::commit::FatalHook;
use crate::store::faulty::Disk;

pub(crate) const ORIGIN: &str = "coord.example/s/node-a/45/2026h2";
/// 2026-07-01T10:00:00 in UTC+8.
pub(crate) const START: Timestamp = Timestamp(1_782_871_200_000_000);

pub(crate) const MIRRORED: AuditTerms = AuditTerms::Mirrored { wait_ms_max: 1 };
pub(crate) const LAGGED: AuditTerms = AuditTerms::Lagged {
    entries_max: 3,
    age_s_max: 60,
};

/// An order that no check looks at.
pub(crate) fn end_by(order: &[u8], next: &VerifierKey, not_before: Timestamp) -> EndOrder<Intl> {
    EndOrder {
        order: order.to_vec(),
        next: next.clone(),
        not_before,
        check: Box::new(|_, _| Ok(())),
    }
}

/// What a call is asked under.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) grant: &'static str,
    pub(crate) audit: AuditTerms,
    pub(crate) per_day: u64,
    pub(crate) total: u64,
    pub(crate) at: Timestamp,
    /// What the grant may spend of privacy budgets.
    pub(crate) rho: Option<MicroRho>,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            grant: "grant_1",
            audit: LAGGED,
            per_day: 1_000_000,
            total: 1_000_000,
            at: START,
            rho: Some(MicroRho(1_000_000)),
        }
    }
}

pub(crate) fn header(call: u64, party: &str) -> Header {
    let mut id = [0xcc; 16];
    id[8..].copy_from_slice(&call.to_be_bytes());
    let mut tag = [0x77; 16];
    tag[8..].copy_from_slice(&call.to_be_bytes());
    Header {
        id: CallId(id),
        caller: party.parse().unwrap(),
        certificate: [9; 32],
        asked: Asked {
            grant: None,
            product: "tb.plane".parse().unwrap(),
            version: None,
            purpose: "LENDING".into(),
            scenario: "SC-1".into(),
            end_user: "91450000X".into(),
            environment: Environment::Prod,
        },
        request_tag: tag,
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
            id: "tb.plane".parse().unwrap(),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: vec![],
        title_zh: "飞机登记核验".into(),
        title_en: "plane registration".into(),
        unit: "party_unit".parse().unwrap(),
        node: "node_a".parse().unwrap(),
        resource: "planes".into(),
        definition: Definition::Verification(Verification {
            key: vec![field("tailnum")],
            compared: vec![field("model")],
        }),
    }
}

fn grant(terms: &Terms) -> Grant {
    Grant {
        id: terms.grant.parse().unwrap(),
        version: 1,
        kind: GrantKind::Scenario,
        agency: "party_agency".parse().unwrap(),
        licensee: "party_bank".parse().unwrap(),
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
            unit: "party_unit".parse().unwrap(),
            node: "node_a".parse().unwrap(),
            calls_per_day: terms.per_day,
            calls_total: terms.total,
            rho_total: terms.rho,
        }],
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        end_users: vec!["91450000X".into()],
        region: "45".parse().unwrap(),
        debug: None,
    }
}

/// A permitted call: decided by the real table, since there is no other way to a permit.
pub(crate) fn permitted(call: u64, terms: &Terms) -> Call<Permitted> {
    let header = header(call, "party_bank");
    let policy = Policy::new(
        [
            ("tailnum".to_owned(), Preset::LinkOnly.uses()),
            ("model".to_owned(), Preset::VerifyOnly.uses()),
        ],
        ["LENDING".to_owned()],
        terms.audit,
        60,
    );
    let epoch = Epoch {
        coordinator: "coord_c".parse().unwrap(),
        number: 1,
        issued: Timestamp(0),
        valid_until: Timestamp(i64::MAX),
        revoked: Default::default(),
        suspended: Default::default(),
    };
    let asked = header.asked.clone();
    Call::received(header)
        .decide(&Facts {
            now: terms.at,
            node: &"node_a".parse().unwrap(),
            clock: ClockState::Good,
            reconciled: true,
            stops: &Stops::default(),
            epoch: Some((&epoch, Duration::ZERO)),
            caller: &"party_bank".parse().unwrap(),
            asked: &asked,
            grant: GrantFact::Checked(&grant(terms)),
            product: ProductFact::Approved {
                product: &product(),
                digest: Hash([4; 32]),
                policy: &policy.unwrap(),
            },
        })
        .unwrap()
}

pub(crate) fn evaluated(call: Call<Permitted>) -> Call<Evaluated<u64>> {
    let answer = u64::from(call.header().id.0[15]);
    call.evaluated(Ok(answer), Hash([5; 32]), Vec::new())
}

pub(crate) fn denial(party: &str, code: ErrorCode) -> Denial {
    Call::received(header(1, party)).deny(code)
}

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([1; 32])
}

pub(crate) fn mirror_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([2; 32])
}

pub(crate) fn mirror_key() -> VerifierKey<Intl> {
    let name = KeyName::parse("coord.example/mirror").unwrap();
    VerifierKey::cosignature(name, mirror_signer().public_key()).unwrap()
}

/// The mirror's cosignature of whatever the note says.
pub(crate) fn cosign(note: &str, time: Timestamp) -> NoteSignature {
    let note = Note::parse(note).unwrap();
    let time_s = u64::try_from(time.unix_s()).unwrap();
    sign_cosignature::<Intl>(&note.text, mirror_key().name(), time_s, &mirror_signer()).unwrap()
}

/// The note with the mirror's cosignature.
pub(crate) fn cosigned(note: &str, time: Timestamp) -> String {
    let mut parsed = Note::parse(note).unwrap();
    parsed.signatures.push(cosign(note, time));
    parsed.to_string()
}

pub(crate) fn small_limits() -> JournalLimits {
    JournalLimits {
        segment_len: 192 << 10,
        queue_max: 64,
        denial_queue_max: 8,
        denial_keys_max: 64,
        recent_entries_max: 64,
        recent_bytes_max: 4 << 10,
        subjects_max: 64,
        frame_entries_max: 64,
        frame_bytes_max: 128 << 10,
        batch_entries_max: 16,
        batch_bytes_max: 16 << 10,
    }
}

/// A node's journal on a disk, with its clock.
pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) limits: JournalLimits,
}

impl World {
    pub(crate) fn new() -> World {
        World {
            disk: Disk::default(),
            clock: ManualClock::at(START),
            limits: small_limits(),
        }
    }

    pub(crate) fn options(&self) -> JournalOptions {
        JournalOptions {
            origin: ORIGIN.into(),
            signer: Arc::new(signer()),
            mirrors: MirrorTerms::one(mirror_key()),
            lost: false,
            clock: self.clock.clone(),
            limits: self.limits.clone(),
            on_fatal: FatalHook::new(|_| {}),
            follows: false,
        }
    }

    pub(crate) fn open(&self) -> Result<Journal, OpenError> {
        Journal::open(self.options(), Box::new(self.disk.store()))
    }

    /// Opens and reconciles with a mirror that has nothing.
    pub(crate) fn ready(&self) -> Journal {
        let journal = self.open().unwrap();
        assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
        journal
    }

    pub(crate) fn cosign_newest(&self, journal: &Journal) {
        let note = journal.checkpoint().unwrap();
        let cosignature = cosign(&note, self.clock.now());
        journal
            .accept_cosignature(0, journal.size(), &cosignature)
            .unwrap();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) async fn record(
    journal: &Journal,
    call: u64,
    terms: &Terms,
) -> Result<Recorded<u64>, AppendFailed> {
    let call = permitted(call, terms);
    let charge = journal.reserve(call.permit()).unwrap();
    journal.record(evaluated(call), charge).await
}

pub(crate) fn trust() -> Trust<Intl> {
    let log = VerifierKey::<Intl>::note(KeyName::parse(ORIGIN).unwrap(), signer().public_key());
    Trust::parse(&format!(
        "log {}\nwitness mirror {}\nquorum none\n",
        log.unwrap(),
        mirror_key()
    ))
    .unwrap()
}

/// The second of two mirrors.
pub(crate) fn second_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([77; 32])
}

pub(crate) fn second_key() -> VerifierKey<Intl> {
    let name = KeyName::parse("second.example/mirror").unwrap();
    VerifierKey::cosignature(name, second_signer().public_key()).unwrap()
}

/// What the second mirror shows where the first would show `note`.
pub(crate) fn by_second(note: &str) -> String {
    let mut note = Note::parse(note).unwrap();
    note.signatures.truncate(1);
    let time = u64::try_from(START.unix_s()).unwrap();
    let line = sign_cosignature::<Intl>(&note.text, second_key().name(), time, &second_signer());
    note.signatures.push(line.unwrap());
    note.to_string()
}

/// The world's journal with both mirrors.
pub(crate) fn open_with_two(world: &World, required: usize) -> Journal {
    let mut options = world.options();
    options.mirrors.keys.push(second_key());
    options.mirrors.required = required;
    Journal::open(options, Box::new(world.disk.store())).unwrap()
}
