//! Limits by subject through a running network: how often one may be asked about within a window, by all callers
//! together, exactly, whatever the writing of the key, under concurrency and after a restart.

use lingqu_client::Question;
use lingqu_core::product::SignedPolicy;
use lingqu_core::record::{Field, Kind};
use lingqu_core::{CallId, Clock};
use lingqu_demo::cast::Party;
use lingqu_policy::SubjectLimit;
use lingqu_proto::ClaimValue;

use crate::network::{GRANT, Setup, World, call, calls};

const REACHED: &str = "SUBJECT_LIMIT_REACHED";
const OTHER: &str = "grant_other";

/// Three calls an hour by all together, two under one grant.
fn limited(policy: &mut SignedPolicy) {
    let limit = SubjectLimit::new(3, 1).unwrap();
    let limit = limit.with_grant_calls_max(2).unwrap();
    policy.policy = policy.policy.clone().with_subject_limit(limit);
}

async fn world() -> World {
    let world = World::with(Setup {
        policy: limited,
        ..Setup::default()
    })
    .await;
    // Far from the end of a window, so that all calls of a test are in one.
    let into = (world.clock.now().unix_s() + 8 * 3_600).rem_euclid(3_600);
    if into > 1_800 {
        world.clock.move_by_s(3_660 - into);
    }
    world
}

/// The usual claim, with another value for one field.
fn with(grant: &str, field: &str, value: &str) -> Question {
    let mut question = call(grant);
    for (name, claimed) in &mut question.arguments {
        if name == field {
            *claimed = ClaimValue::Text(value.to_owned());
        }
    }
    question
}

fn about(grant: &str, tail_number: &str) -> Question {
    with(grant, "tail_number", tail_number)
}

async fn second_grant(world: &World) {
    let other = world.sign(&world.grant(OTHER));
    world.push_filed(&other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_asked_about_as_often_as_the_unit_says() {
    let mut world = world().await;
    second_grant(&world).await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&about(GRANT, "N10156")).await, "MATCH");
    // Written otherwise it is the same plane.
    assert_eq!(bank.told(&about(GRANT, " n10156")).await, "MATCH");
    for again in ["N10156", "n10156", "Ｎ１０１５６"] {
        assert_eq!(bank.told(&about(GRANT, again)).await, REACHED, "{again}");
    }
    // One that is in no register counts like any other: the limit tells nothing of the register.
    for _ in 0..2 {
        assert_eq!(bank.told(&about(GRANT, "N99999")).await, "NO_MATCH");
    }
    assert_eq!(bank.told(&about(GRANT, "N99999")).await, REACHED);
    assert_eq!(world.charged(), 4, "a refused call is not charged");

    // Another grant has what is left of what all have together.
    assert_eq!(bank.told(&about(OTHER, "N10156")).await, "MATCH");
    assert_eq!(bank.told(&about(OTHER, "N10156")).await, REACHED);

    // The count is in the log: a restart does not begin it anew.
    world.network.stop_node().await.unwrap();
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    for grant in [GRANT, OTHER] {
        assert_eq!(bank.told(&about(grant, "N10156")).await, REACHED);
    }
    assert_eq!(bank.told(&about(OTHER, "N99999")).await, "NO_MATCH");
    assert_eq!(bank.told(&about(OTHER, "N99999")).await, REACHED);

    // Tags are equal for one subject, whoever asks, and for nothing else.
    let records = world.records().await;
    let tags: Vec<&[u8]> = calls(&records)
        .into_iter()
        .map(|record| record.draft.clear.get_bytes(Field::SubjectTag).unwrap())
        .collect();
    assert_eq!(tags.len(), 6);
    assert!([tags[1], tags[4]].iter().all(|tag| *tag == tags[0]));
    assert!([tags[3], tags[5]].iter().all(|tag| *tag == tags[2]));
    assert_ne!(tags[0], tags[2]);
    world.end().await;
}

/// The attack that it is for: guessing one attribute of one subject, value by value, alone and then with another grant
/// that helps. All of them together get as many answers as the unit allows, and every attempt is on record.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_value_by_value_gets_no_further() {
    let world = world().await;
    second_grant(&world).await;
    let bank = world.caller(Party::Bank).await;
    let mut answered = 0;
    for guess in 0..12 {
        let grant = [GRANT, OTHER][guess % 2];
        let told = bank
            .told(&with(grant, "model", &format!("MODEL {guess}")))
            .await;
        match told.as_str() {
            "NO_MATCH" => answered += 1,
            REACHED => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(answered, 3);
    let records = world.records().await;
    let refused = records
        .iter()
        .filter(|record| record.draft.kind == Kind::Denials)
        .filter(|record| record.draft.clear.get_text(Field::Outcome) == Some(REACHED));
    assert!(refused.count() > 0);
    world.end().await;
}

/// Any number of calls at once are no more than the limit.
#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_stay_within_the_limit() {
    let world = world().await;
    let bank = world.caller(Party::Bank).await;
    let running = (1..=24).map(|number| {
        let (bank, mut question) = (bank.clone(), about(GRANT, "N10156"));
        question.id = CallId([number; 16]);
        tokio::spawn(async move { bank.told(&question).await })
    });
    let running: Vec<_> = running.collect();
    let mut told = Vec::new();
    for one in running {
        told.push(one.await.unwrap());
    }
    let count = |word: &str| told.iter().filter(|one| *one == word).count();
    assert_eq!((count("MATCH"), count(REACHED)), (2, 22), "{told:?}");
    assert_eq!(world.charged(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_window_has_a_new_key_and_the_old_one_is_gone() {
    let world = world().await;
    let bank = world.caller(Party::Bank).await;
    for _ in 0..2 {
        assert_eq!(bank.told(&about(GRANT, "N10156")).await, "MATCH");
    }
    assert_eq!(bank.told(&about(GRANT, "N10156")).await, REACHED);
    let key = || std::fs::read(world.state().join("subject-keys/1.key")).unwrap();
    let before = key();
    // A batch that is under way while the clock moves would look like skew.
    world.mirrored().await;
    world.clock.move_by_s(3_600);
    // The list of what is revoked must be fresh after the jump.
    let epoch = world.epoch(1_000_000, &[], world.clock.now());
    world.push_epoch(&epoch).await.unwrap();
    assert_eq!(bank.told(&about(GRANT, "N10156")).await, "MATCH");
    let after = key();
    assert_ne!(before[8..], after[8..]);
    let records = world.records().await;
    let last = calls(&records);
    let tag = |at: usize| last[at].draft.clear.get_bytes(Field::SubjectTag).unwrap();
    assert_ne!(tag(1), tag(2), "windows cannot be linked");
    world.end().await;
}
