//! Coalescing, through the whole journal: what is counted is what was refused.

use std::collections::BTreeMap;
use std::time::Duration;

use lingqu_core::call::Call;
use lingqu_core::record::{Field, Kind, Record};
use lingqu_tlog::Intl;

use super::super::world::*;
use super::super::{Journal, Outcome, Unrecorded};
use super::*;

/// Every record of the log.
fn records(journal: &Journal) -> Vec<Record> {
    let mut records = Vec::new();
    block_on(async {
        while (records.len() as u64) < journal.size() {
            let batch = journal.next_batch(records.len() as u64).await.unwrap();
            let decoded = batch
                .entries
                .iter()
                .map(|entry| Record::decode::<Intl>(entry).unwrap());
            records.extend(decoded);
        }
    });
    records
}

/// Refusals on record, by party and code.
fn counts(journal: &Journal) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for record in records(journal)
        .iter()
        .filter(|record| record.draft.kind == Kind::Denials)
    {
        let clear = &record.draft.clear;
        let text = |field| clear.get_text(field).unwrap().to_owned();
        *counts
            .entry((text(Field::Caller), text(Field::Outcome)))
            .or_insert(0) += clear.get_number(Field::Count).unwrap();
    }
    counts
}

async fn deny(journal: &Journal, party: &str, code: ErrorCode) -> Outcome<u64> {
    journal.deny(denial(party, code)).await.into_outcome()
}

#[test]
fn a_thousand_refusals_are_a_few_records_and_all_are_counted() {
    let world = World::new();
    let journal = world.ready();
    let (expired, revoked) = (ErrorCode::GrantExpired, ErrorCode::GrantRevoked);
    block_on(async {
        for number in 0..1_000 {
            let party = if number % 4 == 0 {
                "party_b"
            } else {
                "party_a"
            };
            let code = if number % 2 == 0 { expired } else { revoked };
            assert_eq!(deny(&journal, party, code).await, Outcome::Denied(code));
            if number % 100 == 99 {
                world.clock.advance(Duration::from_secs(20));
                journal.flush_denials();
            }
        }
    });
    let kept = journal.clone();
    journal.close();
    // Four minutes, three combinations, at most two records each.
    assert!(kept.size() <= 24, "{} records", kept.size());
    let counts = counts(&kept);
    let count =
        |party: &str, code: ErrorCode| counts[&(party.to_owned(), code.as_str().to_owned())];
    assert_eq!(count("party_b", expired), 250);
    assert_eq!(count("party_a", expired), 250);
    assert_eq!(count("party_a", revoked), 500);
}

#[test]
fn refusals_at_one_time_share_one_record() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let all = (0..20).map(|_| deny(&journal, "party_a", ErrorCode::GrantExpired));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in all {
            let journal = journal.clone();
            tasks.spawn(async move { deny(&journal, "party_a", ErrorCode::GrantExpired).await });
        }
        while let Some(outcome) = tasks.join_next().await {
            assert_eq!(outcome.unwrap(), Outcome::Denied(ErrorCode::GrantExpired));
        }
    });
    assert_eq!(journal.size(), 1);
    let kept = journal.clone();
    journal.close();
    assert_eq!(kept.size(), 2);
    assert_eq!(counts(&kept).into_values().sum::<u64>(), 20);
}

#[test]
fn one_partys_inventions_do_not_use_up_everybodys_places() {
    let mut denials = Denials::new(64);
    let now = Timestamp(0);
    let invented = |number: usize| {
        let mut header = header(1, "party_a");
        header.asked.product = format!("u.p{number}").parse().unwrap();
        Call::received(header).deny(ErrorCode::ProductUnknown)
    };
    let mut senders = Vec::new();
    for number in 0..4 {
        match denials.note(&invented(number), now) {
            Noted::First(sender) => senders.push(sender),
            Noted::Counted(_) | Noted::Full => panic!("there is room"),
        }
    }
    assert!(matches!(denials.note(&invented(4), now), Noted::Full));
    assert!(matches!(denials.note(&invented(0), now), Noted::Counted(_)));
    let other = denial("party_b", ErrorCode::ProductUnknown);
    assert!(matches!(denials.note(&other, now), Noted::First(_)));
    // The next minute has room again, and the one that was counted is written.
    let later = now.plus(Duration::from_secs(60));
    assert_eq!(denials.take_finished(Some(later), 100).len(), 1);
    assert!(matches!(denials.note(&invented(4), later), Noted::First(_)));
}

#[test]
fn a_refusal_that_could_not_be_recorded_leaves_the_next_one_to_be_the_first() {
    let mut denials = Denials::new(64);
    let denial = denial("party_a", ErrorCode::GrantExpired);
    let first = denials.note(&denial, Timestamp(0));
    assert!(matches!(first, Noted::First(_)));
    drop(first);
    assert!(matches!(
        denials.note(&denial, Timestamp(0)),
        Noted::First(_)
    ));
}

#[test]
fn counts_are_taken_in_pieces_and_none_twice() {
    let mut denials = Denials::new(1_024);
    let mut senders = Vec::new();
    for party in ["party_a", "party_b", "party_c"] {
        let denial = denial(party, ErrorCode::GrantExpired);
        if let Noted::First(sender) = denials.note(&denial, Timestamp(0)) {
            sender.send_replace(true);
            senders.push(sender);
        }
        assert!(matches!(
            denials.note(&denial, Timestamp(0)),
            Noted::Counted(_)
        ));
    }
    assert_eq!(denials.take_finished(None, 2).len(), 2);
    assert_eq!(denials.take_finished(None, 2).len(), 1);
    assert_eq!(denials.take_finished(None, 2).len(), 0);
    assert!(denials.by_party.is_empty() && denials.kinds.is_empty());
}

#[test]
fn refusals_need_a_living_journal() {
    let world = World::new();
    let unavailable = Outcome::Unrecorded(ErrorCode::AuditUnavailable);
    let unready = world.open().unwrap();
    assert_eq!(
        block_on(deny(&unready, "party_a", ErrorCode::Stopped)),
        unavailable
    );
    drop(unready);
    let journal = world.ready();
    let kept = journal.clone();
    journal.close();
    assert_eq!(
        block_on(deny(&kept, "party_a", ErrorCode::Stopped)),
        unavailable
    );
    drop(kept);

    let journal = world.ready();
    world.disk.plan(0, crate::store::faulty::Fault::Before);
    assert_eq!(
        block_on(deny(&journal, "party_a", ErrorCode::Stopped)),
        unavailable
    );
    assert_eq!(
        super::super::Released::<u64>::unrecorded(Unrecorded::RateLimited).into_outcome(),
        Outcome::Unrecorded(ErrorCode::RateLimited)
    );
}

/// The caller must not find out by the time of the disk what it is not told: reasons that are told alike share the one
/// wait. Each has its own record.
#[test]
fn reasons_that_are_told_alike_wait_for_the_disk_once_and_are_recorded_apart() {
    let mut denials = Denials::new(64);
    let now = Timestamp(0);
    let of = |code| Call::received(header(1, "party_a")).deny(code);
    let (unknown, foreign) = (ErrorCode::GrantUnknown, ErrorCode::GrantPartyMismatch);
    let Noted::First(sender) = denials.note(&of(unknown), now) else {
        panic!("it is the first")
    };
    for code in [foreign, unknown, foreign] {
        assert!(matches!(denials.note(&of(code), now), Noted::Counted(_)));
    }
    sender.send_replace(true);
    let drafts = denials.take_finished(None, 1);
    let told: Vec<_> = drafts
        .iter()
        .map(|draft| {
            let clear = &draft.clear;
            let outcome = clear.get_text(Field::Outcome).unwrap().to_owned();
            (outcome, clear.get_number(Field::Count).unwrap())
        })
        .collect();
    let expected = [(foreign, 2), (unknown, 1)];
    assert_eq!(
        told,
        expected.map(|(code, count)| (code.to_string(), count))
    );
    assert!(denials.take_finished(None, 1).is_empty());
}

#[test]
fn a_grant_of_another_party_is_told_as_unknown_and_recorded_as_it_is() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        let told = deny(&journal, "party_a", ErrorCode::GrantPartyMismatch).await;
        assert_eq!(told, Outcome::Denied(ErrorCode::GrantUnknown));
        let told = deny(&journal, "party_a", ErrorCode::GrantUnknown).await;
        assert_eq!(told, Outcome::Denied(ErrorCode::GrantUnknown));
    });
    let kept = journal.clone();
    journal.close();
    let recorded = counts(&kept);
    for code in [ErrorCode::GrantPartyMismatch, ErrorCode::GrantUnknown] {
        assert_eq!(recorded[&("party_a".to_owned(), code.to_string())], 1);
    }
}

/// Who invents refusals is told to slow down. The operator is not called for it, as for a log that cannot be written.
#[test]
fn too_many_kinds_of_refusals_are_their_partys_own_doing() {
    let mut world = World::new();
    world.limits.denial_keys_max = 32;
    let journal = world.ready();
    let codes = [
        ErrorCode::GrantExpired,
        ErrorCode::GrantRevoked,
        ErrorCode::GrantUnknown,
    ];
    let [expired, revoked, unknown] = codes;
    block_on(async {
        for code in [expired, revoked] {
            assert_eq!(deny(&journal, "party_a", code).await, Outcome::Denied(code));
        }
        let limited = Outcome::Unrecorded(ErrorCode::RateLimited);
        assert_eq!(deny(&journal, "party_a", unknown).await, limited);
        // What is known already is still counted, and others have their own share.
        let again = deny(&journal, "party_a", expired).await;
        assert_eq!(again, Outcome::Denied(expired));
        let other = deny(&journal, "party_b", unknown).await;
        assert_eq!(other, Outcome::Denied(unknown));
    });
}
