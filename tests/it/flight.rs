//! Flight SQL at the wire: every way in and every command by everybody, and what somebody with a certificate may try
//! against tickets, prepared statements and the node's memory. What drivers do is in `clients.rs`.

mod actions;
mod kept;
mod naive;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandGetTables, CommandPreparedStatementQuery,
    CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, Ticket};
use futures::TryStreamExt;
use lingqu_core::ErrorCode;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_node::serve::door::Way;
use lingqu_proto::pb;
use lingqu_transport::code_of;
use prost::Message;
use prost::bytes::Bytes;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::network::{GRANT, Setup, World, call, calls, denied, patiently, records, wire};
use crate::roles::WHO;

/// A call that matches.
const MATCH: &str = "SELECT * FROM tb.plane_registered('N10156', 'EMBRAER', 'EMB-145XR', 2004)";

/// One party's Flight connection.
#[derive(Clone)]
struct Flight {
    client: FlightServiceClient<Channel>,
    headers: Vec<(&'static str, String)>,
}

impl World {
    async fn flight(&self, party: Party) -> Flight {
        let identity = self.network.identity(party).unwrap();
        let channel = self.network.dial_node(&identity).await.unwrap();
        Flight {
            client: FlightServiceClient::new(channel),
            headers: vec![
                ("lingqu-end-user", cast::END_USER.to_owned()),
                ("lingqu-environment", "PROD".to_owned()),
                ("lingqu-grant", GRANT.to_owned()),
                ("lingqu-purpose", cast::PURPOSE.to_owned()),
                ("lingqu-scenario", cast::SCENARIO.to_owned()),
            ],
        }
    }
}

fn code(status: &Status) -> ErrorCode {
    code_of(status).unwrap_or_else(|| panic!("no code in {status:?}"))
}

impl Flight {
    fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            let value = MetadataValue::try_from(value.as_str()).unwrap();
            request.metadata_mut().insert(*name, value);
        }
        request
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
    }

    async fn info(&self, command: impl ProstMessageExt) -> Result<FlightInfo, Status> {
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let mut client = self.client.clone();
        let info = client.get_flight_info(self.with(descriptor));
        patiently("a flight info", info)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn ticket(&self, query: &str) -> Result<Ticket, Status> {
        let info = self.info(statement(query)).await?;
        let [endpoint] = info.endpoint.as_slice() else {
            panic!("not one endpoint")
        };
        Ok(endpoint.ticket.clone().unwrap())
    }

    async fn fetch(&self, ticket: Ticket) -> Result<Vec<FlightData>, Status> {
        let stream = patiently("an answer", self.client.clone().do_get(self.with(ticket))).await?;
        patiently("its rows", stream.into_inner().try_collect()).await
    }

    /// The refusal of a statement, wherever on the way it comes.
    async fn told(&self, query: &str) -> Result<(), ErrorCode> {
        let ticket = self.ticket(query).await.map_err(|status| code(&status))?;
        self.fetch(ticket)
            .await
            .map(drop)
            .map_err(|status| code(&status))
    }

    async fn action(&self, name: &str, body: impl ProstMessageExt) -> Result<Vec<Bytes>, Status> {
        let action = Action::new(name, body.as_any().encode_to_vec());
        let results = self.client.clone().do_action(self.with(action)).await?;
        let results: Vec<_> = results.into_inner().try_collect().await?;
        Ok(results.into_iter().map(|result| result.body).collect())
    }

    async fn prepare(&self, query: &str) -> Result<Bytes, Status> {
        let request = ActionCreatePreparedStatementRequest {
            query: query.to_owned(),
            transaction_id: None,
        };
        let results = self.action("CreatePreparedStatement", request).await?;
        let any = Any::decode(results[0].clone()).unwrap();
        let result: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
        Ok(result.prepared_statement_handle)
    }

    /// Binds what `messages` carry to a prepared statement; the new statement.
    async fn put(&self, handle: &Bytes, mut messages: Vec<FlightData>) -> Result<Bytes, Status> {
        let command = CommandPreparedStatementQuery {
            prepared_statement_handle: handle.clone(),
        };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        messages.insert(0, FlightData::new().with_descriptor(descriptor));
        let stream = self.with(futures::stream::iter(messages));
        let answer = patiently("an answer", self.client.clone().do_put(stream)).await?;
        let results: Vec<_> = answer.into_inner().try_collect().await?;
        let result = DoPutPreparedStatementResult::decode(results[0].app_metadata.clone());
        Ok(result.unwrap().prepared_statement_handle.unwrap())
    }

    async fn execute(&self, handle: &Bytes) -> Result<FlightInfo, Status> {
        self.info(CommandPreparedStatementQuery {
            prepared_statement_handle: handle.clone(),
        })
        .await
    }
}

fn statement(query: &str) -> CommandStatementQuery {
    CommandStatementQuery {
        query: query.to_owned(),
        transaction_id: None,
    }
}

/// What a node says of itself names nothing of an answer before it is fetched, and the answer is one call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_made_when_its_answer_is_fetched() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let info = bank.info(statement(MATCH)).await.unwrap();
    assert!(info.schema.is_empty() && info.endpoint[0].location.is_empty());
    assert_eq!((info.total_records, info.total_bytes), (-1, -1));
    for _ in 0..5 {
        bank.ticket(MATCH).await.unwrap();
    }
    assert_eq!(world.charged(), 0, "nothing was fetched");
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let id = String::from_utf8(info.app_metadata.to_vec()).unwrap();
    let rows = bank.fetch(ticket.clone()).await.unwrap();
    assert_eq!(world.charged(), 1);
    let text = |bytes: &[u8], wanted: &str| {
        bytes
            .windows(wanted.len())
            .any(|window| window == wanted.as_bytes())
    };
    assert!(
        text(&rows[0].data_header, &id),
        "the call id is in the schema's metadata"
    );
    // Of the load it has name and date. Its exact number of rows would tell from load to load who came in or went out.
    let said = |wanted: &str| text(&rows[0].data_header, wanted);
    assert!(said("\"as_of\"") && !said("\"rows\"") && !said("\"digest\""));
    let again = bank.fetch(ticket).await.unwrap_err();
    assert_eq!(code(&again), ErrorCode::TicketInvalid);
    let records = world.records().await;
    assert_eq!(calls(&records).len(), 1);
    assert_eq!(denied(&records, Party::Bank, ErrorCode::TicketInvalid), 1);
    world.end().await;
}

/// The same call id is the same call, whichever way it comes in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_may_take_another_way_in() {
    let world = World::ready().await;
    let by_grpc = world.caller(Party::Bank).await;
    let mut bank = world.flight(Party::Bank).await;
    let call = call(GRANT);
    let first = by_grpc.raw(wire(&call)).await.unwrap();
    bank.set("lingqu-call-id", &call.id.to_string());
    let ticket = bank.ticket(MATCH).await.unwrap();
    let rows = bank.fetch(ticket).await.unwrap();
    let key = hex::encode(first.opening_key);
    let header = &rows[0].data_header;
    assert!(
        header
            .windows(key.len())
            .any(|window| window == key.as_bytes())
    );
    assert_eq!(world.charged(), 1);
    let other = MATCH.replace("2004", "2005");
    assert_eq!(bank.told(&other).await, Err(ErrorCode::CallIdReused));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_ticket_and_a_late_statement_are_nothing() {
    let config = |config: &mut lingqu_node::NodeConfig| {
        config.limits.tickets_kept_s = 0;
        config.limits.statements_kept_s = 0;
    };
    let world = World::with(Setup {
        config,
        ..Setup::default()
    })
    .await;
    let bank = world.flight(Party::Bank).await;
    assert_eq!(bank.told(MATCH).await, Err(ErrorCode::TicketInvalid));
    let handle = bank.prepare(MATCH).await.unwrap();
    let late = bank.execute(&handle).await.unwrap_err();
    assert_eq!(code(&late), ErrorCode::StatementUnknown);
    assert_eq!(world.charged(), 0);
    world.end().await;
}

/// Another certificate of the same party is another caller to a ticket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_belongs_to_one_certificate() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let id = lingqu_transport::PeerId::Party(Party::Bank.id());
    let renewed = world.identity_of(&id, &world.authority(), "renewed");
    let channel = world.network.dial_node(&renewed).await.unwrap();
    let renewed = Flight {
        client: FlightServiceClient::new(channel),
        headers: bank.headers.clone(),
    };
    let ticket = bank.ticket(MATCH).await.unwrap();
    let refused = renewed.fetch(ticket).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::TicketInvalid);
    let handle = bank.prepare(MATCH).await.unwrap();
    let refused = renewed.execute(&handle).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::StatementUnknown);
    assert_eq!(renewed.told(MATCH).await, Ok(()));
    assert_eq!(world.charged(), 1);
    world.end().await;
}

/// One party's flood of statements and tickets pushes out its own, and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_leave_behind_is_bounded() {
    let config = |config: &mut lingqu_node::NodeConfig| {
        config.limits.statements_per_party_max = 4;
        config.limits.tickets_per_party_max = 4;
        config.limits.tokens_max = 6;
    };
    let world = World::with(Setup {
        config,
        ..Setup::default()
    })
    .await;
    let (bank, broker) = (
        world.flight(Party::Bank).await,
        world.flight(Party::Broker).await,
    );
    let quiet = broker
        .prepare("SELECT * FROM lingqu.products")
        .await
        .unwrap();
    let (mut handles, mut tickets) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        handles.push(bank.prepare(MATCH).await.unwrap());
        tickets.push(bank.ticket(MATCH).await.unwrap());
    }
    for (age, handle) in handles.iter().rev().enumerate() {
        assert_eq!(bank.execute(handle).await.is_ok(), age < 4, "{age}");
        if age > 8 {
            break;
        }
    }
    let oldest = bank.fetch(tickets[0].clone()).await.unwrap_err();
    assert_eq!(code(&oldest), ErrorCode::TicketInvalid);
    assert!(broker.execute(&quiet).await.is_ok());
    assert_eq!(bank.told(MATCH).await, Ok(()));
    world.end().await;
}

/// Refusals on this way in count like all others: a party that asks for nothing else is turned away, the others not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_closes_the_node_to_nobody_else() {
    let config = |config: &mut lingqu_node::NodeConfig| config.limits.denials_per_minute_max = 5;
    let world = World::with(Setup {
        config,
        ..Setup::default()
    })
    .await;
    let (bank, broker) = (
        world.flight(Party::Bank).await,
        world.flight(Party::Broker).await,
    );
    let mut told = Vec::new();
    for _ in 0..20 {
        told.push(broker.told("SELECT 1").await.unwrap_err());
    }
    // The minute may turn once while this runs.
    assert!(
        told.iter()
            .filter(|code| **code == ErrorCode::RateLimited)
            .count()
            >= 10,
        "{told:?}"
    );
    assert!(told.contains(&ErrorCode::SqlFormUnsupported));
    assert_eq!(bank.told(MATCH).await, Ok(()));
    world.end().await;
}

/// A client that goes away while its call is under way loses the answer, and no record is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_loses_no_record() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let mut hung_up = 0;
    for _ in 0..20 {
        let ticket = bank.ticket(MATCH).await.unwrap();
        let fetching = bank.clone();
        let before = world.charged();
        let task = tokio::spawn(async move { fetching.fetch(ticket).await });
        // As soon as the call is on record, and mostly before its answer is here.
        wait_until(&world.network, "the call is charged", |_| {
            world.charged() > before
        })
        .await
        .unwrap();
        task.abort();
        hung_up += usize::from(task.await.is_err());
    }
    assert_eq!(world.charged(), 20, "{hung_up} hung up in time");
    // A node that ends in order waits for the calls under way.
    let journal = world.journal().clone();
    world.end().await;
    assert_eq!(calls(&records(&journal).await).len(), 20);
}

/// What is revoked is not shown any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_shows_what_a_caller_may_use_now() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let shows = |rows: Vec<FlightData>| {
        let name = b"plane_registered";
        let has = |row: &FlightData| row.data_body.windows(name.len()).any(|w| w == name);
        rows.iter().any(has)
    };
    let tables = || CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: None,
        table_name_filter_pattern: None,
        table_types: Vec::new(),
        include_schema: true,
    };
    let ticket = |info: FlightInfo| info.endpoint[0].ticket.clone().unwrap();
    let before = bank.info(tables()).await.unwrap();
    assert!(shows(bank.fetch(ticket(before)).await.unwrap()));
    let number = world.node().epoch().unwrap() + 1;
    let revoked = world.epoch(number, &[GRANT], world.network.clock().now());
    world.push_epoch(&revoked).await.unwrap();
    let after = bank.info(tables()).await.unwrap();
    assert!(!shows(bank.fetch(ticket(after)).await.unwrap()));
    assert_eq!(bank.told(MATCH).await, Err(ErrorCode::GrantRevoked));
    world.end().await;
}

/// Messages that no handler reads have a code too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_or_no_message_has_a_code() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let long = "x".repeat(2 << 20);
    let refused = bank.ticket(&long).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::RequestInvalid);
    let mut by_grpc = world.caller(Party::Bank).await.raw;
    let mut large = wire(&call(GRANT));
    large.product = long;
    let refused = by_grpc.verify(large).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::RequestInvalid);
    world.end().await;
}

/// Sends `bytes` as one message to `path`, as a party's client may do with any path.
async fn send(
    channel: &Channel,
    path: &'static str,
    message: impl Message + 'static,
) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    // The answer's type does not matter: any message reads as one of unknown fields.
    let codec: tonic_prost::ProstCodec<_, pb::Refusal> = Default::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let stream = grpc
        .server_streaming(Request::new(message), path, codec)
        .await?;
    // What comes first tells enough, whether it can be read as another type or not.
    match stream.into_inner().message().await {
        Err(status) if code_of(&status).is_some() => Err(status),
        _ => Ok(()),
    }
}

/// What the table says of those who come through the door; `None` is an answer, or an HTTP problem that no gRPC client
/// reads.
fn behind_the_door(way: Way) -> Option<ErrorCode> {
    match way {
        Way::DoAction
        | Way::DoExchange
        | Way::GetFlightInfo
        | Way::GetSchema
        | Way::Handshake
        | Way::ListFlights
        | Way::PollFlightInfo => Some(ErrorCode::CommandUnsupported),
        Way::DoGet => Some(ErrorCode::TicketInvalid),
        Way::DoPut => Some(ErrorCode::RequestInvalid),
        Way::ListActions
        | Way::OpenApi
        | Way::Products
        | Way::Explain
        | Way::Query
        | Way::Reflection
        | Way::ReflectionAlpha
        | Way::Score
        | Way::Verify => None,
    }
}

/// Every way in × everybody, at both servers. At a node parties come in and nobody else; at the coordinator nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_is_open_to_parties_and_to_nobody_else() {
    let world = World::ready().await;
    let everybody = world.everybody().await;
    let mut wrong = Vec::new();
    for (who, (identity, _)) in WHO.iter().zip(&everybody) {
        let Some(identity) = identity else { continue };
        let at_node = match *who {
            "of a foreign authority" => continue,
            "outside the authority's prefix" | "the node" | "another node" => {
                Err(ErrorCode::CallerOutsidePrefix)
            }
            "the coordinator" => Err(ErrorCode::CallerRoleForbidden),
            _ => Ok(()),
        };
        let at_coordinator = match *who {
            "outside the authority's prefix" | "the coordinator" => ErrorCode::CallerOutsidePrefix,
            _ => ErrorCode::RequestInvalid,
        };
        let node = world.network.dial_node(identity).await.unwrap();
        let coordinator = world.network.dial_coordinator(identity).await.unwrap();
        for way in Way::ALL {
            let expected = at_node.map_or_else(Some, |()| behind_the_door(*way));
            let got = patiently(way.path(), send(&node, way.path(), pb::Refusal::default())).await;
            let got = got.err().and_then(|status| code_of(&status));
            if got != expected {
                wrong.push(format!(
                    "node, {who}, {}: {got:?}, not {expected:?}",
                    way.path()
                ));
            }
            let got = send(&coordinator, way.path(), pb::Refusal::default()).await;
            let got = got.err().and_then(|status| code_of(&status));
            if got != Some(at_coordinator) {
                wrong.push(format!("coordinator, {who}, {}: {got:?}", way.path()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.end().await;
}

/// A command, and what comes of it at `GetFlightInfo` and at `DoAction`.
type Outcomes = (&'static str, Result<(), ErrorCode>, Result<(), ErrorCode>);

/// Every command that Flight SQL knows, with nothing in it.
#[rustfmt::skip]
const COMMANDS: [Outcomes; 32] = {
    const U: Result<(), ErrorCode> = Err(ErrorCode::CommandUnsupported);
    const FORM: Result<(), ErrorCode> = Err(ErrorCode::SqlFormUnsupported);
    const UNKNOWN: Result<(), ErrorCode> = Err(ErrorCode::StatementUnknown);
    const OTHER: Result<(), ErrorCode> = Err(ErrorCode::RequestInvalid);
    [
        ("ActionBeginSavepointRequest", U, U),
        ("ActionBeginSavepointResult", U, U),
        ("ActionBeginTransactionRequest", U, U),
        ("ActionBeginTransactionResult", U, U),
        ("ActionCancelQueryRequest", U, U),
        ("ActionCancelQueryResult", U, U),
        ("ActionClosePreparedStatementRequest", U, OTHER),
        ("ActionCreatePreparedStatementRequest", U, FORM),
        ("ActionCreatePreparedStatementResult", U, U),
        ("ActionCreatePreparedSubstraitPlanRequest", U, U),
        ("ActionEndSavepointRequest", U, U),
        ("ActionEndTransactionRequest", U, U),
        ("CommandGetCatalogs", Ok(()), U),
        ("CommandGetCrossReference", Ok(()), U),
        ("CommandGetDbSchemas", Ok(()), U),
        ("CommandGetExportedKeys", Ok(()), U),
        ("CommandGetImportedKeys", Ok(()), U),
        ("CommandGetPrimaryKeys", Ok(()), U),
        ("CommandGetSqlInfo", Ok(()), U),
        ("CommandGetTableTypes", Ok(()), U),
        ("CommandGetTables", Ok(()), U),
        ("CommandGetXdbcTypeInfo", Ok(()), U),
        ("CommandPreparedStatementQuery", UNKNOWN, U),
        ("CommandPreparedStatementUpdate", U, U),
        ("CommandStatementIngest", U, U),
        ("CommandStatementQuery", FORM, U),
        ("CommandStatementSubstraitPlan", U, U),
        ("CommandStatementUpdate", U, U),
        ("DoPutPreparedStatementResult", U, U),
        ("DoPutUpdateResult", U, U),
        ("NoSuchCommand", U, U),
        ("TicketStatementQuery", U, U),
    ]
};

/// Every command × every role: the role changes nothing, since the grant decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_has_one_outcome_whoever_sends_it() {
    let world = World::ready().await;
    let everybody = world.everybody().await;
    let mut wrong = Vec::new();
    for (who, (identity, _)) in WHO.iter().zip(&everybody) {
        let is_party = !matches!(
            *who,
            "without a certificate"
                | "of a foreign authority"
                | "outside the authority's prefix"
                | "the node"
                | "another node"
                | "the coordinator"
        );
        let Some(identity) = identity.as_ref().filter(|_| is_party) else {
            continue;
        };
        let mut client = FlightServiceClient::new(world.network.dial_node(identity).await.unwrap());
        for (name, info, action) in COMMANDS {
            let any = Any {
                type_url: format!("type.googleapis.com/arrow.flight.protocol.sql.{name}"),
                value: Bytes::new(),
            };
            let bytes = any.encode_to_vec();
            let got = client
                .get_flight_info(FlightDescriptor::new_cmd(bytes.clone()))
                .await;
            let got = got.map(drop).map_err(|status| code(&status));
            if got != info {
                wrong.push(format!(
                    "{who}, GetFlightInfo {name}: {got:?}, not {info:?}"
                ));
            }
            let got = client
                .do_action(Action::new("CreatePreparedStatement", bytes))
                .await;
            let got = got.map(drop).map_err(|status| code(&status));
            if got != action {
                wrong.push(format!("{who}, DoAction {name}: {got:?}, not {action:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.end().await;
}

/// Closing what is not there is no error, as drivers expect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_twice_is_no_error() {
    let world = World::ready().await;
    let bank = world.flight(Party::Bank).await;
    let handle = bank.prepare(MATCH).await.unwrap();
    for _ in 0..2 {
        let close = ActionClosePreparedStatementRequest {
            prepared_statement_handle: handle.clone(),
        };
        let closed = bank.action("ClosePreparedStatement", close).await.unwrap();
        assert!(closed.is_empty());
    }
    let closed = bank.execute(&handle).await.unwrap_err();
    assert_eq!(code(&closed), ErrorCode::StatementUnknown);
    world.end().await;
}
