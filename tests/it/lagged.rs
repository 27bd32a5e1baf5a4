//! The mirror away: what the unit's terms let out, and that nothing of it is missing afterwards.

use lingqu_core::ErrorCode;
use lingqu_core::receipt::Level;
use lingqu_demo::cast::Party;
use lingqu_policy::AuditTerms;

use crate::network::{Caller, GRANT, Setup, World, call, calls};

const ENTRIES_MAX: u64 = 5;

impl World {
    async fn coordinator_goes(&mut self) {
        self.network.stop_coordinator().await.unwrap();
        self.mirror_is_away().await;
    }

    async fn coordinator_returns(&mut self) {
        self.network.start_coordinator().await.unwrap();
        self.mirrored().await;
    }
}

async fn level(caller: &Caller) -> Result<Level, ErrorCode> {
    match caller.verify(&call(GRANT)).await {
        Ok(verified) => Ok(verified.proven.level),
        Err(failed) => Err(failed.code().unwrap_or_else(|| panic!("{failed}"))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagged_product_answers_within_its_limit_and_everything_is_mirrored_afterwards() {
    let mut world = World::with(Setup {
        audit: AuditTerms::Lagged {
            entries_max: ENTRIES_MAX,
            age_s_max: 600,
        },
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    assert!(level(&bank).await.is_ok());
    world.mirrored().await;
    world.coordinator_goes().await;
    for n in 0..ENTRIES_MAX {
        assert_eq!(level(&bank).await, Ok(Level::Local), "call {n}");
    }
    let at_limit = world.journal().size();
    for _ in 0..3 {
        assert_eq!(level(&bank).await, Err(ErrorCode::AuditUnavailable));
    }
    // Beyond the limit nothing is evaluated, charged or recorded; refusals do not use the limit up.
    assert_eq!(world.journal().size(), at_limit);
    assert_eq!(world.charged(), ENTRIES_MAX + 1);
    let before = world.records().await;

    world.coordinator_returns().await;
    assert!(level(&bank).await.is_ok());
    world.mirrored().await;
    let origin = world.journal().origin().to_owned();
    let coordinator = world.network.coordinator().unwrap();
    assert_eq!(coordinator.mirrored_size(&origin), world.journal().size());
    // In order and unchanged: what was recorded while it was away is the prefix of what is mirrored now.
    let after = world.records().await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(calls(&after).len() as u64, ENTRIES_MAX + 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_counts_across_a_restart_and_is_not_used_up_by_refusals() {
    let mut world = World::with(Setup {
        audit: AuditTerms::Lagged {
            entries_max: ENTRIES_MAX,
            age_s_max: 600,
        },
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    world.coordinator_goes().await;
    let broker = world.caller(Party::Broker).await;
    for n in 0..20 {
        let mut call = call(GRANT);
        call.asked.product = format!("tb.made_up_{n}").parse().unwrap();
        let told = broker.told(&call).await;
        assert_eq!(told, ErrorCode::GrantUnknown.as_str());
    }
    for _ in 0..ENTRIES_MAX {
        assert_eq!(level(&bank).await, Ok(Level::Local));
    }
    assert_eq!(level(&bank).await, Err(ErrorCode::AuditUnavailable));
    // A restart is no way around it: without its mirror the node says nothing at all.
    world.network.stop_node().await.unwrap();
    world.open_node(|_| {}).await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(level(&bank).await, Err(ErrorCode::NodeNotReady));
    world.coordinator_returns().await;
    assert!(level(&bank).await.is_ok());
    assert_eq!(calls(&world.records().await).len() as u64, ENTRIES_MAX + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirrored_product_answers_and_charges_nothing_while_the_mirror_is_away() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(level(&bank).await, Ok(Level::Mirrored));
    world.mirrored().await;
    world.coordinator_goes().await;
    let size = world.journal().size();
    let waiting = call(GRANT);
    for _ in 0..3 {
        let told = bank.told(&waiting).await;
        assert_eq!(told, ErrorCode::AuditUnavailable.as_str());
    }
    assert_eq!((world.charged(), world.journal().size()), (1, size));
    world.coordinator_returns().await;
    // The retry with the same id is the first that is evaluated.
    let answer = bank.verify(&waiting).await.unwrap();
    assert_eq!(answer.proven.level, Level::Mirrored);
    assert_eq!(world.charged(), 2);
    world.end().await;
}
