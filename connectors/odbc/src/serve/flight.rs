//! Upstream Flight SQL, as little of it as a connector needs; every other command is answered with `Unimplemented`.
//!
//! | command | what |
//! |---|---|
//! | `CommandGetTables` | the configured tables, described by the database |
//! | `CommandStatementQuery` | columns of one table, in the form of [`crate::request`] |
//! | `CommandGetSqlInfo` | what this is; answered only when the source answers |
//! | action `CancelFlightInfo` | ends a running statement; hanging up does too |
//! | action `lingqu.odbc.counters` | counters as JSON |
//!
//! A ticket holds the whole statement, parsed again when it is fetched: nothing is kept between two requests.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    Any, Command, CommandGetSqlInfo, CommandGetTables, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Criteria,
    Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tokio::task::AbortHandle;
use tonic::{Request, Response, Status, Streaming};

use super::connection::{Activity, Running};
use super::{answer, status};
use crate::request::{RequestRefused, Select};
use crate::supervise::Supervisor;

const CANCEL: &str = "CancelFlightInfo";
const COUNTERS: &str = "lingqu.odbc.counters";

/// The service of one source.
pub(super) struct Flight {
    supervisor: Arc<Supervisor>,
    /// Statements being fetched, by the number in their ticket.
    statements: Arc<Statements>,
    next: AtomicU64,
}

type Statements = Mutex<HashMap<u64, AbortHandle>>;

/// A statement being fetched, until it is dropped.
struct Fetching {
    statements: Arc<Statements>,
    number: u64,
    _running: Option<Running>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        lock(&self.statements).remove(&self.number);
    }
}

fn lock(statements: &Statements) -> std::sync::MutexGuard<'_, HashMap<u64, AbortHandle>> {
    statements.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a ticket asks for.
enum Wanted {
    SqlInfo(CommandGetSqlInfo),
    Statement { number: u64, sql: String },
    Tables(CommandGetTables),
}

type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;
type ActionStream = Pin<Box<dyn Stream<Item = Result<arrow_flight::Result, Status>> + Send>>;

impl Flight {
    pub(super) fn new(supervisor: Arc<Supervisor>) -> Flight {
        Flight {
            supervisor,
            statements: Arc::default(),
            next: AtomicU64::new(1),
        }
    }

    /// The ticket for a command, if the command is one of ours.
    fn ticket(&self, bytes: &[u8]) -> Result<Ticket, Status> {
        let any = match command(bytes)? {
            Command::CommandGetTables(command) => command.as_any(),
            Command::CommandGetSqlInfo(command) => command.as_any(),
            Command::CommandStatementQuery(command) => {
                if command.transaction_id.is_some() {
                    return Err(status::unsupported());
                }
                // Refused now rather than when it is fetched.
                self.parse(&command.query)?;
                let number = self.next.fetch_add(1, Relaxed);
                let mut handle = number.to_le_bytes().to_vec();
                handle.extend_from_slice(command.query.as_bytes());
                TicketStatementQuery {
                    statement_handle: handle.into(),
                }
                .as_any()
            }
            _ => return Err(status::unsupported()),
        };
        Ok(Ticket::new(any.encode_to_vec()))
    }

    fn parse(&self, sql: &str) -> Result<Select, Status> {
        let select: Select = sql.parse().map_err(|refusal| status::refused(&refusal))?;
        let table = self.supervisor.source.table(&select.table);
        table.map(|_| select).ok_or_else(status::table_missing)
    }

    /// Rows of a statement. Whoever drops the stream ends the work at the source.
    async fn rows(
        &self,
        number: u64,
        sql: &str,
        running: Option<Running>,
    ) -> Result<FlightStream, Status> {
        let select = self.parse(sql)?;
        let table = self.supervisor.source.table(&select.table).cloned();
        let table = table.ok_or_else(status::table_missing)?;
        if lock(&self.statements).contains_key(&number) {
            return Err(status::running());
        }
        let reading = self.supervisor.read(select, table).await;
        let reading = reading.map_err(|error| status::of_work(&error))?;
        lock(&self.statements).insert(number, reading.abort_handle());
        let fetching = Fetching {
            statements: Arc::clone(&self.statements),
            number,
            _running: running,
        };
        let schema = Arc::clone(&reading.schema);
        let batches = reading
            .into_stream()
            .map_err(|error| FlightError::Tonic(Box::new(status::of_work(&error))));
        let data = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .build(batches)
            .inspect(move |_| {
                let _ = &fetching;
            });
        Ok(Box::pin(data.map_err(Status::from)))
    }

    fn cancel(&self, body: &[u8]) -> Result<CancelStatus, Status> {
        let malformed = || status::refused(&RequestRefused::Form(0));
        let request = CancelFlightInfoRequest::decode(body).map_err(|_| malformed())?;
        let tickets = request.info.into_iter().flat_map(|info| info.endpoint);
        let mut cancelled = CancelStatus::NotCancellable;
        for ticket in tickets.filter_map(|endpoint| endpoint.ticket) {
            if let Wanted::Statement { number, .. } = wanted(&ticket.ticket)?
                && let Some(handle) = lock(&self.statements).get(&number)
            {
                handle.abort();
                cancelled = CancelStatus::Cancelled;
            }
        }
        Ok(cancelled)
    }
}

/// The command in the bytes of a descriptor or ticket.
fn command(bytes: &[u8]) -> Result<Command, Status> {
    let any = Any::decode(bytes).map_err(|_| status::unsupported())?;
    Command::try_from(any).map_err(|_| status::unsupported())
}

fn wanted(ticket: &[u8]) -> Result<Wanted, Status> {
    match command(ticket)? {
        Command::CommandGetTables(command) => Ok(Wanted::Tables(command)),
        Command::CommandGetSqlInfo(command) => Ok(Wanted::SqlInfo(command)),
        Command::TicketStatementQuery(ticket) => {
            let handle = ticket.statement_handle;
            let (number, sql) = handle.split_first_chunk().ok_or_else(status::unsupported)?;
            let sql = std::str::from_utf8(sql).map_err(|_| status::unsupported())?;
            Ok(Wanted::Statement {
                number: u64::from_le_bytes(*number),
                sql: sql.to_owned(),
            })
        }
        _ => Err(status::unsupported()),
    }
}

/// Marks the connection as in use for as long as the value lives.
fn running<T>(request: &Request<T>) -> Option<Running> {
    request.extensions().get::<Activity>().map(Activity::begin)
}

#[tonic::async_trait]
impl FlightService for Flight {
    type HandshakeStream = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;
    type ListFlightsStream = Pin<Box<dyn Stream<Item = Result<FlightInfo, Status>> + Send>>;
    type DoGetStream = FlightStream;
    type DoPutStream = Pin<Box<dyn Stream<Item = Result<PutResult, Status>> + Send>>;
    type DoActionStream = ActionStream;
    type ListActionsStream = Pin<Box<dyn Stream<Item = Result<ActionType, Status>> + Send>>;
    type DoExchangeStream = FlightStream;

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.into_inner();
        let ticket = self.ticket(&descriptor.cmd)?;
        let info = FlightInfo::new()
            .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
            .with_descriptor(descriptor);
        Ok(Response::new(info))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<FlightStream>, Status> {
        let running = running(&request);
        let batch = match wanted(&request.into_inner().ticket)? {
            Wanted::Statement { number, sql } => {
                return Ok(Response::new(self.rows(number, &sql, running).await?));
            }
            Wanted::SqlInfo(command) => answer::sql_info(&self.supervisor, command).await?,
            Wanted::Tables(command) => answer::tables(&self.supervisor, command).await?,
        };
        let data = answer::stream(batch).map_err(Status::from);
        Ok(Response::new(data.boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<ActionStream>, Status> {
        let action = request.into_inner();
        let body = match action.r#type.as_str() {
            CANCEL => {
                let cancelled = self.cancel(&action.body)?;
                CancelFlightInfoResult::new(cancelled).encode_to_vec()
            }
            COUNTERS => serde_json::to_vec(&self.supervisor.counters)
                .expect("counters are numbers under plain names"),
            _ => return Err(status::unsupported()),
        };
        let result = arrow_flight::Result::new(body);
        Ok(Response::new(futures::stream::iter([Ok(result)]).boxed()))
    }

    async fn list_actions(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let types = [
            (CANCEL, "ends a running statement"),
            (COUNTERS, "counters of this source as JSON"),
        ];
        let actions = types.map(|(name, description)| {
            Ok(ActionType {
                r#type: name.to_owned(),
                description: description.to_owned(),
            })
        });
        Ok(Response::new(futures::stream::iter(actions).boxed()))
    }

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(status::unsupported())
    }

    async fn list_flights(
        &self,
        _request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(status::unsupported())
    }

    async fn poll_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(status::unsupported())
    }

    async fn get_schema(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(status::unsupported())
    }

    async fn do_put(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Err(status::unsupported())
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(status::unsupported())
    }
}
