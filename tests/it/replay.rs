//! Replay and the clock: calls, epochs, stop orders and journals that were good once are sent or put back again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use lingqu_client::Question;
use lingqu_core::stop::StopScope;
use lingqu_core::{Clock, ErrorCode};
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_node::NodeConfig;
use lingqu_policy::AuditTerms;

use crate::network::{GRANT, MovedClock, Setup, World, asked, call, calls, claims, patiently};

/// Terms that allow answers for a while without the mirror.
const LAGGED: AuditTerms = AuditTerms::Lagged {
    entries_max: 100,
    age_s_max: 600,
};

impl World {
    async fn restart(&mut self) {
        self.network.stop_node().await.unwrap();
        self.start_node().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_id_means_one_call_for_ever() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let once = call(GRANT);
    let first = bank.verify(&once).await.unwrap();
    let again = bank.verify(&once).await.unwrap();
    assert_eq!(first.receipt.entry, again.receipt.entry);
    assert_eq!(first.receipt.index, again.receipt.index);
    assert_eq!(first.opening_key, again.opening_key);
    // The order of the claims does not make it another question; anything else does.
    let mut reordered = once.clone();
    reordered.arguments.reverse();
    assert_eq!(
        bank.verify(&reordered).await.unwrap().receipt.index,
        first.receipt.index
    );
    let mut other = once.clone();
    other.arguments = claims(2005);
    let reused = ErrorCode::CallIdReused.as_str();
    assert_eq!(bank.told(&other).await, reused);
    let mut later = once.clone();
    later.as_of_min = Some(lingqu_core::Timestamp(1));
    assert_eq!(bank.told(&later).await, reused);
    assert_eq!(world.charged(), 1);

    // The answer is gone after a restart, and the call is not made again.
    world.restart().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&once).await, ErrorCode::CallIdSpent.as_str());
    assert_eq!(bank.told(&other).await, reused);
    assert_eq!(world.charged(), 1);
    assert_eq!(calls(&world.records().await).len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_copies_at_once_are_one_call_and_one_charge() {
    let world = World::ready().await;
    let mut callers = Vec::new();
    for _ in 0..5 {
        callers.push(world.caller(Party::Bank).await);
    }
    let once = call(GRANT);
    let copies = (0..50).map(|n| callers[n % callers.len()].verify(&once));
    let answers = join_all(copies).await;
    let first = answers[0].as_ref().unwrap();
    for answer in &answers {
        let answer = answer.as_ref().unwrap();
        assert_eq!(answer.receipt.entry, first.receipt.entry);
        assert_eq!(answer.opening_key, first.opening_key);
    }
    // Fifty copies with two questions: one of them is the call, and no copy of the other is answered.
    let once = call(GRANT);
    let mut other = once.clone();
    other.arguments = claims(2005);
    let copies = (0..50).map(|n| callers[n % 5].told(if n % 2 == 0 { &once } else { &other }));
    let told = join_all(copies).await;
    let count = |word: &str| told.iter().filter(|got| *got == word).count();
    assert_eq!(count("MATCH") + count("NO_MATCH"), 25, "{told:?}");
    assert_eq!(count(ErrorCode::CallIdReused.as_str()), 25, "{told:?}");
    assert!(count("MATCH") == 0 || count("NO_MATCH") == 0, "{told:?}");
    assert_eq!(world.charged(), 2);
    assert_eq!(calls(&world.records().await).len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_epoch_never_comes_back() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let number = world.node().epoch().unwrap();
    let path = world.state().join("epoch.env");
    let older_file = fs::read(&path).unwrap();
    let older = world.epoch(number, &[], world.clock.now());
    let newer = world.epoch(number + 1, &[GRANT], world.clock.now());
    world.push_epoch(&newer).await.unwrap();
    let revoked = ErrorCode::GrantRevoked.as_str();
    assert_eq!(bank.told(&call(GRANT)).await, revoked);
    assert_eq!(
        world.push_epoch(&older).await,
        Err(ErrorCode::EpochRollback)
    );
    // The same number with fewer entries is another list.
    let emptied = world.epoch(number + 1, &[], world.clock.now());
    assert_eq!(
        world.push_epoch(&emptied).await,
        Err(ErrorCode::EpochRollback)
    );
    assert_eq!(bank.told(&call(GRANT)).await, revoked);

    // The real coordinator is at the old number, and pushes it at each start.
    world.mirrored().await;
    world.restart().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, revoked);
    for file in [
        None,
        Some(older_file.as_slice()),
        Some(b"nonsense".as_slice()),
    ] {
        world.network.stop_node().await.unwrap();
        match file {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        world.open_node(|_| {}).await;
        wait_until(&world.network, "the node is reconciled", |node| {
            node.ready() && node.products_open() > 0
        })
        .await
        .unwrap();
        let bank = world.caller(Party::Bank).await;
        let told = bank.told(&call(GRANT)).await;
        assert_eq!(told, ErrorCode::EpochMissing.as_str(), "{file:?}");
    }
    assert!(calls(&world.records().await).is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_or_apart_gets_no_answers() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let set_back = ErrorCode::ClockSetBack.as_str();
    world.clock.move_by_s(-60);
    assert_eq!(bank.told(&call(GRANT)).await, set_back);
    world.restart().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, set_back);
    // Put right, the next cosignature says so.
    world.clock.move_by_s(60);
    world
        .push_filed(&world.sign(&world.grant("grant_any")))
        .await
        .unwrap();
    world.mirrored().await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");

    // Only the node's clock is wrong: the mirror's cosignatures tell it.
    world.network.stop_node().await.unwrap();
    let apart = Arc::new(MovedClock::default());
    apart.move_by_s(90);
    let config = NodeConfig::read(&world.network.files().node_toml()).unwrap();
    world.network.start_node_with(config, apart).await.unwrap();
    world.mirrored().await;
    wait_until(&world.network, "there is an epoch", |node| {
        node.epoch().is_some()
    })
    .await
    .unwrap();
    let bank = world.caller(Party::Bank).await;
    let told = bank.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::ClockSkew.as_str());

    let records = world.records().await;
    assert!(records.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert_eq!(calls(&records).len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_stop_orders_does_not_start() {
    let mut world = World::ready().await;
    let party = StopScope::Party(Party::Bank.id());
    assert!(world.network.order(1, false, party.clone()).await.unwrap());
    let stopped = ErrorCode::Stopped.as_str();
    assert_eq!(
        world.caller(Party::Bank).await.told(&call(GRANT)).await,
        stopped
    );
    // An order is carried out once.
    assert!(!world.network.order(1, true, party).await.unwrap());
    world.network.stop_node().await.unwrap();

    let stops = world.state().join("stops");
    let kept = world.state().join("stops.kept");
    fs::rename(&stops, &kept).unwrap();
    let refused = world.try_open_node(|_| {}).await;
    assert!(refused.is_err(), "started without its stop orders");
    // Nor with a file of its own making in their place.
    fs::create_dir_all(&stops).unwrap();
    fs::write(stops.join("00000000000000000001.env"), b"").unwrap();
    assert!(world.try_open_node(|_| {}).await.is_err());
    fs::remove_dir_all(&stops).unwrap();
    fs::rename(&kept, &stops).unwrap();
    world.start_node().await;
    assert_eq!(
        world.caller(Party::Bank).await.told(&call(GRANT)).await,
        stopped
    );
    assert!(calls(&world.records().await).is_empty());
    world.end().await;
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn replace_dir(path: &Path, by: &Path) {
    fs::remove_dir_all(path).unwrap();
    copy_dir(by, path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_from_a_backup_takes_back_what_it_lost_before_it_answers() {
    let mut world = World::ready().await;
    let journal = world.state().join("journal");
    let backup = world.state().join("journal.backup");
    world.network.stop_node().await.unwrap();
    copy_dir(&journal, &backup);
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    let known: Vec<Question> = (0..3).map(|_| call(GRANT)).collect();
    let mut receipts = Vec::new();
    for call in &known {
        receipts.push(bank.verify(call).await.unwrap());
    }
    world.network.stop_node().await.unwrap();

    for empty in [false, true] {
        if empty {
            fs::remove_dir_all(&journal).unwrap();
        } else {
            replace_dir(&journal, &backup);
        }
        world.start_node().await;
        assert_eq!(world.charged(), 3);
        let bank = world.caller(Party::Bank).await;
        for call in &known {
            assert_eq!(bank.told(call).await, ErrorCode::CallIdSpent.as_str());
        }
        // One history: what was proven before stands where it stood.
        let records = world.records().await;
        for receipt in &receipts {
            let at = usize::try_from(receipt.receipt.index).unwrap();
            assert_eq!(records[at], receipt.proven.record);
        }
        world.network.stop_node().await.unwrap();
    }
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_histories_the_mirrored_one_holds_and_the_other_answers_nothing() {
    let mut world = World::with(Setup {
        audit: LAGGED,
        ..Setup::default()
    })
    .await;
    let journal = world.state().join("journal");
    let (backup, branch) = (
        journal.with_extension("backup"),
        journal.with_extension("branch"),
    );
    world.network.stop_node().await.unwrap();
    copy_dir(&journal, &backup);
    world.start_node().await;
    // A history that the mirror never saw, the longer one …
    world.network.stop_coordinator().await.unwrap();
    world.mirror_is_away().await;
    let bank = world.caller(Party::Bank).await;
    for _ in 0..20 {
        assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    }
    world.network.stop_node().await.unwrap();
    copy_dir(&journal, &branch);
    // … and the one that it did see, from a backup.
    replace_dir(&journal, &backup);
    world.network.start_coordinator().await.unwrap();
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    let kept = bank.verify(&call(GRANT)).await.unwrap();
    world.mirrored().await;
    let origin = world.journal().origin().to_owned();
    world.network.stop_node().await.unwrap();
    // The node's last word may still be on its way into the mirror; a restart leaves nothing on its way.
    world.network.stop_coordinator().await.unwrap();
    world.network.start_coordinator().await.unwrap();
    let coordinator = world.network.coordinator().unwrap();
    let mirrored = coordinator.cosigned_checkpoint(&origin);

    replace_dir(&journal, &branch);
    world.open_node(|_| {}).await;
    let size = world.journal().size();
    // The wait for a batch that never comes ends with the journal.
    let ended = patiently("the journal's end", world.journal().next_batch(size)).await;
    assert!(ended.is_err());
    let bank = world.caller(Party::Bank).await;
    let told = bank.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::NodeNotReady.as_str());
    assert_eq!(world.journal().size(), size);
    let coordinator = world.network.coordinator().unwrap();
    assert_eq!(coordinator.cosigned_checkpoint(&origin), mirrored);
    assert!(kept.receipt.verify(&world.trust.without_quorum()).is_ok());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_mirror_a_journal_from_a_backup_answers_nothing() {
    let mut world = World::with(Setup {
        audit: LAGGED,
        ..Setup::default()
    })
    .await;
    let journal = world.state().join("journal");
    let backup = world.state().join("journal.backup");
    world.network.stop_node().await.unwrap();
    copy_dir(&journal, &backup);
    world.start_node().await;
    let known = call(GRANT);
    assert_eq!(world.caller(Party::Bank).await.told(&known).await, "MATCH");
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    replace_dir(&journal, &backup);
    // The terms allow answers without the mirror, but nothing may be signed before it was asked.
    world.open_node(|_| {}).await;
    let bank = world.caller(Party::Bank).await;
    let size = world.journal().size();
    for asked in [&known, &call(GRANT)] {
        let told = bank.told(asked).await;
        assert_eq!(told, ErrorCode::NodeNotReady.as_str());
    }
    assert_eq!(world.journal().size(), size);
    world.network.stop_node().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_state_from_a_backup_lifts_no_stop() {
    let mut world = World::with(Setup {
        audit: LAGGED,
        ..Setup::default()
    })
    .await;
    let (journal, stops) = (world.state().join("journal"), world.state().join("stops"));
    let backup = world.state().join("journal.backup");
    world.network.stop_node().await.unwrap();
    copy_dir(&journal, &backup);
    world.start_node().await;
    let party = StopScope::Party(Party::Bank.id());
    assert!(world.network.order(1, false, party).await.unwrap());
    world.mirrored().await;
    world.network.stop_node().await.unwrap();

    // Journal and stop orders are both of a time before the stop, and so fit each other. Only the mirror knows.
    replace_dir(&journal, &backup);
    fs::remove_dir_all(&stops).unwrap();
    world.open_node(|_| {}).await;
    wait_until(&world.network, "the journal is whole again", |node| {
        node.journal().stop_floor() == 1
    })
    .await
    .unwrap();
    let bank = world.caller(Party::Bank).await;
    let told = bank.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::NodeNotReady.as_str());
    assert!(calls(&world.records().await).is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_journal_does_not_open() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(
        bank.told(&Question::new(asked(GRANT), claims(2004))).await,
        "MATCH"
    );
    world.network.stop_node().await.unwrap();
    let path = world.state().join("journal/0000000000000000.wal");
    let good = fs::read(&path).unwrap();
    let records: Vec<usize> = good
        .windows(4)
        .enumerate()
        .filter_map(|(at, window)| (window == b"CAL1").then_some(at))
        .collect();
    assert!(records.len() > 3);
    for at in [
        records[0] + 170,
        records[records.len() / 2] + 33,
        records[1] - 1,
    ] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(
            world.try_open_node(|_| {}).await.is_err(),
            "byte {at} was changed"
        );
    }
    // Cut in the middle of a segment, as no crash leaves it.
    fs::write(&path, &good[..records[records.len() / 2]]).unwrap();
    assert!(world.try_open_node(|_| {}).await.is_err(), "cut");
    fs::write(&path, &good).unwrap();
    world.start_node().await;
    assert_eq!(calls(&world.records().await).len(), 1);
    world.end().await;
}
