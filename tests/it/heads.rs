//! What a node sees of itself in the head log, and what it answers when the coordinator hides it, forks the head log or
//! goes back behind it: the row "coordinator drops a stream or entry" of the detection matrix, from the node's side
//!

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lingqu_core::head::{Head, HeadShown};
use lingqu_core::{Clock, ErrorCode};
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_journal::HeadRefused;
use lingqu_node::{NodeConfig, TakeHeadFailed};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{
    Checkpoint, Fork, Frontier, Intl, KeyName, Note, RecentTree, VerifierKey, leaf_hash,
    sign_cosignature, sign_note,
};

use crate::impostor::{HeadLie, Impostor, Lie};
use crate::network::*;
use crate::restored::copy;

/// So that nobody waits for long until a hidden head is noticed.
fn soon(config: &mut NodeConfig) {
    config.limits.head_lag_s = Some(1);
}

impl World {
    fn head_key(&self) -> VerifierKey<Intl> {
        let config = NodeConfig::read(&self.network.files().node_toml()).unwrap();
        config.trust.head_key.unwrap()
    }

    fn accepted(&self) -> Checkpoint {
        let note = Note::parse(self.journal().accepted_head().unwrap()).unwrap();
        note.verify(&[self.head_key()]).unwrap();
        Checkpoint::parse(&note.text).unwrap()
    }

    /// Signs with the coordinator's own key of the head log, which is in the attacker's hands.
    fn sign_head_log(&self, tree: &RecentTree<Intl>) -> String {
        let key = self.head_key();
        let checkpoint = Checkpoint {
            origin: key.name().to_string(),
            size: tree.size(),
            root: tree.root(),
        };
        let signer = self.network.files().coordinator_key("head_log").unwrap();
        let text = checkpoint.to_text();
        let signatures = vec![sign_note::<Intl>(&text, key.name(), &signer).unwrap()];
        Note { text, signatures }.to_string()
    }

    /// The node's newest checkpoint as a leaf, cosigned with the mirror's own key.
    fn leaf(&self) -> Vec<u8> {
        let mut note = Note::parse(self.journal().checkpoint().unwrap()).unwrap();
        let signer = self.network.files().coordinator_key("mirror").unwrap();
        let name: KeyName = format!("{}/mirror", lingqu_demo::cast::ORIGIN_NAME)
            .parse()
            .unwrap();
        let time = u64::try_from(self.clock.now().unix_s()).unwrap();
        let line = sign_cosignature::<Intl>(&note.text, &name, time, &signer);
        note.signatures.push(line.unwrap());
        Head::encode(self.clock.now(), &note)
    }

    /// A head log of another making with `size` heads, the node's own newest one last, and all that belongs to it.
    fn another_head_log(&self, size: u64) -> HeadShown {
        let mut tree = RecentTree::from_frontier(Frontier::new());
        for _ in 1..size {
            tree.push(leaf_hash::<Intl>(b"what supervisors are not to see"));
        }
        let leaf = self.leaf();
        tree.push(leaf_hash::<Intl>(&leaf));
        let index = size - 1;
        HeadShown {
            leaf,
            index,
            proof: tree.inclusion_proof(index, size).unwrap(),
            checkpoint: self.sign_head_log(&tree),
            consistency: Vec::new(),
        }
    }

    /// Shows a head to the node, as if the coordinator had sent it.
    async fn show(&self, shown: HeadShown) -> Result<(), HeadRefused> {
        let node = self.node().clone();
        let taken = tokio::task::spawn_blocking(move || node.take_head(&shown)).await;
        taken.unwrap().map_err(|failed| match failed {
            TakeHeadFailed::Refused(refused) => refused,
            TakeHeadFailed::State(error) => panic!("{error}"),
        })
    }

    async fn told(&self) -> String {
        self.caller(Party::Bank).await.told(&call(GRANT)).await
    }

    fn evidence(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("evidence"));
        entries.map_or_else(
            |_| Vec::new(),
            |entries| entries.map(|entry| entry.unwrap().path()).collect(),
        )
    }

    /// Has the coordinator publish heads so rarely that none comes any more, or as ever.
    async fn coordinator_hides_heads(&mut self, hides: bool) {
        self.network.stop_coordinator().await.unwrap();
        let file = self.network.files().coordinator_toml();
        let text = fs::read_to_string(&file).unwrap();
        let hidden = "[limits]\nhead_interval_ms = 3600000\n";
        let text = match hides {
            true => text.replace("[limits]\n", hidden),
            false => text.replace(hidden, "[limits]\n"),
        };
        fs::write(&file, text).unwrap();
        self.network.start_coordinator().await.unwrap();
    }

    async fn headed(&self, headed: bool) {
        let what = if headed { "covered" } else { "not covered" };
        wait_until(&self.network, what, |node| {
            node.journal().heads_fresh() == headed
        })
        .await
        .unwrap();
    }
}

/// A node that has seen no head log yet, towards a coordinator in an attacker's hands.
async fn towards_an_impostor(lie: Lie) -> (World, Impostor) {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    fs::remove_file(world.state().join("head-log")).unwrap();
    let impostor = world.impostor(lie, Vec::new()).await;
    let url = impostor.url.clone();
    world
        .open_node(|config| {
            soon(config);
            config.coordinator.url = url;
        })
        .await;
    wait_until(&world.network, "everything is cosigned", |node| {
        let figures = node.journal().figures();
        figures.records > 0 && figures.records_unmirrored == 0 && node.products_open() > 0
    })
    .await
    .unwrap();
    (world, impostor)
}

/// A coordinator of before these messages, or one that does not send them: silence opens nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_cosigns_and_shows_no_head_gets_no_answer_out() {
    let (mut world, _impostor) = towards_an_impostor(Lie::None).await;
    assert!(world.journal().figures().mirror_connected);
    for _ in 0..3 {
        assert_eq!(world.told().await, ErrorCode::AuditUnavailable.as_str());
    }
    assert!(calls(&world.records().await).is_empty());
    world.network.stop_node().await.unwrap();
    // The control: the same with heads.
    let (mut world, _impostor) = towards_an_impostor(Lie::Heads(HeadLie::None)).await;
    world.headed(true).await;
    assert_eq!(world.told().await, "MATCH");
    world.network.stop_node().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_mirror_shows_of_its_head_log_is_heeded_as_it_comes() {
    let cases = [
        (HeadLie::Forked, true),
        (HeadLie::WentBack, true),
        (HeadLie::NotIncluded, false),
    ];
    for (lie, is_contradiction) in cases {
        let (mut world, mut impostor) = towards_an_impostor(Lie::Heads(lie)).await;
        // Each record is a batch and each batch a head; the lie comes with the second or third.
        for _ in 0..3 {
            // A node that is shut already records nothing.
            let _ = world.journal().beat(Duration::ZERO).await;
            wait_until(&world.network, "it is cosigned or refused", |node| {
                let figures = node.journal().figures();
                figures.records_unmirrored == 0 || !figures.mirror_connected
            })
            .await
            .unwrap();
        }
        impostor.hung_up_on().await;
        let bank = world.caller(Party::Bank).await;
        if is_contradiction {
            wait_until(&world.network, "the node is shut", |node| !node.ready())
                .await
                .unwrap();
            let told = bank.told(&call(GRANT)).await;
            assert_eq!(told, ErrorCode::NodeNotReady.as_str(), "{lie:?}");
            assert_eq!(world.evidence().len(), 1, "{lie:?}");
        } else {
            assert!(world.node().ready(), "{lie:?}");
            assert!(world.evidence().is_empty(), "{lie:?}");
        }
        world.network.stop_node().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_sees_all_that_it_recorded_in_the_head_log() {
    let mut world = World::ready().await;
    assert_eq!(world.told().await, "MATCH");
    wait_until(&world.network, "every record is covered", |node| {
        let heads = node.journal().figures().heads.unwrap();
        heads.covered == node.journal().size() && heads.fresh
    })
    .await
    .unwrap();
    let first = world.accepted();
    // The next run goes on from there.
    world.network.stop_node().await.unwrap();
    let kept = fs::read_to_string(world.state().join("head-log")).unwrap();
    let kept = Note::parse(kept).unwrap();
    kept.verify(&[world.head_key()]).unwrap();
    assert!(Checkpoint::parse(&kept.text).unwrap().size >= first.size);
    world.start_node().await;
    wait_until(&world.network, "the next run is covered", |node| {
        let heads = node.journal().figures().heads.unwrap();
        heads.log_size > first.size
    })
    .await
    .unwrap();
    assert_eq!(world.told().await, "MATCH");
    assert!(world.evidence().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_head_closes_the_node_and_a_shown_one_opens_it() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world.start_node_with(soon).await;
    world.coordinator_hides_heads(true).await;
    world.mirrored().await;
    assert_eq!(world.told().await, "MATCH");
    // The mirror has the record, supervisors do not.
    let closed = ErrorCode::AuditUnavailable;
    world.headed(false).await;
    assert_eq!(world.journal().mirrored_size(), world.journal().size());
    let (size, charged) = (world.journal().size(), world.charged());
    assert_eq!(world.told().await, closed.as_str());
    // Nothing was charged for what could not leave.
    assert_eq!((world.journal().size(), world.charged()), (size, charged));
    // A coordinator that hides heads and restarts shows what it has at each new conversation.
    world.coordinator_hides_heads(false).await;
    world.headed(true).await;
    world.mirrored().await;
    assert_eq!(world.told().await, "MATCH");
    assert!(world.evidence().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lagged_terms_go_on_within_their_own_limit_and_not_beyond() {
    let setup = |age_s_max| Setup {
        audit: AuditTerms::Lagged {
            entries_max: 100,
            age_s_max,
        },
        config: soon,
        ..Setup::default()
    };
    for (age_s_max, expected) in [(3_600, "MATCH"), (1, ErrorCode::AuditUnavailable.as_str())] {
        let mut world = World::with(setup(age_s_max)).await;
        world.coordinator_hides_heads(true).await;
        world.mirrored().await;
        assert_eq!(world.told().await, "MATCH");
        wait_until(&world.network, "the head is hidden for long", |node| {
            let heads = node.journal().figures().heads.unwrap();
            heads.oldest_uncovered > std::time::Duration::from_secs(2)
        })
        .await
        .unwrap();
        assert_eq!(world.told().await, expected);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_log_forked_to_the_node_closes_it_and_leaves_proof() {
    let world = World::ready().await;
    assert_eq!(world.told().await, "MATCH");
    wait_until(&world.network, "every record is covered", |node| {
        let heads = node.journal().figures().heads.unwrap();
        heads.covered == node.journal().size()
    })
    .await
    .unwrap();
    let size = world.accepted().size;
    assert_eq!(
        world.show(world.another_head_log(size)).await,
        Err(HeadRefused::Forked)
    );
    assert!(!world.node().ready());
    assert_eq!(world.told().await, ErrorCode::NodeNotReady.as_str());
    let evidence = world.evidence();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    assert_eq!(evidence[0].extension().unwrap(), "fork");
    let fork = Fork::parse(&fs::read_to_string(&evidence[0]).unwrap()).unwrap();
    assert_eq!(fork.verify(&world.head_key()), Ok(size));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_log_that_does_not_extend_what_was_seen_closes_the_node_after_any_restart() {
    let mut world = World::ready().await;
    assert_eq!(world.told().await, "MATCH");
    wait_until(&world.network, "there is a past", |node| {
        node.journal().figures().heads.unwrap().log_size >= 2
    })
    .await
    .unwrap();
    for (larger, expected) in [
        (true, HeadRefused::NotExtended),
        (false, HeadRefused::WentBack),
    ] {
        // Nobody is there who could show it anything else.
        world.network.stop_coordinator().await.unwrap();
        world.mirror_is_away().await;
        let before = world.accepted().size;
        world.network.stop_node().await.unwrap();
        world.open_node(|_| {}).await;
        assert_eq!(world.accepted().size, before, "what was seen survives");
        let size = if larger { before + 5 } else { before - 1 };
        assert_eq!(
            world.show(world.another_head_log(size)).await,
            Err(expected)
        );
        assert_eq!(world.accepted().size, before);
        assert_eq!(world.evidence().len(), if larger { 1 } else { 2 });
        world.network.start_coordinator().await.unwrap();
        wait_until(&world.network, "journal and mirror are compared", |node| {
            node.journal().reconciled()
        })
        .await
        .unwrap();
        // The honest head comes too, and changes nothing: a person must look first.
        assert!(!world.node().ready());
        assert_eq!(world.told().await, ErrorCode::NodeNotReady.as_str());
        world.network.stop_node().await.unwrap();
        world.start_node().await;
        assert_eq!(world.told().await, "MATCH");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_restored_from_a_backup_is_not_believed() {
    let mut world = World::with(Setup {
        config: soon,
        ..Setup::default()
    })
    .await;
    world.network.stop_coordinator().await.unwrap();
    let state = world.network.files().dir().join("coordinator/state");
    let backup = state.with_extension("backup");
    copy(&state, &backup);
    world.network.start_coordinator().await.unwrap();
    world.mirrored().await;
    assert_eq!(world.told().await, "MATCH");
    wait_until(&world.network, "every record is covered", |node| {
        let heads = node.journal().figures().heads.unwrap();
        heads.covered == node.journal().size()
    })
    .await
    .unwrap();
    let before = world.accepted();
    let charged = world.charged();

    world.network.stop_coordinator().await.unwrap();
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&backup, &state).unwrap();
    world.network.start_coordinator().await.unwrap();
    // It gets the records again, and would sign another head log over them; the node's own past of it forbids that.
    wait_until(&world.network, "the mirror is back", |node| {
        node.journal().figures().mirror_connected
    })
    .await
    .unwrap();
    assert!(!world.journal().heads_fresh());
    assert_eq!(world.told().await, ErrorCode::AuditUnavailable.as_str());
    assert_eq!((world.accepted(), world.charged()), (before, charged));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_an_older_size_covers_nothing_and_closes_nothing() {
    let mut world = World::ready().await;
    let old = world.leaf();
    assert_eq!(world.told().await, "MATCH");
    world.mirrored().await;
    let new = world.leaf();
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    // A node that has seen nothing yet, and a head log of the attacker's making.
    fs::remove_file(world.state().join("head-log")).unwrap();
    world.open_node(|_| {}).await;
    let mut tree = RecentTree::from_frontier(Frontier::new());
    for leaf in [&old, &new] {
        tree.push(leaf_hash::<Intl>(leaf));
    }
    let checkpoint = world.sign_head_log(&tree);
    let shown = |leaf: &[u8], index| HeadShown {
        leaf: leaf.to_vec(),
        index,
        proof: tree.inclusion_proof(index, 2).unwrap(),
        checkpoint: checkpoint.clone(),
        consistency: Vec::new(),
    };
    assert_eq!(world.show(shown(&new, 1)).await, Ok(()));
    let covered = world.journal().figures().heads.unwrap().covered;
    assert_eq!(world.show(shown(&old, 0)).await, Err(HeadRefused::Older));
    assert_eq!(world.journal().figures().heads.unwrap().covered, covered);
    assert!(world.evidence().is_empty());
    world.network.stop_node().await.unwrap();
    // The true head log is another one: what the attacker could do with its own, it could do once.
    world.network.start_coordinator().await.unwrap();
    world.open_node(|_| {}).await;
    wait_until(&world.network, "the mirror is back", |node| {
        node.journal().figures().mirror_connected
    })
    .await
    .unwrap();
    assert_eq!(world.told().await, ErrorCode::AuditUnavailable.as_str());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_of_this_region_or_this_past_opens_no_node() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    let elsewhere = |name: &str, seed: u8| {
        use lingqu_tlog::Signer;
        let signer = lingqu_tlog::Ed25519Signer::from_seed([seed; 32]);
        VerifierKey::note(name.parse().unwrap(), signer.public_key()).unwrap()
    };
    let name = world.head_key().name().to_string();
    let other_region = elsewhere("lingqu.example/h/11", 9);
    let refused = world
        .try_open_node(|config| config.trust.head_key = Some(other_region))
        .await;
    assert!(refused.unwrap_err().contains("region of this stream"));
    let other_key = elsewhere(&name, 9);
    let refused = world
        .try_open_node(|config| config.trust.head_key = Some(other_key))
        .await;
    assert!(refused.unwrap_err().contains("pinned key"));
    // The bound without the key would promise what nobody keeps.
    let refused = world
        .try_open_node(|config| {
            config.trust.head_key = None;
            config.limits.head_lag_s = Some(30);
        })
        .await;
    assert!(refused.unwrap_err().contains("limits.head_lag_s"));
    let refused = world
        .try_open_node(|config| config.limits.head_lag_s = Some(0))
        .await;
    assert!(refused.unwrap_err().contains("limits.head_lag_s"));
    world.start_node().await;
    assert_eq!(world.told().await, "MATCH");
    world.end().await;
}
