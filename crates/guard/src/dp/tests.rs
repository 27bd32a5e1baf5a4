//! Statistics with noise over the small register of flights: what is limited, what is released, what is refused; and
//! whether an auditor who only sees answers finds more than is claimed.

mod accounting;
mod audit;
mod limits;
mod refused;
mod sampler;
mod tail;

use std::sync::Arc;

use lingqu_policy::{DpBudget, MicroRho, Policy};
use rand_0_10::SeedableRng;
use rand_0_10::rngs::StdRng;

use super::plan::Plan;
use super::{DpProduct, DpTemplate, DpTerms};
use crate::TableRules;
use crate::engine::{Engine, Tables};
use crate::rule::TemplateRefused;
use crate::tests::register::{
    AIRPORTS, Flight, airports, batch, block_on, flights_policy, limits as usual, rules_under,
    table, terms as release,
};
use crate::value::{Parameter, TemplateSource, Value};

/// Aircraft by airline: each flies for one of them or for several.
pub(super) const BY_CARRIER: &str = "SELECT carrier, count(distinct tailnum) AS aircraft, \
    count(*) AS flights, sum(distance) AS miles, avg(delay) AS late FROM flights GROUP BY carrier";

pub(super) fn policy() -> Policy {
    let policy = flights_policy().with_release(release(10));
    policy
        .with_space("tailnum", "aircraft")
        .unwrap()
        .with_dp(budget())
}

pub(super) fn budget() -> DpBudget {
    DpBudget::new(MicroRho(2_000_000), 6).unwrap()
}

pub(super) fn rules() -> Vec<TableRules> {
    rules_under(policy())
}

/// ρ = 1/2, one group and two rows per aircraft.
pub(super) fn terms() -> DpTerms {
    DpTerms {
        rho: MicroRho(500_000),
        groups_per_entity_max: 1,
        rows_per_entity_max: 2,
        clamps: Vec::new(),
    }
}

pub(super) fn register_with(
    sql: &str,
    parameters: Vec<Parameter>,
    terms: &DpTerms,
    rules: &[TableRules],
) -> Result<DpTemplate, TemplateRefused> {
    let source = TemplateSource {
        sql: sql.to_owned(),
        parameters,
    };
    block_on(DpTemplate::register(&source, terms, rules, &usual()))
}

pub(super) fn register(sql: &str, terms: &DpTerms) -> DpTemplate {
    register_with(sql, Vec::new(), terms, &rules()).unwrap()
}

pub(super) fn tables(flights: &[Flight]) -> Tables {
    let flights: Arc<dyn datafusion::catalog::TableProvider> = table(batch(flights));
    let airports: Arc<dyn datafusion::catalog::TableProvider> = table(airports(&AIRPORTS));
    Tables::from([
        ("flights".to_owned(), flights),
        ("airports".to_owned(), airports),
    ])
}

pub(super) fn engine() -> Engine {
    Engine::new(usual()).unwrap()
}

pub(super) fn open(engine: &Engine, template: &DpTemplate, flights: &[Flight]) -> DpProduct {
    block_on(engine.open_dp(template, tables(flights))).unwrap()
}

/// What the limited entities add up to, without noise.
pub(super) fn totals(product: &DpProduct, args: &[(String, Value)]) -> Vec<i128> {
    let bound = product.template().bind(args).unwrap();
    product.totals(&bound.bound).unwrap()
}

pub(super) fn plan(template: &DpTemplate) -> &Plan {
    &template.0.plan
}

/// Randomness that is the same in every run, so that no test fails by chance.
pub(super) fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}
