use std::collections::BTreeSet;

use super::*;

const KINDS: [GrantKind; 2] = [GrantKind::Catalog, GrantKind::Scenario];

/// How far a state is along the path; the only steps back are the supplement and the renewal.
fn place(state: State) -> u8 {
    match state {
        State::Returned => 0,
        State::Submitted => 1,
        State::InitialReview => 2,
        State::ComplianceReview => 3,
        State::Agreement => 4,
        State::Signing => 5,
        State::Filed => 6,
        State::Renewing => 7,
        State::Lapsed | State::Rejected | State::Terminated | State::Withdrawn => 8,
    }
}

#[test]
fn no_row_goes_back_but_the_supplement_and_the_end_of_a_renewal() {
    for row in TABLE {
        let Some(from) = row.from else { continue };
        let back = place(row.to) < place(from);
        let known = (from, row.to) == (State::Submitted, State::Returned)
            || (from, row.to) == (State::Renewing, State::Filed);
        assert_eq!(back, known, "{from} {} {}", row.action, row.to);
    }
}

/// no act but those of the table, in any state, for any kind.
#[test]
fn at_most_one_row_fits_and_ends_are_ends() {
    let states = State::ALL.iter().copied().map(Some).chain([None]);
    for from in states {
        for kind in KINDS {
            let mut acts = BTreeSet::new();
            for action in Action::ALL {
                let fitting = TABLE.iter().filter(|row| {
                    row.from == from
                        && row.action == *action
                        && row.kind.is_none_or(|only| only == kind)
                });
                let count = fitting.count();
                assert!(count <= 1, "{from:?} {action}");
                if count == 1 {
                    acts.insert(*action);
                }
                assert_eq!(transition(from, *action, kind).is_some(), count == 1);
            }
            let over = matches!(
                from,
                Some(State::Lapsed | State::Rejected | State::Terminated | State::Withdrawn)
            );
            assert_eq!(acts.is_empty(), over, "{from:?}");
        }
    }
}

/// Nobody but the applicant takes an application back, nobody but the agency files, and what is filed is not withdrawn.
#[test]
fn each_act_has_one_actor() {
    for row in TABLE {
        let actor = match row.action {
            Action::Apply | Action::Withdraw => Actor::Applicant,
            Action::Opine => Actor::Reviewer,
            Action::Sign => Actor::Signer,
            Action::Accept
            | Action::File
            | Action::Pass
            | Action::Propose
            | Action::Reject
            | Action::Return
            | Action::Terminate => Actor::Agency,
        };
        assert_eq!(row.actor, actor, "{}", row.action);
    }
    for kind in KINDS {
        assert!(transition(Some(State::Filed), Action::Withdraw, kind).is_none());
        assert!(transition(Some(State::Filed), Action::Reject, kind).is_none());
    }
}

#[test]
fn words_read_back() {
    for state in State::ALL {
        assert_eq!(state.as_str().parse(), Ok(*state));
    }
    for action in Action::ALL {
        assert_eq!(action.as_str().parse(), Ok(*action));
    }
    for stance in Stance::ALL {
        assert_eq!(stance.as_str().parse(), Ok(*stance));
    }
    assert!("filed".parse::<State>().is_err());
}
