use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lingqu_core::product::{
    Approval, Definition, FieldRule, Load, Product, Statistic, Tier, Verification,
};
use lingqu_core::{LoadId, Timestamp};
use lingqu_policy::{AuditTerms, Domain, Policy, Release, Use, UseSet};
use lingqu_proto::{SignedObject, seal};
use lingqu_tlog::{Ed25519Signer, Signer as _};

use super::*;
use crate::admission::holdings::Pinned;
use crate::sources::reading::{LoadFailed, ReadTable};
use crate::sources::schema::Columns;
use crate::sources::scripted::Scripted;
use crate::sources::{AsOf, Refresh};

const DAY: Timestamp = Timestamp::from_unix_s(1_767_225_600);

/// What lies behind each resource, by its place, and whether it can be read.
struct Data {
    batches: Vec<Mutex<RecordBatch>>,
    is_away: AtomicBool,
    reads: Mutex<Vec<usize>>,
}

struct World {
    products: Products,
    holdings: Arc<Holdings>,
    data: Data,
}

fn people(rows: std::ops::Range<i64>, year: i64) -> RecordBatch {
    let ids: Vec<String> = rows.clone().map(|row| format!("p{row}")).collect();
    let states: Vec<&str> = rows.clone().map(|_| "NJ").collect();
    let years = vec![year; ids.len()];
    RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(ids)) as ArrayRef),
        ("state", Arc::new(StringArray::from(states))),
        ("year", Arc::new(Int64Array::from(years))),
    ])
    .unwrap()
}

fn states(names: &[(&str, &str)]) -> RecordBatch {
    let keys: Vec<&str> = names.iter().map(|(key, _)| *key).collect();
    let words: Vec<&str> = names.iter().map(|(_, word)| *word).collect();
    RecordBatch::try_from_iter([
        ("code", Arc::new(StringArray::from(keys)) as ArrayRef),
        ("region", Arc::new(StringArray::from(words))),
    ])
    .unwrap()
}

fn uses(words: &[Use]) -> UseSet {
    words.iter().copied().collect()
}

fn texts(values: &[&str]) -> Domain {
    Domain::texts(values.iter().map(|value| (*value).to_owned()).collect()).unwrap()
}

fn policy(resource: &str, version: u32) -> SignedPolicy {
    let columns = match resource {
        "people" => vec![
            ("id".to_owned(), uses(&[Use::Entity, Use::Link])),
            ("state".to_owned(), uses(&[Use::Group, Use::Filter])),
            ("year".to_owned(), uses(&[Use::Verify])),
        ],
        _ => vec![
            (
                "code".to_owned(),
                uses(&[Use::Filter, Use::Group, Use::Show]),
            ),
            (
                "region".to_owned(),
                uses(&[Use::Filter, Use::Group, Use::Show]),
            ),
        ],
    };
    let audit = AuditTerms::Mirrored { wait_ms_max: 5_000 };
    let mut policy = Policy::new(columns, ["LENDING".to_owned()], audit, 3_600).unwrap();
    if resource == "people" {
        policy = policy.with_domain("state", texts(&["NJ", "NY"])).unwrap();
        policy = policy.with_release(Release::new(10, 50, 1, 100).unwrap());
    }
    if resource == "states" {
        let regions = texts(&["East", "West"]);
        policy = policy.with_domain("region", regions).unwrap();
    }
    SignedPolicy {
        id: resource.to_owned(),
        version,
        unit: "party_u".parse().unwrap(),
        resource: resource.to_owned(),
        policy,
    }
}

fn product(name: &str, definition: Definition) -> Product {
    Product {
        reference: ProductRef {
            id: format!("u.{name}").parse().unwrap(),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: Vec::new(),
        title_zh: "测试".to_owned(),
        title_en: "test".to_owned(),
        unit: "party_u".parse().unwrap(),
        node: "node_n".parse().unwrap(),
        resource: "people".to_owned(),
        definition,
    }
}

fn verification(name: &str) -> Product {
    let field = |name: &str, comparator: &str| FieldRule {
        name: name.to_owned(),
        column: name.to_owned(),
        comparator: comparator.to_owned(),
        thresholds: Vec::new(),
    };
    let definition = Verification {
        key: vec![field("id", "exact")],
        compared: vec![field("year", "integer")],
    };
    product(name, Definition::Verification(definition))
}

fn statistic(name: &str, sql: &str, dimensions: &[&str]) -> Product {
    let definition = Statistic {
        sql: sql.to_owned(),
        parameters: Vec::new(),
        dimensions: dimensions.iter().map(|one| (*one).to_owned()).collect(),
        dp: None,
    };
    product(name, Definition::Statistic(definition))
}

const COUNT: &str = "SELECT state, count(*) AS n FROM people GROUP BY state";

fn resource(name: &str) -> Arc<Resource> {
    Arc::new(Resource {
        name: name.to_owned(),
        environments: vec![Environment::Prod],
        sources: Vec::new(),
        table: Scripted::table(),
        as_of: AsOf::Fixed(DAY),
        refresh: Refresh::Manual,
        update_cycle: None,
    })
}

impl World {
    fn new() -> World {
        let limits = ProductLimits {
            rows_max: 1_000,
            rows_per_key_max: NonZeroU8::new(2).unwrap(),
            guard: GuardLimits::default(),
        };
        let mut world = World {
            products: Products::new(vec![resource("people"), resource("states")], limits),
            holdings: Arc::default(),
            data: Data {
                batches: vec![
                    Mutex::new(people(0..30, 2000)),
                    Mutex::new(states(&[("NJ", "East"), ("NY", "East")])),
                ],
                is_away: AtomicBool::new(false),
                reads: Mutex::default(),
            },
        };
        for name in ["people", "states"] {
            world.adopt(&policy(name, 1), 1);
        }
        world
    }

    fn adopt<T: SignedObject>(&mut self, object: &T, key: u8) -> Hash {
        let (unit, agency) = (
            Ed25519Signer::from_seed([1; 32]),
            Ed25519Signer::from_seed([2; 32]),
        );
        let pinned = Pinned {
            node: "node_n".parse().unwrap(),
            unit: "party_u".parse().unwrap(),
            unit_key: unit.public_key().to_vec(),
            agencies: [("party_a".parse().unwrap(), agency.public_key().to_vec())].into(),
            coordinator_key: Vec::new(),
        };
        let mut envelope = seal(object);
        match key {
            1 => envelope.sign("party_u", &unit),
            _ => envelope.sign("party_a", &agency),
        }
        let adopted = self.holdings.adopt(&pinned, &envelope, None).unwrap();
        if let Some((next, _)) = adopted {
            self.holdings = Arc::new(next);
        }
        envelope.digest()
    }

    fn approve(&mut self, product: &Product) {
        self.approve_under(product, 1);
    }

    fn approve_under(&mut self, product: &Product, version: u32) {
        let product_digest = self.adopt(product, 2);
        let mut signed = seal(&policy("people", version));
        signed.sign("party_u", &Ed25519Signer::from_seed([1; 32]));
        let approval = Approval {
            unit: "party_u".parse().unwrap(),
            node: "node_n".parse().unwrap(),
            product: product.reference.clone(),
            product_digest,
            policy_digest: signed.digest(),
        };
        self.adopt(&approval, 1);
    }

    fn exchange(&self, place: usize, batch: RecordBatch) {
        *self.data.batches[place].lock().unwrap() = batch;
    }

    fn settle(&self, tasks: &[(usize, Task)]) -> Settled {
        self.settle_but(tasks, &|_| false)
    }

    fn settle_but(&self, tasks: &[(usize, Task)], is_wrong: &dyn Fn(&LoadId) -> bool) -> Settled {
        let tasks: BTreeMap<usize, Task> = tasks.iter().cloned().collect();
        // As on the loader's thread, which may block.
        let settled = tokio::task::block_in_place(|| {
            self.products
                .settle(&self.holdings, &tasks, is_wrong, &|place, wanted, as_of| {
                    self.data.reads.lock().unwrap().push(place);
                    if self.data.is_away.load(Ordering::SeqCst) {
                        return Err(LoadFailed::Stopped);
                    }
                    Ok(read(
                        &self.data.batches[place].lock().unwrap(),
                        wanted,
                        as_of,
                    ))
                })
        });
        self.products
            .swap(&settled, is_wrong, || Arc::clone(&self.holdings));
        settled
    }

    fn open(&self, product: &Product) -> Option<Arc<Prepared>> {
        let answering = self.products.answering.load();
        let key = (product.reference.clone(), Environment::Prod);
        answering
            .open
            .get(&key)
            .map(|open| Arc::clone(&open.prepared))
    }

    fn loads(&self, product: &Product) -> Vec<LoadId> {
        let open = self.open(product).expect("it is open");
        open.loads()
            .iter()
            .map(|load: &Load| load.id.clone())
            .collect()
    }
}

fn read(batch: &RecordBatch, wanted: &[String], as_of: Option<Timestamp>) -> ReadTable {
    use lingqu_connector_sdk::RowsHasher;
    let found = Columns::of(&batch.schema()).unwrap();
    let wanted: Vec<usize> = { wanted.iter() }
        .filter_map(|name| batch.schema().index_of(name).ok())
        .collect();
    let batch = batch.project(&wanted).unwrap();
    let mut digest = RowsHasher::new(&batch.schema()).unwrap();
    digest.update(&batch).unwrap();
    ReadTable {
        rows: batch.num_rows() as u64,
        digest: Hash(digest.finish().0),
        batches: vec![batch],
        as_of: as_of.unwrap_or(DAY),
        version: None,
        source: "scripted".to_owned(),
        found,
        ended: DAY,
    }
}

async fn answer(prepared: &Prepared) -> RecordBatch {
    let Prepared::Statistic(statistic) = prepared else {
        panic!("it is a statistic");
    };
    let place = statistic.enter().unwrap();
    let bound = statistic.parameters(&[]).unwrap();
    statistic.run(place, bound).await.unwrap().rows
}

fn counted(rows: &RecordBatch) -> i64 {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Int64Type;
    let column = rows.column_by_name("n").unwrap();
    (0..rows.num_rows())
        .map(|row| column.as_primitive::<Int64Type>().value(row))
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_that_opens_over_an_exchanged_file_takes_all_others_with_it() {
    let mut world = World::new();
    let (first, second) = (statistic("one", COUNT, &[]), statistic("two", COUNT, &[]));
    let checked = verification("three");
    world.approve(&first);
    world.approve(&checked);
    world.settle(&[]);
    let earlier = world.open(&first).unwrap();
    let old = world.loads(&first);
    assert_eq!(world.loads(&checked), old);
    assert_eq!(counted(&answer(&earlier).await), 30);

    world.exchange(0, people(0..40, 2001));
    world.approve(&verification("four"));
    world.approve(&second);
    world.settle(&[]);
    let new = world.loads(&first);
    assert_ne!(new, old);
    for product in [&second, &checked, &verification("four")] {
        assert_eq!(world.loads(product), new);
    }
    assert_eq!(counted(&answer(&world.open(&first).unwrap()).await), 40);
    // A call that was bound before still answers from the load that its record names.
    assert_eq!(earlier.loads()[0].id, old[0]);
    assert_eq!(counted(&answer(&earlier).await), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_load_of_a_public_table_renews_the_statistics_that_join_it() {
    let mut world = World::new();
    let sql = "SELECT states.region, count(*) AS n FROM people \
               JOIN states ON people.state = states.code GROUP BY states.region";
    let joined = statistic("joined", sql, &["states"]);
    world.approve(&joined);
    world.settle(&[]);
    let before = world.loads(&joined);
    world.exchange(1, states(&[("NJ", "West"), ("NY", "East")]));
    world.settle(&[(1, Task::default())]);
    let after = world.loads(&joined);
    assert_eq!(
        (before[0] == after[0], before[1] == after[1]),
        (true, false)
    );
}

#[test]
fn nothing_is_read_again_for_what_is_open_already_or_was_tried_in_vain() {
    let mut world = World::new();
    world.approve(&verification("one"));
    world.approve(&statistic("bad", "SELECT year FROM people", &[]));
    world.settle(&[]);
    assert!(world.open(&verification("one")).is_some());
    let reads = world.data.reads.lock().unwrap().len();
    assert_eq!(reads, 1);
    for _ in 0..3 {
        world.settle(&[]);
    }
    assert_eq!(world.data.reads.lock().unwrap().len(), reads);
    // Another statistic is over the same reading, whose rows are there.
    world.approve(&statistic("two", COUNT, &[]));
    world.settle(&[]);
    assert_eq!(world.data.reads.lock().unwrap().len(), reads);
    assert!(world.open(&statistic("two", COUNT, &[])).is_some());
}

#[test]
fn a_load_under_which_a_product_would_close_is_refused_for_all_of_them() {
    let mut world = World::new();
    let (checked, counts) = (verification("one"), statistic("two", COUNT, &[]));
    world.approve(&checked);
    world.approve(&counts);
    world.settle(&[]);
    let old = world.loads(&checked);
    // Three rows of one key are more than a verification takes; a statistic would not mind.
    let crowded = arrow_select::concat::concat_batches(
        &people(0..1, 1).schema(),
        &[people(0..30, 1), people(0..30, 2), people(0..30, 3)],
    );
    world.exchange(0, crowded.unwrap());
    let settled = world.settle(&[(0, Task::default())]);
    let (place, failed) = &settled.failed[0];
    assert_eq!((*place, failed.code()), (0, ErrorCode::LoadRefused));
    assert!(settled.loads.is_empty());
    assert_eq!(world.loads(&checked), old);
    assert_eq!(world.loads(&counts), old);
    // A column that the statistic needs is gone: refused as well, though the verification could go on.
    let narrow = people(0..30, 5).project(&[0, 2]).unwrap();
    world.exchange(0, narrow);
    let settled = world.settle(&[(0, Task::default())]);
    assert_eq!(settled.failed.len(), 1);
    assert_eq!(world.loads(&checked), old);
}

#[test]
fn a_failed_load_leaves_what_answers() {
    let mut world = World::new();
    let checked = verification("one");
    world.approve(&checked);
    world.settle(&[]);
    let old = world.loads(&checked);
    world.data.is_away.store(true, Ordering::SeqCst);
    let settled = world.settle(&[(0, Task::default())]);
    assert_eq!(settled.failed.len(), 1);
    assert_eq!(world.loads(&checked), old);
    world.data.is_away.store(false, Ordering::SeqCst);
    let settled = world.settle(&[(0, Task::default())]);
    assert_eq!(settled.loads[0].snapshot.load.id, old[0]);
}

#[test]
fn data_never_goes_back_unless_a_wrong_load_is_corrected() {
    let mut world = World::new();
    let checked = verification("one");
    world.approve(&checked);
    world.settle(&[]);
    let old = world.loads(&checked);
    let earlier = Timestamp(DAY.0 - 1);
    let said = |as_of, corrects| Task { as_of, corrects };
    let settled = world.settle(&[(0, said(Some(earlier), None))]);
    assert!(matches!(settled.failed[0].1, LoadFailed::GoesBack { .. }));
    let correction = Correction {
        wrong: old[0].clone(),
        reason: "test".to_owned(),
        number: 1,
    };
    let is_wrong = |load: &LoadId| *load == old[0];
    world.products.withdraw(&old[0]);
    assert!(world.open(&checked).is_none());
    // The same again is the same load, and wrong.
    let settled = world.settle_but(&[(0, said(None, Some(correction.clone())))], &is_wrong);
    assert!(matches!(settled.failed[0].1, LoadFailed::Wrong(_)));
    assert!(world.open(&checked).is_none());
    world.exchange(0, people(0..30, 1999));
    let task = said(Some(earlier), Some(correction));
    let settled = world.settle_but(&[(0, task)], &is_wrong);
    assert_eq!(settled.loads.len(), 1);
    assert!(world.open(&checked).is_some());
}

#[test]
fn a_newer_policy_closes_at_once_and_nothing_that_was_being_built_comes_back() {
    let mut world = World::new();
    let checked = verification("one");
    world.approve(&checked);
    let before = Arc::clone(&world.holdings);
    let settled = world.settle(&[]);
    assert!(world.open(&checked).is_some());
    world.adopt(&policy("people", 2), 1);
    world
        .products
        .close_outdated(|| Arc::clone(&world.holdings));
    assert!(world.open(&checked).is_none());
    // The swap of what was settled under the older policy comes late.
    world
        .products
        .swap(&settled, &|_| false, || Arc::clone(&world.holdings));
    assert!(world.open(&checked).is_none());
    assert!(before.approved().next().is_some());
    world.approve_under(&checked, 2);
    world.settle(&[]);
    assert!(world.open(&checked).is_some());
}

#[test]
fn what_nobody_asks_any_more_is_let_go_of() {
    let mut world = World::new();
    world.approve(&statistic("one", COUNT, &[]));
    world.settle(&[]);
    assert!(world.products.snapshot(0).is_some());
    assert!(world.products.snapshot(1).is_none(), "no product joins it");
    world.adopt(&policy("people", 2), 1);
    world.settle(&[]);
    assert!(world.products.snapshot(0).is_none());
}

/// What a statistic says before and after a load is not who came with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statistic_does_not_tell_of_one_person_who_came_with_a_load() {
    let mut world = World::new();
    let (first, second) = (statistic("one", COUNT, &[]), statistic("two", COUNT, &[]));
    world.approve(&first);
    world.settle(&[]);
    assert_eq!(counted(&answer(&world.open(&first).unwrap()).await), 30);
    let old = world.loads(&first);

    world.exchange(0, people(0..31, 2000));
    world.settle(&[(0, Task::default())]);
    assert_ne!(world.loads(&first), old);
    assert_eq!(counted(&answer(&world.open(&first).unwrap()).await), 30);
    // A product that opens only now is made of the same cells.
    world.approve(&second);
    world.settle(&[]);
    assert_eq!(counted(&answer(&world.open(&second).unwrap()).await), 30);

    world.exchange(0, people(0..40, 2000));
    world.settle(&[(0, Task::default())]);
    for product in [&first, &second] {
        let open = world.open(product).unwrap();
        assert_eq!(counted(&answer(&open).await), 40);
    }
}

/// A cell that a load would make too small keeps what it had, and the load answers everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_becomes_too_small_waits_while_the_load_is_taken() {
    let mut world = World::new();
    let counts = statistic("one", COUNT, &[]);
    world.approve(&counts);
    world.settle(&[]);
    let old = world.loads(&counts);
    world.exchange(0, people(100..105, 2000));
    let settled = world.settle(&[(0, Task::default())]);
    assert!(settled.failed.is_empty());
    assert_ne!(world.loads(&counts), old);
    assert_eq!(counted(&answer(&world.open(&counts).unwrap()).await), 30);
}

/// A statistic whose cells are too small does not open, and those that answer go on.
#[test]
fn a_statistic_with_cells_too_small_stays_shut() {
    let mut world = World::new();
    let counts = statistic("one", COUNT, &[]);
    world.exchange(0, people(0..5, 2000));
    world.approve(&counts);
    world.settle(&[]);
    assert!(world.open(&counts).is_none());
}
