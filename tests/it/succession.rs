//! A node's stream ends by its unit's order, and the next one goes on: for callers, quotas, the mirror, readers, over
//! crashes and backups; and nobody else can end or replace it.

use std::fs;
use std::path::Path;

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::envelope::{Envelope, Signature};
use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::succession::{SuccessionOrder, place};
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{Party, Unit};
use lingqu_demo::network::wait_until;
use lingqu_node::admin::{self, AdminRequest, AdminResponse};
use lingqu_proto::encode_envelope;
use lingqu_tlog::{Intl, KeyName, Signer, VerifierKey};
use lingqu_transport::signing_key;

use crate::network::{GRANT, MovedClock, World, asked, claims, records};

/// Where the next stream's log key is, below the network's directory.
pub(crate) const NEXT_KEY: &str = "node/log-next.key";

pub(crate) fn call() -> Question {
    Question::new(asked(GRANT), claims(2004))
}

/// The key of the stream of this period, signed with the key in this file.
pub(crate) fn key_of(world: &World, period: &str, file: &str) -> VerifierKey<Intl> {
    let path = world.network.files().dir().join(file);
    let signer = signing_key::read(&path).unwrap();
    let origin = format!("{}/{period}", place(world.journal().origin()));
    VerifierKey::note(KeyName::parse(&origin).unwrap(), signer.public_key()).unwrap()
}

fn order(world: &World, begins: &VerifierKey<Intl>) -> SuccessionOrder {
    SuccessionOrder {
        unit: Party::Unit.id(),
        node: Unit::Transport.node(),
        issued: world.network.clock().now(),
        not_before: world.network.clock().now(),
        not_after: world.network.clock().now().plus_months_utc8(1),
        ends: world.journal().origin().to_owned(),
        begins: begins.to_string(),
    }
}

async fn give(world: &World, order: &Envelope) -> AdminResponse {
    let request = AdminRequest::Succeed {
        order: hex::encode(encode_envelope(order)),
    };
    ask(world, &request).await
}

async fn ask(world: &World, request: &AdminRequest) -> AdminResponse {
    let socket = world.node().config().admin_socket();
    admin::ask(&socket, request).await.unwrap()
}

/// Gives the order and waits until the stream has ended and all that follows from it is written down.
pub(crate) async fn end_stream(world: &mut World, begins: &VerifierKey<Intl>) {
    let signed = world.network.signed(&order(world, begins), &[Party::Unit]);
    let mut signed = signed.unwrap();
    // Whoever carries the order may add lines to it: more than a record has room for.
    let line = Signature {
        public_key: vec![9; 32],
        signature: vec![9; 64],
        ..signed.signatures[0].clone()
    };
    signed.signatures.extend(vec![line; 60]);
    let given = give(world, &signed).await;
    assert!(given.ok, "{:?}", given.code);
    ended(world).await;
}

async fn ended(world: &mut World) {
    let begin = world.state().join("succession.begin");
    wait_until(&world.network, "the stream has ended", |_| begin.exists())
        .await
        .unwrap();
    world.network.stop_node().await.unwrap();
}

/// Opens the node on the next stream, believed from here on beside the one before.
pub(crate) async fn go_on(world: &mut World, begins: &VerifierKey<Intl>) {
    world
        .start_node_with(|config| {
            let next = config.keys.log.with_file_name("log-next.key");
            config.keys.log_next = next.exists().then_some(next);
        })
        .await;
    assert_eq!(world.journal().origin(), begins.name().as_str());
    let text = world.network.trust_text().unwrap();
    assert!(text.contains(&begins.to_string()), "{text}");
    world.trust = Trust::parse(&text).unwrap();
}

fn kinds(records: &[Record]) -> Vec<Kind> {
    records.iter().map(|record| record.draft.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_followed_by_another_under_another_key() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let first = call();
    assert_eq!(bank.told(&first).await, "MATCH");
    let charged = world.charged();
    signing_key::create(&world.network.files().dir().join(NEXT_KEY)).unwrap();
    let begins = key_of(&world, "9999h1", NEXT_KEY);
    // A node that has not the key cannot go on, and so does not end.
    let signed = world
        .network
        .signed(&order(&world, &begins), &[Party::Unit]);
    let refused = give(&world, &signed.unwrap()).await;
    assert_eq!(
        refused.code.as_deref(),
        Some(ErrorCode::KeyUnreadable.as_str())
    );
    world.network.stop_node().await.unwrap();
    world
        .start_node_with(|config| {
            config.keys.log_next = Some(config.keys.log.with_file_name("log-next.key"));
        })
        .await;
    let old = world.journal().clone();
    end_stream(&mut world, &begins).await;
    let ended = records(&old).await;
    assert_eq!(kinds(&ended).last(), Some(&Kind::StreamEnd));
    go_on(&mut world, &begins).await;
    let begun = world.records().await;
    assert_eq!(kinds(&begun)[..2], [Kind::StreamBegin, Kind::Forward]);
    assert!(kinds(&begun).contains(&Kind::NodeStart));
    assert!(begun[0].time > ended.last().unwrap().time);
    // Quotas go on, and so does what is known of call ids.
    assert_eq!(world.charged(), charged);
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&first).await, ErrorCode::CallIdSpent.as_str());
    assert_eq!(bank.told(&call()).await, "MATCH");
    assert_eq!(world.charged(), charged + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_units_order_about_this_stream_ends_it() {
    let world = World::ready().await;
    let begins = key_of(&world, "9999h1", "node/log.key");
    let good = order(&world, &begins);
    let told = async |signer: Party, order: SuccessionOrder| {
        let signed = world.network.signed(&order, &[signer]).unwrap();
        let response = give(&world, &signed).await;
        response.code.unwrap_or_else(|| "taken".to_owned())
    };
    for party in [Party::Agency, Party::Bank] {
        let told = told(party, good.clone()).await;
        assert_eq!(told, ErrorCode::ObjectSignatureInvalid.as_str());
    }
    let other_node = SuccessionOrder {
        node: "node_gx.other".parse().unwrap(),
        ..good.clone()
    };
    let told_other = told(Party::Unit, other_node).await;
    assert_eq!(told_other, ErrorCode::ObjectInvalid.as_str());
    let of_before = SuccessionOrder {
        ends: format!("{}/0000h1", place(&good.ends)),
        ..good.clone()
    };
    let told_before = told(Party::Unit, of_before).await;
    assert_eq!(told_before, ErrorCode::ObjectConflict.as_str());
    // An order that is not due changes nothing yet; one that was signed before it no longer counts.
    let later = SuccessionOrder {
        issued: good.issued.plus(std::time::Duration::from_secs(5)),
        not_before: good.not_before.plus(std::time::Duration::from_secs(3_600)),
        ..good.clone()
    };
    assert_eq!(told(Party::Unit, later).await, "taken");
    assert_eq!(
        told(Party::Unit, good).await,
        ErrorCode::ObjectConflict.as_str()
    );
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call()).await, "MATCH");
    assert!(!kinds(&world.records().await).contains(&Kind::StreamEnd));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_each_step_between_two_streams_loses_nothing() {
    let mut world = World::ready().await;
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    let charged = world.charged();
    let begins = key_of(&world, "9999h1", "node/log.key");
    end_stream(&mut world, &begins).await;
    let state = world.state();
    let origin = fs::read(state.join("stream-origin")).unwrap();
    // The end is on record, and what the next stream takes over was not written down.
    fs::remove_file(state.join("succession.begin")).unwrap();
    world.open_node(|_| {}).await;
    ended(&mut world).await;
    // The old journal is aside, and the name of the next stream was not written.
    fs::create_dir_all(state.join("past-journals")).unwrap();
    fs::rename(state.join("journal"), state.join("past-journals/aside")).unwrap();
    let period = world_period(&origin);
    fs::rename(
        state.join("past-journals/aside"),
        state.join("past-journals").join(&period),
    )
    .unwrap();
    go_on(&mut world, &begins).await;
    assert_eq!(world.charged(), charged);
    // The whole new journal is lost: the mirror has it, balances and all.
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    world.mirrored().await;
    world.network.stop_node().await.unwrap();
    fs::remove_dir_all(state.join("journal")).unwrap();
    fs::remove_file(state.join("succession.begin")).unwrap();
    world.start_node().await;
    assert_eq!(world.charged(), charged + 1);
    world.end().await;
}

/// The last part of the origin in the file.
fn world_period(origin: &[u8]) -> String {
    let text = std::str::from_utf8(origin).unwrap();
    let line = text.lines().next().unwrap();
    line.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_journal_restored_after_the_end_writes_nothing_more() {
    let mut world = World::ready().await;
    let begins = key_of(&world, "9999h1", "node/log.key");
    let state = world.state();
    world.network.stop_node().await.unwrap();
    let (backup, origin) = (
        state.join("../backup"),
        fs::read(state.join("stream-origin")),
    );
    copy(&state.join("journal"), &backup);
    world.start_node().await;
    end_stream(&mut world, &begins).await;
    // A whole state of before the end: the order is not there, and the journal knows nothing of it.
    let clear = |path: &str| match fs::metadata(state.join(path)) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(state.join(path)).unwrap(),
        Ok(_) => fs::remove_file(state.join(path)).unwrap(),
        Err(_) => {}
    };
    for path in [
        "journal",
        "succession.begin",
        "successions",
        "past-journals",
    ] {
        clear(path);
    }
    copy(&backup, &state.join("journal"));
    fs::write(state.join("stream-origin"), origin.unwrap()).unwrap();
    world.open_node(|_| {}).await;
    // The mirror has the end: the node takes it back, answers nothing, and goes on with the stream that the end names.
    ended(&mut world).await;
    go_on(&mut world, &begins).await;
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    world.end().await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// what a grant did is kept for six calendar months after its end, whatever the unit configures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_past_stream_is_kept_as_long_as_a_grant_in_it_asks() {
    let mut world = World::ready().await;
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    let begins = key_of(&world, "9999h1", "node/log.key");
    end_stream(&mut world, &begins).await;
    go_on(&mut world, &begins).await;
    let past = async |world: &World, drop| {
        let response = ask(world, &AdminRequest::PastStreams { drop }).await;
        assert!(response.ok, "{:?}", response.code);
        response.past.unwrap()
    };
    let kept = past(&world, true).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(place(&kept[0].origin), place(world.journal().origin()));
    assert!(!kept[0].dropped && kept[0].unknown_grants == 0);
    let until: lingqu_core::Timestamp = kept[0].keep_until.clone().unwrap().parse().unwrap();
    let holdings = world.node().holdings();
    let grant = holdings.grant(&GRANT.parse().unwrap()).unwrap();
    assert!(until >= lingqu_core::body::keep_until(grant.not_after, 6));
    let directory = world.state().join("past-journals");
    let files = || fs::read_dir(&directory).unwrap().count();
    assert_eq!(files(), 1);
    // Years later, at both sides: the term is over, and that the stream goes is on record first.
    world.mirrored().await;
    world.clock.move_by_s(6 * 366 * 86_400);
    let (size, asked) = (world.journal().size(), past(&world, false).await);
    assert!(!asked[0].dropped && files() == 1 && world.journal().size() == size);
    let dropped = past(&world, true).await;
    assert!(dropped[0].dropped && dropped[0].origin == kept[0].origin);
    assert_eq!(files(), 0);
    let records = world.records().await;
    let is_drop = |record: &&Record| {
        record.draft.clear.get_text(Field::Action) == Some("stream_dropped")
            && record.draft.clear.get_text(Field::Subject) == Some(&kept[0].origin)
    };
    let on_record = records.iter().rfind(is_drop).unwrap();
    assert_eq!(
        on_record.draft.clear.get_number(Field::Count),
        Some(kept[0].records)
    );
    assert!(world.journal().mirrored_size() > on_record.index);
    assert_eq!(past(&world, true).await, []);
    world.end().await;
}

/// a clock that only this node has set forward drops nothing. The term would be over by it; by the mirror's it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_from_the_mirrors_drops_nothing() {
    let mut world = World::ready().await;
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    let begins = key_of(&world, "9999h1", "node/log.key");
    end_stream(&mut world, &begins).await;
    // The node has a clock of its own from here on; so far it shows the same time.
    let own = std::sync::Arc::new(MovedClock::default());
    let theirs = std::mem::replace(&mut world.clock, own.clone());
    go_on(&mut world, &begins).await;
    let directory = world.state().join("past-journals");
    let files = || fs::read_dir(&directory).unwrap().count();
    assert_eq!(files(), 1);
    own.move_by_s(6 * 366 * 86_400);
    let response = ask(&world, &AdminRequest::PastStreams { drop: true }).await;
    assert!(!response.ok);
    assert_eq!(
        response.code.as_deref(),
        Some(ErrorCode::ClockSkew.as_str())
    );
    assert_eq!(files(), 1);
    let dropped = |records: &[Record]| {
        let is_drop =
            |record: &&Record| record.draft.clear.get_text(Field::Action) == Some("stream_dropped");
        records.iter().filter(is_drop).count()
    };
    assert_eq!(dropped(&world.records().await), 0);
    // When the other side's clock shows the same, it may go.
    theirs.move_by_s(6 * 366 * 86_400);
    let response = ask(&world, &AdminRequest::PastStreams { drop: true }).await;
    assert!(response.ok, "{:?}", response.code);
    assert_eq!((files(), dropped(&world.records().await)), (0, 1));
    world.end().await;
}

/// a grant that was in force while the stream was written keeps it, also if no record in it names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_nobody_used_keeps_the_streams_of_its_term() {
    let mut world = World::ready().await;
    let day = std::time::Duration::from_secs(86_400);
    let used = world.grant(GRANT);
    let unused = {
        let mut grant = world.grant("grant_unused");
        grant.not_after = grant.not_after.plus(10 * day);
        grant
    };
    // One that begins when the streams are over says nothing about them.
    let later = {
        let mut grant = world.grant("grant_later");
        grant.not_before = grant.not_before.plus(5 * day);
        grant.not_after = grant.not_after.plus(20 * day);
        grant
    };
    for grant in [&unused, &later] {
        let signed = world.sign(grant);
        world.push_filed(&signed).await.unwrap();
    }
    world.mirrored().await;
    for period in ["9999h1", "9999h2"] {
        let begins = key_of(&world, period, "node/log.key");
        let _ = fs::remove_file(world.state().join("succession.begin"));
        end_stream(&mut world, &begins).await;
        world
            .start_node_with(|config| config.limits.stream_keep_months = 6)
            .await;
    }
    let response = ask(&world, &AdminRequest::PastStreams { drop: false }).await;
    let past = response.past.unwrap();
    assert_eq!(past.len(), 2);
    let second = past
        .iter()
        .find(|one| one.origin.ends_with("9999h1"))
        .unwrap();
    let until: lingqu_core::Timestamp = second.keep_until.clone().unwrap().parse().unwrap();
    assert!(unused.not_after > used.not_after && later.not_after > unused.not_after);
    assert_eq!(until, lingqu_core::body::keep_until(unused.not_after, 6));
    world.end().await;
}
