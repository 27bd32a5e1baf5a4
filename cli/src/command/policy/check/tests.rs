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
