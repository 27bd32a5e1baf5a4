//! Statistics with noise through the running network: what is released, what is charged to whom, what is charged again,
//! and what stays spent.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use lingqu_client::{CallFailed, Question};
use lingqu_core::debit::{DEBIT, DEBIT_STORED};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Environment;
use lingqu_core::product::{
    Approval, Definition, DpTerms, Parameter, ParameterValues, Product, ProductRef, Statistic,
};
use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::{Clock, ErrorCode};
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_demo::objects::{self, ORIGINS, Which};
use lingqu_demo::register::transport::AIRLINES;
use lingqu_node::admin::{AdminRequest, ask};
use lingqu_policy::{DpBudget, MicroRho};
use lingqu_proto::ClaimValue;
use lingqu_tlog::{Hash, Intl, Signer};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::binary::run;
use crate::network::{Caller, Setup, World, asked, calls, denied};
use crate::observed::{listening, sample};

/// What is told when a budget has no room.
const EXHAUSTED: ErrorCode = ErrorCode::PrivacyBudgetExhausted;
const PRODUCT: &str = "tb.flights_noisy";
const SPACE: &str = "aircraft";
/// Of one answer; the unit's policy has room for three, and so has the bank's grant.
const RHO: u64 = 10_000;
const SQL: &str = "SELECT carrier, count(distinct tailnum) AS aircraft, count(*) AS flights, \
    avg(arr_delay) AS late FROM flights WHERE origin = $origin AND month = $month GROUP BY carrier";

fn product(version: u32, terms: Option<DpTerms>) -> Product {
    let parameter = |name: &str, allowed| Parameter {
        name: name.to_owned(),
        allowed,
        edges: false,
    };
    let origins = ORIGINS.map(str::to_owned).to_vec();
    Product {
        reference: ProductRef {
            id: PRODUCT.parse().unwrap(),
            version,
        },
        definition: Definition::Statistic(Statistic {
            sql: SQL.to_owned(),
            parameters: vec![
                parameter("origin", ParameterValues::Texts(origins)),
                parameter("month", ParameterValues::Integers((1..=12).collect())),
            ],
            dimensions: Vec::new(),
            dp: terms,
        }),
        ..objects::product(Which::Delays)
    }
}

fn terms() -> DpTerms {
    DpTerms {
        rho: MicroRho(RHO),
        groups_per_entity_max: 1,
        rows_per_entity_max: 20,
        clamps: Vec::new(),
    }
}

/// A statistic with noise over the flights, approved, and grants on it.
struct Noisy {
    world: World,
    policy: Envelope,
    digest: Hash,
}

impl Noisy {
    async fn open() -> Noisy {
        Noisy::with(product(1, Some(terms())), 3 * RHO).await
    }

    async fn with(product: Product, rho_total: u64) -> Noisy {
        Noisy::over(World::ready().await, product, rho_total).await
    }

    async fn over(world: World, product: Product, rho_total: u64) -> Noisy {
        let policy = policy(1, rho_total);
        let policy = world.network.signed(&policy, &[Party::Unit]).unwrap();
        world.push(&policy, None).await.unwrap();
        let mut noisy = Noisy {
            world,
            policy,
            digest: Hash([0; 32]),
        };
        noisy.approve(&product).await;
        noisy
    }

    /// Has the unit approve a version under the policy of now, and waits until it answers.
    async fn approve(&mut self, product: &Product) {
        let network = &self.world.network;
        let signed = network.signed(product, &[Party::Agency]).unwrap();
        let approval = Approval {
            product: product.reference.clone(),
            ..objects::approval(Which::Delays, &signed, &self.policy)
        };
        let approval = network.signed(&approval, &[Party::Unit]).unwrap();
        self.world.push(&signed, None).await.unwrap();
        self.world.push(&approval, None).await.unwrap();
        self.digest = signed.digest();
    }

    async fn is_open(&self, products: usize) {
        wait_until(&self.world.network, "the products are open", |node| {
            node.products_open() == products
        })
        .await
        .unwrap();
    }

    /// Grants a version to a party, with so much budget of its own.
    async fn grant(&self, id: &str, to: Party, version: u32, rho_total: Option<u64>) {
        let key = self.world.network.approval_key(to).unwrap();
        let now = self.world.clock.now();
        let granted = [(Which::Delays, self.digest)];
        let mut grant = objects::grant(id, to, key.public_key(), &granted, now);
        grant.products[0].reference = product(version, None).reference;
        grant.quotas[0].rho_total = rho_total.map(MicroRho);
        let signers = [Party::Agency, to, Party::Unit];
        let signed = self.world.sign_by(&grant, &signers);
        self.world.push_filed(&signed).await.unwrap();
    }

    fn spent(&self) -> u64 {
        self.world.journal().spent_on(SPACE, true).0
    }

    fn spent_under(&self, grant: &str) -> u64 {
        let grant = grant.parse().unwrap();
        self.world
            .journal()
            .spent_under(&grant, Environment::Prod)
            .0
    }

    async fn debits(&self) -> Vec<Record> {
        let records = self.world.records().await.into_iter();
        records
            .filter(|record| record.draft.kind == Kind::Debit)
            .collect()
    }
}

fn policy(version: u32, rho_total: u64) -> lingqu_core::product::SignedPolicy {
    let mut policy = objects::policy(Which::Delays);
    policy.version = version;
    policy.policy = policy
        .policy
        .with_space("tailnum", SPACE)
        .unwrap()
        .with_dp(DpBudget::new(MicroRho(rho_total), 6).unwrap());
    policy
}

fn question(grant: &str, month: i64) -> Question {
    let mut asked = asked(grant);
    asked.product = PRODUCT.parse().unwrap();
    let arguments = vec![
        ("origin".to_owned(), ClaimValue::Text("JFK".to_owned())),
        ("month".to_owned(), ClaimValue::Integer(month)),
    ];
    let mut call = Question::new(asked, arguments);
    call.lagged_accepted = true;
    call
}

async fn bytes(caller: &Caller, grant: &str, month: i64) -> Result<Vec<u8>, CallFailed> {
    let answer = caller.checked.query(&question(grant, month)).await?;
    Ok(answer.value.0)
}

fn rows(stream: &[u8]) -> RecordBatch {
    StreamReader::try_new(stream, None)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
}

fn code<T: std::fmt::Debug>(answer: Result<T, CallFailed>) -> Option<ErrorCode> {
    answer.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_question_has_one_answer_and_one_price() {
    let noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(3 * RHO))
        .await;
    noisy
        .grant("grant_other", Party::Broker, 1, Some(2 * RHO))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    let broker = noisy.world.caller(Party::Broker).await;
    let first = bytes(&bank, "grant_noisy", 1).await.unwrap();
    let table = rows(&first);
    // Every airline that the unit declared and the group of everything else, whoever flew; nothing kept back; no float.
    assert_eq!(table.num_rows(), AIRLINES.len() + 1);
    for (column, field) in table.columns().iter().zip(table.schema().fields()).skip(1) {
        assert_eq!(column.null_count(), 0, "{field}");
        let whole = *field.data_type() == DataType::Int64;
        assert!(
            whole || matches!(field.data_type(), DataType::Decimal128(_, 6)),
            "{field}"
        );
    }
    let late = table.column(3).as_primitive::<Decimal128Type>();
    assert!(
        late.values()
            .iter()
            .all(|late| late.unsigned_abs() < 10_u128.pow(11))
    );
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (RHO, RHO)
    );

    // Asked again, by whomever, under whatever id: the same bytes. Only the asker's own grant pays.
    assert_eq!(bytes(&bank, "grant_noisy", 1).await.unwrap(), first);
    assert_eq!(bytes(&broker, "grant_other", 1).await.unwrap(), first);
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (RHO, 2 * RHO)
    );
    assert_eq!(noisy.spent_under("grant_other"), RHO);
    let other = bytes(&bank, "grant_noisy", 2).await.unwrap();
    assert_ne!(other, first);
    assert_eq!(noisy.spent(), 2 * RHO);

    // Each debit stands before the record of its call, which refers to it.
    let debits = noisy.debits().await;
    let actions: Vec<&str> = { debits.iter() }
        .map(|debit| debit.draft.clear.get_text(Field::Action).unwrap())
        .collect();
    assert_eq!(actions, [DEBIT, DEBIT_STORED, DEBIT_STORED, DEBIT]);
    let records = noisy.world.records().await;
    for call in calls(&records) {
        assert!(debits.iter().any(|debit| debit.index < call.index));
    }
    // The grant of the bank is used up, the stored answers too cost it.
    let exhausted = Some(EXHAUSTED);
    assert_eq!(code(bytes(&bank, "grant_noisy", 1).await), exhausted);
    assert_eq!(bytes(&broker, "grant_other", 1).await.unwrap(), first);
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_callers_who_collude_share_the_account() {
    let mut noisy = Noisy::open().await;
    noisy.is_open(2).await;
    let much = Some(1_000 * RHO);
    noisy.grant("grant_noisy", Party::Bank, 1, much).await;
    noisy.grant("grant_other", Party::Broker, 1, much).await;
    noisy.grant("grant_without", Party::Bank, 1, None).await;
    let bank = noisy.world.caller(Party::Bank).await;
    let broker = noisy.world.caller(Party::Broker).await;
    let exhausted = Some(EXHAUSTED);
    // A grant that says nothing of privacy may spend none.
    assert_eq!(code(bytes(&bank, "grant_without", 1).await), exhausted);
    assert_eq!(noisy.spent(), 0);
    let first = bytes(&bank, "grant_noisy", 1).await.unwrap();
    bytes(&broker, "grant_other", 2).await.unwrap();
    bytes(&bank, "grant_noisy", 3).await.unwrap();
    assert_eq!(code(bytes(&broker, "grant_other", 4).await), exhausted);
    assert_eq!(code(bytes(&bank, "grant_noisy", 4).await), exhausted);
    assert_eq!(noisy.spent(), 3 * RHO);
    let records = noisy.world.records().await;
    assert_eq!(denied(&records, Party::Broker, EXHAUSTED), 1);

    // What was answered is still answered, by the store, to both.
    assert_eq!(bytes(&broker, "grant_other", 1).await.unwrap(), first);

    // Another version, another name or another grant is the same people: nothing is left of their budget.
    let mut cheaper = terms();
    cheaper.rho = MicroRho(1);
    noisy.approve(&product(2, Some(cheaper))).await;
    noisy.is_open(3).await;
    noisy.grant("grant_newer", Party::Bank, 2, much).await;
    wait_until(&noisy.world.network, "the newer version answers", |node| {
        node.holdings().grants_of(&Party::Bank.id()).count() >= 4
    })
    .await
    .unwrap();
    assert_eq!(code(bytes(&bank, "grant_newer", 1).await), exhausted);
    assert_eq!(noisy.spent(), 3 * RHO);
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_neither_answers_nor_debits() {
    let mut noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(9 * RHO))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    let first = bytes(&bank, "grant_noisy", 1).await.unwrap();
    noisy.world.mirrored().await;
    noisy.world.network.stop_node().await.unwrap();
    noisy.world.start_node().await;
    noisy.is_open(2).await;
    let bank = noisy.world.caller(Party::Bank).await;
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (RHO, RHO)
    );
    assert_eq!(bytes(&bank, "grant_noisy", 1).await.unwrap(), first);
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (RHO, 2 * RHO)
    );

    // Without the stored file the same question is another answer, and paid for as one.
    let stored = noisy.world.state().join("noisy-answers");
    for file in std::fs::read_dir(&stored).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_ne!(bytes(&bank, "grant_noisy", 1).await.unwrap(), first);
    assert_eq!(noisy.spent(), 2 * RHO);
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_pay_once() {
    let noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(100 * RHO))
        .await;
    let bank = Arc::new(noisy.world.caller(Party::Bank).await);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { bytes(&bank, "grant_noisy", 7).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (RHO, 8 * RHO)
    );
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_says_what_it_costs_and_costs_nothing() {
    let noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy.grant("grant_noisy", Party::Bank, 1, Some(RHO)).await;
    let bank = noisy.world.caller(Party::Bank).await;
    let told = bank
        .checked
        .explain(&question("grant_noisy", 1))
        .await
        .unwrap();
    let told = rows(&told.value.0);
    let english = told.column(1).as_string::<i32>();
    let english: Vec<&str> = english.iter().flatten().collect();
    let english = english.join("\n");
    assert!(
        english.contains("gets discrete Gaussian noise of standard deviation"),
        "{english}"
    );
    assert!(english.contains("costs ρ = 0.01 of the 0.03"), "{english}");
    assert_eq!((noisy.spent(), noisy.debits().await.len()), (0, 0));
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_noise_is_there_and_as_wide_as_it_says() {
    // So much budget that all answers are near what lies in the register, and equal to it in none of a dozen.
    let mut wide = terms();
    wide.rho = MicroRho(10_000_000);
    let noisy = Noisy::with(product(1, Some(wide)), 1_000_000_000).await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(1_000_000_000))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    let mut total = 0;
    let mut undeclared = Vec::new();
    for month in 1..=12 {
        let table = rows(&bytes(&bank, "grant_noisy", month).await.unwrap());
        let aircraft = table.column(1).as_primitive::<Int64Type>();
        total += aircraft.values().iter().take(AIRLINES.len()).sum::<i64>();
        undeclared.push(aircraft.value(AIRLINES.len()));
    }
    // Nobody flies for an airline that is not declared, so what stands there is noise alone, of σ below one.
    assert!(
        undeclared.iter().all(|noise| noise.abs() <= 8),
        "{undeclared:?}"
    );
    assert!(total > 1_000, "{total}");
    assert_eq!(noisy.spent(), 120_000_000);
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_budget_in_the_policy_it_does_not_open() {
    let world = World::ready().await;
    let policy = objects::policy(Which::Delays);
    let policy = world.network.signed(&policy, &[Party::Unit]).unwrap();
    world.push(&policy, None).await.unwrap();
    let mut noisy = Noisy {
        world,
        policy,
        digest: Hash([0; 32]),
    };
    noisy.approve(&product(1, Some(terms()))).await;
    noisy.grant("grant_noisy", Party::Bank, 1, Some(RHO)).await;
    let bank = noisy.world.caller(Party::Bank).await;
    let refused = code(bytes(&bank, "grant_noisy", 1).await);
    assert_eq!(refused, Some(ErrorCode::ResourceUnavailable));
    assert_eq!(noisy.spent(), 0);
    noisy.world.end().await;
}

/// Takes the last frame of the journal away, as a power cut does to a write that was not over: `"WALF"` begins a block.
fn lose_the_last_frame(journal: &Path) {
    const BLOCK: usize = 4_096;
    let segments = std::fs::read_dir(journal).unwrap();
    let mut segments: Vec<_> = segments.map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    segments.sort();
    for segment in segments.iter().rev() {
        let mut bytes = std::fs::read(segment).unwrap();
        let mut blocks = bytes.chunks_mut(BLOCK);
        if let Some(last) = blocks.rfind(|block| block.starts_with(b"WALF")) {
            last.fill(0);
            std::fs::write(segment, bytes).unwrap();
            return;
        }
    }
    panic!("the journal has no frame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_debit_and_answer_gives_nothing_back() {
    let mut noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(9 * RHO))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    bytes(&bank, "grant_noisy", 1).await.unwrap();
    noisy.world.mirrored().await;
    // The mirror knows nothing of what follows, so the node's own disk is all that there is.
    noisy.world.network.stop_coordinator().await.unwrap();
    noisy.world.mirror_is_away().await;
    bytes(&bank, "grant_noisy", 2).await.unwrap();
    assert_eq!(noisy.spent(), 2 * RHO);
    noisy.world.network.stop_node().await.unwrap();
    // The word of its orderly stop, and the call before it: what is left is what a crash after the debit leaves.
    for _ in 0..2 {
        lose_the_last_frame(&noisy.world.state().join("journal"));
    }
    for file in std::fs::read_dir(noisy.world.state().join("noisy-answers")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }

    noisy.world.network.start_coordinator().await.unwrap();
    noisy.world.start_node().await;
    noisy.is_open(2).await;
    let records = noisy.world.records().await;
    assert_eq!((calls(&records).len(), noisy.debits().await.len()), (1, 2));
    // The debit has no call, and is spent.
    assert_eq!(
        (noisy.spent(), noisy.spent_under("grant_noisy")),
        (2 * RHO, 2 * RHO)
    );
    let bank = noisy.world.caller(Party::Bank).await;
    bytes(&bank, "grant_noisy", 2).await.unwrap();
    assert_eq!(noisy.spent(), 3 * RHO);
    let exhausted = Some(ErrorCode::PrivacyBudgetExhausted);
    assert_eq!(code(bytes(&bank, "grant_noisy", 3).await), exhausted);
    noisy.world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_policy_counts_what_was_spent_under_the_earlier() {
    let mut noisy = Noisy::open().await;
    noisy.is_open(2).await;
    let much = Some(1_000 * RHO);
    noisy.grant("grant_1", Party::Bank, 1, much).await;
    let bank = noisy.world.caller(Party::Bank).await;
    bytes(&bank, "grant_1", 1).await.unwrap();
    bytes(&bank, "grant_1", 2).await.unwrap();
    let exhausted = Some(ErrorCode::PrivacyBudgetExhausted);
    for (version, rho_total, grant, is_left) in [
        (2, 2 * RHO, "grant_2", false),
        (3, 3 * RHO, "grant_3", true),
    ] {
        let policy = policy(version, rho_total);
        let policy = noisy.world.network.signed(&policy, &[Party::Unit]).unwrap();
        noisy.world.push(&policy, None).await.unwrap();
        noisy.policy = policy;
        noisy.approve(&product(version, Some(terms()))).await;
        noisy.is_open(2).await;
        noisy.grant(grant, Party::Bank, version, much).await;
        let told = bytes(&bank, grant, 3).await;
        match is_left {
            true => drop(told.unwrap()),
            false => assert_eq!(code(told), exhausted),
        }
    }
    assert_eq!(noisy.spent(), 3 * RHO);
    assert_eq!(code(bytes(&bank, "grant_3", 4).await), exhausted);
    noisy.world.end().await;
}

/// The register without its first row.
fn one_less(original: &[u8]) -> Vec<u8> {
    let bytes = prost::bytes::Bytes::copy_from_slice(original);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    for (at, batch) in batches.iter().enumerate() {
        let skipped = usize::from(at == 0);
        writer
            .write(&batch.slice(skipped, batch.num_rows() - skipped))
            .unwrap();
    }
    writer.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_load_has_answers_and_prices_of_its_own() {
    let noisy = Noisy::open().await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(9 * RHO))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    let first = bytes(&bank, "grant_noisy", 1).await.unwrap();
    let files = noisy.world.network.files().dir().join("node/data");
    let path = files.join("flights.parquet");
    let next = path.with_extension("next");
    std::fs::write(&next, one_less(&std::fs::read(&path).unwrap())).unwrap();
    std::fs::rename(&next, &path).unwrap();
    let load = |node: &lingqu_node::Node| {
        let mut statuses = node.resource_statuses().into_iter();
        let flights = statuses.find(|status| status.resource == "flights");
        flights.and_then(|flights| flights.load).map(|load| load.id)
    };
    let before = load(noisy.world.node());
    noisy
        .world
        .node()
        .begin_load("flights", None, None)
        .unwrap();
    wait_until(&noisy.world.network, "the newer load answers", |node| {
        load(node) != before
    })
    .await
    .unwrap();
    noisy.world.node().record_pending().await;
    assert_ne!(bytes(&bank, "grant_noisy", 1).await.unwrap(), first);
    assert_eq!(noisy.spent(), 2 * RHO);
    noisy.world.end().await;
}

/// The unit sees what its space has left, at its own socket and in its own metrics; whoever has the log adds up the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unit_and_whoever_has_the_log_see_what_is_spent() {
    let world = World::with(Setup {
        config: listening,
        ..Setup::default()
    })
    .await;
    let noisy = Noisy::over(world, product(1, Some(terms())), 3 * RHO).await;
    noisy.is_open(2).await;
    noisy
        .grant("grant_noisy", Party::Bank, 1, Some(5 * RHO))
        .await;
    let bank = noisy.world.caller(Party::Bank).await;
    for month in [1, 2, 1] {
        bytes(&bank, "grant_noisy", month).await.unwrap();
    }
    let socket = noisy.world.node().config().admin_socket();
    let told = ask(&socket, &AdminRequest::Status).await.unwrap();
    let budgets = told.status.unwrap().budgets;
    let [budget] = budgets.as_slice() else {
        panic!("{budgets:?}");
    };
    assert_eq!((budget.space.as_str(), budget.production), (SPACE, true));
    let shown = [
        budget.limit.as_deref().unwrap(),
        &budget.spent,
        &budget.left,
    ];
    assert_eq!(shown, ["0.03", "0.02", "0.01"]);

    let (_, text) = noisy.world.node_says("/metrics").await;
    let of_space = format!("{{data=\"production\",space=\"{SPACE}\"}}");
    for (series, expected) in [
        (
            format!("lingqu_node_privacy_budget_spent_rho{of_space}"),
            0.02,
        ),
        (
            format!("lingqu_node_privacy_budget_left_rho{of_space}"),
            0.01,
        ),
        (
            "lingqu_node_grant_budget_left_rho{grant=\"grant_noisy\"}".to_owned(),
            0.02,
        ),
    ] {
        assert!((sample(&text, &series) - expected).abs() < 1e-9, "{series}");
    }

    // The same from the records alone, as entry bundles of an archive hold them.
    let archive = tempfile::tempdir().unwrap();
    let bundles = archive.path().join("tile/entries");
    std::fs::create_dir_all(&bundles).unwrap();
    let mut bundle = Vec::new();
    for record in noisy.world.records().await {
        let entry = record.encode::<Intl>();
        bundle.extend_from_slice(&u16::try_from(entry.len()).unwrap().to_be_bytes());
        bundle.extend_from_slice(&entry);
    }
    std::fs::write(bundles.join("000"), bundle).unwrap();
    let archive = archive.path().to_str().unwrap();
    let ran = run(&["audit", "budget", "--archive", archive]);
    assert!(ran.out.contains(&format!(
        "space {SPACE} (production data): 0.02 ρ in 2 debits"
    )));
    assert!(
        ran.out
            .contains("grant grant_noisy (production data): 0.03 ρ in 3 debits")
    );
    noisy.world.end().await;
}
