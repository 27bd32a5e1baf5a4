//! A call as it is asked for: the context that goes into records in clear, and the arguments that never do.
//!
//! Whichever way a call comes in, and whatever kind of product it asks for, it becomes one [`ProductCall`].
//! [`ProductCall::canonical`] is the one encoding of what was asked. The node's retry tag and the record's commitment
//! are both computed over it, so that a caller with the opening key can show to anybody what it asked.

use std::fmt;

use lingqu_core::call::EXPLAIN;
use lingqu_core::decide::Asked;
use lingqu_core::product::ProductKind;
use lingqu_core::{CallId, ErrorCode, Fault, Timestamp};
use prost::Message;

use super::FieldInvalid;
use super::environment::{environment_from_pb, environment_to_pb};
use super::field::{code_word, credit_code, instant, name, parse, refuse};
use crate::pb;

/// Most claims of one call.
const CLAIMS_MAX: usize = 32;
/// Longest claimed text, in bytes.
const CLAIM_TEXT_LEN_MAX: usize = 1_024;

/// A claimed value. Its `Debug` shows the type only: it is somebody's data.
#[derive(Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// A whole number.
    Integer(i64),
    /// Text of at most 1,024 bytes; how it is read, the field's comparator says.
    Text(String),
}

impl fmt::Debug for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClaimValue::Integer(_) => "Integer(redacted)",
            ClaimValue::Text(_) => "Text(redacted)",
        })
    }
}

/// A well-formed call. Nothing is decided yet: purpose, scenario and end user may be empty, and then the decision
/// refuses them with their own codes.
#[derive(Clone, PartialEq, Eq)]
pub struct ProductCall {
    /// The caller's id of the call.
    pub id: CallId,
    /// What it asks for.
    pub asked: Asked,
    /// The kind of product that the operation is for; none where one operation is for all kinds.
    pub kind: Option<ProductKind>,
    /// Whether it asks only what the call would answer and cost.
    pub explains: bool,
    /// The claimed values of a verification, the subject of a model, the parameters of a statistic: at most 32, in
    /// ascending order of name, each name once.
    pub arguments: Vec<(String, ClaimValue)>,
    /// Answer only from data as of this instant or later.
    pub as_of_min: Option<Timestamp>,
    /// The whole request but for the call id: the canonical proto3 encoding of `VerifyRequest` (fields in ascending
    /// order, defaults left out) with `context.call_id` empty and `claims` in ascending byte order of `field`. The
    /// other requests have the same fields, so this is theirs too. Equal for a retry whatever the order of its
    /// arguments and whichever way it comes in, different for any other change. What only asks for an explanation has a
    /// field 6 with the number 1 at the end, which no request has. Secret like the arguments.
    pub canonical: Vec<u8>,
}

impl fmt::Debug for ProductCall {
    /// Leaves out arguments and canonical bytes; their names too, since the caller wrote them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProductCall")
            .field("id", &self.id)
            .field("asked", &self.asked)
            .field("kind", &self.kind)
            .field("explains", &self.explains)
            .field("arguments", &self.arguments.len())
            .field("as_of_min", &self.as_of_min)
            .finish_non_exhaustive()
    }
}

impl ProductCall {
    /// A call that did not come in as one of the gRPC requests.
    ///
    /// # Errors
    /// As for [`product_call`]: the same rules hold for every way in.
    pub fn new(
        id: CallId,
        asked: &Asked,
        kind: Option<ProductKind>,
        arguments: &[(String, ClaimValue)],
        as_of_min: Option<Timestamp>,
    ) -> Result<ProductCall, CallInvalid> {
        let request = verify_request(id, asked, arguments, as_of_min);
        read(&request.parts(), kind)
    }

    /// The same call, when only its explanation is asked for.
    #[must_use]
    pub fn explained(mut self) -> ProductCall {
        if !self.explains {
            self.explains = true;
            self.canonical.extend_from_slice(&EXPLAINED);
        }
        self
    }
}

/// Field 6 of the committed encoding with the number 1, in proto3.
const EXPLAINED: [u8; 2] = [6 << 3, 1];

/// One of the requests that call a product. Their fields have the same numbers and shapes.
pub trait CallRequest {
    /// The kind of product that the operation is for; none if for every kind.
    const KIND: Option<ProductKind>;
    /// What a record calls it.
    const ACTION: &'static str;

    /// What the request says.
    fn parts(&self) -> RequestParts<'_>;
}

/// What a request for a call says, borrowed from its message.
#[derive(Clone, Copy)]
pub struct RequestParts<'a> {
    context: Option<&'a pb::CallContext>,
    product: &'a str,
    version: u32,
    arguments: &'a [pb::Claim],
    as_of_min_us: i64,
    is_enveloped: bool,
}

macro_rules! call_request {
    ($message:ident, $kind:expr, $action:expr, $arguments:ident) => {
        impl CallRequest for pb::$message {
            const KIND: Option<ProductKind> = $kind;
            const ACTION: &'static str = $action;

            fn parts(&self) -> RequestParts<'_> {
                RequestParts {
                    context: self.context.as_ref(),
                    product: &self.product,
                    version: self.version,
                    arguments: &self.$arguments,
                    as_of_min_us: self.as_of_min_us,
                    is_enveloped: self.request_envelope.is_some(),
                }
            }
        }
    };
}

macro_rules! kind_request {
    ($message:ident, $kind:ident, $arguments:ident) => {
        call_request!(
            $message,
            Some(ProductKind::$kind),
            ProductKind::$kind.action(),
            $arguments
        );
    };
}

call_request!(ExplainRequest, None, EXPLAIN, arguments);
kind_request!(QueryRequest, Statistic, parameters);
kind_request!(ScoreRequest, Model, subject);
kind_request!(VerifyRequest, Verification, claims);

/// Why a request is refused for its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: `{field}` {reason}")]
pub struct CallInvalid {
    /// `CALL_ID_INVALID`, `CLAIM_INVALID`, `PARAMETER_INVALID`, `REQUEST_ENVELOPE_UNSUPPORTED` or `REQUEST_INVALID`.
    pub code: ErrorCode,
    /// The field, as the `.proto` file names it.
    pub field: &'static str,
    /// What is wrong with it. Never the value.
    pub reason: &'static str,
}

impl CallInvalid {
    /// What is wrong, apart from the code.
    pub fn fault(&self) -> Fault {
        Fault::of(self.field, self.reason)
    }
}

/// Reads a request that calls a product.
///
/// # Errors
/// [`CallInvalid`] names the first field that breaks a rule. `purpose`, `scenario` and `end_user` obey the rules of
/// grants where they are not empty: they are words, never sentences. Which words of a refused call its record may say in
/// clear, the decision finds out.
pub fn product_call<R: CallRequest>(request: &R) -> Result<ProductCall, CallInvalid> {
    let call = read(&request.parts(), R::KIND)?;
    Ok(if R::ACTION == EXPLAIN {
        call.explained()
    } else {
        call
    })
}

fn read(request: &RequestParts<'_>, kind: Option<ProductKind>) -> Result<ProductCall, CallInvalid> {
    // A signed request means that its signer relies on the signature; to ignore it would be to drop a restriction.
    if request.is_enveloped {
        return Err(CallInvalid {
            code: ErrorCode::RequestEnvelopeUnsupported,
            field: "request_envelope",
            reason: "is not supported",
        });
    }
    let context = request.context.ok_or(CallInvalid {
        code: ErrorCode::RequestInvalid,
        field: "context",
        reason: "is missing",
    })?;
    let id = CallId::try_from(context.call_id.as_slice()).map_err(|_| CallInvalid {
        code: ErrorCode::CallIdInvalid,
        field: "context.call_id",
        reason: "is not 16 bytes or all zero",
    })?;
    let asked =
        asked(request, context).map_err(|invalid| with(ErrorCode::RequestInvalid, invalid))?;
    let as_of_min =
        as_of_min(request).map_err(|invalid| with(ErrorCode::RequestInvalid, invalid))?;
    let arguments = arguments(kind, request.arguments)?;
    Ok(ProductCall {
        id,
        asked,
        kind,
        explains: false,
        arguments,
        as_of_min,
        canonical: canonical(request, context),
    })
}

/// The request for the wire. The opposite of [`product_call`]; whoever calls sends it.
pub fn verify_request(
    id: CallId,
    asked: &Asked,
    claims: &[(String, ClaimValue)],
    as_of_min: Option<Timestamp>,
) -> pb::VerifyRequest {
    let claim = |(field, value): &(String, ClaimValue)| pb::Claim {
        field: field.clone(),
        value: Some(match value {
            ClaimValue::Integer(number) => pb::claim::Value::Integer(*number),
            ClaimValue::Text(text) => pb::claim::Value::Text(text.clone()),
        }),
    };
    pb::VerifyRequest {
        context: Some(pb::CallContext {
            call_id: id.0.to_vec(),
            grant: asked
                .grant
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            purpose: asked.purpose.clone(),
            scenario: asked.scenario.clone(),
            end_user: asked.end_user.clone(),
            environment: environment_to_pb(asked.environment).into(),
            consent: String::new(),
        }),
        product: asked.product.to_string(),
        version: asked.version.unwrap_or(0),
        claims: claims.iter().map(claim).collect(),
        as_of_min_us: as_of_min.map_or(0, |instant| instant.0),
        request_envelope: None,
    }
}

/// As [`verify_request`], for a model: `subject` selects whom to score.
pub fn score_request(
    id: CallId,
    asked: &Asked,
    subject: &[(String, ClaimValue)],
    as_of_min: Option<Timestamp>,
) -> pb::ScoreRequest {
    let request = verify_request(id, asked, subject, as_of_min);
    pb::ScoreRequest {
        context: request.context,
        product: request.product,
        version: request.version,
        subject: request.claims,
        as_of_min_us: request.as_of_min_us,
        request_envelope: None,
    }
}

/// As [`verify_request`], for a statistic.
pub fn query_request(
    id: CallId,
    asked: &Asked,
    parameters: &[(String, ClaimValue)],
    as_of_min: Option<Timestamp>,
) -> pb::QueryRequest {
    let request = verify_request(id, asked, parameters, as_of_min);
    pb::QueryRequest {
        context: request.context,
        product: request.product,
        version: request.version,
        parameters: request.claims,
        as_of_min_us: request.as_of_min_us,
        request_envelope: None,
    }
}

/// As [`verify_request`], for what a call with these arguments would answer and cost.
pub fn explain_request(
    id: CallId,
    asked: &Asked,
    arguments: &[(String, ClaimValue)],
    as_of_min: Option<Timestamp>,
) -> pb::ExplainRequest {
    let request = verify_request(id, asked, arguments, as_of_min);
    pb::ExplainRequest {
        context: request.context,
        product: request.product,
        version: request.version,
        arguments: request.claims,
        as_of_min_us: request.as_of_min_us,
        request_envelope: None,
    }
}

fn asked(request: &RequestParts<'_>, context: &pb::CallContext) -> Result<Asked, FieldInvalid> {
    // Nobody checks a consent yet: to ignore it would be to drop a restriction that the caller relies on.
    if !context.consent.is_empty() {
        return refuse("context.consent", "is not supported");
    }
    let environment = environment_from_pb(context.environment).map_err(|invalid| FieldInvalid {
        field: "context.environment",
        ..invalid
    })?;
    Ok(Asked {
        grant: match context.grant.as_str() {
            "" => None,
            grant => Some(parse("context.grant", grant)?),
        },
        product: parse("product", request.product)?,
        version: (request.version != 0).then_some(request.version),
        purpose: unless_empty(&context.purpose, |word| code_word("context.purpose", word))?,
        scenario: unless_empty(&context.scenario, |word| {
            code_word("context.scenario", word)
        })?,
        end_user: unless_empty(&context.end_user, |code| {
            credit_code("context.end_user", code)
        })?,
        environment,
    })
}

fn unless_empty(
    value: &str,
    check: impl FnOnce(String) -> Result<String, FieldInvalid>,
) -> Result<String, FieldInvalid> {
    if value.is_empty() {
        Ok(String::new())
    } else {
        check(value.to_owned())
    }
}

fn as_of_min(request: &RequestParts<'_>) -> Result<Option<Timestamp>, FieldInvalid> {
    match request.as_of_min_us {
        0 => Ok(None),
        bound => instant("as_of_min_us", bound).map(Some),
    }
}

fn arguments(
    kind: Option<ProductKind>,
    arguments: &[pb::Claim],
) -> Result<Vec<(String, ClaimValue)>, CallInvalid> {
    let code = match kind {
        Some(ProductKind::Verification) => ErrorCode::ClaimInvalid,
        Some(ProductKind::Model | ProductKind::Statistic) | None => ErrorCode::ParameterInvalid,
    };
    let refuse = |field, reason| CallInvalid {
        code,
        field,
        reason,
    };
    // Only a statistic may have nothing to state.
    let least = usize::from(kind.is_some_and(|kind| kind != ProductKind::Statistic));
    if !(least..=CLAIMS_MAX).contains(&arguments.len()) {
        return Err(refuse("claims", "does not have 1 to 32 entries"));
    }
    let mut read = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let field =
            name("claims.field", argument.field.clone()).map_err(|invalid| with(code, invalid))?;
        let value = match &argument.value {
            Some(pb::claim::Value::Integer(number)) => ClaimValue::Integer(*number),
            Some(pb::claim::Value::Text(text)) if text.len() <= CLAIM_TEXT_LEN_MAX => {
                ClaimValue::Text(text.clone())
            }
            Some(pb::claim::Value::Text(_)) => {
                return Err(refuse("claims.text", "is longer than 1024 bytes"));
            }
            None => return Err(refuse("claims.value", "is missing")),
        };
        read.push((field, value));
    }
    read.sort_by(|(earlier, _), (later, _)| earlier.cmp(later));
    if read.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(refuse("claims.field", "is there twice"));
    }
    Ok(read)
}

/// See [`ProductCall::canonical`].
fn canonical(request: &RequestParts<'_>, context: &pb::CallContext) -> Vec<u8> {
    let mut claims = request.arguments.to_vec();
    claims.sort_by(|earlier, later| earlier.field.cmp(&later.field));
    let request = pb::VerifyRequest {
        context: Some(pb::CallContext {
            call_id: Vec::new(),
            ..context.clone()
        }),
        product: request.product.to_owned(),
        version: request.version,
        claims,
        as_of_min_us: request.as_of_min_us,
        request_envelope: None,
    };
    request.encode_to_vec()
}

fn with(code: ErrorCode, invalid: FieldInvalid) -> CallInvalid {
    CallInvalid {
        code,
        field: invalid.field,
        reason: invalid.reason,
    }
}

#[cfg(test)]
mod tests;
