use lingqu_core::product::Statistic;

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
