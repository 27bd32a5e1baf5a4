//! From a statement to a call: prepared statements, tickets, and the one moment at which a call is made.
//!
//! Whatever is refused on the way to a call is refused like the call itself, so that it is recorded, counted and limited. What was never meant as a call is only counted against its party.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use lingqu_core::{ErrorCode, GrantId, ProductId};
use lingqu_proto::{CallInvalid, ClaimValue, ProductCall};
use lingqu_transport::status_of;
use prost::bytes::Bytes;
use tonic::Status;

use super::command::Wanted;
use super::left::{
    Issued, Kept, NOT_AS_MANY, Pending, Prepared, PreparedResult, Ticket, What, parameters, pending,
};
use super::metadata::{Shown, schema_of};
use super::{answer, own_tables};
use crate::admission::caller::Caller;
use crate::admission::throttle::Place;
use crate::evaluate::explanation_schema;
use crate::serve::bearer::{Bearer, Token};
use crate::serve::calling::Calling;
use crate::serve::calls::status;
use crate::serve::context::Stated;
use crate::serve::sql::Statement;
use crate::{Node, VisibleProduct};

/// The means of everything above.
#[derive(Clone)]
pub(in crate::serve) struct Execution {
    calling: Calling,
    kept: Arc<Kept>,
}

impl Execution {
    pub(in crate::serve) fn new(calling: Calling, kept: Arc<Kept>) -> Self {
        Execution { calling, kept }
    }

    pub(super) fn request_bytes_max(&self) -> usize {
        self.node().config.limits.request_bytes_max
    }

    /// A place among the party's requests at one time. A call takes its own.
    pub(super) fn place(&self, caller: &Caller) -> Result<Place, Status> {
        self.calling.place(caller).map_err(status_of)
    }

    /// Refuses what was never meant as a call: counted against its party, not recorded.
    pub(super) fn turned_away(&self, caller: &Caller, code: ErrorCode) -> Status {
        self.calling.turned_away(caller);
        status_of(code)
    }

    /// The value, or the recorded refusal of what should have become a call.
    pub(super) async fn or_refused<T>(
        &self,
        caller: &Caller,
        read: Result<T, CallInvalid>,
    ) -> Result<T, Status> {
        match read {
            Ok(value) => Ok(value),
            Err(invalid) => Err(status(&self.calling.refuse(caller, invalid).await)),
        }
    }

    /// Prepares a statement.
    pub(super) async fn prepare(
        &self,
        caller: &Caller,
        stated: &Stated,
        query: &str,
    ) -> Result<PreparedResult, Status> {
        let statement = self.or_refused(caller, self.parse(query)).await?;
        let schema = self.described(caller, stated, &statement);
        let parameters = match &statement {
            Statement::Call(form) => self
                .meant(caller, stated.grant(), &form.product)
                .ok()
                .flatten()
                .map(|product| parameters(form, &product)),
            Statement::Products | Statement::Receipts => None,
        };
        let prepared = Prepared {
            certificate: caller.certificate,
            stated: stated.clone(),
            statement,
            values: Vec::new(),
        };
        Ok(PreparedResult {
            handle: self.keep(caller, &self.kept.statements, prepared)?,
            schema,
            parameters,
        })
    }

    /// Binds values to a prepared statement: a new one, so that a client's later values never change what an earlier
    /// ticket or another thread runs with.
    pub(super) async fn bind(
        &self,
        caller: &Caller,
        stated: &Stated,
        handle: &[u8],
        values: Vec<ClaimValue>,
    ) -> Result<Bytes, Status> {
        let prepared = self.prepared(caller, handle)?;
        // Whoever only binds may leave the headers out.
        let fits = match stated.changed_since(&prepared.stated) {
            None if prepared.statement.placeholders() == values.len() => Ok(()),
            None => Err(NOT_AS_MANY),
            Some(header) => Err(moved(header)),
        };
        self.or_refused(caller, fits).await?;
        let bound = Prepared {
            certificate: caller.certificate,
            stated: prepared.stated.clone(),
            statement: prepared.statement.clone(),
            values,
        };
        self.keep(caller, &self.kept.statements, bound)
    }

    /// Forgets a prepared statement. One that is unknown is forgotten already.
    pub(super) fn close(&self, caller: &Caller, handle: &[u8]) {
        let found = self.kept.statements.look(&caller.party, handle, self.now());
        if found.is_some_and(|prepared| prepared.certificate == caller.certificate) {
            self.kept.statements.take(&caller.party, handle, self.now());
        }
    }

    /// Leaves behind what is asked, and gives a ticket for it. Nothing is decided, evaluated or charged yet.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        stated: Stated,
        wanted: Wanted,
    ) -> Result<Issued, Status> {
        let mut call_id = Bytes::new();
        let mut schema = None;
        let what = match wanted {
            Wanted::Metadata(asked) => {
                schema = Some(schema_of(&asked).map_err(status_of)?);
                What::Metadata(asked)
            }
            other => {
                let prepared = self.statement(caller, &stated, other).await?;
                match &prepared.statement {
                    Statement::Products => What::Products,
                    Statement::Receipts => What::Receipts,
                    Statement::Call(form) => {
                        let pending = pending(form, &prepared.values, &stated);
                        let pending = self.or_refused(caller, pending).await?;
                        call_id = Bytes::from(pending.id.to_string());
                        What::Call(Box::new(pending))
                    }
                }
            }
        };
        let ticket = Ticket {
            certificate: caller.certificate,
            stated,
            what,
        };
        Ok(Issued {
            token: self.keep(caller, &self.kept.tickets, ticket)?,
            call_id,
            schema,
        })
    }

    /// The schema of what a command would answer.
    pub(super) async fn schema(
        &self,
        caller: &Caller,
        stated: &Stated,
        wanted: Wanted,
    ) -> Result<SchemaRef, Status> {
        if let Wanted::Metadata(asked) = wanted {
            return schema_of(&asked).map_err(status_of);
        }
        let prepared = self.statement(caller, stated, wanted).await?;
        self.described(caller, stated, &prepared.statement)
            .ok_or_else(|| status_of(ErrorCode::ProductNotGranted))
    }

    /// Spends a ticket. This is where a call is made. A request that its owner makes with other headers, or with another
    /// certificate, is refused and leaves the ticket unspent: nobody but the owner can have it, so a mistake of its own
    /// is all that could be punished.
    pub(super) async fn fetch(
        &self,
        caller: &Caller,
        stated: &Stated,
        ticket: &[u8],
    ) -> Result<RecordBatch, Status> {
        let invalid = |field, reason| CallInvalid {
            code: ErrorCode::TicketInvalid,
            field,
            reason,
        };
        let useless = invalid("ticket", "is not good for this request");
        let fits = |ticket: &Ticket| {
            if ticket.certificate != caller.certificate {
                return Err(useless);
            }
            match stated.changed_since(&ticket.stated) {
                None => Ok(()),
                Some(header) => Err(invalid(
                    header,
                    "is not what the ticket was asked for with; the ticket is still good",
                )),
            }
        };
        let kept = &self.kept.tickets;
        let taken = kept.take_if(&caller.party, ticket, self.now(), fits);
        let ticket = taken.and_then(|ticket| ticket.ok_or(useless));
        let ticket = self.or_refused(caller, ticket).await?;
        let built = match &ticket.what {
            What::Call(pending) => return self.call(caller, pending).await,
            What::Metadata(asked) => {
                let _place = self.place(caller)?;
                let shown = Shown {
                    node: self.node().id(),
                    products: &self.node().visible_products(caller),
                };
                return shown.answer(asked.clone()).map_err(status_of);
            }
            What::Products => {
                let _place = self.place(caller)?;
                own_tables::products(&self.node().visible_products(caller))
            }
            What::Receipts => {
                let _place = self.place(caller)?;
                own_tables::receipts(self.node(), caller).await
            }
        };
        built.map_err(super::internal)
    }

    /// Makes the call, and waits for what leaves.
    async fn call(&self, caller: &Caller, pending: &Pending) -> Result<RecordBatch, Status> {
        let call = self.resolved(caller, pending);
        let given = self.calling.make(caller, call).await.into_answer();
        let given = given.map_err(|refused| status(&refused))?;
        answer::batch(&given.answer, &given.receipt, given.level).map_err(super::internal)
    }

    /// The statement that a command names or holds.
    async fn statement(
        &self,
        caller: &Caller,
        stated: &Stated,
        wanted: Wanted,
    ) -> Result<Arc<Prepared>, Status> {
        match wanted {
            Wanted::Execute(query) => {
                let statement = self.or_refused(caller, self.parse(&query)).await?;
                Ok(Arc::new(Prepared {
                    certificate: caller.certificate,
                    stated: stated.clone(),
                    statement,
                    values: Vec::new(),
                }))
            }
            Wanted::ExecutePrepared(handle) => {
                let prepared = self.prepared(caller, &handle)?;
                let stays = stated
                    .moved_since(&prepared.stated)
                    .map_or(Ok(()), |header| Err(moved(header)));
                self.or_refused(caller, stays).await?;
                Ok(prepared)
            }
            Wanted::Bind(_) | Wanted::Close(_) | Wanted::Metadata(_) | Wanted::Prepare(_) => {
                Err(self.turned_away(caller, ErrorCode::CommandUnsupported))
            }
        }
    }

    fn prepared(&self, caller: &Caller, handle: &[u8]) -> Result<Arc<Prepared>, Status> {
        self.kept
            .statements
            .look(&caller.party, handle, self.now())
            .filter(|prepared| prepared.certificate == caller.certificate)
            .ok_or_else(|| self.turned_away(caller, ErrorCode::StatementUnknown))
    }

    fn parse(&self, query: &str) -> Result<Statement, CallInvalid> {
        let bytes_max = self.node().config.limits.sql_bytes_max;
        Statement::parse(query, bytes_max).map_err(|refused| CallInvalid {
            code: ErrorCode::SqlFormUnsupported,
            field: "statement",
            reason: refused.0,
        })
    }

    fn keep<T>(&self, caller: &Caller, kept: &Bearer<T>, value: T) -> Result<Bytes, Status> {
        kept.keep(&caller.party, self.now(), value)
            .map(|token: Token| Bytes::copy_from_slice(token.as_bytes()))
            .map_err(|_| status_of(ErrorCode::Internal))
    }

    /// The columns of a statement's answer, if the caller may use what it names.
    fn described(
        &self,
        caller: &Caller,
        stated: &Stated,
        statement: &Statement,
    ) -> Option<SchemaRef> {
        match statement {
            Statement::Call(form) => self
                .meant(caller, stated.grant(), &form.product)
                .ok()
                .flatten()
                .map(|product| match form.explains {
                    true => explanation_schema(),
                    false => product.output,
                }),
            Statement::Products => Some(Arc::new(own_tables::products_schema())),
            Statement::Receipts => Some(Arc::new(own_tables::receipts_schema())),
        }
    }

    /// The call with its arguments under their names. What a caller may not use has no names for it: its arguments are
    /// then numbered, and the decision refuses the call with its own code.
    fn resolved(&self, caller: &Caller, pending: &Pending) -> Result<ProductCall, CallInvalid> {
        let asked = &pending.asked;
        let grant = asked.grant.as_ref().map(GrantId::as_str);
        let names: Vec<String> = match self.meant(caller, grant, &asked.product)? {
            Some(product) if product.parameters.len() == pending.values.len() => {
                let parameters = product.parameters.into_iter();
                parameters.map(|parameter| parameter.name).collect()
            }
            Some(_) => return Err(NOT_AS_MANY),
            None => (1..=pending.values.len())
                .map(|number| format!("argument_{number}"))
                .collect(),
        };
        let arguments: Vec<_> = names
            .into_iter()
            .zip(pending.values.iter().cloned())
            .collect();
        let call = ProductCall::new(pending.id, asked, None, &arguments, pending.as_of_min)?;
        Ok(match pending.explains {
            true => call.explained(),
            false => call,
        })
    }

    /// The product that a name means for this caller and grant; none if there is none. Versions with the same
    /// parameters are one to a statement: which of them answers, the grant says.
    fn meant(
        &self,
        caller: &Caller,
        grant: Option<&str>,
        product: &ProductId,
    ) -> Result<Option<VisibleProduct>, CallInvalid> {
        let mut meant: Option<VisibleProduct> = None;
        for visible in self.node().visible_products(caller) {
            let under = |grant: &str| visible.grants.iter().any(|held| held.as_str() == grant);
            if visible.reference.id != *product || !grant.is_none_or(under) {
                continue;
            }
            if meant
                .as_ref()
                .is_some_and(|other| other.parameters != visible.parameters)
            {
                return Err(CallInvalid {
                    code: ErrorCode::GrantAmbiguous,
                    field: "lingqu-grant",
                    reason: "is missing, and several versions with other parameters are granted",
                });
            }
            meant = Some(visible);
        }
        Ok(meant)
    }

    fn node(&self) -> &Node {
        self.calling.node()
    }

    fn now(&self) -> Duration {
        self.node().clock.monotonic()
    }
}

/// A prepared statement is presented with another header than it was prepared with.
fn moved(header: &'static str) -> CallInvalid {
    CallInvalid {
        code: ErrorCode::RequestInvalid,
        field: header,
        reason: "is not what the statement was prepared with",
    }
}
