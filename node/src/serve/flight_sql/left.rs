//! What callers leave behind between two requests: prepared statements, and what their tickets are good for.

use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_core::decide::Asked;
use lingqu_core::{CallId, ErrorCode, Timestamp};
use lingqu_proto::{CallInvalid, ClaimValue};
use prost::bytes::Bytes;

use super::command::Metadata;
use crate::VisibleProduct;
use crate::config::LimitsSection;
use crate::serve::bearer::Bearer;
use crate::serve::context::{Stated, minted};
use crate::serve::sql::{Argument, ProductCallForm, Statement};

/// What callers have left at the node, shared by all their requests.
#[derive(Debug)]
pub(in crate::serve) struct Kept {
    pub(super) statements: Bearer<Prepared>,
    pub(super) tickets: Bearer<Ticket>,
}

impl Kept {
    pub(in crate::serve) fn new(limits: &LimitsSection) -> Kept {
        Kept {
            statements: Bearer::new(
                limits.statements_per_party_max,
                limits.tokens_max,
                Duration::from_secs(limits.statements_kept_s),
            ),
            tickets: Bearer::new(
                limits.tickets_per_party_max,
                limits.tokens_max,
                Duration::from_secs(limits.tickets_kept_s),
            ),
        }
    }

    /// Forgets what is too old.
    pub(in crate::serve) fn sweep(&self, at: Duration) {
        self.statements.sweep(at);
        self.tickets.sweep(at);
    }
}

/// A prepared statement; the values are there once they were bound. Binding again makes another one.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) certificate: [u8; 32],
    /// What was stated when it was prepared. It was described for this environment and grant, and is good for no other.
    pub(super) stated: Stated,
    pub(super) statement: Statement,
    pub(super) values: Vec<ClaimValue>,
}

/// What a ticket is good for.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) certificate: [u8; 32],
    pub(super) stated: Stated,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Call(Box<Pending>),
    Metadata(Metadata),
    Products,
    Receipts,
}

/// A call that is not made yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: CallId,
    pub(super) asked: Asked,
    pub(super) as_of_min: Option<Timestamp>,
    pub(super) values: Vec<ClaimValue>,
    /// Whether only its explanation is asked for.
    pub(super) explains: bool,
}

/// A ticket for the caller.
pub(super) struct Issued {
    pub(super) token: Bytes,
    /// The id of the call that the ticket will make; empty if it makes none.
    pub(super) call_id: Bytes,
    /// The answer's schema, where clients lose nothing by it.
    pub(super) schema: Option<SchemaRef>,
}

/// A prepared statement for the caller.
pub(super) struct PreparedResult {
    pub(super) handle: Bytes,
    /// The answer's schema, if the caller may use the product.
    pub(super) schema: Option<SchemaRef>,
    /// What is to be bound; the same condition.
    pub(super) parameters: Option<Schema>,
}

pub(super) const NOT_AS_MANY: CallInvalid = CallInvalid {
    code: ErrorCode::ParameterInvalid,
    field: "parameters",
    reason: "are not as many as the product has",
};

/// The call that a statement makes with these bound values.
pub(super) fn pending(
    form: &ProductCallForm,
    bound: &[ClaimValue],
    stated: &Stated,
) -> Result<Pending, CallInvalid> {
    let values = form.values(bound).ok_or(CallInvalid {
        code: ErrorCode::ParameterInvalid,
        field: "parameters",
        reason: "are not bound",
    })?;
    let (id, asked, as_of_min) = stated.asked(form.product.clone(), minted()?)?;
    Ok(Pending {
        id,
        asked,
        as_of_min,
        values,
        explains: form.explains,
    })
}

/// What is to be bound to a statement, in order, under the names of the product's parameters.
pub(super) fn parameters(form: &ProductCallForm, product: &VisibleProduct) -> Schema {
    let mut fields: Vec<Field> = (0..form.placeholders)
        .map(|place| Field::new(place.to_string(), DataType::Utf8, false))
        .collect();
    for (argument, parameter) in form.arguments.iter().zip(&product.parameters) {
        if let Argument::Bound(place) = argument
            && let Some(field) = fields.get_mut(*place)
        {
            let data_type = match parameter.kind {
                "integer" => DataType::Int64,
                _ => DataType::Utf8,
            };
            *field = Field::new(&parameter.name, data_type, false);
        }
    }
    Schema::new(fields)
}
