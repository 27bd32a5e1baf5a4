//! What is refused when a statistic with noise is registered.

use std::sync::Arc;

use lingqu_policy::MicroRho;

use super::{BY_CARRIER, budget, policy, register_with, rules, terms};
use crate::TableRules;
use crate::dp::{Clamp, DpTerms};
use crate::rule::Rule;
use crate::tests::register::{flights_policy, rules_under, schema, terms as release};

fn rule(sql: &str, terms: &DpTerms, rules: &[TableRules]) -> Rule {
    register_with(sql, Vec::new(), terms, rules)
        .unwrap_err()
        .rule()
}

#[test]
fn terms_outside_their_ranges_are_refused() {
    let wrong = |change: fn(&mut DpTerms)| {
        let mut terms = terms();
        change(&mut terms);
        rule(BY_CARRIER, &terms, &rules())
    };
    assert_eq!(wrong(|terms| terms.rho = MicroRho(0)), Rule::PrivacyTerms);
    assert_eq!(
        wrong(|terms| terms.rho = MicroRho(10_000_001)),
        Rule::PrivacyTerms
    );
    assert_eq!(
        wrong(|terms| terms.rho = MicroRho(u64::MAX)),
        Rule::PrivacyTerms
    );
    assert_eq!(
        wrong(|terms| terms.groups_per_entity_max = 0),
        Rule::PrivacyTerms
    );
    assert_eq!(
        wrong(|terms| terms.rows_per_entity_max = 0),
        Rule::PrivacyTerms
    );
    assert_eq!(
        wrong(|terms| terms.rows_per_entity_max = u32::MAX),
        Rule::PrivacyTerms
    );
}

#[test]
fn clamps_narrow_what_is_summed_and_nothing_else() {
    let with = |clamps: &[(&str, i64, i64)]| {
        let clamp = |(column, min, max): &(&str, i64, i64)| Clamp {
            column: (*column).to_owned(),
            min: *min,
            max: *max,
        };
        DpTerms {
            clamps: clamps.iter().map(clamp).collect(),
            ..terms()
        }
    };
    let accepted = [("distance", 0, 3_000), ("delay", -60, 120)];
    assert!(register_with(BY_CARRIER, Vec::new(), &with(&accepted), &rules()).is_ok());
    for clamps in [
        // Wider than declared, upside down, empty, twice, of what is not summed, of what is not there.
        &[("distance", -1, 3_000)][..],
        &[("distance", 0, 5_001)],
        &[("distance", 3_000, 0)],
        &[("distance", 7, 7)],
        &[("distance", 0, 3_000), ("distance", 0, 3_000)],
        &[("month", 1, 12)],
        &[("tailnum", 0, 1)],
        &[("nothing", 0, 1)],
    ] {
        let terms = with(clamps);
        assert_eq!(
            rule(BY_CARRIER, &terms, &rules()),
            Rule::PrivacyForm,
            "{clamps:?}"
        );
    }
}

#[test]
fn an_entity_without_a_space_has_no_account() {
    let unnamed = flights_policy().with_release(release(10)).with_dp(budget());
    let unnamed = rules_under(unnamed);
    assert_eq!(rule(BY_CARRIER, &terms(), &unnamed), Rule::PrivacyBudget);
    let without = flights_policy().with_release(release(10));
    let without = rules_under(without.with_space("tailnum", "aircraft").unwrap());
    assert_eq!(rule(BY_CARRIER, &terms(), &without), Rule::PrivacyBudget);
}

#[test]
fn every_gate_of_the_exact_statistics_stands_here_too() {
    for (sql, wanted) in [
        (
            "SELECT tailnum, count(*) AS n FROM flights GROUP BY tailnum",
            Rule::GroupUse,
        ),
        (
            "SELECT max(distance) AS n FROM flights",
            Rule::AggregateForm,
        ),
        (
            "SELECT count(*) AS n FROM flights WHERE tailnum = 'N1'",
            Rule::FilterUse,
        ),
        ("SELECT sum(month) AS n FROM flights", Rule::AggregateUse),
    ] {
        assert_eq!(rule(sql, &terms(), &rules()), wanted, "{sql}");
    }
    let without = rules_under(flights_policy().with_space("tailnum", "aircraft").unwrap());
    assert_eq!(rule(BY_CARRIER, &terms(), &without), Rule::ReleaseTerms);
}

/// All declared groups leave with all their figures: nothing above the Gate takes one away.
#[test]
fn nothing_is_computed_and_no_group_is_left_out() {
    for sql in [
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING count(*) > 0",
        "SELECT carrier, count(*) / 2 AS n FROM flights GROUP BY carrier",
    ] {
        assert_eq!(rule(sql, &terms(), &rules()), Rule::PrivacyForm, "{sql}");
    }
}

#[test]
fn a_second_protected_table_is_refused() {
    let mut tables = rules();
    tables.push(TableRules {
        name: "planes".to_owned(),
        schema: schema(),
        policy: Arc::new(policy()),
    });
    let sql = "SELECT planes.carrier, count(*) AS n FROM flights \
        JOIN planes ON flights.tailnum = planes.tailnum GROUP BY planes.carrier";
    assert_eq!(rule(sql, &terms(), &tables), Rule::PrivacyForm);
}

#[test]
fn more_numbers_than_an_answer_may_draw_are_refused() {
    // 4 × 13 × 4 × 4 groups are within every limit, and seven numbers each are too.
    let sql = "SELECT carrier, month, origin, flown, count(*) AS n, count(distinct tailnum) AS e, \
        count(distance) AS d, count(delay) AS l, sum(distance) AS s, avg(delay) AS a \
        FROM flights GROUP BY carrier, month, origin, flown";
    assert!(register_with(sql, Vec::new(), &terms(), &rules()).is_ok());
}
