//! The catalogue of actions: what may be tried at a Flight SQL server beside asking, tried at the node and at a server
//! as the examples write one.
//!
//! Rows of `actions.txt` are what the node says, what the other server does, how, and with which text. That the other
//! one tells is shown by running it over two registers that differ in one aircraft. The node's replies are searched for
//! whatever a row of the register or a name that the caller was not granted could be.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionClosePreparedStatementRequest, CommandGetCatalogs,
    CommandGetTables, CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt,
    TicketStatementQuery,
};
use arrow_flight::utils::flight_data_to_batches;
use arrow_flight::{Criteria, FlightData, FlightDescriptor, FlightInfo, Ticket};
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use lingqu_demo::cast::Party;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message;
use tonic::Status;
use tonic::transport::Channel;

use super::naive::Naive;
use super::{Flight, MATCH, code, statement};
use crate::network::{World, patiently};

const ACTIONS: &str = include_str!("actions.txt");
/// The aircraft that is looked for.
const TAIL: &str = "N10156";
/// Stands in a file of the machine.
const FILE: &str = "only-for-the-operator";

#[derive(Debug)]
struct Act {
    code: &'static str,
    other: &'static str,
    how: &'static str,
    with: &'static str,
}

fn actions() -> Vec<Act> {
    { ACTIONS.lines() }
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(4, '|').map(str::trim);
            let mut next = || parts.next().expect("four parts");
            Act {
                code: next(),
                other: next(),
                how: next(),
                with: next(),
            }
        })
        .collect()
}

/// Two connections of one server: the attacker's, and one of somebody else from whom something is taken.
struct Hands {
    own: Flight,
    other: Flight,
    /// A statement that this server answers.
    call: &'static str,
    /// Where its register lies.
    table: String,
    file: String,
    out: String,
}

fn all(data: &[FlightData]) -> String {
    let batches = flight_data_to_batches(data).unwrap_or_default();
    pretty_format_batches(&batches).unwrap().to_string()
}

impl Hands {
    async fn fetched(
        &self,
        by: &Flight,
        info: Result<FlightInfo, Status>,
    ) -> Result<String, Status> {
        let ticket = info?.endpoint[0].ticket.clone().unwrap();
        by.fetch(ticket).await.map(|data| all(&data))
    }

    async fn run(&self, query: &str) -> Result<String, Status> {
        let info = self.own.info(statement(query)).await;
        self.fetched(&self.own, info).await
    }

    async fn update(&self, query: &str) -> Result<String, Status> {
        let command = CommandStatementUpdate {
            query: query.to_owned(),
            transaction_id: None,
        };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let message = FlightData::new().with_descriptor(descriptor);
        let stream = self.own.with(futures::stream::iter([message]));
        let answer = patiently("an answer", self.own.client.clone().do_put(stream)).await?;
        let results: Vec<_> = answer.into_inner().try_collect().await?;
        Ok(format!("{} results", results.len()))
    }

    async fn ticket_of(&self, by: &Flight, query: &str) -> Result<Ticket, Status> {
        let info = by.info(statement(query)).await?;
        Ok(info.endpoint[0].ticket.clone().unwrap())
    }

    /// Does what a row says.
    async fn act(&self, act: &Act) -> Result<String, Status> {
        let with = { act.with.replace("{call}", self.call) }
            .replace("{file}", &self.file)
            .replace("{out}", &self.out);
        let texts: Vec<&str> = with.split(" ;; ").collect();
        match act.how {
            "statement" | "statements" => {
                let mut told = self.run(texts[0]).await?;
                for text in &texts[1..] {
                    told = self.run(text).await?;
                }
                Ok(told)
            }
            "update" => {
                self.update(texts[0]).await?;
                self.run(texts[1]).await
            }
            "prepared" => {
                let mut told = String::new();
                for text in texts {
                    let handle = self.own.prepare(text).await?;
                    told = self
                        .fetched(&self.own, self.own.execute(&handle).await)
                        .await?;
                }
                Ok(told)
            }
            how if how.ends_with("handle") => self.by_handle(how, &with).await,
            how if how.contains("ticket") => self.by_ticket(how, &with).await,
            how => self.beside(how, &with).await,
        }
    }

    /// With a statement that somebody else prepared, or that is closed.
    async fn by_handle(&self, how: &str, query: &str) -> Result<String, Status> {
        let handle = match how {
            "foreign handle" => self.other.prepare(query).await?,
            // The first that was ever prepared at a server that counts.
            "guessed handle" => {
                self.other.prepare(query).await?;
                "plan 0".into()
            }
            _ => {
                let handle = self.own.prepare(query).await?;
                let close = ActionClosePreparedStatementRequest {
                    prepared_statement_handle: handle.clone(),
                };
                self.own.action("ClosePreparedStatement", close).await?;
                handle
            }
        };
        self.fetched(&self.own, self.own.execute(&handle).await)
            .await
    }

    /// With a ticket that was not given for this.
    async fn by_ticket(&self, how: &str, query: &str) -> Result<String, Status> {
        let ticket = match how {
            "ticket" => {
                let forged = TicketStatementQuery {
                    statement_handle: query.to_owned().into(),
                };
                Ticket::new(forged.as_any().encode_to_vec())
            }
            "ticket again" => {
                let ticket = self.ticket_of(&self.own, query).await?;
                self.own.fetch(ticket.clone()).await?;
                ticket
            }
            "foreign ticket" => self.ticket_of(&self.other, query).await?,
            _ => Ticket::new(CommandGetTables::default().as_any().encode_to_vec()),
        };
        self.own.fetch(ticket).await.map(|data| all(&data))
    }

    /// By what is no statement and no ticket.
    async fn beside(&self, how: &str, with: &str) -> Result<String, Status> {
        let mut client = self.own.client.clone();
        match how {
            "sizes" => {
                let info = self.own.info(statement(with)).await?;
                Ok(format!(
                    "{} rows, {} bytes",
                    info.total_records, info.total_bytes
                ))
            }
            "tables" => {
                let info = self.own.info(CommandGetTables::default()).await;
                self.fetched(&self.own, info).await
            }
            "catalogs as an action" => {
                let told = self.own.action("CommandGetCatalogs", CommandGetCatalogs {});
                told.await.map(|bodies| format!("{bodies:?}"))
            }
            "substrait" => {
                let told = self.own.info(CommandStatementSubstraitPlan::default());
                told.await.map(|info| format!("{info:?}"))
            }
            "path" => {
                let descriptor = FlightDescriptor::new_path(vec![with.to_owned()]);
                let info = client.get_flight_info(self.own.with(descriptor)).await;
                info.map(|info| format!("{info:?}"))
            }
            "flights" => {
                let listed = client
                    .list_flights(self.own.with(Criteria::default()))
                    .await?;
                let listed: Vec<_> = listed.into_inner().try_collect().await?;
                Ok(format!("{listed:?}"))
            }
            "poll" => {
                let command = statement(with).as_any().encode_to_vec();
                let descriptor = FlightDescriptor::new_cmd(command);
                let told = client.poll_flight_info(self.own.with(descriptor)).await;
                told.map(|told| format!("{told:?}"))
            }
            "exchange" => {
                let nothing = self.own.with(futures::stream::iter([FlightData::new()]));
                let told = client.do_exchange(nothing).await?;
                let told: Vec<_> = told.into_inner().try_collect().await?;
                Ok(all(&told))
            }
            how => {
                let name = how.strip_prefix("action ").expect("a way to act");
                let told = self.own.action(name, ActionBeginTransactionRequest {});
                told.await.map(|bodies| format!("{bodies:?}"))
            }
        }
    }
}

/// What differs between two runs over the same rows, or by where they lie, is not told by the rows.
fn steady(told: Result<String, Status>, hands: &Hands) -> (bool, String) {
    let (answered, text) = match told {
        Ok(text) => (true, text),
        Err(status) => (false, status.message().to_owned()),
    };
    let table = hands.table.trim_start_matches('/');
    let text = text.replace(table, "the register");
    if !text.contains("elapsed_compute") {
        return (answered, text);
    }
    let counts = text.split([',', '[', ']']).map(str::trim);
    let counts: Vec<&str> = counts
        .filter(|part| part.starts_with("output_rows="))
        .collect();
    (answered, counts.join(" "))
}

/// The register as the demo has it, and the same without one aircraft.
fn registers(from: &Path, to: &Path) -> [String; 2] {
    let read = || ParquetRecordBatchReaderBuilder::try_new(File::open(from).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = read().build().unwrap().map(Result::unwrap).collect();
    let without = to.join("planes-without.parquet");
    let file = File::create(&without).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
    for batch in batches {
        let tails = batch.column_by_name("tailnum").unwrap();
        let tails = arrow_cast::cast(tails, &arrow_schema::DataType::Utf8).unwrap();
        let tails = tails.as_string::<i32>().iter();
        let others: BooleanArray = tails.map(|tail| Some(tail != Some(TAIL))).collect();
        let others = arrow_select::filter::filter_record_batch(&batch, &others).unwrap();
        writer.write(&others).unwrap();
    }
    writer.close().unwrap();
    [from, &without].map(|path| path.to_str().unwrap().to_owned())
}

async fn other_server(table: &str, directory: &Path, number: usize) -> Hands {
    let url = Naive::start("planes", table).await;
    let connect = || async {
        let channel = Channel::from_shared(url.clone()).unwrap().connect().await;
        Flight {
            client: FlightServiceClient::new(channel.unwrap()),
            headers: Vec::new(),
        }
    };
    Hands {
        own: connect().await,
        other: connect().await,
        call: "SELECT * FROM planes WHERE tailnum = 'N10156'",
        table: table.to_owned(),
        file: directory.join("operator.csv").to_str().unwrap().to_owned(),
        out: directory
            .join(format!("copied{number}"))
            .to_str()
            .unwrap()
            .to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_the_catalogue_is_stopped() {
    let world = World::ready().await;
    let directory = world.network.files().dir().join("actions");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("operator.csv"), FILE).unwrap();
    let planes = world.network.files().dir().join("node/data/planes.parquet");
    let [with, without] = registers(&planes, &directory);
    let others = [
        other_server(&with, &directory, 0).await,
        other_server(&without, &directory, 1).await,
    ];
    let node = Hands {
        own: world.flight(Party::Broker).await,
        other: world.flight(Party::Bank).await,
        call: MATCH,
        table: "no register".to_owned(),
        file: others[0].file.clone(),
        out: directory.join("copied").to_str().unwrap().to_owned(),
    };
    let bank = Hands {
        own: world.flight(Party::Bank).await,
        other: world.flight(Party::Bank).await,
        table: node.table.clone(),
        file: node.file.clone(),
        out: node.out.clone(),
        ..node
    };
    let (mut wrong, mut telling) = (Vec::new(), 0);
    let mut text = ACTIONS.to_owned();
    for act in actions() {
        let other = told_by(&others, &act).await;
        telling += usize::from(other == "tells");
        // The holder of the grant is refused; where something is taken from it, whoever takes it is.
        let foreign = act.how.starts_with("foreign") || act.how.starts_with("guessed");
        let hands = if foreign { &node } else { &bank };
        let told = hands.act(&act).await;
        let said = match &told {
            Ok(_) => "ANSWERED".to_owned(),
            Err(status) => code(status).to_string(),
        };
        is_clean(&act, &told);
        assert!(!Path::new(&format!("{}.csv", node.out)).exists(), "{act:?}");
        let rest = format!("{} | {}", act.how, act.with);
        if (said.as_str(), other) != (act.code, act.other) {
            wrong.push(format!("{said} | {other} | {rest}"));
            let row = |other: &str| format!("{} | {other} | {rest}", act.code);
            text = text.replace(row(act.other).trim_end(), row(other).trim_end());
        }
    }
    world.end().await;
    if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/it/flight/actions.txt");
        std::fs::write(path, text).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(telling >= 20, "{telling}");
}

/// What a server does that is written as the examples are, over a register with the aircraft and without.
async fn told_by(others: &[Hands; 2], act: &Act) -> &'static str {
    let one = steady(others[0].act(act).await, &others[0]);
    let two = steady(others[1].act(act).await, &others[1]);
    let shows = one.1.contains("planes") || one.1.contains(FILE);
    match (one == two, shows, one.0) {
        (false, ..) => "tells",
        (true, true, _) => "shows",
        (true, false, true) => "runs",
        (true, false, false) => "fails",
    }
}

/// A reply of the node names no table that the caller was not granted, no aircraft, and holds no file.
fn is_clean(act: &Act, told: &Result<String, Status>) {
    let text = match told {
        Ok(text) => text.clone(),
        Err(status) => format!("{} {:?}", status.message(), status.details()),
    };
    let marks = ["flights", "airlines", FILE];
    assert!(
        !marks.iter().any(|mark| text.contains(mark)),
        "{act:?}: {text}"
    );
    // Whoever calls the product names its own aircraft, and is told what the product reads.
    let calls = act.with.contains("tb.plane_registered") || act.with.contains("{call}");
    let marks = ["planes", TAIL];
    assert!(
        calls || !marks.iter().any(|mark| text.contains(mark)),
        "{act:?}: {text}"
    );
}
