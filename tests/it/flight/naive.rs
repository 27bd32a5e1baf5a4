//! A Flight SQL server as the examples of arrow-flight and DataFusion write one: the engine's default session with an
//! information schema, plans kept under handles that anybody may present, commands as tickets, exact sizes.
//!
//! It is here to be attacked beside the node: what it tells is what there was to refuse.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::FlightServiceServer;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandGetTables, CommandPreparedStatementQuery,
    CommandStatementQuery, CommandStatementUpdate, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::{Stream, TryStreamExt};
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

type Answer = Response<Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>>;

/// One session for everybody, and what it keeps.
#[derive(Clone)]
pub(super) struct Naive {
    context: SessionContext,
    plans: Arc<Mutex<HashMap<Vec<u8>, LogicalPlan>>>,
    /// What was computed to say how large it is, by statement or handle.
    results: Arc<Mutex<HashMap<Vec<u8>, Vec<RecordBatch>>>>,
}

fn failed(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Naive {
    /// Serves a table from a Parquet file; the server's URL.
    pub(super) async fn start(table: &str, path: &str) -> String {
        let config = SessionConfig::new().with_information_schema(true);
        let context = SessionContext::new_with_config(config);
        let read = context.register_parquet(table, path, ParquetReadOptions::default());
        read.await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let naive = Naive {
            context,
            plans: Arc::default(),
            results: Arc::default(),
        };
        let server = tonic::transport::Server::builder()
            .add_service(FlightServiceServer::new(naive))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        url
    }

    async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>, DataFusionError> {
        let frame = self.context.execute_logical_plan(plan).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let mut batches = frame.collect().await?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }

    async fn run(&self, query: &str) -> Result<Vec<RecordBatch>, Status> {
        let plan = self.context.state().create_logical_plan(query).await;
        self.collect(plan.map_err(failed)?).await.map_err(failed)
    }

    fn keep(&self, key: &[u8], batches: &[RecordBatch]) {
        let mut results = self.results.lock().unwrap();
        results.insert(key.to_vec(), batches.to_vec());
    }

    fn kept(&self, key: &[u8]) -> Option<Vec<RecordBatch>> {
        self.results.lock().unwrap().get(key).cloned()
    }

    fn plan(&self, handle: &[u8]) -> Result<LogicalPlan, Status> {
        let plans = self.plans.lock().unwrap();
        plans.get(handle).cloned().ok_or_else(|| failed("no plan"))
    }
}

/// An answer is computed to say how large it is, and the ticket is the command.
fn info(
    descriptor: FlightDescriptor,
    ticket: impl ProstMessageExt,
    batches: &[RecordBatch],
) -> Result<Response<FlightInfo>, Status> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let ticket = Ticket::new(ticket.as_any().encode_to_vec());
    let info = FlightInfo::new()
        .try_with_schema(&batches[0].schema())
        .map_err(failed)?
        .with_descriptor(descriptor)
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_total_records(rows as i64);
    Ok(Response::new(info))
}

fn answer(batches: Vec<RecordBatch>) -> Answer {
    let stream = futures::stream::iter(batches.into_iter().map(Ok));
    let encoded = FlightDataEncoderBuilder::new().build(stream);
    Response::new(Box::pin(encoded.map_err(Status::from)))
}

#[tonic::async_trait]
impl FlightSqlService for Naive {
    type FlightService = Naive;

    async fn get_flight_info_statement(
        &self,
        command: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let batches = self.run(&command.query).await?;
        self.keep(command.query.as_bytes(), &batches);
        let ticket = TicketStatementQuery {
            statement_handle: command.query.into(),
        };
        info(request.into_inner(), ticket, &batches)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        _: Request<Ticket>,
    ) -> Result<Answer, Status> {
        if let Some(kept) = self.kept(&ticket.statement_handle) {
            return Ok(answer(kept));
        }
        let query = String::from_utf8(ticket.statement_handle.to_vec()).map_err(failed)?;
        self.run(&query).await.map(answer)
    }

    async fn get_flight_info_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let plan = self.plan(&command.prepared_statement_handle)?;
        let batches = self.collect(plan).await.map_err(failed)?;
        self.keep(&command.prepared_statement_handle, &batches);
        info(request.into_inner(), command, &batches)
    }

    async fn do_get_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        _: Request<Ticket>,
    ) -> Result<Answer, Status> {
        let kept = self.kept(&command.prepared_statement_handle);
        kept.map(answer).ok_or_else(|| failed("no result"))
    }

    async fn get_flight_info_tables(
        &self,
        command: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let batch = self.tables(command.clone())?;
        info(request.into_inner(), command, &[batch])
    }

    async fn do_get_tables(
        &self,
        command: CommandGetTables,
        _: Request<Ticket>,
    ) -> Result<Answer, Status> {
        self.tables(command).map(|batch| answer(vec![batch]))
    }

    async fn do_put_statement_update(
        &self,
        command: CommandStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.run(&command.query).await.map(|_| 0)
    }

    async fn do_action_create_prepared_statement(
        &self,
        request: ActionCreatePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let plan = self
            .context
            .state()
            .create_logical_plan(&request.query)
            .await;
        let mut plans = self.plans.lock().unwrap();
        let handle = format!("plan {}", plans.len()).into_bytes();
        plans.insert(handle.clone(), plan.map_err(failed)?);
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            ..ActionCreatePreparedStatementResult::default()
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

impl Naive {
    fn tables(&self, command: CommandGetTables) -> Result<RecordBatch, Status> {
        let mut tables = command.into_builder();
        for catalog in self.context.catalog_names() {
            let provider = self.context.catalog(&catalog).unwrap();
            for schema in provider.schema_names() {
                for table in provider.schema(&schema).unwrap().table_names() {
                    let empty = arrow_schema::Schema::empty();
                    let added = tables.append(&catalog, &schema, &table, "TABLE", &empty);
                    added.map_err(failed)?;
                }
            }
        }
        tables.build().map_err(failed)
    }
}
