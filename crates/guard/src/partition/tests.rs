//! Whole blocks, on small registers: what answers say, and what all of them together say.

pub(crate) mod differences;
mod loads;
mod products;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::catalog::TableProvider;

use super::*;
use crate::tests::register::*;
use crate::{Bound, Engine, Parameter, TableRules, Value};

fn product(
    name: &str,
    sql: &str,
    parameters: Vec<Parameter>,
    rules: &[TableRules],
) -> StatisticProduct {
    StatisticProduct {
        name: name.to_owned(),
        template: register_with(sql, parameters, rules).unwrap(),
    }
}

fn tables(flights: &[Flight]) -> HashMap<String, Arc<dyn TableProvider>> {
    let mut tables: HashMap<String, Arc<dyn TableProvider>> = HashMap::new();
    tables.insert("flights".to_owned(), table(batch(flights)));
    tables.insert("airports".to_owned(), table(airports(&AIRPORTS)));
    tables
}

/// One engine for all, since loads are compared under its key.
struct Bench {
    engine: Engine,
    rules: Vec<TableRules>,
}

impl Bench {
    fn new(rules: Vec<TableRules>) -> Bench {
        Bench {
            engine: Engine::new(limits()).unwrap(),
            rules,
        }
    }

    fn product(&self, name: &str, sql: &str) -> StatisticProduct {
        product(name, sql, Vec::new(), &self.rules)
    }

    fn open(
        &self,
        products: &[StatisticProduct],
        flights: &[Flight],
        before: Option<&Arc<Partition>>,
    ) -> Result<Arc<Partition>, PartitionRefused> {
        let opening = self
            .engine
            .partition(products.to_vec(), tables(flights), before.cloned());
        block_on(opening).map(Arc::new)
    }

    fn ask(&self, partition: &Arc<Partition>, bound: Bound) -> RecordBatch {
        let place = self.engine.enter().unwrap();
        block_on(self.engine.answer(place, Arc::clone(partition), bound)).unwrap()
    }

    fn rows(&self, partition: &Arc<Partition>, product: &StatisticProduct) -> Vec<Vec<String>> {
        rows(&[self.ask(partition, product.template.bind(&[]).unwrap())])
    }

    fn rows_for(
        &self,
        partition: &Arc<Partition>,
        product: &StatisticProduct,
        args: &[(&str, Value)],
    ) -> Vec<Vec<String>> {
        let args: Vec<(String, Value)> = args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        rows(&[self.ask(partition, product.template.bind(&args).unwrap())])
    }
}

/// Terms that open a product however much it leaves out, so that tests see what it leaves out.
fn lenient() -> lingqu_policy::Release {
    terms(10).with_withheld_percent_max(50).unwrap()
}

fn lenient_rules() -> Vec<TableRules> {
    rules_under(flights_policy().with_release(lenient()))
}

/// So many aircraft of a carrier, one flight each, numbered from `first`.
fn fleet(first: usize, count: usize, carrier: &'static str) -> impl Iterator<Item = Flight> {
    (first..first + count).map(move |tail| Flight {
        carrier,
        ..flight(tail)
    })
}
