//! What must hold of every register, statement and argument, whatever they are.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::model::Model;
use super::statement::{Asked, Choice, Drawn, Figure};
use super::world::{DIGITS, Row, SECRET, World};
use crate::partition::tests::differences;
use crate::tests::register::{block_on, limits, rows};
use crate::{
    Engine, Partition, PartitionRefused, ReadFailed, RunFailed, StatisticProduct, Template, Value,
};

/// How often what was tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    registers: usize,
    accepted: usize,
    refused: usize,
    open: usize,
    closed: usize,
    answers: usize,
    groups: usize,
    suppressed: usize,
    exact: usize,
    loads: usize,
}

impl Counted {
    /// Whether every oracle has had something to judge.
    pub(super) fn is_broad(&self) -> bool {
        self.accepted > self.registers / 2
            && self.refused > 0
            && self.open > self.closed / 4
            && [self.groups, self.suppressed, self.answers]
                .into_iter()
                .all(|n| n > self.registers / 2)
            && self.exact > 0
            && self.loads > self.registers / 4
    }
}

/// A registered statement with what it asks.
struct Product {
    asked: Asked,
    template: Template,
}

type Shown = BTreeMap<Vec<String>, Vec<String>>;

/// One engine for all, since loads are compared under its key.
pub(super) struct Bench {
    engine: Engine,
    counted: RefCell<Counted>,
}

/// Nothing that is said anywhere has a value in it that must not be seen.
pub(super) fn clean(said: &str, about: &dyn Debug) {
    assert!(
        !said.contains(SECRET) && !said.contains(DIGITS),
        "{said} is told by {about:?}"
    );
}

/// A batch with its names and metadata.
pub(super) fn clean_batch(batch: &RecordBatch, about: &dyn Debug) {
    for row in rows(std::slice::from_ref(batch)) {
        clean(&row.join("|"), about);
    }
    clean(&format!("{:?}", batch.schema()), about);
    // A buffer may hold more than the array shows.
    for column in batch.columns() {
        for buffer in column.to_data().buffers() {
            let bytes = buffer.as_slice();
            assert!(
                !bytes
                    .windows(SECRET.len())
                    .any(|part| part == SECRET.as_bytes()),
                "a buffer of {about:?}"
            );
        }
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench {
            engine: Engine::new(limits()).unwrap(),
            counted: RefCell::default(),
        }
    }

    pub(super) fn counted(&self) -> Counted {
        self.counted.borrow().clone()
    }

    fn count(&self, what: impl Fn(&mut Counted)) {
        what(&mut self.counted.borrow_mut());
    }

    /// Registers the statements, opens them over the register, asks, changes the register by one entity, asks again.
    pub(super) fn attack(&self, world: &World, drawn: &[Drawn], choices: &[Choice], leaves: u8) {
        self.count(|counted| counted.registers += 1);
        let products: Vec<Product> = { drawn.iter() }
            .filter_map(|drawn| self.register(world, Asked::of(drawn, world)))
            .collect();
        if products.is_empty() {
            return;
        }
        let fewer: Vec<Row> = { world.rows.iter() }
            .filter(|row| row.entity != leaves)
            .cloned()
            .collect();
        let Some(partition) = self.open(world, &products, &world.rows, None) else {
            return;
        };
        let all = (world.rows.as_slice(), world.rows.as_slice());
        let before = self.ask_all(world, &products, &partition, all, choices);
        if let Some(alone) = self.open(world, &products, &fewer, None) {
            self.ask_all(world, &products, &alone, (&fewer, &fewer), choices);
        }
        if let Some(after) = self.open(world, &products, &fewer, Some(&partition)) {
            self.count(|counted| counted.loads += 1);
            // What waits is still of the load of before.
            let mixed = (world.rows.as_slice(), fewer.as_slice());
            let after = self.ask_all(world, &products, &after, mixed, choices);
            differ_by_many(&before, &after);
        }
        self.run_alone(world, &products, &fewer, choices);
    }

    fn register(&self, world: &World, asked: Asked) -> Option<Product> {
        let source = asked.source(world);
        match block_on(Template::register(&source, &world.rules(), &limits())) {
            Ok(template) => {
                self.count(|counted| counted.accepted += 1);
                for told in template.explain().sentences {
                    clean(&told.en, &source.sql);
                    clean(&told.zh, &source.sql);
                }
                clean(&format!("{template:?}"), &source.sql);
                allowed(world, &asked);
                Some(Product { asked, template })
            }
            Err(refused) => {
                self.count(|counted| counted.refused += 1);
                clean(
                    &format!("{refused} {} {refused:?}", refused.zh()),
                    &source.sql,
                );
                None
            }
        }
    }

    fn open(
        &self,
        world: &World,
        products: &[Product],
        rows: &[Row],
        before: Option<&Arc<Partition>>,
    ) -> Option<Arc<Partition>> {
        let named = products
            .iter()
            .enumerate()
            .map(|(at, product)| StatisticProduct {
                name: format!("product {at}"),
                template: product.template.clone(),
            });
        let tables = world.tables(rows);
        let built = block_on(
            self.engine
                .partition(named.collect(), tables, before.cloned()),
        );
        let joins = products.iter().any(|product| product.asked.reads_places());
        match built {
            Ok(partition) => {
                assert!(
                    !(world.twice && joins),
                    "a key that stands twice was joined"
                );
                let report = partition.report();
                clean(&format!("{report:?} {partition:?}"), &"the report");
                let max = world.terms().withheld_percent_max();
                assert!(report.open.iter().all(|open| open.withheld_percent <= max));
                self.count(|counted| {
                    counted.open += report.open.len();
                    counted.closed += report.refused.len();
                });
                for product in products.iter().filter(|p| partition.is_open(&p.template)) {
                    entities_are_blurred(world, product, rows);
                }
                Some(Arc::new(partition))
            }
            Err(refused) => {
                clean(&format!("{refused} {refused:?}"), &"a partition");
                let twice = matches!(&refused, PartitionRefused::Read(ReadFailed::KeyTwice(_)));
                assert!(twice && world.twice, "{refused}");
                None
            }
        }
    }

    /// Asks everything; returns what every shown figure counts. The answers are about no more than the first rows, and
    /// where nothing was merged or waits, about exactly the second.
    fn ask_all(
        &self,
        world: &World,
        products: &[Product],
        partition: &Arc<Partition>,
        (most, exact): (&[Row], &[Row]),
        choices: &[Choice],
    ) -> Vec<differences::Named> {
        let mut counts = Vec::new();
        for (number, product) in products.iter().enumerate() {
            if !partition.is_open(&product.template) {
                let bound = product
                    .template
                    .bind(&product.asked.arguments(world, &choices[0]));
                assert_eq!(self.answer(partition, bound.unwrap()), Err(RunFailed));
                continue;
            }
            undeclared(world, product, &choices[0]);
            for (at, choice) in choices.iter().enumerate() {
                let arguments = product.asked.arguments(world, choice);
                let bound = || product.template.bind(&arguments).unwrap();
                for told in bound().explain().sentences {
                    clean(&format!("{} {}", told.en, told.zh), &product.asked);
                }
                let batch = self.answer(partition, bound()).unwrap();
                clean_batch(&batch, &product.asked);
                let shown = by_group(&batch, &product.asked);
                let model = Model::new(world, most, &product.asked, choice);
                self.judge(world, product, &shown, &model);
                if differences::is_whole(partition) {
                    self.count(|counted| counted.exact += 1);
                    let model = Model::new(world, exact, &product.asked, choice);
                    assert_eq!(shown, model.answer(&product.asked), "{:?}", product.asked);
                }
                for named in differences::counted_by(partition, &bound()) {
                    counts.push(named.labelled(&format!("{number}/{at}")));
                }
            }
        }
        let kinds: std::collections::BTreeSet<&str> =
            counts.iter().map(|n| n.kind.as_str()).collect();
        for kind in kinds {
            let same = counts.iter().filter(|named| named.kind == kind);
            let all: Vec<&differences::Counted> = same.map(|named| &named.counted).collect();
            differences::no_pair_is_small(&all);
        }
        counts
    }

    fn answer(
        &self,
        partition: &Arc<Partition>,
        bound: crate::Bound,
    ) -> Result<RecordBatch, RunFailed> {
        clean(&format!("{bound:?}"), &"a bound template");
        let place = self.engine.enter().unwrap();
        block_on(self.engine.answer(place, Arc::clone(partition), bound))
    }

    /// Whatever the cells are: a group that is shown has enough entities, and a figure never more than there is.
    fn judge(&self, world: &World, product: &Product, shown: &Shown, model: &Model<'_>) {
        let least = world.group_min as usize;
        let hidden = model
            .groups
            .keys()
            .filter(|group| !shown.contains_key(*group))
            .count();
        self.count(|counted| {
            counted.answers += 1;
            counted.groups += shown.len();
            counted.suppressed += hidden;
        });
        for (group, figures) in shown {
            let entities = model.entities(group);
            assert!(
                entities >= least,
                "{group:?} of {entities}: {:?}",
                product.asked
            );
            for (figure, shown) in product.asked.figures.iter().zip(figures) {
                let all = model.total(group, *figure);
                let (Some(all), Ok(shown)) = (all, shown.parse::<i128>()) else {
                    continue;
                };
                assert_eq!(shown % i128::from(world.round_to), 0, "{:?}", product.asked);
                assert!(
                    shown <= all + i128::from(world.round_to),
                    "{:?}",
                    product.asked
                );
            }
        }
    }

    /// The same statements as plans of the engine, each by itself: exactly what the model says.
    fn run_alone(&self, world: &World, products: &[Product], rows: &[Row], choices: &[Choice]) {
        let product = &products[0];
        let arguments = product.asked.arguments(world, &choices[0]);
        let bound = product.template.bind(&arguments).unwrap();
        let place = self.engine.enter().unwrap();
        let run = self.engine.run_over(place, bound, world.tables(rows));
        let Ok(batch) = block_on(run) else {
            // A contradiction is no plan any more, and a key that stands twice ends the run.
            let contradicts = product.asked.conditions.len() > 1;
            assert!(contradicts || world.twice, "{:?}", product.asked);
            return;
        };
        let joins = product.asked.places != super::statement::Joined::No;
        assert!(
            !(world.twice && joins),
            "a key that stands twice was joined"
        );
        clean_batch(&batch, &product.asked);
        let model = Model::new(world, rows, &product.asked, &choices[0]);
        let shown = by_group(&batch, &product.asked);
        assert_eq!(shown, model.answer(&product.asked), "{:?}", product.asked);
    }
}

/// The policy opens what an accepted statement does.
fn allowed(world: &World, asked: &Asked) {
    use super::statement::Column::{Dim, Recoded};
    for (column, selects) in { asked.keys.iter() }.map(|key| (*key, false)).chain(
        asked
            .conditions
            .iter()
            .map(|condition| (condition.column, true)),
    ) {
        if let Dim(at) | Recoded(at) = column {
            let uses = world.dims[at].uses;
            let open = if selects { [12, 11] } else { [11, 12] };
            assert!(uses <= 10 || uses == open[0], "{asked:?}");
        }
    }
    for figure in &asked.figures {
        let listed = match figure {
            Figure::Average(_) => 0,
            Figure::Present(_) | Figure::Rows => 1,
            Figure::Entities => 2,
            Figure::Sum(_) => 3,
        };
        assert!(world.lists(listed), "{asked:?}");
    }
}

/// An argument that nobody declared is not bound.
fn undeclared(world: &World, product: &Product, choice: &Choice) {
    let arguments = product.asked.arguments(world, choice);
    for at in 0..arguments.len() {
        for other in [Value::Text(SECRET.to_owned()), Value::Integer(7_770_000)] {
            let mut wrong = arguments.clone();
            wrong[at].1 = other;
            let refused = product.template.bind(&wrong);
            clean(
                &format!("{:?}", refused.as_ref().err()),
                &"a refusal to bind",
            );
            assert!(refused.is_err(), "{:?}", product.asked);
        }
    }
}

/// Where entities lie in several cells, numbers of them are rounded so that those of two sets and of both hide how many
/// lie in both.
fn entities_are_blurred(world: &World, product: &Product, rows: &[Row]) {
    let counts = product.asked.figures.contains(&Figure::Entities);
    if !counts || 2 * world.round_to >= world.group_min || product.asked.keys.is_empty() {
        return;
    }
    let choice = vec![0; product.asked.conditions.len()];
    if product
        .asked
        .conditions
        .iter()
        .any(|condition| condition.is_parameter)
    {
        return;
    }
    let model = Model::new(world, rows, &product.asked, &choice);
    let mut seen = std::collections::BTreeSet::new();
    let once = model
        .groups
        .values()
        .flat_map(|parts| parts.keys())
        .all(|e| seen.insert(*e));
    assert!(once, "{:?}", product.asked);
}

/// What was counted before and what is counted after one entity has left differ by nobody or by many.
fn differ_by_many(before: &[differences::Named], after: &[differences::Named]) {
    for one in before {
        for other in after.iter().filter(|other| other.label == one.label) {
            differences::contributions_differ_by_many(&one.counted, &other.counted);
        }
    }
}

fn by_group(batch: &RecordBatch, asked: &Asked) -> Shown {
    let keys = asked.keys.len();
    rows(std::slice::from_ref(batch))
        .into_iter()
        .map(|row| (row[..keys].to_vec(), row[keys..].to_vec()))
        .collect()
}
