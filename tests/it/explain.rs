//! Explanations: what a call would answer, under which rules and at what cost. They pass the same admission as a call,
//! are on record, cost nothing, and tell nothing to whom the call would be refused, and nothing of any row to anybody.

use std::path::Path;

use arrow_array::cast::AsArray;
use datafusion::arrow::ipc::reader::StreamReader;
use lingqu_client::{Answered, CallFailed, Question, Table};
use lingqu_core::grant::Environment;
use lingqu_core::record::Field;
use lingqu_core::{Clock, ErrorCode};
use lingqu_demo::cast::{Party, Unit};
use lingqu_demo::network::wait_until;
use lingqu_demo::objects::{self, Which};
use lingqu_proto::ClaimValue;
use lingqu_tlog::Signer;
use serde_json::json;

use crate::network::{Caller, GRANT, Setup, World, call, calls, denied};

/// The bank's grant for the statistic.
const STATISTICS: &str = "grant_statistics";

/// Topic and English of each sentence.
fn sentences(table: &Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for batch in StreamReader::try_new(table.0.as_slice(), None).unwrap() {
        let batch = batch.unwrap();
        let text = |column: usize, row: usize| {
            let column = batch.column(column).as_string::<i32>();
            column.value(row).to_owned()
        };
        assert_eq!(batch.num_columns(), 3);
        found.extend((0..batch.num_rows()).map(|row| (text(0, row), text(1, row))));
    }
    found
}

fn says(told: &[(String, String)], topic: &str, part: &str) -> bool {
    { told.iter() }.any(|(about, words)| about == topic && words.contains(part))
}

async fn explain(caller: &Caller, question: &Question) -> Result<Answered<Table>, CallFailed> {
    caller.checked.explain(question).await
}

/// The code of a refusal.
fn refusal<T>(told: Result<T, CallFailed>) -> Option<ErrorCode> {
    told.err().and_then(|failed| failed.code())
}

impl World {
    /// Files, approves and grants the statistic on flights beside the verification.
    async fn with_statistic(&self) {
        let files = async |party: Party, object: &lingqu_core::envelope::Envelope| {
            self.network.file(party, object).await.unwrap().unwrap();
        };
        let airlines = objects::resource_policy(Unit::Transport, "airlines");
        let airlines = self.network.signed(&airlines, &[Party::Unit]).unwrap();
        let flights = objects::policy(Which::Delays);
        let flights = self.network.signed(&flights, &[Party::Unit]).unwrap();
        let product = objects::product(Which::Delays);
        let product = self.network.signed(&product, &[Party::Agency]).unwrap();
        let approval = objects::approval(Which::Delays, &product, &flights);
        let approval = self.network.signed(&approval, &[Party::Unit]).unwrap();
        files(Party::Unit, &airlines).await;
        files(Party::Unit, &flights).await;
        files(Party::Agency, &product).await;
        files(Party::Unit, &approval).await;
        let key = self.network.approval_key(Party::Bank).unwrap();
        let granted = [(Which::Delays, product.digest())];
        let now = self.clock.now();
        let grant = objects::grant(STATISTICS, Party::Bank, key.public_key(), &granted, now);
        files(Party::Agency, &self.sign(&grant)).await;
        wait_until(&self.network, "the statistic is open", |node| {
            let held = node.holdings().grants_of(&Party::Bank.id()).count();
            node.products_open() > 1 && held > 1
        })
        .await
        .unwrap();
        self.mirrored().await;
    }
}

/// A call of the statistic.
fn delays(month: i64) -> Question {
    let mut question = call(STATISTICS);
    question.asked.product = Which::Delays.reference().id;
    question.arguments = vec![
        ("origin".to_owned(), ClaimValue::Text("EWR".to_owned())),
        ("month".to_owned(), ClaimValue::Integer(month)),
    ];
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_is_on_record_and_costs_nothing() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let question = call(GRANT);
    let first = explain(&bank, &question).await.unwrap();
    let told = sentences(&first.value);
    assert!(says(&told, "releases", "MATCH, NO_MATCH"), "{told:?}");
    assert!(says(&told, "cost", "calls a day"), "{told:?}");
    assert_eq!(world.charged(), 0);
    let records = world.records().await;
    let [record] = calls(&records)[..] else {
        panic!("one record")
    };
    let clear = &record.draft.clear;
    assert_eq!(clear.get_text(Field::Action), Some("explain"));
    assert_eq!(clear.get_text(Field::Outcome), Some("ANSWERED"));
    assert_eq!(clear.get_number(Field::Units), Some(0));
    assert_eq!(record, &first.proven.record);

    // The same again is the same record; the call itself is another request, under another id.
    let again = explain(&bank, &question).await.unwrap();
    assert_eq!(again.proven.record, first.proven.record);
    assert_eq!(bank.told(&question).await, "CALL_ID_REUSED");
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    assert_eq!(world.charged(), 1);
    let reused = call(GRANT);
    assert_eq!(bank.told(&reused).await, "MATCH");
    let refused = explain(&bank, &reused).await;
    assert_eq!(refusal(refused), Some(ErrorCode::CallIdReused));
    world.end().await;
}

/// Whoever would be refused the call is refused the explanation, with the same word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_tells_nothing_that_the_call_would_not() {
    let world = World::ready().await;
    let (bank, broker) = (
        world.caller(Party::Bank).await,
        world.caller(Party::Broker).await,
    );
    let good = || call(GRANT);
    let changed = |change: fn(&mut Question)| {
        let mut question = good();
        change(&mut question);
        question
    };
    for (what, caller, question) in [
        ("a foreign grant", &broker, good()),
        ("a grant that nobody has", &bank, call("grant_nobody")),
        ("the same, of a stranger", &broker, call("grant_nobody")),
        ("no grant", &broker, changed(|q| q.asked.grant = None)),
        (
            "a product that is not granted",
            &bank,
            changed(|q| q.asked.product = Which::Delays.reference().id),
        ),
        (
            "a product that is not there",
            &bank,
            changed(|q| q.asked.product = "tb.nothing".parse().unwrap()),
        ),
        (
            "another version",
            &bank,
            changed(|q| q.asked.version = Some(9)),
        ),
        (
            "another purpose",
            &bank,
            changed(|q| q.asked.purpose = "MARKETING".to_owned()),
        ),
        (
            "another environment",
            &bank,
            changed(|q| q.asked.environment = Environment::Test),
        ),
        (
            "another end user",
            &bank,
            changed(|q| q.asked.end_user = "91450100MA5K00000X".to_owned()),
        ),
        (
            "a date to come",
            &bank,
            changed(|q| q.as_of_min = Some("2099-01-01".parse().unwrap())),
        ),
    ] {
        let called = refusal(caller.verify(&question).await);
        let mut other = question.clone();
        other.id = good().id;
        let explained = refusal(explain(caller, &other).await);
        assert!(called.is_some(), "{what}");
        assert_eq!(explained, called, "{what}");
    }
    // What does not fit is refused too, as the call would be.
    let odd = changed(|q| q.arguments.truncate(2));
    let refused = refusal(explain(&bank, &odd).await).unwrap();
    let mut called = odd.clone();
    called.id = good().id;
    assert_eq!(Some(refused), refusal(bank.verify(&called).await));
    let records = world.records().await;
    assert!(calls(&records).is_empty());
    // A foreign grant is told like none, and recorded by its reason.
    assert!(denied(&records, Party::Broker, ErrorCode::GrantPartyMismatch) > 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_explanations_is_turned_away() {
    let config = |config: &mut lingqu_node::NodeConfig| config.limits.denials_per_minute_max = 5;
    let world = World::with(Setup {
        config,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    let mut turned_away = 0;
    for _ in 0..20 {
        match explain(&bank, &call(GRANT)).await {
            Ok(_) => {}
            Err(failed) => {
                assert_eq!(failed.code(), Some(ErrorCode::RateLimited));
                turned_away += 1;
            }
        }
    }
    // The minute may turn once while this runs.
    assert!(turned_away >= 10, "{turned_away}");
    assert_eq!(world.charged(), 0);
    world.end().await;
}

/// An explained statistic says what its unit has signed and what the caller states; a real driver gets the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statistic_is_explained_to_any_client() {
    let world = World::ready().await;
    world.with_statistic().await;
    let bank = world.caller(Party::Bank).await;
    let told = sentences(&explain(&bank, &delays(3)).await.unwrap().value);
    for (topic, part) in [
        (
            "reads",
            "reads the protected table `flights`; the entity is `tailnum`",
        ),
        ("reads", "joins the table `airlines`"),
        ("takes", "`origin` equals `EWR`"),
        ("takes", "`month` equals `3`"),
        ("releases", "releases `aircraft`: number of entities"),
        (
            "releases",
            "releases `average_delay`: average of `arr_delay`",
        ),
        ("rule", "fewer than 10 entities"),
        ("rule", "while the mirror is away"),
        ("cost", "`grant_statistics`"),
    ] {
        assert!(says(&told, topic, part), "{topic}: {part}: {told:?}");
    }
    let mut outside = delays(3);
    outside.arguments[1].1 = ClaimValue::Integer(13);
    let refused = refusal(explain(&bank, &outside).await);
    assert_eq!(refused, Some(ErrorCode::ParameterInvalid));
    assert_eq!(world.charged(), 0);

    let mut setting = world.setting();
    setting["product"] = json!("tb.delays_by_carrier");
    setting["arguments"] = json!(["EWR", 3]);
    setting["headers"]["lingqu-grant"] = json!(STATISTICS);
    let found = world.run_script_with("adbc_explain.py", &setting).await;
    let by_driver: Vec<(String, String)> = serde_json::from_value(found["told"].clone()).unwrap();
    assert_eq!(by_driver, told);
    world.end().await;
}

/// Rows are not even in reach where an explanation is made: over another register it is the same, byte by byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_does_not_depend_on_rows() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let question = call(GRANT);
    let over_planes = explain(&bank, &question).await.unwrap().value;
    world.network.stop_node().await.unwrap();
    let canaries = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/canaries.parquet");
    world
        .start_node_with_another_table(move |config| config.resources[0].path = Some(canaries))
        .await;
    let bank = world.caller(Party::Bank).await;
    let over_canaries = explain(&bank, &call(GRANT)).await.unwrap().value;
    assert_eq!(over_canaries, over_planes);
    let told = format!("{:?}", sentences(&over_canaries));
    for canary in include_str!("../canaries.txt").lines() {
        let canary = canary.trim();
        assert!(canary.is_empty() || canary.starts_with('#') || !told.contains(canary));
    }
    world.end().await;
}
