//! Every honest question, of a running node, by a real ADBC client, held against bare DataFusion.
//!
//! The questions, their tables and policies and the oracle are those of the guard's own test, read from its files. A
//! resource answers all its statistics from one partition, so questions that would divide it too finely together are
//! asked of resources of their own over the same rows: `orders_a`, `orders_b` and so on.

#[path = "../../crates/guard/src/tests/honest/oracle.rs"]
mod oracle;
#[path = "../../crates/guard/src/tests/honest/question.rs"]
mod question;
#[path = "../../crates/guard/src/tests/honest/registers.rs"]
mod registers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::GrantedProduct;
use lingqu_core::product::{
    Approval, Definition, Product, ProductRef, SignedPolicy, Statistic, Tier,
};
use lingqu_demo::cast::{Party, Unit};
use lingqu_demo::network::wait_until;
use lingqu_node::config::ResourceSection;
use lingqu_tlog::Hash;
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::network::World;
use oracle::Oracle;
use question::{Question, questions};

const GRANT: &str = "grant_honest";

/// A resource of the node: a table of a register, for one set of questions or, without a set, for joins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    register: &'static str,
    table: &'static str,
    set: Option<&'static str>,
}

impl Resource {
    fn name(&self) -> String {
        format!("{}_{}", self.table, self.set.unwrap_or("joined"))
    }

    fn of(question: &Question) -> Resource {
        Resource {
            register: question.register,
            table: question.table(),
            set: Some(question.set),
        }
    }
}

/// The tables that a question joins.
fn joined(question: &Question) -> impl Iterator<Item = Resource> {
    let joins = question.body.split(" JOIN ").skip(1);
    joins.map(|join| Resource {
        register: question.register,
        table: join.split(' ').next().unwrap(),
        set: None,
    })
}

fn id(number: usize) -> String {
    format!("tb.honest_{number}")
}

/// The question as a product of the node.
fn product(number: usize, question: &Question) -> Product {
    let mut sql = question.sql.to_owned();
    // The statement goes on knowing its tables by their own names.
    for (word, resource) in { joined(question) }
        .map(|joined| ("JOIN", joined))
        .chain([("FROM", Resource::of(question))])
    {
        let table = resource.table;
        let named = format!(" {word} {} AS {table}", resource.name());
        sql = sql.replacen(&format!(" {word} {table}"), &named, 1);
    }
    Product {
        reference: ProductRef {
            id: id(number).parse().unwrap(),
            version: 1,
        },
        tier: Tier::Primary,
        derived_from: Vec::new(),
        title_zh: format!("诚实提问 {number}"),
        title_en: format!("honest question {number}"),
        unit: Party::Unit.id(),
        node: Unit::Transport.node(),
        resource: Resource::of(question).name(),
        definition: Definition::Statistic(Statistic {
            dp: None,
            sql,
            parameters: Vec::new(),
            dimensions: joined(question).map(|resource| resource.name()).collect(),
        }),
    }
}

/// What a unit files for its questions.
struct Filed {
    objects: Vec<Envelope>,
    /// Digests of the products, in their order.
    products: Vec<(ProductRef, Hash)>,
}

fn filed(world: &World, questions: &[Question], registers: &Registers) -> Filed {
    let signed = |policy: &SignedPolicy| world.network.signed(policy, &[Party::Unit]).unwrap();
    let resources = resources(questions);
    let policies: BTreeMap<String, Envelope> = { resources.iter() }
        .map(|resource| {
            let name = resource.name();
            let mut tables = registers[resource.register].tables().iter();
            let table = tables.find(|table| table.name == resource.table).unwrap();
            let policy = SignedPolicy {
                id: format!("tb-{}", name.replace('_', "-")),
                version: 1,
                unit: Party::Unit.id(),
                resource: name.clone(),
                policy: table.policy.clone(),
            };
            (name, signed(&policy))
        })
        .collect();
    let mut products = Vec::new();
    let mut objects: Vec<Envelope> = policies.values().cloned().collect();
    for (number, question) in questions.iter().enumerate() {
        let product = product(number, question);
        let envelope = world.network.signed(&product, &[Party::Agency]).unwrap();
        let approval = Approval {
            unit: Party::Unit.id(),
            node: Unit::Transport.node(),
            product: product.reference.clone(),
            product_digest: envelope.digest(),
            policy_digest: policies[&product.resource].digest(),
        };
        products.push((product.reference, envelope.digest()));
        objects.push(envelope);
        objects.push(world.network.signed(&approval, &[Party::Unit]).unwrap());
    }
    Filed { objects, products }
}

fn resources(questions: &[Question]) -> BTreeSet<Resource> {
    let own = questions.iter().map(Resource::of);
    own.chain(questions.iter().flat_map(joined)).collect()
}

type Registers = BTreeMap<&'static str, Oracle>;

async fn all_registers() -> Registers {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/demo/data");
    let flights = registers::flights(&data).await;
    BTreeMap::from([
        ("flights", Oracle::new(flights)),
        ("tpch", Oracle::new(registers::tpch())),
    ])
}

/// Writes each table once; the resources over it read the same file.
fn sections(
    directory: &Path,
    resources: &BTreeSet<Resource>,
    registers: &Registers,
) -> Vec<ResourceSection> {
    let mut written: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for (name, register) in registers {
        for table in register.tables() {
            let path = directory.join(format!("{name}-{}.parquet", table.name));
            let file = File::create(&path).unwrap();
            let schema = table.batches[0].schema();
            let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
            table
                .batches
                .iter()
                .for_each(|batch| writer.write(batch).unwrap());
            writer.close().unwrap();
            written.insert(table.name, path);
        }
    }
    let section = |resource: &Resource| ResourceSection {
        name: resource.name(),
        path: Some(written[resource.table].clone()),
        source: None,
        table: None,
        environments: vec!["PROD".to_owned()],
        as_of: Some("2026-01-01".to_owned()),
        as_of_column: None,
        refresh: "manual".to_owned(),
        update_cycle_days: None,
    };
    resources.iter().map(section).collect()
}

/// The products are filed while their resources are not configured, and open together when the node starts again: what
/// answers first is not what later ones must fit into.
async fn open(world: &mut World, questions: &[Question], registers: &Registers) {
    let Filed { objects, products } = filed(world, questions, registers);
    for object in &objects {
        world.push(object, None).await.unwrap();
    }
    let mut grant = world.grant(GRANT);
    let granted = products.iter().map(|(reference, digest)| GrantedProduct {
        reference: reference.clone(),
        digest: *digest,
        reveals_not_found: false,
        reveals_indeterminate: false,
    });
    grant.products = granted.collect();
    world.push_filed(&world.sign(&grant)).await.unwrap();
    world.mirrored().await;
    let wanted = world.node().products_open() + questions.len();
    world.network.stop_node().await.unwrap();
    let directory = world.network.files().dir().join("honest");
    std::fs::create_dir_all(&directory).unwrap();
    let resources = resources(questions);
    let sections = sections(&directory, &resources, registers);
    world
        .start_node_with(|config| config.resources.extend(sections))
        .await;
    wait_until(&world.network, "every question is open", |node| {
        node.products_open() == wanted
    })
    .await
    .unwrap();
}

fn answer(path: &Path) -> RecordBatch {
    let mut stream = StreamReader::try_new(File::open(path).unwrap(), None).unwrap();
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.by_ref().map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema, &batches).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_honest_question_is_answered_by_a_running_node() {
    let mut world = World::ready().await;
    let questions = questions();
    let registers = all_registers().await;
    open(&mut world, &questions, &registers).await;
    let directory = world.network.files().dir().join("answers");
    std::fs::create_dir_all(&directory).unwrap();
    let mut given = world.setting();
    given["headers"]["lingqu-grant"] = json!(GRANT);
    given["answers"] = json!(directory);
    let asked = (0..questions.len()).map(id);
    given["products"] = json!(asked.collect::<Vec<_>>());
    let found = world.run_script_with("adbc_statistics.py", &given).await;
    assert_eq!(found["answered"], json!(questions.len()));
    let (mut shown, mut hidden) = (0, 0);
    for (number, question) in questions.iter().enumerate() {
        let answer = answer(&directory.join(format!("{number}.arrows")));
        let told = registers[question.register].check(question, &answer).await;
        shown += told.shown;
        hidden += told.hidden;
    }
    println!(
        "{} questions, {shown} groups shown, {hidden} hidden",
        questions.len()
    );
    assert!(shown > 300 && hidden > 10, "{shown} {hidden}");
    world.end().await;
}
