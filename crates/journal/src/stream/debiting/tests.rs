use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lingqu_core::record::{Kind, Record};
use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::super::world::*;
use super::super::{AppendFailed, Outcome, Reconciled};
use super::*;
use crate::store::faulty::Fault;

const SPACE_LIMIT: u64 = 10;

fn terms(grant: &'static str) -> Terms {
    Terms {
        grant,
        rho: Some(MicroRho(7)),
        ..Terms::default()
    }
}

fn cost(rho: u64) -> DpCharge {
    DpCharge {
        space: "person".to_owned(),
        rho: MicroRho(rho),
        space_limit: MicroRho(SPACE_LIMIT),
        from_store: false,
    }
}

async fn debit(journal: &Journal, terms: &Terms, cost: DpCharge) -> Result<Debited, ErrorCode> {
    let call = permitted(1, terms);
    let mut charge = journal.reserve(call.permit())?;
    journal.debit(&mut charge, cost).await
}

fn spent(journal: &Journal) -> u64 {
    journal.spent_on("person", true).0
}

async fn records(journal: &Journal) -> Vec<Record> {
    let mut records = Vec::new();
    while (records.len() as u64) < journal.size() {
        let batch = journal.next_batch(records.len() as u64).await.unwrap();
        let read = batch.entries.iter();
        records.extend(read.map(|entry| Record::decode::<Intl>(entry).unwrap()));
    }
    records
}

/// The debit is a record of its own before the call, and the call's record refers to it.
#[test]
fn a_call_refers_to_its_debit() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let call = permitted(1, &terms("grant_1"));
        let mut charge = journal.reserve(call.permit()).unwrap();
        let debited = journal.debit(&mut charge, cost(3)).await.unwrap();
        assert_eq!((debited.index(), debited.rho()), (0, MicroRho(3)));
        assert_eq!(journal.size(), 1, "durable before anything is evaluated");
        charge.touch();
        let recorded = journal.record(evaluated(call), charge).await.unwrap();
        assert_eq!(recorded.index(), 1);
        let records = records(&journal).await;
        assert_eq!(records[0].draft.kind, Kind::Debit);
        assert_eq!(records[1].draft.refers_to, Some(0));
        let released = journal.release(&recorded).await.into_outcome();
        assert!(matches!(released, Outcome::Answered { .. }));
    });
    assert_eq!(spent(&journal), 3);
    assert_eq!(journal.usage(&"grant_1".parse().unwrap(), START).total, 1);
    let prod = Environment::Prod;
    let under = journal.spent_under(&"grant_1".parse().unwrap(), prod);
    assert_eq!(under, MicroRho(3));
}

/// A call that is dropped, cancelled or refused after its debit has spent it; its unit it gets back.
#[test]
fn what_is_debited_is_never_refunded() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let debited = debit(&journal, &terms("grant_1"), cost(3)).await;
        assert!(debited.is_ok());
        assert_eq!(spent(&journal), 3);
        assert_eq!(journal.usage(&"grant_1".parse().unwrap(), START).total, 0);

        // Cancelled at its first wait: it was admitted, and its record comes. It waits for a mirror that says nothing, so
        // that it does wait, however fast the disk is.
        let patient = Terms {
            audit: AuditTerms::Mirrored {
                wait_ms_max: 60_000,
            },
            ..terms("grant_2")
        };
        world.cosign_newest(&journal);
        let call = permitted(2, &patient);
        let mut charge = journal.reserve(call.permit()).unwrap();
        {
            let mut debiting = pin!(journal.debit(&mut charge, cost(4)));
            let mut context = Context::from_waker(Waker::noop());
            assert!(matches!(
                debiting.as_mut().poll(&mut context),
                Poll::Pending
            ));
        }
        assert_eq!(spent(&journal), 7);
        // Such a call is neither debited again nor recorded as answered.
        let again = journal.debit(&mut charge, cost(1)).await;
        assert_eq!(again, Err(ErrorCode::Internal));
        let recorded = journal.record(evaluated(call), charge).await;
        assert!(matches!(recorded, Err(AppendFailed::Undebited)));
        assert_eq!(spent(&journal), 7);

        // Nothing is left for the second grant's next, and whether its own limit or the space's is not told.
        let refused = debit(&journal, &terms("grant_2"), cost(4)).await;
        assert_eq!(refused, Err(ErrorCode::PrivacyBudgetExhausted));
    });
    journal.close();
    let journal = world.open().unwrap();
    assert_eq!(spent(&journal), 7, "the restart counts the same");
}

#[test]
fn nothing_is_spent_by_a_debit_that_is_none() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let wrong = [
            DpCharge {
                rho: MicroRho(0),
                ..cost(1)
            },
            DpCharge {
                space: "Person".to_owned(),
                ..cost(1)
            },
            DpCharge {
                space: String::new(),
                ..cost(1)
            },
        ];
        for cost in wrong {
            let refused = debit(&journal, &terms("grant_1"), cost).await;
            assert_eq!(refused, Err(ErrorCode::Internal));
        }
        // A grant without a limit of its own allows nothing.
        let none = Terms {
            rho: None,
            ..terms("grant_1")
        };
        let refused = debit(&journal, &none, cost(1)).await;
        assert_eq!(refused, Err(ErrorCode::PrivacyBudgetExhausted));
        // After data was touched it is too late.
        let call = permitted(1, &terms("grant_1"));
        let mut charge = journal.reserve(call.permit()).unwrap();
        charge.touch();
        let late = journal.debit(&mut charge, cost(1)).await;
        assert_eq!(late, Err(ErrorCode::Internal));
    });
    assert_eq!((spent(&journal), journal.size()), (0, 0));
}

#[test]
fn an_unopened_or_closed_journal_spends_nothing() {
    let world = World::new();
    let journal = world.ready();
    let call = permitted(1, &terms("grant_1"));
    let mut charge = journal.reserve(call.permit()).unwrap();
    let handle = journal.clone();
    journal.close();
    let refused = block_on(handle.debit(&mut charge, cost(1)));
    assert_eq!(refused, Err(ErrorCode::AuditUnavailable));
    assert_eq!(spent(&handle), 0);
}

/// Where the unit asks for it, the mirror has the debit before anything is evaluated.
#[test]
fn a_mirrored_debit_waits_for_the_mirror() {
    let world = World::new();
    let journal = world.ready();
    let mirrored = Terms {
        audit: AuditTerms::Mirrored {
            wait_ms_max: 60_000,
        },
        ..terms("grant_1")
    };
    block_on(async {
        let call = permitted(1, &mirrored);
        let mut charge = journal.reserve(call.permit()).unwrap();
        let debited = {
            let mut debiting = pin!(journal.debit(&mut charge, cost(3)));
            // Driven until its record is durable; it still waits.
            while journal.size() == 0 {
                let mut context = Context::from_waker(Waker::noop());
                assert!(debiting.as_mut().poll(&mut context).is_pending());
                tokio::task::yield_now().await;
            }
            let mut context = Context::from_waker(Waker::noop());
            assert!(debiting.as_mut().poll(&mut context).is_pending());
            world.cosign_newest(&journal);
            debiting.await
        };
        assert_eq!(debited.map(|debited| debited.index()), Ok(0));
    });
    // A mirror that does not come costs the budget all the same: nobody can prove that nothing was learned.
    let late = Terms {
        audit: MIRRORED,
        ..mirrored
    };
    let refused = block_on(debit(&journal, &late, cost(2)));
    assert_eq!(refused, Err(ErrorCode::AuditUnavailable));
    assert_eq!(spent(&journal), 5);
}

/// A mirror that falls silent costs one debit, however often is tried: a well-meaning client retries.
#[test]
fn a_silent_mirror_costs_one_debit() {
    let world = World::new();
    let journal = world.ready();
    let mirrored = Terms {
        audit: MIRRORED,
        ..terms("grant_1")
    };
    let unavailable = || {
        let refused = block_on(debit(&journal, &mirrored, cost(2)));
        assert_eq!(refused, Err(ErrorCode::AuditUnavailable));
        (spent(&journal), journal.size())
    };
    for _ in 0..5 {
        assert_eq!(unavailable(), (2, 1));
    }
    // As many at once cost no more.
    world.cosign_newest(&journal);
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let (journal, mirrored) = (journal.clone(), mirrored.clone());
            tasks.spawn(async move { debit(&journal, &mirrored, cost(2)).await });
        }
        let told = tasks.join_all().await;
        assert!(
            told.iter()
                .all(|one| *one == Err(ErrorCode::AuditUnavailable))
        );
    });
    assert_eq!((spent(&journal), journal.size()), (4, 2));
}

/// One attempt: which grant asks for how much, and whether the disk fails under it.
#[derive(Clone, Debug)]
struct Attempt {
    asked: Vec<(u8, u64, bool)>,
    fault: Option<Fault>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let asked = proptest::collection::vec((0..2_u8, 1..5_u64, any::<bool>()), 1..6);
    let fault = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Fault::Before)),
        1 => Just(Some(Fault::AfterPersisting)),
        1 => Just(Some(Fault::Cached)),
        1 => Just(Some(Fault::Full)),
        1 => (0..1_600_usize).prop_map(|len| Some(Fault::Torn(len))),
        1 => proptest::collection::vec(any::<bool>(), 1..6).prop_map(|bits| Some(Fault::Sectors(bits))),
    ];
    (asked, fault).prop_map(|(asked, fault)| Attempt { asked, fault })
}

/// All at one time, each in a task of its own; gives what was told to have been spent, by grant and whether stored.
async fn all_at_once(journal: &Journal, asked: &[(u8, u64, bool)]) -> Vec<(u8, u64, bool)> {
    let mut tasks = tokio::task::JoinSet::new();
    for (grant, rho, from_store) in asked.iter().copied() {
        let journal = journal.clone();
        tasks.spawn(async move {
            let name = ["grant_0", "grant_1"][usize::from(grant)];
            let cost = DpCharge {
                from_store,
                ..cost(rho)
            };
            let told = debit(&journal, &terms(name), cost).await.is_ok();
            told.then_some((grant, rho, from_store))
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Debits at the same time, over crashes at any durable step: what was told is on record, what is on record stays,
    /// and neither the space nor a grant is ever overspent.
    #[test]
    fn never_overspent_and_never_refunded_over_crashes(
        attempts in proptest::collection::vec(attempt(), 1..8),
    ) {
        let world = World::new();
        let mut told: Vec<(u8, u64, bool)> = Vec::new();
        let mut recorded_before = 0;
        for Attempt { asked, fault } in attempts {
            let journal = world.open().unwrap();
            prop_assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
            prop_assert!(spent(&journal) >= recorded_before, "refunded by a restart");
            if let Some(fault) = fault {
                world.disk.plan(0, fault);
            }
            told.extend(block_on(all_at_once(&journal, &asked)));
            drop(journal);
            world.disk.lose_power();
            // If every debit was refused, nothing was written that could fail.
            world.disk.plan(u64::MAX, Fault::Before);

            let journal = world.open().unwrap();
            let recorded = spent(&journal);
            let of_space: u64 = told.iter().filter(|(.., stored)| !stored).map(|(_, rho, _)| rho).sum();
            prop_assert!(of_space <= recorded, "told {of_space}, recorded {recorded}");
            prop_assert!((recorded_before..=SPACE_LIMIT).contains(&recorded));
            recorded_before = recorded;
            let mut of_grants = BTreeMap::new();
            for (grant, rho, _) in &told {
                *of_grants.entry(*grant).or_insert(0) += rho;
            }
            for grant in 0..2_u8 {
                let id = format!("grant_{grant}").parse().unwrap();
                let recorded = journal.spent_under(&id, Environment::Prod).0;
                let told = of_grants.get(&grant).copied().unwrap_or(0);
                prop_assert!((told..=7).contains(&recorded), "told {told}, recorded {recorded}");
            }
            drop(journal);
        }
    }
}
