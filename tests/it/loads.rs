//! Loads, from one end to the other: what answers after a file was exchanged, what is on record of it, what a wrong load
//! leads to, and what happens to calls when a table changes or its source is gone.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Environment;
use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::source_order::{SourceAct, SourceOrder};
use lingqu_core::{Clock as _, ErrorCode, LoadId};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_node::loads::lineage::Part;
use lingqu_node::loads::status::ResourceStatus;
use lingqu_proto::{Verdict, seal};
use lingqu_tlog::{Hash, Intl};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::network::{GRANT, World, call, denied, patiently, stranger};

const RESOURCE: &str = "planes";

/// The hands of whoever keeps the register.
impl World {
    fn register(&self) -> PathBuf {
        self.network.files().dir().join("node/data/planes.parquet")
    }

    /// Puts a register with every year shifted in the place of the one before, by a rename, as a careful unit does.
    fn exchange(&self, original: &[u8], years: i64) {
        let shifted = shifted(original, years);
        let next = self.register().with_extension("next");
        fs::write(&next, shifted).unwrap();
        fs::rename(next, self.register()).unwrap();
    }

    fn planes(&self) -> ResourceStatus {
        let mut statuses = self.node().resource_statuses().into_iter();
        statuses.find(|status| status.resource == RESOURCE).unwrap()
    }

    fn current(&self) -> Option<String> {
        self.planes().load.map(|load| load.id)
    }

    /// Loads the register and waits for the end of it.
    async fn load(&self) -> Result<String, ErrorCode> {
        self.node().begin_load(RESOURCE, None, None)?;
        self.load_ends().await;
        match self.planes().failed {
            Some(failed) => Err(failed.code.parse().unwrap()),
            None => Ok(self.current().unwrap()),
        }
    }

    async fn load_ends(&self) {
        let ended = |node: &lingqu_node::Node| {
            let mut statuses = node.resource_statuses().into_iter();
            statuses.all(|status| status.progress.is_none())
        };
        wait_until(&self.network, "the load has ended", ended)
            .await
            .unwrap();
        self.node().record_pending().await;
    }

    fn order(&self, number: u64, act: SourceAct) -> Envelope {
        let order = SourceOrder {
            unit: Party::Unit.id(),
            node: cast::node(),
            number,
            issued: self.clock.now(),
            resource: RESOURCE.to_owned(),
            environment: Environment::Prod,
            act,
        };
        self.network.signed(&order, &[Party::Unit]).unwrap()
    }

    async fn ordered(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        let (node, envelope) = (Arc::clone(self.node()), envelope.clone());
        let done = tokio::task::spawn_blocking(move || node.order_source(&envelope)).await;
        self.node().record_pending().await;
        done.unwrap()
    }

    async fn bank_is_told(&self) -> String {
        let bank = self.caller(Party::Bank).await;
        bank.told(&call(GRANT)).await
    }
}

fn prost_bytes(bytes: &[u8]) -> prost::bytes::Bytes {
    prost::bytes::Bytes::copy_from_slice(bytes)
}

/// The register with every year moved by `years`.
fn shifted(original: &[u8], years: i64) -> Vec<u8> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(prost_bytes(original));
    let reader = reader.unwrap().build().unwrap();
    let mut writer = None;
    for batch in reader {
        let batch = moved(&batch.unwrap(), years);
        let writer = writer
            .get_or_insert_with(|| ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap());
        writer.write(&batch).unwrap();
    }
    writer.unwrap().into_inner().unwrap()
}

fn moved(batch: &RecordBatch, years: i64) -> RecordBatch {
    let at = batch.schema().index_of("year").unwrap();
    let kind = batch.column(at).data_type().clone();
    let wide = arrow_cast::cast(batch.column(at), &arrow_schema::DataType::Int64).unwrap();
    let wide: Int64Array = wide
        .as_primitive::<Int64Type>()
        .iter()
        .map(|year| year.map(|year| year + years))
        .collect();
    let mut columns = batch.columns().to_vec();
    columns[at] = arrow_cast::cast(&(Arc::new(wide) as ArrayRef), &kind).unwrap();
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// The records of loads of the register, in their order.
fn loads(records: &[Record]) -> Vec<&Record> {
    let is_load = |record: &&Record| {
        record.draft.kind == Kind::Load
            && record.draft.clear.get_text(Field::Resource) == Some(RESOURCE)
    };
    records.iter().filter(is_load).collect()
}

async fn lineage(world: &World, load: &str) -> Vec<Part> {
    let (mut parts, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = world.node().lineage(load, at).await;
        parts.extend(page.records.into_iter().map(|(part, _)| part));
        from = page.next;
    }
    parts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_load_leads_to_its_answers_and_answers_nothing_more() {
    let world = World::ready().await;
    let original = fs::read(world.register()).unwrap();
    let first = world.current().unwrap();
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());

    world.exchange(&original, 1);
    // Nothing is read until it is asked for.
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());
    let wrong = world.load().await.unwrap();
    assert_ne!(wrong, first);
    assert_eq!(world.bank_is_told().await, Verdict::NoMatch.to_string());

    let records = world.records().await;
    let taken = loads(&records);
    let newest = &taken.last().unwrap().draft.clear;
    assert_eq!(newest.get_text(Field::Load), Some(wrong.as_str()));
    assert_eq!(newest.get_text(Field::PreviousLoad), Some(first.as_str()));
    assert_eq!(newest.get_text(Field::Source), Some("file"));
    assert!(newest.get_number(Field::Count).unwrap() > 3_000);
    assert!(
        newest.get_text(Field::SourceVersion).is_some()
            && newest.get_bytes(Field::ObjectDigest).is_some()
    );
    // No call stands before the record of the load that it names.
    for record in records
        .iter()
        .filter(|record| record.draft.kind == Kind::Call)
    {
        let load = record.draft.clear.get_text(Field::Load).unwrap();
        let loaded = taken
            .iter()
            .find(|one| one.draft.clear.get_text(Field::Load) == Some(load));
        assert!(loaded.unwrap().index < record.index);
    }

    // The unit finds that the load was wrong, before it has a better register.
    let correct = |load: &str| SourceAct::Correct {
        wrong: load.parse::<LoadId>().unwrap(),
        reason: "years are off by one".to_owned(),
    };
    let mut forged = seal(&SourceOrder {
        unit: Party::Unit.id(),
        node: cast::node(),
        number: 1,
        issued: world.clock.now(),
        resource: RESOURCE.to_owned(),
        environment: Environment::Prod,
        act: correct(&wrong),
    });
    forged.sign(Party::Unit.id().as_str(), &stranger());
    assert_eq!(
        world.ordered(&forged).await,
        Err(ErrorCode::ObjectSignatureInvalid)
    );
    let unknown = world.order(1, correct("load_00000000000000000000"));
    assert_eq!(world.ordered(&unknown).await, Err(ErrorCode::LoadUnknown));
    let order = world.order(1, correct(&wrong));
    world.ordered(&order).await.unwrap();
    world.load_ends().await;
    assert_eq!(
        world.bank_is_told().await,
        ErrorCode::ResourceUnavailable.as_str()
    );
    assert_eq!(
        world.planes().failed.unwrap().code,
        ErrorCode::LoadRefused.as_str()
    );
    assert_eq!(world.ordered(&order).await, Err(ErrorCode::ObjectConflict));

    fs::write(world.register(), &original).unwrap();
    assert_eq!(world.load().await.unwrap(), first);
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());

    let parts = lineage(&world, &wrong).await;
    let answers = parts.iter().filter(|part| **part == Part::Answer).count();
    assert_eq!(answers, 1, "{parts:?}");
    assert!(
        parts.contains(&Part::Loaded) && parts.contains(&Part::MarkedWrong),
        "{parts:?}"
    );
    assert!(parts.contains(&Part::Replaced), "{parts:?}");
    assert_eq!(lineage(&world, "load_unheard_of").await, []);

    // The unit's word outlasts the process.
    let mut world = world;
    world.network.stop_node().await.unwrap();
    world.exchange(&original, 1);
    world.open_node(|_| {}).await;
    wait_until(&world.network, "the node is ready", |node| {
        node.ready() && node.epoch().is_some()
    })
    .await
    .unwrap();
    world.mirrored().await;
    assert_eq!(
        world.bank_is_told().await,
        ErrorCode::ResourceUnavailable.as_str()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_table_answers_nothing_until_the_unit_has_looked() {
    let world = World::ready().await;
    let original = fs::read(world.register()).unwrap();
    let flights = world.register().with_file_name("flights.parquet");
    fs::copy(flights, world.register()).unwrap();
    assert_eq!(world.load().await, Err(ErrorCode::ResourceChanged));
    let changed = world.planes().changed.unwrap();
    assert!(changed.differences.iter().any(|one| one.starts_with('+')));
    assert_eq!(
        world.bank_is_told().await,
        ErrorCode::ResourceChanged.as_str()
    );
    let records = world.records().await;
    assert_eq!(denied(&records, Party::Bank, ErrorCode::ResourceChanged), 1);
    let change = loads(&records).last().unwrap().draft.clear.clone();
    assert_eq!(change.get_text(Field::Outcome), Some("RESOURCE_CHANGED"));

    // What the unit accepts is what it has looked at, and nothing else.
    let accept = |schema| SourceAct::Accept { schema };
    let other = world.order(1, accept(Hash([7; 32])));
    assert_eq!(world.ordered(&other).await, Err(ErrorCode::ObjectConflict));
    // When the table is what it was, nothing needs to be accepted.
    fs::write(world.register(), &original).unwrap();
    world.node().look_at_sources().await;
    assert_eq!(world.planes().changed, None);
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());

    // The same names with another type are a change too. Once accepted, they are read.
    let reader = ParquetRecordBatchReaderBuilder::try_new(prost_bytes(&original)).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let widened: Vec<RecordBatch> = batches.iter().map(widened).collect();
    let mut writer = ArrowWriter::try_new(Vec::new(), widened[0].schema(), None).unwrap();
    for batch in &widened {
        writer.write(batch).unwrap();
    }
    fs::write(world.register(), writer.into_inner().unwrap()).unwrap();
    world.node().look_at_sources().await;
    let digest = world.planes().changed.unwrap().columns_digest;
    assert_eq!(
        world.bank_is_told().await,
        ErrorCode::ResourceChanged.as_str()
    );
    let digest: [u8; 32] = hex::decode(digest).unwrap().try_into().unwrap();
    world
        .ordered(&world.order(1, accept(Hash(digest))))
        .await
        .unwrap();
    world.load_ends().await;
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());
    assert_eq!(world.planes().failed, None);
    world.end().await;
}

/// The years in a wider type.
fn widened(batch: &RecordBatch) -> RecordBatch {
    let columns = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let column = match field.name().as_str() {
                "year" => arrow_cast::cast(column, &arrow_schema::DataType::Int64).unwrap(),
                _ => Arc::clone(column),
            };
            (field.name().clone(), column)
        })
        .collect::<Vec<_>>();
    RecordBatch::try_from_iter(columns).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_gone_leaves_the_load_before_it_and_says_so() {
    let world = World::ready().await;
    let original = fs::read(world.register()).unwrap();
    let first = world.current().unwrap();
    fs::remove_file(world.register()).unwrap();
    assert_eq!(world.load().await, Err(ErrorCode::SourceUnavailable));
    assert_eq!(world.current(), Some(first.clone()));
    assert_eq!(world.bank_is_told().await, Verdict::Match.to_string());
    world.node().look_at_sources().await;
    let down = |world: &World| {
        let healths = world.node().source_healths();
        let planes = healths
            .into_iter()
            .find(|(name, _)| name.starts_with(RESOURCE));
        planes.unwrap().1.failure.is_some()
    };
    assert!(down(&world));
    // Torn in the middle of being written.
    fs::write(world.register(), &original[..original.len() / 2]).unwrap();
    assert_eq!(world.load().await, Err(ErrorCode::SourceUnavailable));
    fs::write(world.register(), &original).unwrap();
    assert_eq!(world.load().await, Ok(first));
    world.node().look_at_sources().await;
    assert!(!down(&world));
    assert_eq!(
        world.node().begin_load("nothing", None, None),
        Err(ErrorCode::ResourceUnknown)
    );
    assert_eq!(
        world.node().stop_load(RESOURCE, None),
        Err(ErrorCode::LoadUnknown)
    );
    // A resource that no approved product asks is not read at all.
    let airlines = world.node().begin_load("airlines", None, None);
    assert_eq!(airlines, Err(ErrorCode::ResourceUnavailable));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_mixes_two_loads_while_the_register_is_exchanged() {
    let world = World::ready().await;
    let original = fs::read(world.register()).unwrap();
    let matching = world.current().unwrap();
    world.exchange(&original, 1);
    let other = world.load().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..3 {
        let (bank, stop) = (world.caller(Party::Bank).await, Arc::clone(&stop));
        let (matching, other) = (matching.clone(), other.clone());
        callers.push(tokio::spawn(async move {
            let mut seen = [0_usize; 2];
            while !stop.load(Ordering::SeqCst) {
                let answered = bank.verify(&call(GRANT)).await.unwrap();
                let load = answered.loads[0].id.as_str();
                // What the answer says it was made from is what it was made from, and what the record says.
                let place = usize::from(load == other);
                assert!(load == matching || load == other);
                let expected = [Verdict::Match, Verdict::NoMatch][place];
                assert_eq!(answered.value, expected);
                let recorded = answered.proven.record.draft.clear.get_text(Field::Load);
                assert_eq!(recorded, Some(load));
                seen[place] += 1;
            }
            seen
        }));
    }
    for round in 0..6 {
        world.exchange(&original, round % 2);
        let expected = [&matching, &other][usize::try_from(round % 2).unwrap()];
        assert_eq!(world.load().await.as_ref(), Ok(expected));
        world.bank_is_told().await;
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        let seen = patiently("a caller", caller).await.unwrap();
        assert!(seen[0] + seen[1] > 0);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_beyond_its_limits_is_refused_and_the_one_before_goes_on() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world
        .open_node(|config| config.limits.load_bytes_max = 1_000)
        .await;
    wait_until(&world.network, "the node is ready", |node| {
        node.ready() && node.epoch().is_some()
    })
    .await
    .unwrap();
    world.mirrored().await;
    assert_eq!(
        world.bank_is_told().await,
        ErrorCode::ResourceUnavailable.as_str()
    );
    let failed = world.planes().failed.unwrap();
    assert_eq!(failed.code, ErrorCode::ResourceTooLarge.as_str());
    world.end().await;
}

#[test]
fn a_stream_without_the_load_has_no_lineage() {
    let record = lingqu_core::record::Draft::new(Kind::NodeStart);
    let stream = lingqu_core::record::StreamId::of::<Intl>("t");
    let record = record.at(stream, 0, lingqu_core::Timestamp(0));
    assert_eq!(lingqu_node::loads::lineage::part(&record, "load_x"), None);
}
