//! Statistics whose entities lie in several cells, through the running network: aircraft fly from several airports and in
//! several months. What is answered is compared with the rows themselves, which only this test reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use lingqu_client::{CallFailed, Question};
use lingqu_core::ErrorCode;
use lingqu_core::product::{
    Approval, Definition, Parameter, ParameterValues, Product, ProductRef, Statistic,
};
use lingqu_demo::cast::{Party, Unit};
use lingqu_demo::network::wait_until;
use lingqu_demo::objects::{self, ORIGINS, Which};
use lingqu_demo::register::transport::AIRLINES;
use lingqu_proto::ClaimValue;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::network::{Caller, World, asked};

const DELAYS: &str = "grant_delays";
/// As the unit has signed: no group of fewer, and numbers are multiples of this.
const GROUP_MIN: i64 = 10;
const ROUND_TO: i64 = 5;

/// Airport, month and airline.
type Cell = (String, i64, String);

/// The aircraft of each cell, in the register as it lies on the disk.
fn aircraft(world: &World) -> BTreeMap<Cell, BTreeSet<String>> {
    let path = world
        .network
        .files()
        .dir()
        .join("node/data/flights.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap());
    let names: BTreeMap<_, _> = AIRLINES.into_iter().collect();
    let mut cells: BTreeMap<Cell, BTreeSet<String>> = BTreeMap::new();
    for batch in reader.unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            arrow_cast::cast(column, &arrow_schema::DataType::Utf8).unwrap()
        };
        let columns = ["origin", "month", "carrier", "tailnum"].map(column);
        let [origin, month, carrier, tailnum] = columns.each_ref().map(|c| c.as_string::<i32>());
        for row in 0..batch.num_rows() {
            if tailnum.is_null(row) {
                continue;
            }
            let cell = (
                origin.value(row).to_owned(),
                month.value(row).parse().unwrap(),
                names[carrier.value(row)].to_owned(),
            );
            let aircraft = tailnum.value(row).to_owned();
            cells.entry(cell).or_default().insert(aircraft);
        }
    }
    cells
}

/// The unit opens flights to the statistic, and the bank is granted it.
async fn open(world: &World) {
    let network = &world.network;
    let airlines = objects::resource_policy(Unit::Transport, "airlines");
    let airlines = network.signed(&airlines, &[Party::Unit]).unwrap();
    let policy = objects::policy(Which::Delays);
    let policy = network.signed(&policy, &[Party::Unit]).unwrap();
    let product = objects::product(Which::Delays);
    let product = network.signed(&product, &[Party::Agency]).unwrap();
    let approval = objects::approval(Which::Delays, &product, &policy);
    let approval = network.signed(&approval, &[Party::Unit]).unwrap();
    for object in [&airlines, &policy, &product, &approval] {
        world.push(object, None).await.unwrap();
    }
    let mut grant = world.grant(DELAYS);
    grant.products[0].reference = Which::Delays.reference();
    grant.products[0].digest = product.digest();
    world.push_filed(&world.sign(&grant)).await.unwrap();
    wait_until(network, "both products are open", |node| {
        node.products_open() == 2
    })
    .await
    .unwrap();
}

async fn table(caller: &Caller, origin: &str, month: i64) -> Result<RecordBatch, CallFailed> {
    let arguments = vec![
        ("origin".to_owned(), ClaimValue::Text(origin.to_owned())),
        ("month".to_owned(), ClaimValue::Integer(month)),
    ];
    answer(caller, DELAYS, Which::Delays.reference(), arguments).await
}

async fn answer(
    caller: &Caller,
    grant: &str,
    product: ProductRef,
    arguments: Vec<(String, ClaimValue)>,
) -> Result<RecordBatch, CallFailed> {
    let mut asked = asked(grant);
    asked.product = product.id;
    let mut call = Question::new(asked, arguments);
    call.lagged_accepted = true;
    let answer = caller.checked.query(&call).await?;
    let mut stream = StreamReader::try_new(answer.value.0.as_slice(), None).unwrap();
    Ok(stream.next().unwrap().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aircraft_that_fly_in_several_cells_are_not_told_apart() {
    let world = World::ready().await;
    open(&world).await;
    let cells = aircraft(&world);
    let bank = world.caller(Party::Bank).await;
    let mut shown = 0;
    for origin in ORIGINS {
        for month in 1..=12 {
            let rows = table(&bank, origin, month).await.unwrap();
            let column = |name: &str| rows.column_by_name(name).unwrap().clone();
            let (names, numbers) = (column("name"), column("aircraft"));
            let (names, numbers) = (
                names.as_string::<i32>(),
                numbers.as_primitive::<Int64Type>(),
            );
            for row in 0..rows.num_rows() {
                let cell = (origin.to_owned(), month, names.value(row).to_owned());
                let there = cells[&cell].len() as i64;
                assert!(there >= GROUP_MIN, "{cell:?} has {there} aircraft");
                let told = numbers.value(row);
                assert_eq!(told % ROUND_TO, 0, "{cell:?}");
                assert!((told - there).abs() < ROUND_TO, "{cell:?}");
                shown += 1;
            }
        }
    }
    let (large, small): (Vec<_>, Vec<_>) = cells
        .values()
        .map(|aircraft| aircraft.len() as i64)
        .partition(|size| *size >= GROUP_MIN);
    // Cells that are too small stay out, without taking many others with them.
    assert!(!small.is_empty() && shown <= large.len());
    assert!(shown * 10 >= large.len() * 9, "{shown} of {}", large.len());
    // Two months or two airports at once, from which the overlap would follow, cannot be asked.
    for (origin, month) in [("JFK", 13), ("JFK", 0), ("%", 1), ("EWR,JFK", 1), ("", 1)] {
        let refused = table(&bank, origin, month).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::ParameterInvalid));
    }
    world.end().await;
}

const BUSY: &str = "grant_busy";
const LEAST: [i64; 3] = [0, 1_270, 1_900];

/// Months and airports with many aircraft, and their share of the month among these: a caller's number in HAVING, windows
/// over what is left, and conditions joined by OR and NOT.
fn busy() -> Product {
    Product {
        reference: ProductRef {
            id: "tb.busy".parse().unwrap(),
            version: 1,
        },
        definition: Definition::Statistic(Statistic {
            sql: "SELECT month, origin, count(distinct tailnum) AS aircraft, \
                  100.0 * count(*) / sum(count(*)) OVER (PARTITION BY month) AS share, \
                  lag(count(distinct tailnum)) OVER (PARTITION BY origin ORDER BY month) AS before, \
                  count(distinct tailnum) - $least AS above \
                  FROM flights WHERE origin = 'JFK' OR NOT (origin = 'LGA' OR month = 12) \
                  GROUP BY month, origin HAVING count(distinct tailnum) >= $least"
                .to_owned(),
            parameters: vec![Parameter {
                name: "least".to_owned(),
                allowed: ParameterValues::Integers(LEAST.into()),
                edges: false,
            }],
            dimensions: Vec::new(),
            dp: None,
        }),
        ..objects::product(Which::Delays)
    }
}

/// The same unit, policy and grant as for delays.
async fn open_busy(world: &World) -> ProductRef {
    let network = &world.network;
    let policy = objects::policy(Which::Delays);
    let policy = network.signed(&policy, &[Party::Unit]).unwrap();
    let product = busy();
    let signed = network.signed(&product, &[Party::Agency]).unwrap();
    let approval = Approval {
        product: product.reference.clone(),
        ..objects::approval(Which::Delays, &signed, &policy)
    };
    let approval = network.signed(&approval, &[Party::Unit]).unwrap();
    for object in [&policy, &signed, &approval] {
        world.push(object, None).await.unwrap();
    }
    let mut grant = world.grant(BUSY);
    grant.products[0].reference = product.reference.clone();
    grant.products[0].digest = signed.digest();
    world.push_filed(&world.sign(&grant)).await.unwrap();
    wait_until(network, "both products are open", |node| {
        node.products_open() == 2
    })
    .await
    .unwrap();
    product.reference
}

/// Month, airport, aircraft, share of the month, aircraft of the month before, aircraft beyond what the caller asked for.
type Busy = (i64, String, i64, f64, Option<i64>, i64);

fn busy_rows(table: &RecordBatch) -> Vec<Busy> {
    let column = |name: &str| table.column_by_name(name).unwrap();
    let whole = |name: &str| column(name).as_primitive::<Int64Type>().clone();
    let (months, aircraft) = (whole("month"), whole("aircraft"));
    let (before, above) = (whole("before"), whole("above"));
    let origins = column("origin").as_string::<i32>();
    let shares = column("share").as_primitive::<Float64Type>();
    (0..table.num_rows())
        .map(|row| {
            (
                months.value(row),
                origins.value(row).to_owned(),
                aircraft.value(row),
                shares.value(row),
                before.is_valid(row).then(|| before.value(row)),
                above.value(row),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_asks_for_shares_of_the_groups_beyond_a_number_of_its_own() {
    let world = World::ready().await;
    let product = open_busy(&world).await;
    let bank = world.caller(Party::Bank).await;
    let ask = async |least: i64| {
        let arguments = vec![("least".to_owned(), ClaimValue::Integer(least))];
        let told = answer(&bank, BUSY, product.clone(), arguments).await;
        told.map(|table| busy_rows(&table))
    };
    let all = ask(0).await.unwrap();
    assert!(all.iter().all(|(_, origin, ..)| origin != "LGA"), "{all:?}");
    assert!(
        all.iter()
            .all(|(month, origin, ..)| *month != 12 || origin == "JFK")
    );
    assert!(all.len() > 20, "{all:?}");
    for least in LEAST {
        let told = ask(least).await.unwrap();
        // What a number of the caller keeps are lines of the same released table.
        let line = |row: &Busy| (row.0, row.1.clone(), row.2);
        let wanted: Vec<_> = { all.iter().map(line) }
            .filter(|row| row.2 >= least)
            .collect();
        assert_eq!(told.iter().map(line).collect::<Vec<_>>(), wanted);
        for row in &told {
            assert_eq!((row.2 % ROUND_TO, row.5), (0, row.2 - least), "{row:?}");
            let month = told.iter().filter(|other| other.0 == row.0);
            let share: f64 = month.map(|other| other.3).sum();
            assert!((share - 100.0).abs() < 1e-9, "{row:?}");
            let mut earlier = told
                .iter()
                .filter(|other| other.1 == row.1 && other.0 < row.0);
            assert_eq!(row.4, earlier.next_back().map(|other| other.2), "{row:?}");
        }
    }
    let some = ask(LEAST[2]).await.unwrap();
    assert!(!some.is_empty() && some.len() < all.len(), "{some:?}");
    let refused = ask(LEAST[1] + 1).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::ParameterInvalid));
    world.end().await;
}
