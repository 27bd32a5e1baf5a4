//! What the products compute.

use lingqu_core::product::{
    Definition, DpTerms, Feature, FieldRule, Model, ModelOutput, Parameter, ParameterValues,
    Statistic, Verification,
};
use lingqu_policy::MicroRho;

use super::Which;

/// The scorecard of income stability, as the agency had it reviewed.
pub const SCORECARD: &[u8] = include_bytes!("../../data/income_stability.scorecard.json");
/// Where the bins of ages begin and end.
pub const AGE_EDGES: [i64; 6] = [16, 25, 35, 45, 55, 65];
/// Airports that flights depart from.
pub const ORIGINS: [&str; 3] = ["EWR", "JFK", "LGA"];
/// Districts and counties of the city, by division code.
pub const REGIONS: [&str; 7] = [
    "459201", "459202", "459203", "459221", "459222", "459223", "459281",
];

/// What an answer of the product with noise costs: σ = 5 persons.
pub const NOISY_RHO: MicroRho = MicroRho(20_000);

type Rule = (&'static str, &'static str, &'static str);

fn rules(rules: &[Rule]) -> Vec<FieldRule> {
    rules
        .iter()
        .map(|(name, column, comparator)| FieldRule {
            name: (*name).to_owned(),
            column: (*column).to_owned(),
            comparator: (*comparator).to_owned(),
            thresholds: Vec::new(),
        })
        .collect()
}

/// The definition of a product.
pub(super) fn of(which: Which) -> Definition {
    match which {
        Which::ContribMonths => Definition::Verification(Verification {
            key: rules(&[("id_no", "id_no", "folded")]),
            compared: rules(&[("name", "name", "folded")])
                .into_iter()
                // A bank asks whether somebody has contributed for half a year, one or two: not for how long exactly.
                .chain([FieldRule {
                    name: "months".to_owned(),
                    column: "contribution_months".to_owned(),
                    comparator: "at_least".to_owned(),
                    thresholds: vec![6, 12, 24],
                }])
                .collect(),
        }),
        Which::Contributions => Definition::Statistic(contributions()),
        Which::Delays => Definition::Statistic(delays()),
        Which::Flight => Definition::Verification(Verification {
            key: rules(&[
                ("year", "year", "integer"),
                ("month", "month", "integer"),
                ("day", "day", "integer"),
                ("carrier", "carrier", "folded"),
                ("flight", "flight", "integer"),
                ("origin", "origin", "folded"),
            ]),
            compared: rules(&[
                ("tail_number", "tailnum", "folded"),
                ("destination", "dest", "folded"),
            ]),
        }),
        Which::IncomeStability => Definition::Model(income_stability()),
        Which::PersonsNoisy => Definition::Statistic(persons_noisy()),
        Which::Plane => Definition::Verification(Verification {
            key: rules(&[("tail_number", "tailnum", "folded")]),
            compared: rules(&[
                ("manufacturer", "manufacturer", "folded"),
                ("model", "model", "folded"),
                ("year", "year", "integer"),
            ]),
        }),
    }
}

/// The class comes from the scorecard's own cut-offs. Whoever is not in the register is told the lowest class, so that
/// nobody learns who is. The name belongs to the key: with a number alone, any other class would tell that whoever has it
/// is insured here, and numbers can be counted through. A wrong name is as unknown as a wrong number.
fn income_stability() -> Model {
    let feature = |name: &str, column: &str| Feature {
        name: name.to_owned(),
        column: column.to_owned(),
    };
    Model {
        key: rules(&[("id_no", "id_no", "folded"), ("name", "name", "folded")]),
        features: vec![
            feature("contribution_months_24", "contribution_months"),
            feature("employers_count", "employers"),
            feature("average_contribution_base", "average_base"),
        ],
        format: "scorecard".to_owned(),
        model: SCORECARD.to_vec(),
        output: ModelOutput::Classes {
            cutoffs: Vec::new(),
            lowest: String::new(),
            unknown: "C".to_owned(),
        },
        reasons_max: 0,
    }
}

fn parameter(name: &str, allowed: ParameterValues, edges: bool) -> Parameter {
    Parameter {
        name: name.to_owned(),
        allowed,
        edges,
    }
}

fn texts(values: &[&str]) -> ParameterValues {
    ParameterValues::Texts(values.iter().map(|value| (*value).to_owned()).collect())
}

/// `region`, `age_from`, `age_below`.
pub fn contributions_parameters() -> Vec<Parameter> {
    vec![
        parameter("region", texts(&REGIONS), false),
        parameter(
            "age_from",
            ParameterValues::Integers(AGE_EDGES.into()),
            true,
        ),
        parameter(
            "age_below",
            ParameterValues::Integers(AGE_EDGES.into()),
            true,
        ),
    ]
}

fn contributions() -> Statistic {
    Statistic {
        sql: "SELECT industry.name_zh, industry.name_en, count(*) AS persons, \
              avg(insured_person.average_base) AS average_base \
              FROM insured_person JOIN industry ON insured_person.industry = industry.code \
              WHERE insured_person.region = $region AND insured_person.age >= $age_from \
              AND insured_person.age < $age_below \
              GROUP BY industry.name_zh, industry.name_en ORDER BY name_en"
            .to_owned(),
        parameters: contributions_parameters(),
        dimensions: vec!["industry".to_owned()],
        dp: None,
    }
}

/// One count in each of 21 groups, and everybody is in one of them: σ = √(1/(2·0.02)) = 5.
fn persons_noisy() -> Statistic {
    Statistic {
        sql: "SELECT industry, count(*) AS persons FROM insured_person \
              WHERE region = $region AND age >= $age_from AND age < $age_below GROUP BY industry"
            .to_owned(),
        parameters: contributions_parameters(),
        dimensions: Vec::new(),
        dp: Some(DpTerms {
            rho: NOISY_RHO,
            groups_per_entity_max: 1,
            rows_per_entity_max: 1,
            clamps: Vec::new(),
        }),
    }
}

/// `origin`, `month`.
pub fn delays_parameters() -> Vec<Parameter> {
    vec![
        parameter("origin", texts(&ORIGINS), false),
        parameter(
            "month",
            ParameterValues::Integers((1..=12).collect()),
            false,
        ),
    ]
}

fn delays() -> Statistic {
    Statistic {
        sql: "SELECT airlines.name, count(*) AS flights, count(distinct flights.tailnum) AS aircraft, \
              avg(flights.arr_delay) AS average_delay \
              FROM flights JOIN airlines ON flights.carrier = airlines.carrier \
              WHERE flights.origin = $origin AND flights.month = $month \
              GROUP BY airlines.name ORDER BY name"
            .to_owned(),
        parameters: delays_parameters(),
        dimensions: vec!["airlines".to_owned()],
        dp: None,
    }
}
