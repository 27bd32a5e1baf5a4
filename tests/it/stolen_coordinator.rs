//! Whoever has every key of the coordinator, its certificate and its database gets no answer from a node.
//!
//! What such an attacker can do is to withhold, to delay and to refuse: nothing that it says is ever believed to widen
//! what the node holds.

use std::time::Duration;

use lingqu_core::envelope::Envelope;
use lingqu_core::product::ProductRef;
use lingqu_core::{Clock, ErrorCode};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_demo::objects::{self, Which};
use lingqu_policy::AuditTerms;
use lingqu_proto::pb::mirror_conflict::Kind as ConflictKind;
use lingqu_proto::{SignedObject, seal};
use lingqu_tlog::{Checkpoint, Hash, Intl, Note, Signer, sign_note};
use lingqu_transport::PeerId;
use lingqu_transport::pki::DevAuthority;

use crate::impostor::Lie;
use crate::network::{GRANT, PATIENCE, Setup, World, call, calls, patiently, policy};

const KEYS: [&str; 4] = ["log", "mirror", "head_log", "signing"];
const SHORT: AuditTerms = AuditTerms::Mirrored { wait_ms_max: 300 };

/// `object` with signatures by every key of the coordinator, in everybody's name.
fn signed_with_all_keys<T: SignedObject>(world: &World, object: &T) -> Envelope {
    let mut envelope = seal(object);
    for key in KEYS {
        let key = world.network.files().coordinator_key(key).unwrap();
        for party in [Party::Unit, Party::Agency, Party::Bank] {
            envelope.sign(party.id().as_str(), &key);
        }
    }
    envelope
}

/// A network of objects in which the attacker itself is licensee, agency and unit.
fn own_objects(world: &World) -> Vec<(Envelope, ErrorCode)> {
    let wide = policy(
        9,
        AuditTerms::Mirrored {
            wait_ms_max: 60_000,
        },
    );
    let wide = signed_with_all_keys(world, &wide);
    let mut product = objects::product(Which::Plane);
    product.reference.version = 9;
    let reference: ProductRef = product.reference.clone();
    let product = signed_with_all_keys(world, &product);
    let mut approval = objects::approval(Which::Plane, &product, &wide);
    approval.product = reference.clone();
    let approval = signed_with_all_keys(world, &approval);
    let key = world.network.files().coordinator_key("signing").unwrap();
    let mut grant = world.grant("grant_stolen");
    grant.licensee_key = key.public_key().to_vec();
    grant.products[0].reference = reference;
    grant.products[0].digest = product.digest();
    let grant = signed_with_all_keys(world, &grant);
    vec![
        (wide, ErrorCode::ObjectSignatureInvalid),
        (product, ErrorCode::ObjectSignatureInvalid),
        (approval, ErrorCode::ObjectSignatureInvalid),
        (grant, ErrorCode::GrantUnsignedByUnit),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_its_own_making_open_nothing() {
    let mut world = World::ready().await;
    let held = world.node().holdings().len();
    let own = own_objects(&world);
    for (object, code) in &own {
        let pushed = world.push_filed(object).await;
        assert_eq!(pushed, Err(*code), "{}", object.payload_type);
    }
    assert_eq!(world.node().holdings().len(), held);

    // The same over the real connection, from a server with the coordinator's certificate.
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    let mut pushes: Vec<_> = own
        .into_iter()
        .map(|(object, _)| (object.clone(), world.filing(&object)))
        .collect();
    // A good object at the end, so that it is known when all of them have arrived.
    let good = world.sign(&world.grant("grant_last"));
    pushes.push((good.clone(), world.filing(&good)));
    let impostor = world.impostor(Lie::None, pushes).await;
    let url = impostor.url.clone();
    world.open_node(|config| config.coordinator.url = url).await;
    let last = "grant_last".parse().unwrap();
    wait_until(&world.network, "all pushes have arrived", |node| {
        node.holdings().grant(&last).is_some() && node.journal().reconciled()
    })
    .await
    .unwrap();
    let bank = world.caller(Party::Bank).await;
    let told = bank.told(&call("grant_stolen")).await;
    assert_eq!(told, ErrorCode::GrantUnsignedByUnit.as_str());
    assert_eq!(world.node().holdings().len(), held + 1);
    assert!(calls(&world.records().await).is_empty());
    world.network.stop_node().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_certificates_and_those_it_issues_call_nothing() {
    let world = World::ready().await;
    let own = DevAuthority::create("Lingqu demo authority", world.clock.as_ref()).unwrap();
    let ids = [
        PeerId::Coordinator(cast::coordinator()),
        PeerId::Party(Party::Bank.id()),
        PeerId::Party(Party::Unit.id()),
        PeerId::Node(cast::node()),
    ];
    let node = PeerId::Node(cast::node());
    for id in &ids {
        let identity = world.identity_of(id, &own, "own");
        let url = world.network.node_url();
        let dialled = lingqu_transport::connect(&url, &identity, node.clone()).await;
        if let Ok(channel) = dialled {
            let mut calls = lingqu_proto::pb::calls_client::CallsClient::new(channel);
            let request = crate::network::wire(&call(GRANT));
            let refused = patiently("a call", calls.verify(request))
                .await
                .unwrap_err();
            assert_eq!(lingqu_transport::code_of(&refused), None, "{id}");
        }
    }
    let files = world.network.files();
    let real = files.identity(&ids[0], world.network.clock()).unwrap();
    let told = world.caller_as(&real).await.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::CallerRoleForbidden.as_str());
    assert!(calls(&world.records().await).is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_epochs_can_narrow_and_never_take_back_what_they_narrowed() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let (now, number) = (world.clock.now(), world.node().epoch().unwrap());
    let revoking = world.epoch(number + 5, &[GRANT], now);
    world.push_epoch(&revoking).await.unwrap();
    let revoked = ErrorCode::GrantRevoked.as_str();
    assert_eq!(bank.told(&call(GRANT)).await, revoked);

    // Older and equal numbers, whatever their date, and every key but the one for signing.
    let later = now.plus(Duration::from_secs(5));
    for number in [number, number + 4, number + 5] {
        let pushed = world.push_epoch(&world.epoch(number, &[], later)).await;
        assert_eq!(pushed, Err(ErrorCode::EpochRollback), "{number}");
    }
    for key in ["log", "mirror", "head_log"] {
        let mut epoch = world.epoch(number + 6, &[], now);
        epoch.signatures.clear();
        let key = world.network.files().coordinator_key(key).unwrap();
        epoch.sign(cast::coordinator().as_str(), &key);
        assert_eq!(world.push_epoch(&epoch).await, Err(ErrorCode::EpochInvalid));
    }
    assert_eq!(bank.told(&call(GRANT)).await, revoked);

    // Nor does a higher number take back what was revoked: a node only ever narrows.
    let emptied = world.epoch(number + 6, &[], later);
    let pushed = world.push_epoch(&emptied).await;
    assert_eq!(pushed, Err(ErrorCode::EpochRollback));
    let more = world.epoch(number + 6, &[GRANT, "grant_other"], later);
    world.push_epoch(&more).await.unwrap();
    assert_eq!(bank.told(&call(GRANT)).await, revoked);
    assert!(calls(&world.records().await).is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_list_from_the_future_is_not_fresh_again_after_each_restart() {
    let mut world = World::ready().await;
    let number = world.node().epoch().unwrap();
    let future = world.clock.now().plus(Duration::from_secs(30 * 86_400));
    world
        .push_epoch(&world.epoch(number + 1, &[], future))
        .await
        .unwrap();
    world.mirrored().await;
    world.network.stop_node().await.unwrap();
    world.start_node().await;
    let told = world.caller(Party::Bank).await.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::EpochStale.as_str());
    world.end().await;
}

/// A world at rest: node and coordinator stopped, everything mirrored but the node's last word.
async fn at_rest(audit: AuditTerms) -> World {
    let mut world = World::with(Setup {
        audit,
        ..Setup::default()
    })
    .await;
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    world
}

impl World {
    async fn open_with(&mut self, lie: Lie) -> crate::impostor::Impostor {
        let impostor = self.impostor(lie, Vec::new()).await;
        let url = impostor.url.clone();
        self.open_node(|config| {
            config.coordinator.url = url;
            // What it could do to the head log is a theme of its own.
            config.trust.head_key = None;
        })
        .await;
        impostor
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_of_the_mirror_releases_an_answer() {
    let mut world = at_rest(SHORT).await;
    let mut withheld = 0;
    let lies = [Lie::OtherRoot, Lie::OldSize, Lie::OtherKey, Lie::OtherRole];
    for lie in lies {
        let _impostor = world.open_with(lie.clone()).await;
        world.mirrored().await;
        let bank = world.caller(Party::Bank).await;
        for _ in 0..3 {
            let told = bank.told(&call(GRANT)).await;
            assert_eq!(told, ErrorCode::AuditUnavailable.as_str(), "{lie:?}");
        }
        // There was an answer to withhold, each time.
        let recorded = calls(&world.records().await).len();
        assert!(recorded > withheld, "{lie:?}");
        withheld = recorded;
        world.network.stop_node().await.unwrap();
    }
    // The control: the same without a lie. What was withheld was recorded at most, and nothing was forked.
    let _impostor = world.open_with(Lie::None).await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.network.stop_node().await.unwrap();
    world.network.start_coordinator().await.unwrap();
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_cannot_move_the_nodes_time() {
    let mut world = at_rest(SHORT).await;
    let _impostor = world.open_with(Lie::FutureTime).await;
    wait_until(&world.network, "the mirror has cosigned", |node| {
        node.journal().mirrored_size() > 0 && node.products_open() > 0
    })
    .await
    .unwrap();
    let bank = world.caller(Party::Bank).await;
    let told = bank.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::ClockSkew.as_str());
    let floor = world.journal().time_floor();
    assert!(floor <= world.clock.now().plus(PATIENCE));
    assert!(calls(&world.records().await).is_empty());
    world.network.stop_node().await.unwrap();
}

/// The node's newest checkpoint, moved by `change`, with the signatures of whoever the attacker is or can pretend.
fn shown(world: &World, mine: &str, change: fn(&mut Checkpoint), log_key: Option<&str>) -> String {
    let note = Note::parse(mine).unwrap();
    let mut checkpoint = Checkpoint::parse(&note.text).unwrap();
    change(&mut checkpoint);
    let text = checkpoint.to_text();
    let mut signatures = note.signatures.clone();
    if let Some(key) = log_key {
        let key = world.network.files().coordinator_key(key).unwrap();
        let name = checkpoint.origin.parse().unwrap();
        let mut line = sign_note::<Intl>(&text, &name, &key).unwrap();
        line.id = signatures[0].id;
        signatures = vec![line];
    }
    signatures.push(world.cosign(&text));
    Note { text, signatures }.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_claims_more_than_the_node_signed_is_not_believed() {
    let mut world = at_rest(AuditTerms::Lagged {
        entries_max: 100,
        age_s_max: 600,
    })
    .await;
    // Whatever the mirror shows, the terms would let answers leave without it.
    let _impostor = world.open_with(Lie::None).await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let mine = world.journal().checkpoint().unwrap();
    let known = world.records().await.len();
    world.network.stop_node().await.unwrap();

    let ahead = |checkpoint: &mut Checkpoint| checkpoint.size += 1_000;
    let other = |checkpoint: &mut Checkpoint| checkpoint.root = Hash([9; 32]);
    let entries = vec![vec![0; 200]; 3];
    let lies = [
        (
            "ahead, unsigned by the node",
            shown(&world, &mine, ahead, None),
        ),
        (
            "ahead, signed with another key",
            shown(&world, &mine, ahead, Some("log")),
        ),
        ("another root", shown(&world, &mine, other, Some("signing"))),
        (
            "another stream",
            shown(&world, &mine, |c| c.origin.push('x'), None),
        ),
    ];
    for (what, checkpoint) in lies {
        let entries = entries.clone();
        let mut impostor = world
            .open_with(Lie::Ahead {
                checkpoint,
                entries,
            })
            .await;
        impostor.hung_up_on().await;
        let bank = world.caller(Party::Bank).await;
        let size = world.journal().size();
        let told = bank.told(&call(GRANT)).await;
        assert_eq!(told, ErrorCode::NodeNotReady.as_str(), "{what}");
        assert_eq!(world.journal().size(), size, "{what}");
        world.network.stop_node().await.unwrap();
    }
    // What the mirror only claims is worth nothing: before the node was ready it stays silent, and after that the mirror
    // is as good as away. But a second writer with the node's key ends everything at once.
    let lies = [
        (Lie::Claim(ConflictKind::Fork), "NODE_NOT_READY"),
        (Lie::ClaimLater(ConflictKind::Fork), "MATCH"),
        (Lie::ClaimLater(ConflictKind::BadBatch), "MATCH"),
        (Lie::ClaimLater(ConflictKind::Superseded), "NODE_NOT_READY"),
    ];
    for (lie, expected) in lies {
        let mut impostor = world.open_with(lie).await;
        impostor.hung_up_on().await;
        let bank = world.caller(Party::Bank).await;
        assert_eq!(bank.told(&call(GRANT)).await, expected);
        world.network.stop_node().await.unwrap();
    }

    let _impostor = world.open_with(Lie::None).await;
    world.mirrored().await;
    assert_eq!(calls(&world.records().await[..known]).len(), 1);
    world.network.stop_node().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_entries_are_not_taken_over_into_a_journal_that_lost_its_end() {
    let mut world = at_rest(SHORT).await;
    let journal = world.state().join("journal");
    let _impostor = world.open_with(Lie::None).await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.mirrored().await;
    let mine = world.journal().checkpoint().unwrap();
    let size = world.journal().size();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    while (entries.len() as u64) < size {
        let batch = world.journal().next_batch(entries.len() as u64).await;
        entries.extend(batch.unwrap().entries);
    }
    entries.truncate(usize::try_from(size).unwrap());
    world.network.stop_node().await.unwrap();
    // The whole journal is lost. The checkpoint is the real one, signed by both; the entries are not.
    let checkpoint = shown(&world, &mine, |_| {}, None);
    let mut altered = entries.clone();
    *altered.last_mut().unwrap().last_mut().unwrap() ^= 1;
    let mut swapped = entries.clone();
    swapped.swap(0, 1);
    let short = entries[..entries.len() - 1].to_vec();
    for (what, forged) in [
        ("altered", altered),
        ("swapped", swapped),
        ("short", short),
        ("none", Vec::new()),
    ] {
        std::fs::remove_dir_all(&journal).unwrap();
        let lie = Lie::Ahead {
            checkpoint: checkpoint.clone(),
            entries: forged,
        };
        let mut impostor = world.open_with(lie).await;
        impostor.hung_up_on().await;
        let told = world.caller(Party::Bank).await.told(&call(GRANT)).await;
        assert_eq!(told, ErrorCode::NodeNotReady.as_str(), "{what}");
        assert_eq!(world.journal().size(), 0, "{what}");
        world.network.stop_node().await.unwrap();
    }
    // The true entries are.
    let lie = Lie::Ahead {
        checkpoint,
        entries,
    };
    let _impostor = world.open_with(lie).await;
    wait_until(&world.network, "the journal is whole again", |node| {
        node.journal().reconciled()
    })
    .await
    .unwrap();
    assert_eq!(calls(&world.records().await).len(), 1);
    world.network.stop_node().await.unwrap();
}
