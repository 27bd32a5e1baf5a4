//! What the units allow on each column. A column that does not stand here is forbidden.

use lingqu_policy::{Domain, DpBudget, MicroRho, Release, Use};

use super::definitions::{AGE_EDGES, NOISY_RHO, ORIGINS, REGIONS};
use crate::register::transport::AIRLINES;
use crate::register::{AGE_BANDS, INDUSTRIES};

/// One column.
pub(super) struct Rule {
    pub(super) column: &'static str,
    pub(super) uses: &'static [Use],
    pub(super) domain: Option<Domain>,
}

const LINK: &[Use] = &[Use::Link];
const VERIFY: &[Use] = &[Use::Verify];
const LINK_VERIFY: &[Use] = &[Use::Link, Use::Verify];
const MODEL: &[Use] = &[Use::Model];
const ENTITY_LINK: &[Use] = &[Use::Entity, Use::Link];
const ENTITY_VERIFY: &[Use] = &[Use::Entity, Use::Verify];
const DIMENSION: &[Use] = &[Use::Group, Use::Filter];
const DIMENSION_LINK: &[Use] = &[Use::Group, Use::Filter, Use::Link];
const MEASURE: &[Use] = &[Use::Aggregate];
const MEASURE_MODEL: &[Use] = &[Use::Aggregate, Use::Model];
const VERIFY_MODEL: &[Use] = &[Use::Verify, Use::Model];

fn plain(column: &'static str, uses: &'static [Use]) -> Rule {
    Rule {
        column,
        uses,
        domain: None,
    }
}

fn within(column: &'static str, uses: &'static [Use], domain: Domain) -> Rule {
    Rule {
        column,
        uses,
        domain: Some(domain),
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Domain {
    let mut values: Vec<String> = values.into_iter().map(str::to_owned).collect();
    values.sort_unstable();
    Domain::texts(values).expect("the story's lists are short and distinct")
}

fn bounds(least: i64, largest: i64) -> Domain {
    Domain::bounds(least, largest).expect("the story's bounds ascend")
}

/// The rules of a resource.
pub(super) fn of(resource: &str) -> Vec<Rule> {
    match resource {
        "planes" => planes(),
        "flights" => flights(),
        "airlines" => vec![
            plain("carrier", &Use::ALL),
            within(
                "name",
                &Use::ALL,
                texts(AIRLINES.iter().map(|airline| airline.1)),
            ),
        ],
        "insured_person" => insured_person(),
        "industry" => vec![
            plain("code", &Use::ALL),
            within(
                "name_zh",
                &Use::ALL,
                texts(INDUSTRIES.iter().map(|i| i.name_zh)),
            ),
            within(
                "name_en",
                &Use::ALL,
                texts(INDUSTRIES.iter().map(|i| i.name_en)),
            ),
        ],
        _ => Vec::new(),
    }
}

/// Under which terms statistics on a resource may leave: groups of ten, counts rounded to fives. A person has one row,
/// but an aircraft flies in many months: without rounding, numbers of aircraft would tell how many fly in two.
pub(super) fn release(resource: &str) -> Option<Release> {
    let round_to = match resource {
        "flights" | "insured_person" => 5,
        _ => return None,
    };
    let terms = Release::new(10, Release::DOMINANCE_PERCENT_USUAL, round_to, 1_000);
    Some(terms.expect("the story's terms are valid"))
}

/// What may be learned of the entities of a resource by answers with noise, for ever: its entity column, the space of its
/// ids, and the budget. Five answers of the story's one such product.
pub(super) fn budget(resource: &str) -> Option<(&'static str, &'static str, DpBudget)> {
    let budget = DpBudget::new(MicroRho(5 * NOISY_RHO.0), 6);
    match resource {
        "insured_person" => Some(("id_no", "person", budget.expect("the budget is in range"))),
        _ => None,
    }
}

fn planes() -> Vec<Rule> {
    vec![
        plain("tailnum", LINK),
        plain("manufacturer", VERIFY),
        plain("model", VERIFY),
        plain("year", VERIFY),
    ]
}

/// The entity is the aircraft: a group is as large as the number of its aircraft, not of its flights.
fn flights() -> Vec<Rule> {
    let months = Domain::integers((1..=12).collect()).expect("twelve months ascend");
    vec![
        plain("year", LINK),
        within("month", DIMENSION_LINK, months),
        plain("day", LINK),
        within(
            "carrier",
            DIMENSION_LINK,
            texts(AIRLINES.iter().map(|airline| airline.0)),
        ),
        plain("flight", LINK),
        within("origin", DIMENSION_LINK, texts(ORIGINS)),
        plain("tailnum", ENTITY_VERIFY),
        plain("dest", VERIFY),
        within("arr_delay", MEASURE, bounds(-90, 600)),
        within("dep_delay", MEASURE, bounds(-60, 600)),
    ]
}

/// Sex, birth date, employer and the length of gaps stand in the register and may be put to nothing.
fn insured_person() -> Vec<Rule> {
    let ages = Domain::integer_bins(AGE_EDGES.into()).expect("edges ascend");
    vec![
        plain("id_no", ENTITY_LINK),
        // A verification compares it, the model's key has it.
        plain("name", LINK_VERIFY),
        within("age", DIMENSION, ages),
        within("age_band", DIMENSION, texts(AGE_BANDS)),
        within("region", DIMENSION, texts(REGIONS)),
        within(
            "industry",
            DIMENSION,
            texts(INDUSTRIES.iter().map(|industry| industry.code)),
        ),
        plain("contribution_months", VERIFY_MODEL),
        plain("employers", MODEL),
        within("average_base", MEASURE_MODEL, bounds(4_000, 21_000)),
    ]
}
