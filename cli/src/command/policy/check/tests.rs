use lingqu_policy::{DpBudget, Preset, SubjectLimit};

use super::*;

fn told(functions: &[Function]) -> String {
    let terms = Release::new(10, Release::DOMINANCE_PERCENT_USUAL, 5, 100)
        .unwrap()
        .with_functions(functions.iter().copied().collect());
    let mut told = Explanation::default();
    release(terms, "id_no", &mut told);
    format!("{told:?}")
}

/// Who leaves sums out of the list means to keep them; averages would give them away.
#[test]
fn averages_without_sums_are_warned_of() {
    let warned = |functions: &[Function]| told(functions).contains("is the exact sum");
    assert!(warned(&[Function::Average, Function::Count]));
    assert!(warned(&[Function::Average]));
    assert!(!warned(&[
        Function::Average,
        Function::Count,
        Function::Sum
    ]));
    assert!(!warned(&[Function::Count, Function::Entities]));
}

/// What the budget means is said before anybody signs it, and that it cannot be used where it cannot.
#[test]
fn a_privacy_budget_is_explained_in_both_languages() {
    let plain = || {
        let uses = [("id_no".to_owned(), Preset::Entity.uses())];
        let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
        Policy::new(uses, [], audit, 60).unwrap()
    };
    let told = |policy: &Policy| {
        let mut told = Explanation::default();
        budget(policy, &mut told);
        format!("{told:?}")
    };
    assert!(told(&plain()).contains("no privacy budget"));
    let budget = DpBudget::new("0.5".parse().unwrap(), 9).unwrap();
    let unnamed = plain().with_dp(budget);
    assert!(told(&unnamed).contains("nothing can be spent"));
    let named = told(&unnamed.with_space("id_no", "person").unwrap());
    for part in ["0.5 ρ", "ε = 6.94", "10^-9", "永久有效", "不退还"] {
        assert!(named.contains(part), "{part}: {named}");
    }
}

#[test]
fn a_subject_limit_is_explained_with_what_it_gives_away() {
    let uses = [("id_no".to_owned(), Preset::LinkOnly.uses())];
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let plain = Policy::new(uses, [], audit, 60).unwrap();
    let told = |policy: &Policy| {
        let mut told = Explanation::default();
        subjects(policy, &mut told);
        format!("{told:?}")
    };
    assert!(told(&plain).contains("quotas alone"));
    let limit = SubjectLimit::new(10, 24).unwrap();
    let all = told(&plain.clone().with_subject_limit(limit));
    assert!(all.contains("at most 10") && all.contains("one caller alone"));
    let shared = limit.with_grant_calls_max(4).unwrap();
    let shared = told(&plain.with_subject_limit(shared));
    assert!(shared.contains("and 4 under one grant") && !shared.contains("one caller alone"));
    assert!(shared.contains("others have asked") && shared.contains("其他方"));
}
