//! Flight SQL: any client that speaks it calls products. The only file of the node that implements Flight.
//!
//! `FlightService` is implemented here itself, so that each RPC and each command has an outcome that somebody decided.
//! A call is made when its answer is fetched: `GetFlightInfo` only leaves behind what is asked and gives a ticket for
//! it; `DoGet` spends the ticket, and then admits, evaluates, charges and records exactly once. Whoever only asks for
//! schemas or tickets is charged nothing. Tickets are random, good once and for a short time, and for their party,
//! certificate and grant only.

mod answer;
mod binding;
mod command;
mod execute;
mod left;
mod metadata;
mod own_tables;

use std::pin::Pin;

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{
    ActionCreatePreparedStatementResult, DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaAsIpc,
    SchemaResult, Ticket,
};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::Schema;
use futures::{Stream, StreamExt, stream};
use lingqu_core::ErrorCode;
use lingqu_transport::status_of;
use prost::Message;
use prost::bytes::Bytes;
use tonic::{Request, Response, Status, Streaming};

use self::command::{Place, Wanted};
use super::calls::caller;
use crate::admission::caller::Caller;
use crate::serve::context::Stated;

pub(super) use self::execute::Execution;
pub(super) use self::left::Kept;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service. Cloning is cheap; every request works on a clone.
#[derive(Clone)]
pub(super) struct FlightSql {
    execution: Execution,
}

impl FlightSql {
    pub(super) fn new(execution: Execution) -> Self {
        FlightSql { execution }
    }

    pub(super) fn into_server(self, request_bytes_max: usize) -> FlightServiceServer<Self> {
        FlightServiceServer::new(self).max_decoding_message_size(request_bytes_max)
    }

    /// Reads a command, or refuses it. What is no call is not recorded, but it counts against its party like one.
    fn wanted(&self, caller: &Caller, bytes: &[u8], place: Place) -> Result<Wanted, Status> {
        command::read(bytes, place).map_err(|code| self.execution.turned_away(caller, code))
    }

    /// Reads the command of a descriptor. A path names nothing here.
    fn described(
        &self,
        caller: &Caller,
        descriptor: Option<&FlightDescriptor>,
        place: Place,
    ) -> Result<Wanted, Status> {
        match descriptor {
            Some(descriptor) if descriptor.path.is_empty() => {
                self.wanted(caller, &descriptor.cmd, place)
            }
            Some(_) => Err(self
                .execution
                .turned_away(caller, ErrorCode::CommandUnsupported)),
            None => Err(self
                .execution
                .turned_away(caller, ErrorCode::RequestInvalid)),
        }
    }

    /// A refusal of something that the node does not offer, to a caller that is known.
    fn unsupported<T>(&self, extensions: &tonic::Extensions) -> Result<T, Status> {
        let caller = caller(extensions)?;
        Err(self
            .execution
            .turned_away(&caller, ErrorCode::CommandUnsupported))
    }
}

#[tonic::async_trait]
impl FlightService for FlightSql {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    /// Who is calling is known from TLS; there are no names and passwords.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.unsupported(request.extensions())
    }

    /// Products take arguments, so there are no flights that lie ready; `GetTables` lists products.
    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.unsupported(request.extensions())
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = caller(request.extensions())?;
        let _place = self.execution.place(&caller)?;
        let stated = Stated::read(request.metadata());
        let stated = self.execution.or_refused(&caller, stated).await?;
        let descriptor = request.into_inner();
        let wanted = self.described(&caller, Some(&descriptor), Place::Info)?;
        let ticket = self.execution.ask(&caller, stated, wanted).await?;
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket.token));
        let mut info = FlightInfo::new()
            .with_descriptor(descriptor)
            // Without a location the ticket is good on the connection that it came over.
            .with_endpoint(endpoint)
            // How much an answer has may say something about the data.
            .with_total_records(-1)
            .with_total_bytes(-1)
            .with_app_metadata(ticket.call_id);
        if let Some(schema) = ticket.schema {
            info = info.try_with_schema(&schema).map_err(internal)?;
        }
        Ok(Response::new(info))
    }

    /// An answer is there when it is fetched; there is nothing to poll for.
    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        self.unsupported(request.extensions())
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let caller = caller(request.extensions())?;
        let _place = self.execution.place(&caller)?;
        let stated = Stated::read(request.metadata());
        let stated = self.execution.or_refused(&caller, stated).await?;
        let descriptor = request.into_inner();
        let wanted = self.described(&caller, Some(&descriptor), Place::Schema)?;
        let schema = self.execution.schema(&caller, &stated, wanted).await?;
        let schema = encoded(&schema)?;
        Ok(Response::new(SchemaResult { schema }))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let caller = caller(request.extensions())?;
        let stated = Stated::read(request.metadata());
        let stated = self.execution.or_refused(&caller, stated).await?;
        let ticket = request.into_inner().ticket;
        let batch = self.execution.fetch(&caller, &stated, &ticket).await?;
        Ok(Response::new(sent(batch)))
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = caller(request.extensions())?;
        let _place = self.execution.place(&caller)?;
        let stated = Stated::read(request.metadata());
        let stated = self.execution.or_refused(&caller, stated).await?;
        let mut messages = request.into_inner();
        let first = match messages.next().await {
            Some(Ok(first)) => first,
            Some(Err(_)) | None => {
                let code = ErrorCode::RequestInvalid;
                return Err(self.execution.turned_away(&caller, code));
            }
        };
        let wanted = self.described(&caller, first.flight_descriptor.as_ref(), Place::Put)?;
        let Wanted::Bind(handle) = wanted else {
            let code = ErrorCode::CommandUnsupported;
            return Err(self.execution.turned_away(&caller, code));
        };
        let values = binding::read(first, messages, self.execution.request_bytes_max()).await;
        let values = self.execution.or_refused(&caller, values).await?;
        let bound = self.execution.bind(&caller, &stated, &handle, values);
        let bound = bound.await?;
        let result = DoPutPreparedStatementResult {
            prepared_statement_handle: Some(bound),
        };
        let app_metadata = result.encode_to_vec().into();
        let answer = stream::iter([Ok(PutResult { app_metadata })]);
        Ok(Response::new(Box::pin(answer)))
    }

    /// Nothing here answers a stream with a stream.
    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.unsupported(request.extensions())
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = caller(request.extensions())?;
        let _place = self.execution.place(&caller)?;
        let stated = Stated::read(request.metadata());
        let stated = self.execution.or_refused(&caller, stated).await?;
        let action = request.into_inner();
        if !ACTIONS.iter().any(|(name, _)| *name == action.r#type) {
            return Err(self
                .execution
                .turned_away(&caller, ErrorCode::CommandUnsupported));
        }
        let results = match (
            action.r#type.as_str(),
            self.wanted(&caller, &action.body, Place::Action)?,
        ) {
            (PREPARE, Wanted::Prepare(query)) => {
                let prepared = self.execution.prepare(&caller, &stated, &query).await?;
                let schema = prepared.schema.as_deref().map(encoded).transpose()?;
                let parameters = prepared.parameters.as_ref().map(encoded).transpose()?;
                let result = ActionCreatePreparedStatementResult {
                    prepared_statement_handle: prepared.handle,
                    dataset_schema: schema.unwrap_or_default(),
                    parameter_schema: parameters.unwrap_or_default(),
                };
                let body = result.as_any().encode_to_vec().into();
                vec![Ok(arrow_flight::Result { body })]
            }
            (CLOSE, Wanted::Close(handle)) => {
                self.execution.close(&caller, &handle);
                Vec::new()
            }
            // The body is a command of another action than the one that is named.
            (_, _) => {
                return Err(self
                    .execution
                    .turned_away(&caller, ErrorCode::RequestInvalid));
            }
        };
        Ok(Response::new(Box::pin(stream::iter(results))))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        caller(request.extensions())?;
        let actions = ACTIONS.iter().map(|(name, description)| {
            Ok(ActionType {
                r#type: (*name).to_owned(),
                description: (*description).to_owned(),
            })
        });
        Ok(Response::new(Box::pin(stream::iter(actions))))
    }
}

const PREPARE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";

/// The actions on offer.
const ACTIONS: [(&str, &str); 2] = [
    (CLOSE, "Forgets a prepared statement. 关闭预备语句。"),
    (PREPARE, "Prepares a statement. 创建预备语句。"),
];

/// The stream of one batch. All of it is there; what leaves was released before.
fn sent(batch: RecordBatch) -> Answers<FlightData> {
    let messages = FlightDataEncoderBuilder::new()
        .with_schema(batch.schema())
        .build(stream::iter([Ok(batch)]));
    Box::pin(messages.map(|message| message.map_err(internal)))
}

fn encoded(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(message) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(internal)?;
    Ok(message)
}

/// A defect of ours. Arrow's own words stay here: they may quote values.
fn internal(_error: impl std::error::Error) -> Status {
    tracing::error!("an answer cannot be encoded");
    status_of(ErrorCode::Internal)
}
