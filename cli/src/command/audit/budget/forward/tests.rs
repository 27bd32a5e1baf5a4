use lingqu_core::record::{Draft, Field, Kind};
use lingqu_policy::MicroRho;
use lingqu_testkit::HandWritten;

use super::super::Budget;
use super::*;
use crate::command::audit::links::tests::{Desk, NEXT, OLD, order, run};

fn debit(grant: &str, rho: u64) -> Draft {
    let mut draft = Draft::new(Kind::Debit);
    draft.clear = draft
        .clear
        .text(Field::Grant, grant)
        .text(Field::Environment, "PROD")
        .text(Field::Action, "debit")
        .text(Field::BudgetSpace, "person")
        .number(Field::RhoMicro, rho);
    draft
}

fn call(grant: &str, units: u64) -> Draft {
    let mut draft = Draft::new(Kind::Call);
    draft.clear = draft
        .clear
        .text(Field::Grant, grant)
        .text(Field::Environment, "PROD")
        .number(Field::Units, units);
    draft
}

/// The first stream, not ended yet, and what it adds up to if it ends with the next record.
fn spent() -> (HandWritten, Forward) {
    let mut old = HandWritten::new(OLD, 1, "c.example/mirror");
    old.push(debit("grant_1", 50_000));
    old.push(call("grant_1", 3));
    let mut refold = Refold::<Intl>::new(OLD);
    for entry in &old.entries {
        refold.take(entry).unwrap();
    }
    let forward = Forward {
        time: old.time,
        ..refold.balances()
    };
    (old, forward)
}

/// Both streams, the first ending with one claim and the second beginning with another.
fn streams(ends: &Forward, begins: &Forward) -> (HandWritten, HandWritten) {
    let (mut old, _) = spent();
    let mut next = old.next(NEXT, 2);
    old.end(&order(&next), &next, &ends.encode());
    next.begin(&old, &begins.encode());
    next.push(debit("grant_1", 25_000));
    (old, next)
}

fn budget(archives: Vec<PathBuf>) -> (u8, String, String) {
    let command = Budget { archives };
    run(|session| command.run(session))
}

fn of(desk: &Desk, name: &str, streams: &[&HandWritten]) -> Vec<PathBuf> {
    let dir = desk.archive(name, streams);
    let dirs = streams.iter().map(|stream| dir.join(&stream.origin));
    dirs.collect()
}

#[test]
fn sums_begin_with_what_was_brought_forward() {
    let (_, forward) = spent();
    let (old, next) = streams(&forward, &forward);
    let desk = Desk::new();
    let (code, out, notes) = budget(of(&desk, "next", &[&next]));
    assert_eq!(code, 0, "{notes}");
    let brought =
        "space person (production data): 0.075 ρ in 1 debits, 0.05 ρ of it brought forward";
    assert!(out.contains(brought), "{out}");
    // With both, in whatever order, everything is a debit, and the balances are compared.
    let mut both = of(&desk, "both", &[&old, &next]);
    both.reverse();
    let (code, out, notes) = budget(both);
    assert_eq!(code, 0, "{notes}");
    assert!(out.contains("0.075 ρ in 2 debits\n"), "{out}");
    assert!(out.contains("exactly what its records add up to"), "{out}");
}

/// A node that forgets what was spent when its stream ends, at either side of the end.
#[test]
fn what_is_not_brought_forward_is_found() {
    let (_, forward) = spent();
    let mut fewer_units = forward.clone();
    fewer_units.grants[0].total = 1;
    let mut less_budget = forward.clone();
    less_budget.spaces[0].rho = MicroRho(1);
    let mut no_grant = forward.clone();
    no_grant.budgets.clear();
    for (less, what) in [
        (fewer_units, "units of grants"),
        (less_budget, "budgets of spaces"),
        (no_grant, "budgets of grants"),
    ] {
        let desk = Desk::new();
        let (old, next) = streams(&less, &less);
        let both = of(&desk, "both", &[&old, &next]);
        let command = Budget {
            archives: both.clone(),
        };
        let failed = {
            let (mut out, mut notes) = (Vec::new(), Vec::new());
            let language = crate::language::Language::En;
            command.run(&mut Session::new(&mut out, &mut notes, language))
        };
        let Err(Failure::CheckFailed { en, .. }) = failed else {
            panic!("{failed:?}")
        };
        assert!(en.contains(what), "{en}");
        // The first alone shows that its end commits to something else.
        assert_eq!(budget(both[..1].to_vec()).0, 1);
    }
}

#[test]
fn archives_that_do_not_follow_each_other_add_up_to_nothing() {
    let (_, forward) = spent();
    let (old, _) = streams(&forward, &forward);
    let mut alone = old.next(NEXT, 2);
    alone.push(debit("grant_1", 25_000));
    let desk = Desk::new();
    assert_eq!(budget(of(&desk, "two", &[&old, &alone])).0, 2);
}
