//! What one party can make grow, and who sees what.

use lingqu_core::application::Application;
use lingqu_core::case::{Action, State};
use lingqu_core::grant::GrantKind;
use lingqu_core::{CaseId, ErrorCode, Role};
use lingqu_proto::{SignedObject, open};

use super::world::*;
use crate::registry::testbed::*;
use crate::workflow::view::Wanted;

fn numbered(world: &World, number: usize) -> Application {
    Application {
        case: format!("case_{number}").parse().unwrap(),
        ..world.application(GrantKind::Catalog)
    }
}

#[tokio::test]
async fn open_cases_and_new_cases_of_a_day_are_bounded_for_each_party() {
    let mut net = Net::new();
    net.config.workflow.cases_open_max = 3;
    net.config.workflow.cases_day_max = 5;
    let world = World::of(net).await;
    for number in 0..3 {
        world.apply(&numbered(&world, number)).await.unwrap();
    }
    assert_eq!(
        code(world.apply(&numbered(&world, 3)).await),
        ErrorCode::CasesTooMany
    );
    // Another party has places of its own.
    let mut other = world.application(GrantKind::Scenario);
    other.case = "case_other".parse().unwrap();
    world.apply(&other).await.unwrap();
    // A withdrawn case makes room, but not without end in one day.
    for number in 0..2 {
        let id = format!("case_{number}");
        world
            .act(&id, "party_broker", Action::Withdraw)
            .await
            .unwrap();
        world.apply(&numbered(&world, 10 + number)).await.unwrap();
    }
    world
        .act("case_2", "party_broker", Action::Withdraw)
        .await
        .unwrap();
    assert_eq!(
        code(world.apply(&numbered(&world, 20)).await),
        ErrorCode::CasesTooMany
    );
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(86_400));
    world.apply(&numbered(&world, 20)).await.unwrap();
}

/// Ten thousand cases: each list is one page, and pages follow one another without a gap.
#[tokio::test]
async fn ten_thousand_cases_are_listed_page_by_page() {
    const CASES: usize = 10_000;
    let world = World::new().await;
    world.apply(&numbered(&world, 0)).await.unwrap();
    let mut tx = world.registry.store.begin().await.unwrap();
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CASES} - 1)
         INSERT INTO cases (id, kind, applicant, agency, region, state, opened_day, accepted_us, due_us)
         SELECT 'case_copy' || i, kind, applicant, agency, region, state, opened_day, accepted_us, due_us
         FROM cases, n WHERE id = 'case_0';
         INSERT OR IGNORE INTO case_parties (party, place) SELECT 'party_agency', place FROM cases;"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(copies))
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (mut seen, mut after) = (0, 0);
    loop {
        let wanted = Wanted {
            after,
            count: u32::MAX,
            ..Wanted::default()
        };
        let page = world
            .registry
            .list_cases(&party(AGENCY), wanted)
            .await
            .unwrap()
            .0;
        assert!(page.len() <= 200);
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|row| row.place > after));
        (seen, after) = (seen + page.len(), last.place);
    }
    assert_eq!(seen, CASES);
    // The applicant sees the one that is its own, and a full house does not slow its next application's checks away.
    let own = world
        .registry
        .list_cases(&party("party_broker"), Wanted::default())
        .await;
    assert_eq!(own.unwrap().0.len(), 1);
    assert_eq!(
        code(world.apply(&numbered(&world, 1)).await),
        ErrorCode::CasesTooMany
    );
}

/// A case is shown to its parties, to the bureau that organises it, and to regulators of its region.
#[tokio::test]
async fn cases_are_shown_to_whom_they_concern() {
    let world = World::new().await;
    for (id, region) in [
        ("party_above", "45"),
        ("party_beside", "4503"),
        ("party_below", "450102"),
    ] {
        enrol(&world.registry, new_party(id, Role::Regulator, region))
            .await
            .unwrap();
    }
    world.filed().await;
    let id: CaseId = CASE.parse().unwrap();
    for (who, sees) in [
        (AGENCY, true),
        ("party_bank", true),
        ("party_unit", true),
        ("party_office", true),
        ("party_above", true),
        ("party_beside", false),
        ("party_below", false),
        ("party_other", false),
        ("party_agency2", false),
        ("party_broker", false),
    ] {
        let shown = world.registry.show_case(&party(who), &id).await;
        let listed = world
            .registry
            .list_cases(&party(who), Wanted::default())
            .await
            .unwrap()
            .0;
        assert_eq!((shown.is_ok(), listed.len() == 1), (sees, sees), "{who}");
        if let Err(refused) = shown {
            assert_eq!(refused.code, ErrorCode::CaseUnknown);
        }
    }
}

#[tokio::test]
async fn lists_are_filtered_by_state() {
    let world = World::new().await;
    for number in 0..4 {
        world.apply(&numbered(&world, number)).await.unwrap();
    }
    world
        .act("case_0", "party_broker", Action::Withdraw)
        .await
        .unwrap();
    world.act("case_1", AGENCY, Action::Return).await.unwrap();
    let count = async |state| {
        let wanted = Wanted {
            state: Some(state),
            ..Wanted::default()
        };
        world
            .registry
            .list_cases(&party(AGENCY), wanted)
            .await
            .unwrap()
            .0
            .len()
    };
    assert_eq!(count(State::Submitted).await, 2);
    assert_eq!(count(State::Withdrawn).await, 1);
    assert_eq!(
        (count(State::Returned).await, count(State::Lapsed).await),
        (1, 0)
    );
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(5 * 86_400));
    assert_eq!(
        (count(State::Returned).await, count(State::Lapsed).await),
        (0, 1)
    );
}

/// Texts without end are refused before anything is stored.
#[tokio::test]
async fn oversize_applications_are_refused() {
    let world = World::new().await;
    let mut long = world.application(GrantKind::Scenario);
    long.summary = "长".repeat(8_192);
    assert_eq!(code(world.apply(&long).await), ErrorCode::ObjectInvalid);
    let mut many = world.application(GrantKind::Scenario);
    many.materials = (0..65)
        .map(|number| lingqu_core::application::Material {
            item: format!("ITEM{number}"),
            ..many.materials[0].clone()
        })
        .collect();
    assert_eq!(code(world.apply(&many).await), ErrorCode::ObjectInvalid);
    let mut empty = world.application(GrantKind::Scenario);
    empty.demand.as_mut().unwrap().products.clear();
    assert_eq!(code(world.apply(&empty).await), ErrorCode::ObjectInvalid);
    let mut heavy = world.application(GrantKind::Scenario);
    heavy.demand.as_mut().unwrap().delegates = (0..1_024)
        .map(|n| format!("party_{}{n}", "d".repeat(60)).parse().unwrap())
        .collect();
    let envelope = sealed(&heavy, &["party_bank"]);
    assert!(envelope.payload.len() > 64 << 10);
    assert!(open::<Application>(&envelope).is_err());
    assert!(Application::from_payload(&envelope.payload).is_err());
}
