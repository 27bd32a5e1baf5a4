//! An honest analyst is served: questions over the demo's flights and TPC-H, against the bare engine.
//!
//! Questions of one set are open together over one register, as the products of a node are. The tests of a running
//! network ask the same questions of the same tables, and read `question.rs`, `registers.rs` and `oracle.rs` for it.

mod oracle;
mod question;
mod registers;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use super::register::{block_on, limits, register_with};
use crate::engine::Tables;
use crate::{Engine, StatisticProduct, TableRules, Template};
use oracle::{Oracle, Told};
use question::{Question, questions};

/// One register: what the guard is told of it, and what the bare engine says.
struct Register {
    rules: Vec<TableRules>,
    tables: Tables,
    oracle: Oracle,
}

impl Register {
    fn new(tables: Vec<registers::Table>) -> Register {
        let oracle = Oracle::new(tables);
        let rules = oracle.tables().iter().map(|table| TableRules {
            name: table.name.to_owned(),
            schema: table.batches[0].schema(),
            policy: Arc::new(table.policy.clone()),
        });
        let rows = oracle.tables().iter().map(|table| {
            let schema = table.batches[0].schema();
            let rows = MemTable::try_new(schema, vec![table.batches.clone()]).unwrap();
            let rows: Arc<dyn TableProvider> = Arc::new(rows);
            (table.name.to_owned(), rows)
        });
        Register {
            rules: rules.collect(),
            tables: rows.collect(),
            oracle,
        }
    }

    fn template(&self, question: &Question) -> Template {
        register_with(question.sql, Vec::new(), &self.rules)
            .unwrap_or_else(|refused| panic!("{}: {refused}", question.sql))
    }

    /// Opens the questions together and holds each answer against the bare engine.
    async fn ask(&self, engine: &Engine, questions: &[(&Question, Template)]) -> Vec<Told> {
        let products = { questions.iter() }
            .map(|(question, template)| StatisticProduct {
                name: question.sql.to_owned(),
                template: template.clone(),
            })
            .collect();
        let built = engine.partition(products, self.tables.clone(), None).await;
        let partition = Arc::new(built.unwrap());
        let mut told = Vec::new();
        for (question, template) in questions {
            let report = partition.report();
            assert!(partition.is_open(template), "{}: {report:?}", question.sql);
            let bound = template.bind(&[]).unwrap();
            let place = engine.enter().unwrap();
            let answer = engine.answer(place, Arc::clone(&partition), bound).await;
            told.push(self.oracle.check(question, &answer.unwrap()).await);
        }
        told
    }
}

fn registers() -> BTreeMap<&'static str, Register> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/data");
    let flights = block_on(registers::flights(&data));
    BTreeMap::from([
        ("flights", Register::new(flights)),
        ("tpch", Register::new(registers::tpch())),
    ])
}

#[test]
fn every_honest_question_is_answered() {
    let engine = Engine::new(limits()).unwrap();
    let registers = registers();
    let questions = questions();
    let mut sets: BTreeMap<_, Vec<&Question>> = BTreeMap::new();
    for question in &questions {
        let set = (question.register, question.table(), question.set);
        sets.entry(set).or_default().push(question);
    }
    let mut whole = Told::default();
    for ((register, ..), questions) in &sets {
        let register = &registers[register];
        let questions: Vec<(&Question, Template)> = { questions.iter() }
            .map(|question| (*question, register.template(question)))
            .collect();
        for told in block_on(register.ask(&engine, &questions)) {
            whole.shown += told.shown;
            whole.hidden += told.hidden;
        }
    }
    // The register has groups of both kinds, or nothing would have been shown about suppression.
    assert!(questions.len() >= 100, "{}", questions.len());
    assert!(whole.shown > 300 && whole.hidden > 10, "{whole:?}");
}
