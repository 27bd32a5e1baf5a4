//! What is refused when a statistic with noise is registered.

use std::sync::Arc;

use lingqu_policy::{Domain, MicroRho, Release};

use super::{BY_CARRIER, budget, policy, register_with, rules, terms};
use crate::TableRules;
use crate::dp::{Clamp, DpTerms};
use crate::rule::Rule;
use crate::template::Template;
use crate::tests::register::{
    block_on, flights_policy, flights_policy_of, limits as usual, rules_under, schema,
    terms as release,
};
use crate::value::TemplateSource;

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

/// What callers can do themselves with what they got is not done for them: its types and its NULLs would be others.
#[test]
fn what_computes_with_noisy_figures_is_refused() {
    for sql in [
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING count(*) > 20",
        "SELECT carrier, sum(distance) / count(*) AS n FROM flights GROUP BY carrier",
        "SELECT carrier, sum(count(*)) OVER () AS n FROM flights GROUP BY carrier",
        "SELECT carrier, rank() OVER (ORDER BY count(*)) AS n FROM flights GROUP BY carrier ORDER BY n",
    ] {
        let source = TemplateSource {
            sql: sql.to_owned(),
            parameters: Vec::new(),
        };
        let exact = block_on(Template::register(&source, &rules(), &usual()));
        assert!(exact.is_ok(), "{sql}");
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

/// An answer draws one number per group and figure, 40,000 at most, whatever else the limits allow.
#[test]
fn more_numbers_than_an_answer_may_draw_are_refused() {
    let refused = |months: i64, sql: &str| {
        let many = Release::new(10, 50, 1, 10_000).unwrap();
        let months = Domain::integers((1..=months).collect()).unwrap();
        let policy = flights_policy_of(months).with_release(many);
        let policy = policy.with_space("tailnum", "aircraft").unwrap();
        let rules = rules_under(policy.with_dp(budget()));
        let source = TemplateSource {
            sql: sql.to_owned(),
            parameters: Vec::new(),
        };
        // Groups and bytes are within the limits of exact statistics.
        let exact = block_on(Template::register(&source, &rules, &usual()));
        assert!(exact.is_ok(), "{:?}", exact.err());
        let noisy = register_with(sql, Vec::new(), &terms(), &rules);
        noisy.map(|_| ()).map_err(|refused| refused.rule())
    };
    // 4 × 4 × 4 times as many groups as months and one more, with five numbers each.
    let five = "SELECT carrier, month, origin, flown, count(*) AS n, count(distinct tailnum) AS e, \
        count(distance) AS d, sum(distance) AS s, count(delay) AS l \
        FROM flights GROUP BY carrier, month, origin, flown";
    assert_eq!(refused(124, five), Ok(()), "40,000");
    assert_eq!(refused(125, five), Err(Rule::GroupsMany), "40,320");
    // An average draws a sum and a count; what two figures share is drawn once.
    let six = five.replace("count(delay)", "avg(delay)");
    assert_eq!(refused(103, &six), Ok(()), "39,936");
    assert_eq!(refused(104, &six), Err(Rule::GroupsMany), "40,320");
    let shared = five.replace("count(delay)", "avg(distance)");
    assert_eq!(refused(103, &shared), Ok(()));
}
