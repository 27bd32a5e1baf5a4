use super::*;
use crate::tests::register::*;
use crate::{ParameterKind, Value};

fn lines(told: &Explanation) -> Vec<String> {
    let sentences = told.sentences.iter();
    sentences
        .map(|s| format!("{} {}", s.topic.as_str(), s.en))
        .collect()
}

#[test]
fn topics_are_listed_in_the_order_of_their_words() {
    assert!(Topic::ALL.is_sorted_by_key(|topic| topic.as_str()));
}

#[test]
fn a_bound_statement_says_what_it_would_take() {
    let allowed = Allowed::Values(vec![text("AA"), text("UA")]);
    let parameters = vec![parameter("carrier", ParameterKind::Text, allowed)];
    let sql = "SELECT month, count(*) AS n, avg(distance) AS miles FROM flights \
               WHERE carrier = $carrier AND flown >= '2013-02-01' GROUP BY month";
    let template = register_with(sql, parameters, &rules()).unwrap();
    let whole = lines(&template.explain());
    let takes: Vec<&String> = whole.iter().filter(|l| l.starts_with("takes")).collect();
    assert_eq!(
        takes,
        [
            "takes takes only rows whose `carrier` equals `$carrier`",
            "takes takes only rows whose `flown` is not below `2013-02-01`"
        ]
    );
    let choice = "parameter parameter `carrier` is one of 2 declared values";
    assert!(whole.contains(&choice.to_owned()), "{whole:?}");
    let bound = template
        .bind(&[("carrier".to_owned(), text("UA"))])
        .unwrap();
    let whole = lines(&bound.explain());
    let takes = "takes takes only rows whose `carrier` equals `UA`";
    assert!(whole.contains(&takes.to_owned()), "{whole:?}");
    assert!(!whole.iter().any(|line| line.starts_with("parameter")));
}

#[test]
fn what_decides_together_is_told_together() {
    let sql = "SELECT count(*) AS n, 100 * count(*) / sum(count(*)) OVER (PARTITION BY month ORDER BY carrier DESC) AS x, \
               month, carrier FROM flights \
               WHERE (carrier = 'AA' OR NOT (month BETWEEN 1 AND 3 OR flown < '2013-02-01')) AND origin = 'EWR' \
               GROUP BY month, carrier";
    let told = register(sql).unwrap().explain();
    let takes: Vec<&str> = told.about(Topic::Takes).map(|s| s.en.as_str()).collect();
    let wanted = [
        "takes only rows whose `origin` equals `EWR`",
        "takes only rows of which `carrier` equals `AA` or (`month` has a value that is not from `1` to `3` and \
         `flown` is not below `2013-02-01`)",
    ];
    assert_eq!(takes, wanted);
    let releases: Vec<&str> = told.about(Topic::Releases).map(|s| s.en.as_str()).collect();
    let window = "releases `x`: `((100 * count(*)) / sum(count(*)) OVER (PARTITION BY month ORDER BY carrier DESC))`, \
                  computed from released figures; NULL where one is kept back";
    assert!(releases.contains(&window), "{releases:?}");
    assert!(
        releases.iter().any(|line| line.contains("passed over")),
        "{releases:?}"
    );
}

#[test]
fn every_term_is_told_as_the_policy_states_it() {
    let terms = lingqu_policy::Release::new(17, 43, 9, 100)
        .and_then(|terms| terms.with_p_percent(21))
        .and_then(|terms| terms.with_homogeneity_percent_max(77))
        .and_then(|terms| terms.with_withheld_percent_max(33))
        .unwrap();
    let policy = flights_policy().with_release(terms);
    let policy = policy.with_sensitive("carrier").unwrap();
    let rules = rules_under(policy);
    let sql = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier";
    let told = register_with(sql, Vec::new(), &rules).unwrap().explain();
    for sentences in [
        told.about(Topic::Rule).map(|s| &s.en).collect::<Vec<_>>(),
        told.about(Topic::Rule).map(|s| &s.zh).collect(),
    ] {
        for number in ["17", "43", "21", "77", "33", "9", "4"] {
            assert!(
                sentences.iter().any(|text| text.contains(number)),
                "{number}: {sentences:?}"
            );
        }
    }
}

/// The same words whatever lies in the tables: an explanation is made where no table is.
#[test]
fn neither_rows_nor_the_engines_plan_are_in_an_explanation() {
    let sql = "SELECT a.state, count(distinct f.tailnum) AS planes, sum(f.distance) AS miles \
               FROM flights f JOIN airports a ON f.origin = a.faa WHERE f.carrier = 'UA' GROUP BY a.state";
    let template = register(sql).unwrap();
    let told = format!(
        "{:?} {:?}",
        template.explain(),
        template.bind(&[]).unwrap().explain()
    );
    for word in [
        CANARY,
        "TableScan",
        "Aggregate:",
        "Projection",
        "rows=",
        "Min=",
        "Max=",
        "statistics",
    ] {
        assert!(!told.contains(word), "{word}: {told}");
    }
}

#[test]
fn a_refusal_says_what_would_be_allowed() {
    for (sql, code, subject) in [
        (
            "SELECT pilot, count(*) AS n FROM flights GROUP BY pilot",
            "GROUP_USE",
            "pilot",
        ),
        (
            "SELECT max(distance) AS m FROM flights",
            "AGGREGATE_FORM",
            "",
        ),
    ] {
        let refused = register(sql).unwrap_err();
        let told = refused.explain();
        let [why, change] = told.sentences.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!((why.topic, change.topic), (Topic::Refused, Topic::Change));
        assert!(
            why.en.starts_with(code) && why.zh.starts_with(code),
            "{why:?}"
        );
        assert!(
            why.en.contains(subject) && why.zh.contains(subject),
            "{why:?}"
        );
        assert_eq!(change.en, refused.rule().instead_en());
        assert_eq!(change.zh, refused.rule().instead_zh());
    }
}

/// A caller's own words come back as they were declared, and nothing that was not.
#[test]
fn an_argument_that_nobody_declared_is_not_echoed() {
    let allowed = Allowed::Values(vec![text("AA")]);
    let parameters = vec![parameter("carrier", ParameterKind::Text, allowed)];
    let sql = "SELECT count(*) AS n FROM flights WHERE carrier = $carrier";
    let template = register_with(sql, parameters, &rules()).unwrap();
    let odd = Value::Text("' OR 1=1 --".to_owned());
    assert!(template.bind(&[("carrier".to_owned(), odd)]).is_err());
}
