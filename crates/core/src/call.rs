//! The states of one call. Each step consumes the one before, so that none can be left out or taken twice:
//!
//! `Call<Received>` → decide → `Call<Permitted>` → evaluate → `Call<Evaluated<T>>` → the journal records it and only
//! the journal's record releases the answer.

mod words;

use lingqu_policy::AuditTerms;
use lingqu_tlog::Hash;

use crate::decide::{Asked, Decision, Facts, Permit, decide};
use crate::product::Load;
use crate::record::{Clear, Draft, Field, Kind, flag};
use crate::{CallId, ErrorCode, PartyId, ProductId};

use words::Words;

/// What is known of a call from its first byte on, whatever becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The caller's id of the call.
    pub id: CallId,
    /// The verified caller.
    pub caller: PartyId,
    /// SHA-256 of the caller's certificate.
    pub certificate: [u8; 32],
    /// What it asks for.
    pub asked: Asked,
    /// Keyed tag of the whole request; equal for a retry, and meaningless without the node's key.
    pub request_tag: [u8; 16],
}

/// A call in the state `S`.
#[derive(Debug)]
pub struct Call<S> {
    header: Header,
    state: S,
}

/// Nothing has been decided.
#[derive(Debug)]
pub struct Received(());

/// The decision was "allow".
#[derive(Debug)]
pub struct Permitted {
    permit: Permit,
}

/// What an explanation is called in records: what a call would answer and cost, without touching data.
pub const EXPLAIN: &str = "explain";

/// The answer exists inside the node; nothing has left.
#[derive(Debug)]
pub struct Evaluated<T> {
    permit: Permit,
    /// What it is called in the record, and the units that it costs.
    action: &'static str,
    units: u64,
    result: Result<T, ErrorCode>,
    body_root: Hash,
    body_kept: bool,
    loads: Vec<Load>,
}

/// A refused call. When its request could not even be read, nothing is known of it but the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    caller: PartyId,
    certificate: [u8; 32],
    /// As the caller wrote it: in no record, only to tell refusals apart.
    product: Option<ProductId>,
    /// Boxed, since a refusal travels as the error of many results.
    words: Option<Box<Words>>,
    code: ErrorCode,
}

impl<S> Call<S> {
    /// What is known of the call in every state.
    pub fn header(&self) -> &Header {
        &self.header
    }
}

impl Call<Received> {
    /// A call whose bytes have arrived and whose caller is verified.
    pub fn received(header: Header) -> Self {
        Call {
            header,
            state: Received(()),
        }
    }

    /// Decides it.
    pub fn decide(self, facts: &Facts<'_>) -> Result<Call<Permitted>, Denial> {
        match decide(facts) {
            Decision::Allow(permit) => Ok(Call {
                header: self.header,
                state: Permitted { permit },
            }),
            Decision::Deny(code) => {
                let words = Words::held(&self.header.asked, facts);
                Err(Denial::of(self.header, Some(words), code))
            }
        }
    }

    /// Refuses it before the decision, for a fault of form or of quantity. Nothing that it states is recorded, since
    /// nothing of it was found to be signed.
    pub fn deny(self, code: ErrorCode) -> Denial {
        Denial::of(self.header, None, code)
    }
}

impl Call<Permitted> {
    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        &self.state.permit
    }

    /// Refuses it after the decision but before any data was touched.
    pub fn deny(self, code: ErrorCode) -> Denial {
        let words = Words::granted(&self.header.asked);
        Denial::of(self.header, Some(words), code)
    }

    /// The evaluation has ended: with an answer, or with the one code that failures after the touch of data have.
    /// Either way the call is charged and recorded.
    pub fn evaluated<T>(
        self,
        result: Result<T, ErrorCode>,
        body_root: Hash,
        loads: Vec<Load>,
    ) -> Call<Evaluated<T>> {
        let action = self.state.permit.kind().action();
        self.ended(action, 1, result, body_root, loads)
    }

    /// No data was touched: the answer says what a call would answer and cost. It is recorded like one, and costs no
    /// units.
    pub fn explained<T>(
        self,
        explanation: T,
        body_root: Hash,
        loads: Vec<Load>,
    ) -> Call<Evaluated<T>> {
        self.ended(EXPLAIN, 0, Ok(explanation), body_root, loads)
    }

    fn ended<T>(
        self,
        action: &'static str,
        units: u64,
        result: Result<T, ErrorCode>,
        body_root: Hash,
        loads: Vec<Load>,
    ) -> Call<Evaluated<T>> {
        let Permitted { permit } = self.state;
        Call {
            header: self.header,
            state: Evaluated {
                permit,
                action,
                units,
                result,
                body_root,
                body_kept: false,
                loads,
            },
        }
    }
}

impl<T> Call<Evaluated<T>> {
    /// What was allowed.
    pub fn permit(&self) -> &Permit {
        &self.state.permit
    }

    /// The record is to say that the body is kept. To be called once it is durable.
    #[must_use]
    pub fn with_body_kept(mut self) -> Self {
        self.state.body_kept = true;
        self
    }

    /// The record of this call: charge and outcome in one entry, since nothing left before it.
    pub fn draft(&self) -> Draft {
        let Evaluated {
            permit,
            action,
            units,
            result,
            body_root,
            body_kept,
            loads,
        } = &self.state;
        let outcome = result
            .as_ref()
            .err()
            .map_or("ANSWERED", |code| code.as_str());
        let (header, asked) = (&self.header, &self.header.asked);
        // In the order of the fields' numbers, so that each is added at the end. The decision has found each word that
        // the call states about itself in its grant.
        let mut clear = caller(&header.caller, &header.certificate)
            .text(Field::EndUser, &asked.end_user)
            .text(Field::Grant, permit.grant().as_str())
            .number(Field::GrantVersion, permit.grant_version().into())
            .text(Field::Scenario, &asked.scenario)
            .text(Field::Purpose, &asked.purpose)
            .text(Field::Product, asked.product.as_str())
            .number(Field::ProductVersion, permit.product().version.into())
            .bytes(Field::ProductDigest, &permit.product_digest().0);
        clear = from_loads(clear, loads)
            .text(Field::Environment, asked.environment.as_str())
            .text(Field::Action, action)
            .text(Field::Outcome, outcome)
            .number(Field::Units, *units)
            .bytes(Field::RequestTag, &header.request_tag);
        let mut draft = Draft::new(Kind::Call);
        draft.call = self.header.id;
        draft.body_root = *body_root;
        draft.clear = clear;
        if result.is_err() {
            draft.flags |= flag::ERROR;
        }
        if *body_kept {
            draft.flags |= flag::BODY_KEPT;
        }
        draft.flags |= match permit.audit() {
            AuditTerms::Lagged { .. } => flag::LAGGED,
            AuditTerms::Mirrored { .. } => 0,
            AuditTerms::Witnessed { .. } => flag::WITNESSED,
        };
        draft
    }

    /// Takes the call apart. For the journal, which has written [`Self::draft`] before it lets go of the answer.
    pub fn into_result(self) -> (Header, Permit, Result<T, ErrorCode>) {
        (self.header, self.state.permit, self.state.result)
    }
}

impl Denial {
    /// A request that could not be read, by a verified caller.
    pub fn unread(caller: PartyId, certificate: [u8; 32], code: ErrorCode) -> Denial {
        Denial {
            caller,
            certificate,
            product: None,
            words: None,
            code,
        }
    }

    fn of(header: Header, words: Option<Words>, code: ErrorCode) -> Denial {
        let Header {
            caller,
            certificate,
            asked,
            ..
        } = header;
        Denial {
            caller,
            certificate,
            product: Some(asked.product),
            words: words.map(Box::new),
            code,
        }
    }

    /// Who was refused.
    pub fn caller(&self) -> &PartyId {
        &self.caller
    }

    /// Why, for the record.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Why, for the caller: see [`ErrorCode::told`].
    pub fn told(&self) -> ErrorCode {
        self.code.told()
    }

    /// The product that was asked for, if it could be read, as the caller wrote it. It tells refusals apart, whether
    /// the node has such a product or not: what is told apart must not show what the node has. It is not to be written
    /// anywhere.
    pub fn product(&self) -> Option<&ProductId> {
        self.product.as_ref()
    }

    /// The record of `count` refusals like this one. It names no call: several may be in it. Of what the call states it
    /// has only words that somebody has signed: a log is for ever, and whoever is refused could write into it.
    pub fn draft(&self, count: u64) -> Draft {
        let mut draft = Draft::new(Kind::Denials);
        draft.flags = flag::REFUSED;
        let mut clear = caller(&self.caller, &self.certificate);
        if let Some(words) = &self.words {
            clear = words.state(clear);
        }
        draft.clear = clear
            .text(Field::Outcome, self.code.as_str())
            .number(Field::Count, count);
        draft
    }
}

/// The loads that an answer was made from, in order, and the oldest date among them.
fn from_loads(clear: Clear, loads: &[Load]) -> Clear {
    let Some(oldest) = loads.iter().map(|load| load.as_of.0).min() else {
        return clear;
    };
    clear
        .text(Field::Resource, &Load::resource_names(loads))
        .text(Field::Load, &Load::ids(loads))
        .number(Field::AsOf, u64::try_from(oldest).unwrap_or(0))
}

fn caller(party: &PartyId, certificate: &[u8; 32]) -> Clear {
    Clear::default()
        .text(Field::Caller, party.as_str())
        .bytes(Field::CallerCertificate, certificate)
}
