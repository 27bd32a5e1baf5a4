//! What the attacks share: a network with one open product, the hands of a malicious coordinator, and callers.
//!
//! [`World::ready`] is a network as in the demo, with `planes` as its only product and no grant but [`GRANT`]. The
//! attacker's hands are [`World::push`] (anything at all reaches the node, as if the coordinator had sent it) and
//! [`World::filing`] (the coordinator's own key is in the attacker's hands).

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lingqu_client::{Answered, CallFailed, Node as NodeClient, Question};
use lingqu_core::decide::Asked;
use lingqu_core::envelope::Envelope;
use lingqu_core::epoch::Epoch;
use lingqu_core::grant::{Environment, Filing, GRANT_TYPE, Grant};
use lingqu_core::product::SignedPolicy;
use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::trust::Trust;
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::{Network, wait_until};
use lingqu_demo::objects::{self, Which};
use lingqu_journal::{Journal, SystemClock};
use lingqu_node::{Node, NodeConfig};
use lingqu_policy::AuditTerms;
use lingqu_proto::pb::calls_client::CallsClient;
use lingqu_proto::{ClaimValue, Verdict, pb, seal};
use lingqu_tlog::{Ed25519Signer, Hash, Intl, Signer};
use lingqu_transport::pki::DevAuthority;
use lingqu_transport::{ClientTls, PeerId, TlsFiles};
use tempfile::TempDir;
use tonic::transport::Channel;

/// The bank's good grant.
pub(crate) const GRANT: &str = "grant_good";
/// Longest that anything here is waited for; only a failure takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The operating system's clock, moved by hand.
#[derive(Default)]
pub(crate) struct MovedClock(AtomicI64);

impl MovedClock {
    /// Moves the wall clock; the monotonic clock does not notice.
    pub(crate) fn move_by_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

/// A ready network.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) trust: Trust<Intl>,
    /// Digest of the product's signed bytes, which grants name.
    pub(crate) product: Hash,
    pub(crate) policy: Envelope,
    pub(crate) clock: Arc<MovedClock>,
    _dir: TempDir,
}

/// What a world is made with.
pub(crate) struct Setup {
    /// Terms of the unit's policy on `planes`.
    pub(crate) audit: AuditTerms,
    /// Changes that policy before it is signed.
    pub(crate) policy: fn(&mut SignedPolicy),
    /// Changes the node's configuration before it starts.
    pub(crate) config: fn(&mut NodeConfig),
    /// Edits `coordinator.toml` before the coordinator starts first.
    pub(crate) coordinator: fn(String) -> String,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            audit: AuditTerms::Mirrored { wait_ms_max: 5_000 },
            policy: |_| {},
            config: |_| {},
            coordinator: |toml| toml,
        }
    }
}

impl World {
    /// Everybody enrolled, the product filed and approved, one grant filed, the node open and caught up.
    pub(crate) async fn ready() -> World {
        World::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovedClock::default());
        let network = Network::make_edited(dir.path(), clock.clone(), setup.coordinator);
        let network = network.await.unwrap();
        for party in Party::ALL {
            if party != Party::Agency {
                let code = network.issue_party_code(party).await.unwrap();
                network.enrol_party(party, &code).await.unwrap().unwrap();
            }
        }
        let code = network.issue_node_code().await.unwrap();
        network.enrol_node(&code).await.unwrap().unwrap();
        let mut policy = policy(1, setup.audit);
        (setup.policy)(&mut policy);
        let policy = network.signed(&policy, &[Party::Unit]);
        let product = network.signed(&objects::product(Which::Plane), &[Party::Agency]);
        let (policy, product) = (policy.unwrap(), product.unwrap());
        let approval = objects::approval(Which::Plane, &product, &policy);
        let approval = network.signed(&approval, &[Party::Unit]).unwrap();
        for (party, object) in [
            (Party::Unit, &policy),
            (Party::Agency, &product),
            (Party::Unit, &approval),
        ] {
            network.file(party, object).await.unwrap().unwrap();
        }
        let trust = network.trust().unwrap();
        let mut world = World {
            network,
            trust,
            product: product.digest(),
            policy,
            clock,
            _dir: dir,
        };
        let good = world.sign(&world.grant(GRANT));
        let filed = world.network.file(Party::Agency, &good).await.unwrap();
        filed.unwrap();
        world.start_node_with(setup.config).await;
        world
    }

    /// Starts the node and waits until it has what was filed.
    pub(crate) async fn start_node(&mut self) {
        self.start_node_with(|_| {}).await;
    }

    pub(crate) async fn start_node_with(&mut self, change: impl FnOnce(&mut NodeConfig)) {
        self.open_node(change).await;
        wait_until(&self.network, "the node has caught up", |node| {
            node.ready()
                && node.products_open() > 0
                && node.holdings().len() >= 4
                && node.epoch().is_some()
        })
        .await
        .unwrap();
        self.mirrored().await;
    }

    /// The same over a table of other columns, which the unit knows: what the node remembers of the one before is gone.
    pub(crate) async fn start_node_with_another_table(
        &mut self,
        change: impl FnOnce(&mut NodeConfig),
    ) {
        for entry in std::fs::read_dir(self.state().join("sources")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        self.start_node_with(change).await;
    }

    /// Starts the node and waits for nothing.
    pub(crate) async fn open_node(&mut self, change: impl FnOnce(&mut NodeConfig)) {
        self.try_open_node(change).await.unwrap();
    }

    /// Starts the node if it starts; the text of the refusal otherwise.
    pub(crate) async fn try_open_node(
        &mut self,
        change: impl FnOnce(&mut NodeConfig),
    ) -> Result<(), String> {
        let mut config = NodeConfig::read(&self.network.files().node_toml()).unwrap();
        change(&mut config);
        let started = self.network.start_node_with(config, self.clock.clone());
        started.await.map_err(|error| error.to_string())
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        self.network.node().expect("the node runs")
    }

    pub(crate) fn journal(&self) -> &Journal {
        self.node().journal()
    }

    /// The node's state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.network.files().dir().join("node/state")
    }

    /// Waits until the mirror has every record.
    pub(crate) async fn mirrored(&self) {
        wait_until(&self.network, "everything is mirrored", |node| {
            let journal = node.journal();
            journal
                .audit_ready(AuditTerms::Mirrored { wait_ms_max: 1 })
                .is_ok()
                && journal.mirrored_size() == journal.size()
        })
        .await
        .unwrap();
    }

    /// Lets `seconds` pass at both sides. In steps below the skew that is tolerated, each of them mirrored: a batch that
    /// is under way while the clock moves is cosigned with another time than the node's, which looks like skew.
    pub(crate) async fn pass_s(&self, seconds: i64) {
        const STEP_S: i64 = 20;
        let mut left = seconds;
        while left > 0 {
            self.mirrored().await;
            self.clock.move_by_s(left.min(STEP_S));
            left -= STEP_S;
        }
        self.mirrored().await;
    }

    /// Waits until the node has noticed that its mirror is away.
    pub(crate) async fn mirror_is_away(&self) {
        wait_until(&self.network, "the mirror is away", |node| {
            node.journal()
                .audit_ready(AuditTerms::Mirrored { wait_ms_max: 1 })
                .is_err()
        })
        .await
        .unwrap();
    }

    /// A good grant of the bank with this id, to be changed.
    pub(crate) fn grant(&self, id: &str) -> Grant {
        let key = self.network.approval_key(Party::Bank).unwrap();
        objects::grant(
            id,
            Party::Bank,
            key.public_key(),
            &[(Which::Plane, self.product)],
            self.clock.now(),
        )
    }

    /// The grant with every signature that it needs.
    pub(crate) fn sign(&self, grant: &Grant) -> Envelope {
        self.sign_by(grant, &[Party::Agency, Party::Bank, Party::Unit])
    }

    pub(crate) fn sign_by(&self, grant: &Grant, signers: &[Party]) -> Envelope {
        self.network.signed(grant, signers).unwrap()
    }

    /// A filing of `object`, signed with the coordinator's own key.
    pub(crate) fn filing(&self, object: &Envelope) -> Envelope {
        let key = self.network.files().coordinator_key("signing").unwrap();
        self.filing_by(object, &key)
    }

    pub(crate) fn filing_by(&self, object: &Envelope, key: &dyn Signer) -> Envelope {
        let filing = Filing {
            coordinator: cast::coordinator(),
            object_type: object.payload_type.clone(),
            object_digest: object.digest(),
            number: "45-2026-666".to_owned(),
            filed: self.clock.now(),
        };
        let mut envelope = seal(&filing);
        envelope.sign(cast::coordinator().as_str(), key);
        envelope
    }

    /// An epoch signed with the coordinator's own key.
    pub(crate) fn epoch(&self, number: u64, revoked: &[&str], issued: Timestamp) -> Envelope {
        self.epoch_with(number, (revoked, &[]), issued)
    }

    /// The same with suspended grants too.
    pub(crate) fn epoch_with(
        &self,
        number: u64,
        (revoked, suspended): (&[&str], &[&str]),
        issued: Timestamp,
    ) -> Envelope {
        let epoch = Epoch {
            coordinator: cast::coordinator(),
            number,
            issued,
            valid_until: issued.plus(Duration::from_secs(3_600)),
            revoked: revoked.iter().map(|id| (*id).to_owned()).collect(),
            suspended: suspended.iter().map(|id| id.parse().unwrap()).collect(),
        };
        let mut envelope = seal(&epoch);
        let key = self.network.files().coordinator_key("signing").unwrap();
        envelope.sign(cast::coordinator().as_str(), &key);
        envelope
    }

    /// Pushes a signed object into the running node, as a coordinator does.
    pub(crate) async fn push(
        &self,
        object: &Envelope,
        filing: Option<&Envelope>,
    ) -> Result<(), ErrorCode> {
        let (object, filing) = (object.clone(), filing.cloned());
        self.on_node(move |node| node.adopt(&object, filing.as_ref()))
            .await
    }

    /// Pushes a grant with its filing.
    pub(crate) async fn push_filed(&self, object: &Envelope) -> Result<(), ErrorCode> {
        let filing = self.filing(object);
        self.push(object, Some(&filing)).await
    }

    pub(crate) async fn push_epoch(&self, epoch: &Envelope) -> Result<(), ErrorCode> {
        let epoch = epoch.clone();
        self.on_node(move |node| node.adopt_epoch(&epoch)).await
    }

    async fn on_node(
        &self,
        act: impl FnOnce(&Node) -> Result<(), ErrorCode> + Send + 'static,
    ) -> Result<(), ErrorCode> {
        let node = Arc::clone(self.node());
        let acting = Arc::clone(&node);
        let done = tokio::task::spawn_blocking(move || act(&acting)).await;
        node.record_pending().await;
        done.unwrap()
    }

    /// A connection to the node as `party`.
    pub(crate) async fn caller(&self, party: Party) -> Caller {
        let identity = self.network.identity(party).unwrap();
        self.caller_as(&identity).await
    }

    pub(crate) async fn caller_as(&self, identity: &ClientTls) -> Caller {
        let channel = self.network.dial_node(identity).await.unwrap();
        Caller {
            checked: NodeClient::over(channel.clone(), self.trust.clone()),
            raw: CallsClient::new(channel),
        }
    }

    /// The demo's authority, with which anybody can be made up.
    pub(crate) fn authority(&self) -> DevAuthority {
        DevAuthority::load(&self.network.files().dir().join("ca")).unwrap()
    }

    /// TLS files of `id` by `authority`, kept in a directory of their own; the demo's servers are trusted.
    pub(crate) fn files_of(&self, id: &PeerId, authority: &DevAuthority, dir: &str) -> TlsFiles {
        let dir = self.network.files().dir().join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        let issued = authority
            .issue(id, &["localhost", "127.0.0.1"], 1, self.clock.as_ref())
            .unwrap();
        let files = issued.write(&dir).unwrap();
        self.network
            .files()
            .tls_files(&files.certificate, &files.key)
    }

    pub(crate) fn identity_of(
        &self,
        id: &PeerId,
        authority: &DevAuthority,
        dir: &str,
    ) -> ClientTls {
        ClientTls::load(self.files_of(id, authority, dir), self.clock.clone()).unwrap()
    }

    /// Units that the node counts for [`GRANT`].
    pub(crate) fn charged(&self) -> u64 {
        let grant = GRANT.parse().unwrap();
        self.journal().usage(&grant, self.clock.now()).total
    }

    /// Every record of the node's stream so far.
    pub(crate) async fn records(&self) -> Vec<Record> {
        records(self.journal()).await
    }

    /// Ends everything in order.
    pub(crate) async fn end(mut self) {
        self.network.stop_node().await.unwrap();
        self.network.stop_coordinator().await.unwrap();
    }
}

/// Every record of a journal so far, also of one that is closed.
pub(crate) async fn records(journal: &Journal) -> Vec<Record> {
    let mut records = Vec::new();
    while (records.len() as u64) < journal.size() {
        let batch = journal.next_batch(records.len() as u64).await.unwrap();
        let decoded = batch
            .entries
            .iter()
            .map(|entry| Record::decode::<Intl>(entry));
        records.extend(decoded.map(Result::unwrap));
    }
    records
}

/// The records of answered calls.
pub(crate) fn calls(records: &[Record]) -> Vec<&Record> {
    let is_call = |record: &&Record| record.draft.kind == Kind::Call;
    records.iter().filter(is_call).collect()
}

/// How many refusals of `party` with `code` are on record.
pub(crate) fn denied(records: &[Record], party: Party, code: ErrorCode) -> u64 {
    let of_kind = |record: &&Record| {
        let clear = &record.draft.clear;
        record.draft.kind == Kind::Denials
            && clear.get_text(Field::Caller) == Some(party.id().as_str())
            && clear.get_text(Field::Outcome) == Some(code.as_str())
    };
    let count = |record: &Record| record.draft.clear.get_number(Field::Count).unwrap();
    records.iter().filter(of_kind).map(count).sum()
}

/// The unit's policy on `planes`.
pub(crate) fn policy(version: u32, audit: AuditTerms) -> SignedPolicy {
    let mut policy = objects::policy(Which::Plane);
    policy.version = version;
    let columns = ["tailnum", "manufacturer", "model", "year"].map(|column| {
        let preset = if column == "tailnum" {
            lingqu_policy::Preset::LinkOnly
        } else {
            lingqu_policy::Preset::VerifyOnly
        };
        (column.to_owned(), preset.uses())
    });
    policy.policy =
        lingqu_policy::Policy::new(columns, [cast::PURPOSE.to_owned()], audit, 3_600).unwrap();
    policy
}

/// One party's connection to the node.
#[derive(Clone)]
pub(crate) struct Caller {
    /// With receipts checked.
    pub(crate) checked: NodeClient,
    /// Without: what the node really sends.
    pub(crate) raw: CallsClient<Channel>,
}

impl Caller {
    pub(crate) async fn verify(&self, call: &Question) -> Result<Answered<Verdict>, CallFailed> {
        self.checked.verify(call).await
    }

    /// The verdict or the code.
    pub(crate) async fn told(&self, call: &Question) -> String {
        match self.verify(call).await {
            Ok(verified) => verified.value.to_string(),
            Err(failed) => failed
                .code()
                .map_or_else(|| failed.to_string(), |code| code.to_string()),
        }
    }

    /// The answer as it came, or the code.
    pub(crate) async fn raw(
        &self,
        request: pb::VerifyRequest,
    ) -> Result<pb::VerifyResponse, Option<ErrorCode>> {
        match self.raw.clone().verify(request).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(lingqu_transport::code_of(&status)),
        }
    }
}

/// What the bank asks in the ordinary case.
pub(crate) fn asked(grant: &str) -> Asked {
    Asked {
        grant: Some(grant.parse().unwrap()),
        product: Which::Plane.reference().id,
        version: None,
        purpose: cast::PURPOSE.to_owned(),
        scenario: cast::SCENARIO.to_owned(),
        end_user: cast::END_USER.to_owned(),
        environment: Environment::Prod,
    }
}

/// A call under `grant` that matches.
pub(crate) fn call(grant: &str) -> Question {
    let mut call = Question::new(asked(grant), claims(2004));
    // What the node lets out is what is tested here, not what a caller would accept of it.
    call.lagged_accepted = true;
    call
}

/// "N10156 is an EMBRAER EMB-145XR of `year`": true for 2004.
pub(crate) fn claims(year: i64) -> Vec<(String, ClaimValue)> {
    let text = |field: &str, value: &str| (field.to_owned(), ClaimValue::Text(value.to_owned()));
    vec![
        text("tail_number", "N10156"),
        text("manufacturer", "EMBRAER"),
        text("model", "EMB-145XR"),
        ("year".to_owned(), ClaimValue::Integer(year)),
    ]
}

/// The request as it goes over the wire.
pub(crate) fn wire(call: &Question) -> pb::VerifyRequest {
    lingqu_proto::verify_request(call.id, &call.asked, &call.arguments, call.as_of_min)
}

/// The envelope of a grant with one byte of its payload turned over, so that it may still read as a grant.
pub(crate) fn altered(envelope: &Envelope, at: usize) -> Envelope {
    assert_eq!(envelope.payload_type, GRANT_TYPE);
    let mut altered = envelope.clone();
    altered.payload[at] ^= 1;
    altered
}

/// Bounds a wait, so that a defect fails instead of hanging.
pub(crate) async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(done) => done,
        Err(_) => panic!("{what} took too long"),
    }
}

/// A key that nobody here knows.
pub(crate) fn stranger() -> Ed25519Signer {
    Ed25519Signer::from_seed([0x5a; 32])
}
