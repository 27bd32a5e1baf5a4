//! A registry over a temporary directory, without sockets: parties, nodes and signed objects by name.

use std::path::Path;
use std::sync::Arc;

use lingqu_core::envelope::Envelope;
use lingqu_core::epoch::Revocation;
use lingqu_core::grant::{Environment, Grant, GrantKind, GrantedProduct, NodeQuota};
use lingqu_core::product::{
    Approval, Definition, FieldRule, Product, ProductRef, SignedPolicy, Tier, Verification,
};
use lingqu_core::{Clock, NodeId, PartyId, Role, Timestamp};
use lingqu_policy::{AuditTerms, Policy, Use, UseSet};
use lingqu_proto::{SignedObject, seal};
use lingqu_tlog::{Ed25519Signer, Hash, Signer};

use super::Registry;
use super::codes::{KeyProof, NewCode};
use super::objects::Filed;
use crate::config::Config;
use crate::keys::Names;
use crate::mirror::testbed::{Bed, ManualClock, keys, region};
use crate::mirror::{Mirror, MirrorOpenError, MirrorOptions};
use crate::own_stream::SettleError;
use crate::refusal::Refusal;
use crate::store::Store;

pub(crate) const AGENCY: &str = "party_agency";

pub(crate) fn party(id: &str) -> PartyId {
    id.parse().unwrap()
}

pub(crate) fn node(id: &str) -> NodeId {
    id.parse().unwrap()
}

/// Everybody's key follows from the id.
pub(crate) fn key(id: &str) -> Ed25519Signer {
    let digest = <lingqu_tlog::Intl as lingqu_tlog::Suite>::digest(&[b"test key", id.as_bytes()]);
    Ed25519Signer::from_seed(digest.0)
}

pub(crate) fn config_text() -> String {
    format!(
        r#"
        id = "coord_gx"
        origin_name = "coord.example"
        region = "45"
        data_dir = "data"
        listen = "127.0.0.1:0"
        [tls]
        cert = "coord.pem"
        key = "coord.key"
        authorities = [{{ name = "gx", path = "ca.pem", prefixes = ["party_", "node_"] }}]
        [keys]
        log = "log.key"
        mirror = "mirror.key"
        head_log = "head_log.key"
        signing = "signing.key"
        [[founders]]
        party = "{AGENCY}"
        roles = ["operating_agency"]
        region = "45"
        approval_key = "{}"
        [limits]
        enrol_failures_max = 3
        segment_bytes = 131072
        batch_bytes_max = 16384
        queue_max = 8
        "#,
        hex::encode(key(AGENCY).public_key())
    )
}

/// What outlives a coordinator's process.
pub(crate) struct Net {
    pub(crate) bed: Bed,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
}

impl Net {
    pub(crate) fn new() -> Net {
        let bed = Bed::new(&[]);
        let config = Config::parse(&config_text(), Path::new("/nowhere")).unwrap();
        Net {
            clock: bed.clock.clone(),
            bed,
            config,
        }
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.bed.dir.path().join("registry.db"))
            .await
            .unwrap()
    }

    pub(crate) async fn mirror(&self, store: &Store) -> Result<Arc<Mirror>, MirrorOpenError> {
        let names = Names::new("coord.example");
        let keys = keys();
        let own = crate::open::own_stream(&self.config, store, &keys, &names, self.clock.as_ref());
        let own = own.await.unwrap();
        let options = MirrorOptions {
            clock: self.clock.clone(),
            keys,
            names,
            limits: self.config.limits,
            own,
            streams: crate::open::streams(store).await.unwrap(),
            is_witnessed: false,
            evidence: self.bed.dir.path().join("evidence"),
            on_fatal: lingqu_journal::FatalHook::new(|_| ()),
        };
        let files = lingqu_journal::FileStore::open(self.bed.wal()).unwrap();
        let beside = Arc::new(self.bed.files_at(&self.bed.wal()));
        Ok(Arc::new(Mirror::open(options, Arc::new(files), beside)?))
    }

    pub(crate) async fn try_open(&self) -> Result<Arc<Registry>, SettleError> {
        let store = self.store().await;
        let founders = &self.config.founders;
        super::parties::found(
            &store,
            &keys().roles(),
            "coord_gx",
            founders,
            self.clock.now(),
        )
        .await
        .unwrap();
        let mirror = self.mirror(&store).await.unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        Ok(Arc::new(
            Registry::open(&self.config, clock, keys(), store, mirror).await?,
        ))
    }

    pub(crate) async fn open(&self) -> Arc<Registry> {
        self.try_open().await.unwrap()
    }
}

/// Drops the last handle, so that the next one can lock the log.
pub(crate) async fn close(registry: Arc<Registry>) {
    registry.mirror.close();
    registry.store.close().await;
    assert_eq!(Arc::strong_count(&registry), 1);
}

pub(crate) fn new_party(id: &str, role: Role, code: &str) -> NewCode {
    NewCode {
        subject: id.to_owned(),
        roles: vec![role],
        region: region(code),
        unit: None,
        display_name: "某单位".to_owned(),
    }
}

pub(crate) fn new_node(id: &str, unit: &str, code: &str) -> NewCode {
    NewCode {
        subject: id.to_owned(),
        roles: Vec::new(),
        region: region(code),
        unit: Some(party(unit)),
        display_name: String::new(),
    }
}

pub(crate) fn proof(code: &str, id: &str, purpose: &str, key: &dyn Signer) -> KeyProof {
    let message = lingqu_proto::key_proof_message(code, id, purpose, key.public_key());
    KeyProof {
        purpose: purpose.to_owned(),
        public_key: key.public_key().to_vec(),
        signature: key.sign(&message),
    }
}

/// Enrols with a fresh code and the key that follows from the id.
pub(crate) async fn enrol(registry: &Registry, new: NewCode) -> Result<Option<String>, Refusal> {
    let id = new.subject.clone();
    let purpose = if id.starts_with("node_") {
        "log"
    } else {
        "approval"
    };
    let (code, _) = registry.issue_code(&party(AGENCY), new).await?;
    let proof = proof(&code, &id, purpose, &key(&id));
    registry.enrol(&id, &code, vec![proof]).await
}

/// Two units with a node each, a licensee and a second agency.
pub(crate) async fn populate(registry: &Registry) {
    for (id, role) in [
        ("party_unit", Role::DataSourceUnit),
        ("party_other", Role::DataSourceUnit),
        ("party_bank", Role::ScenarioLicensee),
        ("party_agency2", Role::OperatingAgency),
        ("party_office", Role::Regulator),
    ] {
        enrol(registry, new_party(id, role, "4501")).await.unwrap();
    }
    for (id, unit) in [("node_n", "party_unit"), ("node_o", "party_other")] {
        enrol(registry, new_node(id, unit, "4501")).await.unwrap();
    }
}

/// An envelope signed by the keys of these ids.
pub(crate) fn sealed<T: SignedObject>(object: &T, signers: &[&str]) -> Envelope {
    let mut envelope = seal(object);
    signers
        .iter()
        .for_each(|signer| envelope.sign(*signer, &key(signer)));
    envelope
}

pub(crate) fn policy() -> SignedPolicy {
    let column = |name: &str, allowed| (name.to_owned(), UseSet::FORBIDDEN.with(allowed));
    let columns = [column("id_number", Use::Link), column("name", Use::Verify)];
    let audit = AuditTerms::Mirrored { wait_ms_max: 1_000 };
    SignedPolicy {
        id: "social".to_owned(),
        version: 1,
        unit: party("party_unit"),
        resource: "persons".to_owned(),
        policy: Policy::new(columns, ["LOAN".to_owned()], audit, 3_600).unwrap(),
    }
}

pub(crate) fn product() -> Product {
    let field = |name: &str| FieldRule {
        name: name.to_owned(),
        column: name.to_owned(),
        comparator: "exact".to_owned(),
        thresholds: Vec::new(),
    };
    Product {
        reference: ProductRef {
            id: "unit.person".parse().unwrap(),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: Vec::new(),
        title_zh: "人员核验".to_owned(),
        title_en: "person".to_owned(),
        unit: party("party_unit"),
        node: node("node_n"),
        resource: "persons".to_owned(),
        definition: Definition::Verification(Verification {
            key: vec![field("id_number")],
            compared: vec![field("name")],
        }),
    }
}

pub(crate) fn digest_of<T: SignedObject>(object: &T) -> Hash {
    seal(object).digest()
}

pub(crate) fn approval() -> Approval {
    Approval {
        unit: party("party_unit"),
        node: node("node_n"),
        product: product().reference,
        product_digest: digest_of(&product()),
        policy_digest: digest_of(&policy()),
    }
}

pub(crate) fn grant(clock: &ManualClock) -> Grant {
    let day = 86_400_000_000;
    Grant {
        id: "grant_1".parse().unwrap(),
        version: 1,
        kind: GrantKind::Scenario,
        agency: party(AGENCY),
        licensee: party("party_bank"),
        licensee_key: key("party_bank").public_key().to_vec(),
        delegates: Vec::new(),
        scenario: "S1".to_owned(),
        purposes: vec!["LOAN".to_owned()],
        environments: vec![Environment::Prod],
        products: vec![GrantedProduct {
            reference: product().reference,
            digest: digest_of(&product()),
            reveals_not_found: false,
            reveals_indeterminate: false,
        }],
        quotas: vec![NodeQuota {
            unit: party("party_unit"),
            node: node("node_n"),
            calls_per_day: 10,
            calls_total: 100,
            rho_total: None,
        }],
        not_before: clock.now(),
        not_after: Timestamp(clock.now().0 + 30 * day),
        end_users: vec!["91450100MA5K00000B".to_owned()],
        region: region("4501"),
        debug: None,
    }
}

pub(crate) const GRANTORS: [&str; 3] = [AGENCY, "party_bank", "party_unit"];

/// Files policy, product and approval.
pub(crate) async fn file_product(registry: &Registry) {
    let unit = party("party_unit");
    let policy = sealed(&policy(), &["party_unit"]);
    registry.file(&unit, policy).await.unwrap();
    let product = sealed(&product(), &[AGENCY]);
    registry.file(&party(AGENCY), product).await.unwrap();
    let approval = sealed(&approval(), &["party_unit"]);
    registry.file(&unit, approval).await.unwrap();
}

pub(crate) async fn file_grant(registry: &Registry, grant: &Grant) -> Result<Filed, Refusal> {
    registry
        .file(&party(AGENCY), sealed(grant, &GRANTORS))
        .await
}

pub(crate) fn revocation(by: &str, target: &str, clock: &ManualClock) -> Envelope {
    let revocation = Revocation {
        by: party(by),
        target: target.to_owned(),
        reason: "test".to_owned(),
        issued: clock.now(),
    };
    sealed(&revocation, &[by])
}
