//! The declaration decides: without a term, an entity, a domain or a use there is no statistic.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use lingqu_policy::{AuditTerms, Domain, Policy, Preset, Release, Use, UseSet};

use super::register::*;
use crate::{GuardLimits, TableRules, Template, TemplateSource};

const COUNT: &str = "SELECT count(*) AS n FROM flights";

fn code(sql: &str, rules: &[TableRules]) -> &'static str {
    register_with(sql, Vec::new(), rules)
        .map(|_| ())
        .unwrap_err()
        .code()
}

#[test]
fn without_release_terms_there_is_no_statistic() {
    assert_eq!(code(COUNT, &rules_under(flights_policy())), "RELEASE_TERMS");
}

/// One table `t` with an entity `id` and a column `x`.
fn small(id: DataType, x: DataType, uses: UseSet, domain: Option<Domain>) -> Vec<TableRules> {
    let columns = [
        ("id".to_owned(), Preset::Entity.uses()),
        ("x".to_owned(), uses),
    ];
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let policy = Policy::new(columns, [], audit, 1).unwrap();
    let policy = match domain {
        Some(domain) => policy.with_domain("x", domain).unwrap(),
        None => policy,
    };
    vec![TableRules {
        name: "t".to_owned(),
        schema: Arc::new(Schema::new(vec![
            Field::new("id", id, true),
            Field::new("x", x, true),
        ])),
        policy: Arc::new(policy.with_release(terms(10))),
    }]
}

fn uses(wanted: &[Use]) -> UseSet {
    wanted.iter().copied().collect()
}

#[test]
fn a_protected_table_has_exactly_one_entity() {
    let sql = "SELECT count(*) AS n FROM t";
    let group = uses(&[Use::Group]);
    let two = small(DataType::Utf8, DataType::Utf8, uses(&[Use::Entity]), None);
    assert_eq!(code(sql, &two), "ENTITY_RULE");
    let float = small(DataType::Float64, DataType::Utf8, group, None);
    assert_eq!(code(sql, &float), "ENTITY_RULE");
    assert!(
        register_with(
            sql,
            Vec::new(),
            &small(DataType::Utf8View, DataType::Utf8, group, None)
        )
        .is_ok()
    );
    let mut none = small(DataType::Utf8, DataType::Utf8, group, None);
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let policy = Policy::new([("x".to_owned(), group)], [], audit, 1).unwrap();
    none[0].policy = Arc::new(policy.with_release(terms(10)));
    assert_eq!(
        code("SELECT x, count(*) AS n FROM t GROUP BY x", &none),
        "ENTITY_RULE"
    );
    // A public column is public, not the entity.
    let shown = small(DataType::Utf8, DataType::Utf8, Preset::Public.uses(), None);
    assert!(register_with(sql, Vec::new(), &shown).is_ok());
    assert_eq!(
        code("SELECT count(distinct x) AS n FROM t", &shown),
        "AGGREGATE_USE"
    );
}

#[test]
fn the_entity_is_neither_grouped_nor_filtered_nor_aggregated_even_where_the_policy_says_so() {
    let mut rules = small(DataType::Utf8, DataType::Utf8, UseSet::FORBIDDEN, None);
    let every = uses(&[Use::Aggregate, Use::Entity, Use::Filter, Use::Group]);
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let policy = Policy::new([("id".to_owned(), every)], [], audit, 1)
        .and_then(|policy| policy.with_domain("id", texts(&["a", "b"])))
        .unwrap();
    rules[0].policy = Arc::new(policy.with_release(terms(10)));
    assert_eq!(
        code("SELECT id, count(*) AS n FROM t GROUP BY id", &rules),
        "GROUP_USE"
    );
    assert_eq!(
        code("SELECT count(*) AS n FROM t WHERE id = 'a'", &rules),
        "FILTER_USE"
    );
    assert_eq!(
        code("SELECT count(id) AS n FROM t", &rules),
        "AGGREGATE_USE"
    );
    rules.push(super::register::rules().remove(1));
    let joined = "SELECT state, count(*) AS n FROM t JOIN airports ON id = faa GROUP BY state";
    assert_eq!(code(joined, &rules), "JOIN_KEY");
}

#[test]
fn a_domain_fits_its_column() {
    let group = uses(&[Use::Group, Use::Filter, Use::Aggregate]);
    let by_x = "SELECT x, count(*) AS n FROM t GROUP BY x";
    let sum = "SELECT sum(x) AS n FROM t";
    let numbers = Domain::integers(vec![1, 2]).unwrap();
    let bounds = Domain::bounds(0, 9).unwrap();
    let of = |data_type: DataType, domain: Option<Domain>| {
        small(DataType::Utf8, data_type, group, domain)
    };
    assert_eq!(code(by_x, &of(DataType::Utf8, None)), "DOMAIN_MISSING");
    assert_eq!(
        code(by_x, &of(DataType::Utf8, Some(numbers.clone()))),
        "TYPE_UNFIT"
    );
    assert_eq!(
        code(by_x, &of(DataType::UInt64, Some(numbers.clone()))),
        "TYPE_UNFIT"
    );
    assert_eq!(
        code(by_x, &of(DataType::Int32, Some(bounds.clone()))),
        "DOMAIN_MISSING"
    );
    assert_eq!(
        code(by_x, &of(DataType::Utf8, Some(months()))),
        "TYPE_UNFIT"
    );
    assert_eq!(code(sum, &of(DataType::Int64, None)), "DOMAIN_MISSING");
    assert_eq!(
        code(sum, &of(DataType::Int64, Some(numbers))),
        "DOMAIN_MISSING"
    );
    for (unfit, rule) in [
        (DataType::Utf8, "COLUMN_UNKNOWN"),
        (DataType::Boolean, "COLUMN_UNKNOWN"),
        (DataType::UInt64, "TYPE_UNFIT"),
        (DataType::Decimal128(10, 7), "TYPE_UNFIT"),
        (DataType::Decimal256(40, 2), "TYPE_UNFIT"),
    ] {
        assert_eq!(
            code(sum, &of(unfit.clone(), Some(bounds.clone()))),
            rule,
            "{unfit}"
        );
    }
    for fit in [
        DataType::Int8,
        DataType::UInt32,
        DataType::Float32,
        DataType::Decimal128(10, 2),
    ] {
        assert!(register_with(sum, Vec::new(), &of(fit, Some(bounds.clone()))).is_ok());
    }
}

#[test]
fn the_number_of_groups_and_the_size_follow_from_the_declaration() {
    let by_three =
        "SELECT carrier, month, origin, count(*) AS n FROM flights GROUP BY carrier, month, origin";
    // 4 × 13 × 4 cells, each column with one for everything else.
    let under = |groups_max| {
        let release = Release::new(10, 50, 1, groups_max).unwrap();
        rules_under(flights_policy().with_release(release))
    };
    assert!(register_with(by_three, Vec::new(), &under(208)).is_ok());
    assert_eq!(code(by_three, &under(207)), "GROUPS_MANY");
    let with = |limits: GuardLimits| {
        let source = TemplateSource {
            sql: by_three.to_owned(),
            parameters: Vec::new(),
        };
        block_on(Template::register(&source, &rules(), &limits))
            .map(|_| ())
            .unwrap_err()
            .code()
    };
    assert_eq!(
        with(GuardLimits {
            rows_out_max: 207,
            ..limits()
        }),
        "GROUPS_MANY"
    );
    assert_eq!(
        with(GuardLimits {
            result_bytes_max: 208 * 40,
            ..limits()
        }),
        "RESULT_LARGE"
    );
}

#[test]
fn table_names_are_plain_and_stand_once() {
    let renamed = |name: &str| {
        let mut rules = rules();
        rules[1].name = name.to_owned();
        rules
    };
    for name in ["flights", "", "Airports", "a b", "a.b", "机场", "1a"] {
        assert_eq!(code(COUNT, &renamed(name)), "TABLE_RULES", "{name}");
    }
}

#[test]
fn a_table_with_an_entity_is_never_a_public_one() {
    let mut rules = rules();
    let public = Preset::Public.uses();
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let columns = [
        ("faa", public),
        ("state", public),
        ("altitude", Preset::Entity.uses()),
    ];
    let columns = columns.map(|(name, uses)| (name.to_owned(), uses));
    let policy = Policy::new(columns, [], audit, 1).unwrap();
    rules[1].policy = Arc::new(policy);
    let sql = "SELECT count(*) AS n FROM flights JOIN airports ON origin = faa";
    assert_eq!(code(sql, &rules), "PROTECTED_TABLE");
}

#[test]
fn only_listed_functions_are_answered() {
    use lingqu_policy::Function;
    let count = terms(10).with_functions([Function::Count].into_iter().collect());
    let rules = rules_under(flights_policy().with_release(count));
    assert!(register_with(COUNT, Vec::new(), &rules).is_ok());
    for figure in ["sum(distance)", "avg(distance)", "count(distinct tailnum)"] {
        let sql = format!("SELECT {figure} AS f FROM flights");
        assert_eq!(code(&sql, &rules), "FUNCTION_USE", "{figure}");
    }
}

/// The flights beside a table of aircraft, whose ids are from these spaces.
fn with_aircraft(
    flights: Option<&str>,
    aircraft: Option<&str>,
    least: Option<u32>,
) -> Vec<TableRules> {
    let spaced = |policy: Policy, column: &str, space: Option<&str>| match space {
        Some(space) => policy.with_space(column, space).unwrap(),
        None => policy,
    };
    let flights = spaced(flights_policy(), "tailnum", flights).with_release(terms(10));
    let mut rules = rules_under(flights);
    let columns = [
        // Open for everything that an entity may never be put to.
        (
            "id".to_owned(),
            uses(&[Use::Entity, Use::Filter, Use::Group, Use::Aggregate]),
        ),
        ("engine".to_owned(), uses(&[Use::Filter, Use::Group])),
    ];
    let audit = AuditTerms::Mirrored { wait_ms_max: 1 };
    let policy = Policy::new(columns, [], audit, 1).unwrap();
    let policy = policy
        .with_domain("engine", texts(&["jet", "prop"]))
        .unwrap();
    let policy = policy.with_domain("id", texts(&["N1", "N2"])).unwrap();
    let policy = spaced(policy, "id", aircraft);
    rules.push(TableRules {
        name: "aircraft".to_owned(),
        schema: Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, true),
            Field::new("engine", DataType::Utf8, true),
        ])),
        policy: Arc::new(match least {
            Some(least) => policy.with_release(terms(least)),
            None => policy,
        }),
    });
    rules
}

#[test]
fn protected_tables_are_joined_on_the_entity_of_one_space() {
    let by_engine =
        "SELECT engine, count(*) AS n FROM flights JOIN aircraft ON tailnum = id GROUP BY engine";
    let aircraft = Some("aircraft");
    let same = with_aircraft(aircraft, aircraft, Some(10));
    assert!(register_with(by_engine, Vec::new(), &same).is_ok());
    for (one, two) in [(aircraft, Some("ship")), (None, None), (aircraft, None)] {
        let rules = with_aircraft(one, two, Some(10));
        assert_eq!(
            code(by_engine, &rules),
            "PROTECTED_TABLE",
            "{one:?} {two:?}"
        );
    }
    // Both units must have opened statistics.
    let rules = with_aircraft(aircraft, aircraft, None);
    assert_eq!(code(by_engine, &rules), "RELEASE_TERMS");
    for (sql, wanted) in [
        (
            "SELECT count(*) AS n FROM flights JOIN aircraft ON carrier = engine",
            "PROTECTED_TABLE",
        ),
        (
            "SELECT count(*) AS n FROM flights JOIN aircraft ON tailnum = engine",
            "PROTECTED_TABLE",
        ),
        (
            "SELECT count(*) AS n FROM flights JOIN aircraft ON tailnum = id WHERE id = 'N1'",
            "FILTER_USE",
        ),
        (
            "SELECT id, count(*) AS n FROM flights JOIN aircraft ON tailnum = id GROUP BY id",
            "GROUP_USE",
        ),
        (
            "SELECT count(distinct id) AS n FROM flights JOIN aircraft ON tailnum = id",
            "AGGREGATE_USE",
        ),
        (
            "SELECT count(id) AS n FROM flights JOIN aircraft ON tailnum = id",
            "AGGREGATE_USE",
        ),
        (
            "SELECT count(*) AS n FROM aircraft LEFT JOIN flights ON id = tailnum WHERE id = 'N1'",
            "FILTER_USE",
        ),
    ] {
        assert_eq!(code(sql, &same), wanted, "{sql}");
    }
}

#[test]
fn a_statistic_over_two_tables_is_under_the_stricter_terms() {
    let sql = "SELECT engine, count(*) AS n FROM flights LEFT JOIN aircraft ON tailnum = id GROUP BY engine";
    let rules = with_aircraft(Some("aircraft"), Some("aircraft"), Some(20));
    let template = register_with(sql, Vec::new(), &rules).unwrap();
    let flights: Vec<Flight> = (0..35).map(flight).collect();
    let engine = engine(&flights);
    let ids = (0..50).map(|tail| Some(format!("N{tail}")));
    let engines = (0..50).map(|tail| Some(if tail < 20 { "jet" } else { "prop" }));
    let batch = arrow_array::RecordBatch::try_new(
        Arc::clone(&rules[2].schema),
        vec![
            Arc::new(ids.collect::<arrow_array::StringArray>()),
            Arc::new(engines.collect::<arrow_array::StringArray>()),
        ],
    );
    engine.put_table("aircraft", table(batch.unwrap()));
    // Fifteen would be enough for the flights alone.
    let shown = rows(&[run_template(&template, &engine, &[]).unwrap()]);
    assert_eq!(shown, [["jet", "20"]]);
}
