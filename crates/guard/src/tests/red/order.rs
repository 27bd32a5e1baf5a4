//! The order in which rows are read decides nothing: a table is a set of rows, and readers hand them on as they come.
//!
//! The same rows shuffled, in other batches, by several readers at a time, under another key, with the products in
//! another order: every answer, and what the unit is told, is the same to the last byte; and so after the next load. A case
//! in which it would matter is rare here; `partition/tests/products.rs` has one made for it.

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::datasource::MemTable;
use proptest::prelude::*;

use super::statement::{Asked, Choice, drawn};
use super::world::{Row, World, worlds};
use super::{choices, runner};
use crate::engine::Tables;
use crate::partition::tests::differences;
use crate::tests::register::{block_on, limits};
use crate::{Engine, Partition, PartitionReport, StatisticProduct, Template};

/// The rows in another order.
fn shuffled(rows: &[Row], seed: u64) -> Vec<Row> {
    let mut keyed: Vec<(u64, Row)> = (1_u64..)
        .zip(rows)
        .map(|(at, row)| {
            let mixed = at
                .wrapping_mul(seed | 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 29), row.clone())
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// The protected table in batches of so many rows, by three readers.
fn cut(world: &World, rows: &[Row], size: usize) -> Tables {
    let mut tables = world.tables(rows);
    let mut readers: Vec<Vec<RecordBatch>> = vec![vec![world.main(&[])]; 3];
    for (at, part) in rows.chunks(size).enumerate() {
        readers[at % 3].push(world.main(part));
    }
    let schema = world.main(&[]).schema();
    let table = MemTable::try_new(schema, readers).unwrap();
    tables.insert("main".to_owned(), Arc::new(table));
    tables
}

/// What is told of a load: the report without the order of products, and every answer.
#[derive(Debug, PartialEq)]
struct Said {
    report: PartitionReport,
    answers: Vec<Option<RecordBatch>>,
}

struct Asker<'a> {
    engine: Engine,
    world: &'a World,
    products: &'a [(Asked, Template)],
    choices: &'a [Choice],
}

impl Asker<'_> {
    fn open(
        &self,
        tables: Tables,
        order: &[usize],
        before: Option<&Arc<Partition>>,
    ) -> Option<Arc<Partition>> {
        let products = order.iter().map(|at| StatisticProduct {
            name: format!("product {at}"),
            template: self.products[*at].1.clone(),
        });
        let products = products.collect();
        let opened = self.engine.partition(products, tables, before.cloned());
        block_on(opened).ok().map(Arc::new)
    }

    fn ask(&self, partition: &Arc<Partition>) -> Said {
        let mut report = partition.report().clone();
        report.open.sort_by(|one, other| one.name.cmp(&other.name));
        let mut answers = Vec::new();
        for (asked, template) in self.products {
            for choice in self.choices {
                let bound = template.bind(&asked.arguments(self.world, choice)).unwrap();
                let place = self.engine.enter().unwrap();
                let answer = self.engine.answer(place, Arc::clone(partition), bound);
                answers.push(block_on(answer).ok());
            }
        }
        Said { report, answers }
    }
}

/// How many answers were compared, and how many of them were of cells that had to be merged.
#[derive(Clone, Copy, Debug, Default)]
struct Compared {
    answers: usize,
    merged: usize,
}

fn compare(
    world: &World,
    products: &[(Asked, Template)],
    choices: &[Choice],
    (seed, leaves): (u64, u8),
) -> Compared {
    let asker = || Asker {
        engine: Engine::new(limits()).unwrap(),
        world,
        products,
        choices,
    };
    let fewer: Vec<Row> = { world.rows.iter() }
        .filter(|row| row.entity != leaves)
        .cloned()
        .collect();
    let order: Vec<usize> = (0..products.len()).collect();
    let (one, other) = (asker(), asker());
    let Some(first) = one.open(world.tables(&world.rows), &order, None) else {
        return Compared::default();
    };
    // Where a product has to stay closed, the earlier ones come first.
    let mut turned = order.clone();
    if first.report().refused.is_empty() {
        turned.reverse();
    }
    let size = usize::try_from(seed % 7 + 1).unwrap();
    let again = cut(world, &shuffled(&world.rows, seed), size);
    let again = other.open(again, &turned, None).unwrap();
    let said = one.ask(&first);
    assert_eq!(said, other.ask(&again), "{:?}", products[0].0);
    let compared = said.answers.iter().flatten().count();
    let merged = if differences::is_whole(&first) {
        0
    } else {
        compared
    };
    let next = one
        .open(world.tables(&fewer), &order, Some(&first))
        .unwrap();
    let again_next = cut(world, &shuffled(&fewer, seed.rotate_left(17)), size);
    let again_next = other.open(again_next, &order, Some(&again)).unwrap();
    if next.report().refused.is_empty() || turned == order {
        assert_eq!(
            one.ask(&next),
            other.ask(&again_next),
            "{:?}",
            products[0].0
        );
    }
    Compared {
        answers: compared,
        merged,
    }
}

#[test]
fn the_order_of_rows_decides_nothing() {
    let strategy = (
        worlds(),
        prop::collection::vec(drawn(), 1..5),
        choices(),
        (any::<u64>(), 1..45_u8),
    );
    let counted = Cell::new(Compared::default());
    let run = runner(100).run(&strategy, |(world, drawn, choices, how)| {
        let products = drawn.iter().filter_map(|drawn| {
            let asked = Asked::of(drawn, &world);
            let source = asked.source(&world);
            let template = block_on(Template::register(&source, &world.rules(), &limits()));
            template.ok().map(|template| (asked, template))
        });
        let products: Vec<(Asked, Template)> = products.collect();
        if !products.is_empty() {
            let all = counted.get();
            let more = compare(&world, &products, &choices, how);
            counted.set(Compared {
                answers: all.answers + more.answers,
                merged: all.merged + more.merged,
            });
        }
        Ok(())
    });
    run.unwrap_or_else(|found| panic!("{found}"));
    let counted = counted.get();
    println!("{counted:?}");
    assert!(
        super::is_mutated() || (counted.answers > 60 && counted.merged > 30),
        "{counted:?}"
    );
}
