//! No set of answers differs by few: all pairs and random linear combinations, on small registers, over loads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::ask::groups_of_atoms;
use super::super::blocks::Kind;
use super::*;
use crate::{Allowed, ParameterKind};

const LEAST: usize = 10;

/// One entity in one cell with what it has there: the smallest thing that an answer can count.
pub(crate) type Token = (register::Digest, Box<[u16]>, Vec<i128>);

/// What one shown figure counts.
pub(crate) type Counted = BTreeSet<Token>;

/// What one shown figure counts, of which kind it is and in which group.
pub(crate) struct Named {
    pub(crate) kind: String,
    pub(crate) label: String,
    pub(crate) counted: Counted,
}

impl Named {
    pub(crate) fn labelled(self, of: &str) -> Named {
        Named {
            label: format!("{of}: {}", self.label),
            ..self
        }
    }
}

/// What every figure of an answer counts, per kind and group.
pub(crate) fn counted_by(partition: &Partition, bound: &Bound) -> Vec<Named> {
    let groups = groups_of_atoms(partition, bound).unwrap();
    let mut all = Vec::new();
    for cell in &bound.query.cells {
        let kind = super::super::kind_of(&bound.template, *cell);
        for (group, counted) in counted(partition, &kind, &groups) {
            let (kind, label) = (format!("{kind:?}"), format!("{kind:?} in {group}"));
            all.push(Named {
                kind,
                label,
                counted,
            });
        }
    }
    all
}

/// Whether every atom is a block by itself in every kind of figure, so that answers are exact.
pub(crate) fn is_whole(partition: &Partition) -> bool {
    let alone = |layer: &blocks::Layer| {
        let blocks: BTreeSet<u32> = layer.block.iter().copied().collect();
        blocks.len() == layer.block.len() && !blocks.contains(&blocks::WITHHELD)
    };
    let settled = &partition.settled;
    let told = |blurred: &blocks::Blurred| !blurred.1.contains(&true);
    settled.layers.iter().all(alone) && settled.blurred.iter().all(told) && settled.waiting == 0
}

/// No two of these differ by few entities.
pub(crate) fn no_pair_is_small(all: &[&Counted]) {
    let mut numbers: BTreeMap<&Token, usize> = BTreeMap::new();
    let mut entity_of: Vec<&register::Digest> = Vec::new();
    let mut sets: BTreeSet<Vec<usize>> = BTreeSet::new();
    for counted in all {
        let number = |token| {
            *numbers.entry(token).or_insert_with(|| {
                entity_of.push(&token.0);
                entity_of.len() - 1
            })
        };
        let mut set: Vec<usize> = counted.iter().map(number).collect();
        set.sort_unstable();
        sets.insert(set);
    }
    let few = |tokens: &mut dyn Iterator<Item = usize>| {
        let entities: BTreeSet<_> = tokens.map(|token| entity_of[token]).take(200).collect();
        !entities.is_empty() && entities.len() < LEAST
    };
    let sets: Vec<Vec<usize>> = sets.into_iter().take(40).collect();
    for (place, one) in sets.iter().enumerate() {
        assert!(!few(&mut one.iter().copied()), "a figure of few");
        for other in &sets[place + 1..] {
            let only = |these: &Vec<usize>, those: &Vec<usize>| -> Vec<usize> {
                { these.iter() }
                    .filter(|token| those.binary_search(token).is_err())
                    .copied()
                    .collect()
            };
            let (mine, theirs) = (only(one, other), only(other, one));
            let mut difference = mine.into_iter().chain(theirs);
            assert!(!few(&mut difference), "a difference of few");
        }
    }
}

/// What each entity has of two figures differs by nobody or by many. The figures may be of partitions that divide the
/// register differently, so cells are not compared, only what the entity contributes: who contributes the same to both
/// makes no difference between them.
pub(crate) fn contributions_differ_by_many(one: &Counted, other: &Counted) {
    let sums = |counted: &Counted| {
        let mut sums: BTreeMap<register::Digest, Vec<i128>> = BTreeMap::new();
        for (entity, _, numbers) in counted {
            let sum = sums
                .entry(*entity)
                .or_insert_with(|| vec![0; numbers.len()]);
            { sum.iter_mut().zip(numbers) }.for_each(|(sum, number)| *sum += number);
        }
        sums
    };
    let (one, other) = (sums(one), sums(other));
    let entities: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differ = { entities.iter() }.filter(|entity| one.get(**entity) != other.get(**entity));
    let differ = differ.count();
    assert!(differ == 0 || differ >= LEAST, "a difference of few");
}

/// Everything that `products` could ever be asked, and per kind of figure what each shown group counts. Answers are made
/// by the code that answers, and compared with what is said here that they count.
fn everything(
    bench: &Bench,
    partition: &Arc<Partition>,
    products: &[StatisticProduct],
) -> BTreeMap<&'static str, Vec<Counted>> {
    let mut all: BTreeMap<&'static str, Vec<Counted>> = BTreeMap::new();
    for product in products
        .iter()
        .filter(|product| partition.is_open(&product.template))
    {
        for args in arguments(&product.template) {
            let bound = product.template.bind(&args).unwrap();
            let shown = bench.ask(partition, product.template.bind(&args).unwrap());
            let groups = groups_of_atoms(partition, &bound).unwrap();
            for (name, kind) in [("rows", Kind::Rows), ("sums", distance(partition))] {
                let by_group = counted(partition, &kind, &groups);
                check(&shown, &by_group, name);
                all.entry(name).or_default().extend(by_group.into_values());
            }
        }
    }
    all
}

/// How the register is divided: the classes of every axis.
fn divided(partition: &Partition) -> Vec<Vec<u16>> {
    let axes = partition.settled.register.axes.iter();
    axes.map(|axis| axis.classes.clone()).collect()
}

fn distance(partition: &Partition) -> Kind {
    let mut layers = partition
        .settled
        .layers
        .iter()
        .map(|layer| layer.kind.clone());
    layers
        .find(|kind| matches!(kind, Kind::Measure(..)))
        .unwrap()
}

fn counted(partition: &Partition, kind: &Kind, groups: &[u32]) -> BTreeMap<u32, Counted> {
    let register = &partition.settled.register;
    let taken = partition.whole(kind, groups).unwrap();
    let columns: Vec<usize> = kind
        .kept()
        .iter()
        .map(|kept| register.kept_at(kept).unwrap())
        .collect();
    let mut by_group: BTreeMap<u32, Counted> = BTreeMap::new();
    for entity in 0..register.entities.len() {
        for pair in register.pairs(entity) {
            let atom = register.atom_of[pair] as usize;
            if taken[atom] != u32::MAX {
                let numbers = columns
                    .iter()
                    .map(|c| register.values[*c].at(pair))
                    .collect();
                let token = (
                    register.entities[entity],
                    register.atoms[atom].clone(),
                    numbers,
                );
                by_group.entry(taken[atom]).or_default().insert(token);
            }
        }
    }
    by_group
}

/// The answer shows the sums of what is said to count, in the order of the groups.
fn check(shown: &RecordBatch, by_group: &BTreeMap<u32, Counted>, name: &str) {
    let figures = rows(std::slice::from_ref(shown));
    let at = shown.schema().index_of(name).unwrap();
    let seen: Vec<i128> = figures
        .iter()
        .filter_map(|row| row[at].parse().ok())
        .collect();
    let sum = |tokens: &Counted| {
        tokens
            .iter()
            .map(|(_, _, numbers)| numbers[0])
            .sum::<i128>()
    };
    let said: Vec<i128> = by_group.values().map(sum).filter(|sum| *sum != 0).collect();
    assert_eq!(seen, said, "{name}");
}

/// Every choice of arguments.
fn arguments(template: &crate::Template) -> Vec<Vec<(String, Value)>> {
    let mut all = vec![Vec::new()];
    for parameter in template.parameters() {
        let mut longer = Vec::new();
        for value in parameter.allowed.list() {
            for args in &all {
                let mut args: Vec<(String, Value)> = args.clone();
                args.push((parameter.name.clone(), value.clone()));
                longer.push(args);
            }
        }
        all = longer;
    }
    all
}

/// Whether what a combination counts is nobody's or enough entities'.
fn is_safe(weights: BTreeMap<&Token, i64>) -> bool {
    let entities: BTreeSet<&register::Digest> = { weights.iter() }
        .filter(|(_, weight)| **weight != 0)
        .map(|((entity, ..), _)| entity)
        .collect();
    entities.is_empty() || entities.len() >= LEAST
}

fn combined<'a>(parts: impl IntoIterator<Item = (&'a Counted, i64)>) -> BTreeMap<&'a Token, i64> {
    let mut weights = BTreeMap::new();
    for (counted, weight) in parts {
        for token in counted {
            *weights.entry(token).or_insert(0) += weight;
        }
    }
    weights
}

fn no_difference_is_small(all: &[Counted], choices: &[Vec<(prop::sample::Index, i64)>]) {
    for (place, one) in all.iter().enumerate() {
        assert!(is_safe(combined([(one, 1)])));
        for other in &all[place + 1..] {
            assert!(is_safe(combined([(one, 1), (other, -1)])));
        }
    }
    if all.is_empty() {
        return;
    }
    for choice in choices {
        let parts = choice
            .iter()
            .map(|(index, weight)| (index.get(all), *weight));
        assert!(is_safe(combined(parts)));
    }
}

const FIGURES: &str = "count(*) AS rows, sum(distance) AS sums";

/// Products that overlap in many ways: ranges, lists, joins, with and without groups.
fn products(bench: &Bench) -> Vec<StatisticProduct> {
    let edges = || {
        Allowed::Edges(vec![
            text("2013-01-01"),
            text("2013-02-01"),
            text("2013-03-01"),
        ])
    };
    let date = |name: &str| parameter(name, ParameterKind::Date, edges());
    let carriers = || Allowed::Values(vec![text("AA"), text("DL")]);
    let carrier = |name: &str| parameter(name, ParameterKind::Text, carriers());
    let make = |name: &str, sql: &str, parameters| {
        product(name, &sql.replace("{}", FIGURES), parameters, &bench.rules)
    };
    vec![
        make("all", "SELECT {} FROM flights", vec![]),
        make(
            "by_carrier",
            "SELECT carrier, {} FROM flights GROUP BY carrier",
            vec![],
        ),
        make(
            "by_state",
            "SELECT state, {} FROM flights JOIN airports ON origin = faa WHERE flown >= $since GROUP BY state",
            vec![date("since")],
        ),
        make(
            "between",
            "SELECT carrier, {} FROM flights WHERE flown >= $since AND flown < $until GROUP BY carrier",
            vec![date("since"), date("until")],
        ),
        make(
            "some",
            "SELECT {} FROM flights WHERE carrier IN ('UA', $one) AND month IN (1, 2)",
            vec![carrier("one")],
        ),
        make(
            "either",
            "SELECT {} FROM flights WHERE carrier = $one OR flown >= $since AND NOT month = 3",
            vec![carrier("one"), date("since")],
        ),
        make(
            "neither",
            "SELECT {} FROM flights WHERE NOT (carrier = 'AA' AND month = 1 OR carrier = 'DL')",
            vec![],
        ),
    ]
}

fn flights() -> impl Strategy<Value = Vec<Flight>> {
    let flight = (
        1..70_usize,
        prop::sample::select(vec!["AA", "DL", "UA"]),
        prop::sample::select(vec![1_i64, 2, 3]),
        prop::sample::select(vec!["EWR", "JFK", "XXX"]),
        prop::sample::select(vec!["2013-01-15", "2013-02-15", "2013-03-15"]),
        1..=60_i64,
    );
    let flight = flight.prop_map(|(tail, carrier, month, origin, flown, distance)| Flight {
        tail: Some(format!("N{tail}")),
        carrier,
        month,
        origin,
        day: day(flown),
        distance: Some(distance),
        delay: None,
    });
    prop::collection::vec(flight, 0..500)
}

fn choices() -> impl Strategy<Value = Vec<Vec<(prop::sample::Index, i64)>>> {
    let part = (any::<prop::sample::Index>(), -3..=3_i64);
    prop::collection::vec(prop::collection::vec(part, 2..7), 300)
}

/// Terms under which hardly anything is refused, so that everything is compared.
fn bench() -> Bench {
    Bench::new(lenient_rules())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn of_one_load(flights in flights(), choices in choices()) {
        let bench = bench();
        let products = products(&bench);
        let partition = bench.open(&products, &flights, None).unwrap();
        for all in everything(&bench, &partition, &products).values() {
            no_difference_is_small(all, &choices);
        }
    }

    /// Flights are cancelled, added and corrected; what has been answered before is not undone by what is answered then.
    #[test]
    fn of_three_loads(
        first in flights(),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        more in prop::collection::vec(flights(), 2),
        counts in prop::collection::vec(0..60_usize, 2),
        choices in choices(),
    ) {
        let bench = bench();
        let products = products(&bench);
        let mut flights = first;
        let mut partition = bench.open(&products, &flights, None).unwrap();
        let mut seen: BTreeMap<_, Vec<Counted>> = BTreeMap::new();
        for (name, counted) in everything(&bench, &partition, &products) {
            seen.insert((divided(&partition), name), counted);
        }
        for (new, count) in more.iter().zip(counts) {
            let lost: BTreeSet<usize> = match flights.len() {
                0 => BTreeSet::new(),
                len => gone.iter().map(|index| index.index(len)).collect(),
            };
            let mut place = 0;
            flights.retain(|_| {
                place += 1;
                !lost.contains(&(place - 1))
            });
            flights.extend(new.iter().take(count).cloned());
            partition = bench.open(&products, &flights, Some(&partition)).unwrap();
            // A product that opens with a later load divides the register anew. Cells have other numbers then, and only
            // those that are numbered alike are compared.
            for (name, counted) in everything(&bench, &partition, &products) {
                let of_these = seen.entry((divided(&partition), name)).or_default();
                of_these.extend(counted);
            }
        }
        for all in seen.values() {
            no_difference_is_small(all, &choices);
        }
    }
}
