//! The few commands of Flight SQL that a source needs.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetTables, CommandStatementQuery, ProstMessageExt, SqlInfo,
};
use arrow_flight::{FlightDescriptor, Ticket};
use arrow_schema::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use lingqu_connector_sdk::{SecretSource, SourceError, TableName};
use prost::Message as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, IntoRequest as _, Request, Status};

use super::answer::{Info, Tables};
use super::dial::{Target, dial_error};
use crate::bounded::failed;
use crate::ipc_claims;

/// Most endpoints of one answer.
const ENDPOINTS_MAX: usize = 10_000;
/// Most bytes of descriptions of tables.
const DESCRIPTIONS_BYTES_MAX: u64 = 256 << 20;

/// How we say who we are.
#[derive(Clone, Debug)]
pub(super) enum Authorization {
    None,
    Bearer(SecretSource),
    Basic(String, SecretSource),
}

/// The other side.
pub(super) struct Upstream {
    pub(super) target: Target,
    authorization: Authorization,
    base: PathBuf,
    pub(super) request_time_max: Duration,
    message_bytes_max: usize,
    channel: OnceLock<Channel>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Upstream")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    pub(super) fn new(
        target: Target,
        authorization: Authorization,
        base: PathBuf,
        request_time_max: Duration,
        message_bytes_max: usize,
    ) -> Upstream {
        Upstream {
            target,
            authorization,
            base,
            request_time_max,
            message_bytes_max,
            channel: OnceLock::new(),
        }
    }

    /// A client with the secrets of now.
    pub(super) fn session(&self) -> Result<Session, SourceError> {
        let channel = self
            .channel
            .get_or_init(|| self.target.channel(self.request_time_max));
        let client = FlightServiceClient::new(channel.clone())
            .max_decoding_message_size(self.message_bytes_max);
        Ok(Session {
            client,
            authorization: self.header()?,
            message_bytes_max: self.message_bytes_max as u64,
        })
    }

    fn header(&self) -> Result<Option<MetadataValue<Ascii>>, SourceError> {
        let text = match &self.authorization {
            Authorization::None => return Ok(None),
            Authorization::Bearer(token) => format!("Bearer {}", token.read(&self.base)?.expose()),
            Authorization::Basic(user, password) => {
                let password = password.read(&self.base)?;
                let both = format!("{user}:{}", password.expose());
                format!("Basic {}", STANDARD.encode(both))
            }
        };
        let mut value: MetadataValue<Ascii> =
            text.parse().map_err(|_| SourceError::AccountRefused)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Calls with one set of credentials.
pub(super) struct Session {
    client: FlightServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    message_bytes_max: u64,
}

impl Session {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = message.into_request();
        if let Some(value) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        request
    }

    /// The tickets of the answer to a command.
    async fn tickets(&mut self, command: Vec<u8>) -> Result<Vec<Ticket>, SourceError> {
        let request = self.request(FlightDescriptor::new_cmd(command));
        let info = self.client.get_flight_info(request).await;
        let info = info.map_err(|status| status_error(&status))?.into_inner();
        if info.endpoint.len() > ENDPOINTS_MAX {
            return Err(SourceError::TooLarge);
        }
        let ticket = |endpoint: arrow_flight::FlightEndpoint| endpoint.ticket;
        let tickets: Option<Vec<Ticket>> = info.endpoint.into_iter().map(ticket).collect();
        tickets.ok_or_else(|| failed("flight-no-ticket"))
    }

    /// The rows behind a ticket, each message checked before it is decoded.
    async fn rows(&mut self, ticket: Ticket) -> Result<FlightRecordBatchStream, SourceError> {
        let request = self.request(ticket);
        let messages = self.client.do_get(request).await;
        let messages = messages
            .map_err(|status| status_error(&status))?
            .into_inner();
        let bytes_max = self.message_bytes_max;
        let checked = messages.map(move |message| {
            let message = message.map_err(FlightError::from)?;
            ipc_claims::check(&message.data_header, &message.data_body, bytes_max)
                .map_err(|error| FlightError::ExternalError(Box::new(error)))?;
            Ok(message)
        });
        Ok(FlightRecordBatchStream::new_from_flight_data(checked))
    }

    async fn all(&mut self, command: Vec<u8>) -> Result<Vec<RecordBatch>, SourceError> {
        let mut batches = Vec::new();
        let mut bytes = 0;
        for ticket in self.tickets(command).await? {
            let mut rows = self.rows(ticket).await?;
            while let Some(batch) = rows
                .try_next()
                .await
                .map_err(|error| flight_error(&error))?
            {
                bytes += crate::bounded::buffer_bytes(&batch);
                if bytes > DESCRIPTIONS_BYTES_MAX {
                    return Err(SourceError::TooLarge);
                }
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    /// Every table, or those with this name.
    pub(super) async fn tables(
        &mut self,
        name: Option<&TableName>,
    ) -> Result<Vec<(TableName, SchemaRef)>, SourceError> {
        // A pattern: `_` and `%` in a name only find more, and more is sorted out afterwards.
        let command = CommandGetTables {
            catalog: None,
            db_schema_filter_pattern: None,
            table_name_filter_pattern: name.map(|name| name.name().to_owned()),
            table_types: Vec::new(),
            include_schema: true,
        };
        let batches = self.all(command.as_any().encode_to_vec()).await?;
        Tables::parse(&batches)
    }

    /// The columns of one table. A name with fewer parts than the other side gives it is enough if it means one table.
    pub(super) async fn table(&mut self, name: &TableName) -> Result<SchemaRef, SourceError> {
        let missing = || SourceError::TableMissing(name.clone());
        let wanted = name.parts();
        let tables = self.tables(Some(name)).await?;
        let mut found = tables
            .into_iter()
            .filter(|(found, _)| found.parts().ends_with(wanted));
        match (found.next(), found.next()) {
            (Some((_, schema)), None) => Ok(schema),
            _ => Err(missing()),
        }
    }

    /// Starts the statement; the rows of each of its tickets come after one another.
    pub(super) async fn statement(&mut self, sql: String) -> Result<Vec<Ticket>, SourceError> {
        let command = CommandStatementQuery {
            query: sql,
            transaction_id: None,
        };
        self.tickets(command.as_any().encode_to_vec()).await
    }

    /// The rows of one ticket.
    pub(super) async fn fetch(
        &mut self,
        ticket: Ticket,
    ) -> Result<FlightRecordBatchStream, SourceError> {
        self.rows(ticket).await
    }

    /// What the other side says of itself.
    pub(super) async fn info(&mut self) -> Result<Info, SourceError> {
        let wanted = [
            SqlInfo::FlightSqlServerName,
            SqlInfo::FlightSqlServerVersion,
            SqlInfo::FlightSqlServerReadOnly,
        ];
        let command = CommandGetSqlInfo {
            info: wanted.iter().map(|info| *info as u32).collect(),
        };
        let batches = self.all(command.as_any().encode_to_vec()).await?;
        Ok(Info::parse(&batches))
    }
}

/// What went wrong at the other side: our own word for it, or its code. Its message may quote rows.
pub(super) fn status_error(status: &Status) -> SourceError {
    if let Some(error) = dial_error(status) {
        return error;
    }
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => SourceError::AccountRefused,
        Code::DeadlineExceeded => SourceError::TimedOut,
        Code::Unavailable if reason(status).is_none() => SourceError::Unreachable,
        // tonic's own word for a message beyond the limit.
        Code::OutOfRange if reason(status).is_none() => SourceError::TooLarge,
        code => SourceError::Failed {
            code: Some(reason(status).unwrap_or_else(|| format!("{code:?}"))),
        },
    }
}

/// The word by which `lingqu-odbc` names a failure.
fn reason(status: &Status) -> Option<String> {
    let word = status.metadata().get("lingqu-reason")?.to_str().ok()?;
    let fits = (1..=40).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    fits.then(|| word.to_owned())
}

/// The same for the decoder of batches.
pub(super) fn flight_error(error: &FlightError) -> SourceError {
    match error {
        FlightError::Tonic(status) => status_error(status),
        FlightError::ExternalError(inner) => {
            dial_error(inner.as_ref()).unwrap_or_else(|| failed("arrow-malformed"))
        }
        _ => failed("arrow-malformed"),
    }
}
