//! Every Flight SQL command with its outcome, decided here and nowhere else.
//!
//! About thirty message types hide in `Any`, and each could be sent to each of the RPCs that take one. The match has no
//! wildcard: a command that a newer version adds does not compile until somebody has decided about it.
//! `docs/access.md` has the table that this match makes.

use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any, Command,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetTables, CommandPreparedStatementQuery,
    CommandStatementQuery,
};
use lingqu_core::ErrorCode;
use prost::Message;
use prost::bytes::Bytes;

/// Where a command arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `DoAction`.
    Action,
    /// `GetFlightInfo`.
    Info,
    /// `DoPut`.
    Put,
    /// `GetSchema`.
    Schema,
}

/// What a caller wants by a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Binds values to a prepared statement.
    Bind(Bytes),
    /// Forgets a prepared statement.
    Close(Bytes),
    /// Runs a statement; at [`Place::Schema`], tells what its answer looks like.
    Execute(String),
    /// The same with a prepared statement.
    ExecutePrepared(Bytes),
    /// Asks what there is.
    Metadata(Metadata),
    /// Prepares a statement.
    Prepare(String),
}

/// What can be asked about the node itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Metadata {
    /// The one catalog.
    Catalogs,
    /// No table has foreign keys.
    CrossReference(CommandGetCrossReference),
    /// Schemas: units, and the caller's own.
    DbSchemas(CommandGetDbSchemas),
    /// As [`Metadata::CrossReference`].
    ExportedKeys,
    /// As [`Metadata::CrossReference`].
    ImportedKeys,
    /// No table has a primary key.
    PrimaryKeys,
    /// What the server can do.
    SqlInfo(Vec<u32>),
    /// Products and the caller's own tables.
    Tables(CommandGetTables),
    /// The types of those.
    TableTypes,
    /// Types of parameters.
    XdbcTypeInfo(Option<i32>),
}

/// Reads what a descriptor or an action carries.
///
/// # Errors
/// `REQUEST_INVALID` for bytes that are no command at all, `COMMAND_UNSUPPORTED` for one that this node does not offer
/// at this place.
pub(super) fn read(bytes: &[u8], place: Place) -> Result<Wanted, ErrorCode> {
    let any = Any::decode(bytes).map_err(|_| ErrorCode::RequestInvalid)?;
    let command = Command::try_from(any).map_err(|_| ErrorCode::RequestInvalid)?;
    decided(command, place).ok_or(ErrorCode::CommandUnsupported)
}

/// The decision; none means that the command is not offered there.
pub(super) fn decided(command: Command, place: Place) -> Option<Wanted> {
    use Place::{Action, Info, Put, Schema};
    let (wanted, places): (Wanted, &[Place]) = match command {
        // Products are called by these. A transaction was never begun, so nothing can belong to one.
        Command::CommandStatementQuery(CommandStatementQuery {
            query,
            transaction_id: None,
        }) => (Wanted::Execute(query), &[Info, Schema]),
        Command::CommandPreparedStatementQuery(CommandPreparedStatementQuery {
            prepared_statement_handle: handle,
        }) if place == Put => (Wanted::Bind(handle), &[Put]),
        Command::CommandPreparedStatementQuery(CommandPreparedStatementQuery {
            prepared_statement_handle: handle,
        }) => (Wanted::ExecutePrepared(handle), &[Info, Schema]),
        Command::ActionCreatePreparedStatementRequest(ActionCreatePreparedStatementRequest {
            query,
            transaction_id: None,
        }) => (Wanted::Prepare(query), &[Action]),
        Command::ActionClosePreparedStatementRequest(ActionClosePreparedStatementRequest {
            prepared_statement_handle: handle,
        }) => (Wanted::Close(handle), &[Action]),

        // What there is. Only what this caller may use is ever listed.
        Command::CommandGetCatalogs(_) => metadata(Metadata::Catalogs),
        Command::CommandGetCrossReference(asked) => metadata(Metadata::CrossReference(asked)),
        Command::CommandGetDbSchemas(asked) => metadata(Metadata::DbSchemas(asked)),
        Command::CommandGetExportedKeys(_) => metadata(Metadata::ExportedKeys),
        Command::CommandGetImportedKeys(_) => metadata(Metadata::ImportedKeys),
        Command::CommandGetPrimaryKeys(_) => metadata(Metadata::PrimaryKeys),
        Command::CommandGetSqlInfo(asked) => metadata(Metadata::SqlInfo(asked.info)),
        Command::CommandGetTables(asked) => metadata(Metadata::Tables(asked)),
        Command::CommandGetTableTypes(_) => metadata(Metadata::TableTypes),
        Command::CommandGetXdbcTypeInfo(asked) => {
            metadata(Metadata::XdbcTypeInfo(asked.data_type))
        }

        // Within a transaction that does not exist.
        Command::CommandStatementQuery(CommandStatementQuery {
            query: _,
            transaction_id: Some(_),
        })
        | Command::ActionCreatePreparedStatementRequest(ActionCreatePreparedStatementRequest {
            query: _,
            transaction_id: Some(_),
        })
        // Nothing is ever written, so there is nothing to begin, end, save or take in.
        | Command::ActionBeginSavepointRequest(_)
        | Command::ActionBeginTransactionRequest(_)
        | Command::ActionEndSavepointRequest(_)
        | Command::ActionEndTransactionRequest(_)
        | Command::CommandPreparedStatementUpdate(_)
        | Command::CommandStatementIngest(_)
        | Command::CommandStatementUpdate(_)
        // A plan would be a query of the caller's own; products are what the unit has approved.
        | Command::ActionCreatePreparedSubstraitPlanRequest(_)
        | Command::CommandStatementSubstraitPlan(_)
        // A call is short, charged and recorded whoever waits for it: there is nothing to cancel.
        | Command::ActionCancelQueryRequest(_)
        // Tickets are opaque and go to `DoGet` alone.
        | Command::TicketStatementQuery(_)
        // These are a server's answers.
        | Command::ActionBeginSavepointResult(_)
        | Command::ActionBeginTransactionResult(_)
        | Command::ActionCancelQueryResult(_)
        | Command::ActionCreatePreparedStatementResult(_)
        | Command::DoPutPreparedStatementResult(_)
        | Command::DoPutUpdateResult(_)
        | Command::Unknown(_) => return None,
    };
    places.contains(&place).then_some(wanted)
}

fn metadata(asked: Metadata) -> (Wanted, &'static [Place]) {
    (Wanted::Metadata(asked), &[Place::Info, Place::Schema])
}

#[cfg(test)]
mod tests;
