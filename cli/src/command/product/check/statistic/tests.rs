use lingqu_core::product::{Clamp, DpTerms, Statistic};
use lingqu_policy::{DpBudget, MicroRho};

use super::*;
use crate::document;

fn policy() -> SignedPolicy {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/policy.toml");
    document::read(&path).unwrap()
}

fn product(sql: &str, dimensions: &[&str]) -> Product {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/product.toml");
    let sample: Product = document::read(&path).unwrap();
    Product {
        definition: Definition::Statistic(Statistic {
            sql: sql.to_owned(),
            parameters: Vec::new(),
            dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
            dp: None,
        }),
        ..sample
    }
}

fn told(sql: &str, dimensions: &[&str]) -> (Result<(), Failure>, String) {
    let mut told = Explanation::default();
    let checked = check(&product(sql, dimensions), &[policy()], None, &mut told);
    (checked, format!("{told:?}"))
}

#[test]
fn a_statistic_that_the_policies_allow_is_explained_without_any_data() {
    let sql = "SELECT engine, count(*) AS n, avg(seats) AS seats FROM planes GROUP BY engine";
    let (checked, told) = told(sql, &[]);
    checked.unwrap();
    for part in [
        "releases: releases `seats`: average of `seats`, each value brought into 0 to 500",
        "fewer than 10 entities",
        "发布",
        "taken to be those of their domains",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// The sample's engines are grouped, its aircraft are of the space `aircraft`, and there is a budget.
#[test]
fn noise_and_its_price_are_told_without_any_data() {
    let mut product = product(
        "SELECT engine, count(*) AS n, avg(seats) AS seats FROM planes GROUP BY engine",
        &[],
    );
    let Definition::Statistic(statistic) = &mut product.definition else {
        panic!("it is a statistic")
    };
    statistic.dp = Some(DpTerms {
        rho: MicroRho(20_000),
        groups_per_entity_max: 1,
        rows_per_entity_max: 1,
        clamps: vec![Clamp {
            column: "seats".to_owned(),
            min: 0,
            max: 300,
        }],
    });
    let mut policy = policy();
    let mut told = Explanation::default();
    let refused = check(&product, &[policy.clone()], None, &mut told);
    assert!(
        refused.is_err() && format!("{told:?}").contains("PRIVACY_BUDGET"),
        "{told:?}"
    );

    let budget = DpBudget::new(MicroRho(500_000), 9).unwrap();
    policy.policy = (policy.policy.with_space("tailnum", "aircraft").unwrap()).with_dp(budget);
    let mut told = Explanation::default();
    check(&product, &[policy], None, &mut told).unwrap();
    let told = format!("{told:?}");
    // Three numbers in one group: σ = Δ·√(3/(2·0.02)), rounded up to four digits.
    for part in [
        "`count(*)` gets discrete Gaussian noise of standard deviation 8.661 in every group; one entity changes it by 1 at most",
        "`sum(seats)` gets discrete Gaussian noise of standard deviation 2599 in every group; one entity changes it by 300 at most",
        "all 3 declared groups are released",
        "costs ρ = 0.02 of the 0.5 that all callers together have for `aircraft`",
        "at δ = 10^-9 an answer by itself is ε = ",
        "离散高斯噪声",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(
        !told.contains("fewer than 10 entities is left out"),
        "{told}"
    );
}

#[test]
fn one_that_they_do_not_allow_is_told_what_to_change() {
    for (sql, rule, change) in [
        (
            "SELECT manufacturer, count(*) AS n FROM planes GROUP BY manufacturer",
            "GROUP_USE",
            "include `group`",
        ),
        (
            "SELECT tailnum FROM planes",
            "OUTPUT_FORM",
            "columns that stand in GROUP BY",
        ),
        ("SELECT count(*) AS n FROM owners", "COLUMN_UNKNOWN", ""),
    ] {
        let (checked, told) = told(sql, &[]);
        let failure = checked.unwrap_err();
        assert_eq!(
            failure.code(),
            lingqu_core::ErrorCode::ProductCannotRun,
            "{sql}"
        );
        assert!(told.contains("refused: "), "{told}");
        assert!(
            rule == "COLUMN_UNKNOWN" || told.contains(rule),
            "{rule}: {told}"
        );
        assert!(told.contains("change: ") && told.contains(change), "{told}");
    }
}

#[test]
fn a_missing_policy_is_named() {
    let sql = "SELECT count(*) AS n FROM planes";
    let (checked, told) = told(sql, &["airports"]);
    checked.unwrap();
    assert!(
        told.contains("the policy on `airports` is not given"),
        "{told}"
    );
}
