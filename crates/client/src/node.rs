//! One node, called with receipts checked: an answer whose record cannot be proven is not handed over.
//!
//! When the node's stream has been followed by another one, the first answer's record stands in a stream that nobody here
//! believes yet. The node is then asked how its streams follow each other ([`following`]), and the answer is handed over
//! only if that proves the new stream's key to whoever trusts the old one.

mod following;

use lingqu_core::commitment::{Tag, body_root};
use lingqu_core::decide::Asked;
use lingqu_core::product::Load;
use lingqu_core::receipt::{Level, Proven, Receipt, ReceiptRefused};
use lingqu_core::record::{Clear, Field, Kind, flag};
use lingqu_core::trust::Trust;
use lingqu_core::{CallId, ErrorCode, NodeId, Timestamp};
use lingqu_proto::pb::calls_client::CallsClient;
use lingqu_proto::{
    CallRequest, ClaimValue, Score, Verdict, explain_request, load_from_pb, pb, product_call,
    query_request, receipt_from_pb, score_from_pb, score_request, verdict_from_pb, verify_request,
};
use lingqu_tlog::Intl;
use lingqu_transport::{ClientTls, ConnectError, PeerId, code_of};
use ring::rand::{SecureRandom, SystemRandom};
use tonic::transport::Channel;

use self::following::Following;
use crate::succession::StepRefused;

/// Largest answer, in bytes.
const ANSWER_LEN_MAX: usize = 4 << 20;

/// A connection to a node, and the keys that its receipts are checked with.
#[derive(Clone)]
pub struct Node {
    calls: CallsClient<Channel>,
    /// The same for all clones: what one of them followed, all have.
    streams: std::sync::Arc<Following>,
    /// Of the head logs; none if no witness is asked for.
    heads: Option<std::sync::Arc<Trust<Intl>>>,
}

/// What to ask: a claim to verify, a subject to score, the parameters of a statistic.
#[derive(Clone, Debug)]
pub struct Question {
    /// The caller's id; the same again for a retry.
    pub id: CallId,
    /// Grant, product, purpose and so on.
    pub asked: Asked,
    /// The claim, the subject or the parameters, by name.
    pub arguments: Vec<(String, ClaimValue)>,
    /// Answer only from data as of this instant or later.
    pub as_of_min: Option<Timestamp>,
    /// Also accept an answer whose record the mirror does not have yet, if the record says that the unit allows it.
    /// That is then the node's word alone; the default is not to.
    pub lagged_accepted: bool,
}

/// An answer whose record is proven.
#[derive(Clone, Debug)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// What it was made from; the product's own resource first.
    pub loads: Vec<Load>,
    /// The proof, to keep.
    pub receipt: Receipt,
    /// What the proof says.
    pub proven: Proven,
    /// Opens the record's commitments; to keep with the receipt.
    pub opening_key: [u8; 32],
}

/// A released table as an Arrow IPC stream: these bytes are what the record commits to.
#[derive(Clone, PartialEq, Eq)]
pub struct Table(pub Vec<u8>);

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} bytes)", self.0.len())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// The node refused, with its code.
    #[error("{code}: {}", code.message_en())]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The whole message, which may name a field.
        message: String,
    },
    /// The connection failed, or the answer was none that a node gives.
    #[error("transport: {0}")]
    Transport(String),
    /// The answer cannot be read.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// The receipt does not prove the record.
    #[error("the receipt is refused: {0}")]
    Receipt(#[from] ReceiptRefused),
    /// The record is proven, but it is not of this call and this answer.
    #[error("the receipt is for something else: `{0}`")]
    OtherCall(&'static str),
    /// The answer's record stands in a stream that is not trusted, and what the node says of how it follows a trusted one is
    /// refused.
    #[error("the node's streams do not follow each other: {0}")]
    Succession(Box<StepRefused>),
    /// The record is not as well secured as it says that it must be.
    #[error("the receipt lacks the mirror's cosignature")]
    Level,
    /// The record asks for witnesses, and the caller was given none to believe.
    #[error("the record asks for witnesses, and none are trusted here")]
    WitnessesUnknown,
}

impl CallFailed {
    /// The node's code, if it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            CallFailed::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl Node {
    /// Connects to the node `id` at `url`.
    pub async fn connect(
        url: &str,
        tls: &ClientTls,
        id: NodeId,
        trust: Trust<Intl>,
    ) -> Result<Node, ConnectError> {
        let channel = lingqu_transport::connect(url, tls, PeerId::Node(id)).await?;
        Ok(Node::over(channel, trust))
    }

    /// Calls over a channel that is already there.
    pub fn over(channel: Channel, trust: Trust<Intl>) -> Node {
        let calls = CallsClient::new(channel).max_decoding_message_size(ANSWER_LEN_MAX);
        Node {
            calls,
            streams: std::sync::Arc::new(Following::new(trust)),
            heads: None,
        }
    }

    /// Believes the head logs and witnesses in `heads`: without it an answer whose record asks for witnesses is refused.
    #[must_use]
    pub fn with_heads(self, heads: Trust<Intl>) -> Node {
        Node {
            heads: Some(std::sync::Arc::new(heads)),
            ..self
        }
    }

    /// Verifies a claim. The answer is handed over only with a receipt that proves its record.
    pub async fn verify(&self, question: &Question) -> Result<Answered<Verdict>, CallFailed> {
        let Question {
            id,
            asked,
            arguments,
            as_of_min,
            ..
        } = question;
        let request = verify_request(*id, asked, arguments, *as_of_min);
        let response = self.calls.clone().verify(request.clone()).await;
        let response = response.map_err(|status| refused(&status))?.into_inner();
        self.check(&request, response, question).await
    }

    /// Scores a subject; as [`Self::verify`].
    pub async fn score(&self, question: &Question) -> Result<Answered<Score>, CallFailed> {
        let Question {
            id,
            asked,
            arguments,
            as_of_min,
            ..
        } = question;
        let request = score_request(*id, asked, arguments, *as_of_min);
        let response = self.calls.clone().score(request.clone()).await;
        let response = response.map_err(|status| refused(&status))?.into_inner();
        self.check(&request, response, question).await
    }

    /// Asks for a statistic; as [`Self::verify`].
    pub async fn query(&self, question: &Question) -> Result<Answered<Table>, CallFailed> {
        let Question {
            id,
            asked,
            arguments,
            as_of_min,
            ..
        } = question;
        let request = query_request(*id, asked, arguments, *as_of_min);
        let response = self.calls.clone().query(request.clone()).await;
        let response = response.map_err(|status| refused(&status))?.into_inner();
        self.check(&request, response, question).await
    }

    /// Asks what a call with these arguments would answer and cost; as [`Self::verify`], of a product of any kind. The
    /// table has three texts a row: topic, English, Chinese.
    pub async fn explain(&self, question: &Question) -> Result<Answered<Table>, CallFailed> {
        let Question {
            id,
            asked,
            arguments,
            as_of_min,
            ..
        } = question;
        let request = explain_request(*id, asked, arguments, *as_of_min);
        let response = self.calls.clone().explain(request.clone()).await;
        let response = response.map_err(|status| refused(&status))?.into_inner();
        self.check(&request, response, question).await
    }

    async fn check<R: CallRequest, W: Response>(
        &self,
        request: &R,
        response: W,
        question: &Question,
    ) -> Result<Answered<W::Value>, CallFailed> {
        let check = |response: W| {
            let streams = self.streams.trust();
            let trusted = Trusted {
                streams: &streams,
                heads: self.heads.as_deref(),
                lagged_accepted: question.lagged_accepted,
            };
            check(request, response, trusted)
        };
        match check(response.clone()) {
            Err(CallFailed::Receipt(ReceiptRefused::StreamUnknown(origin)))
                if self.follow_to(&origin).await? =>
            {
                check(response)
            }
            checked => checked,
        }
    }
}

impl Question {
    /// A call with a new random id.
    pub fn new(asked: Asked, arguments: Vec<(String, ClaimValue)>) -> Question {
        let mut id = [0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .expect("without randomness no connection would exist either");
        Question {
            id: CallId(id),
            asked,
            arguments,
            as_of_min: None,
            lagged_accepted: false,
        }
    }
}

fn refused(status: &tonic::Status) -> CallFailed {
    match code_of(status) {
        Some(code) => CallFailed::Refused {
            code,
            message: status.message().to_owned(),
        },
        None => CallFailed::Transport(format!("{:?}: {}", status.code(), status.message())),
    }
}

/// What a caller believes and accepts.
#[derive(Clone, Copy)]
pub(crate) struct Trusted<'a> {
    /// The nodes' streams and their mirrors.
    pub(crate) streams: &'a Trust<Intl>,
    /// The head logs and their witnesses.
    pub(crate) heads: Option<&'a Trust<Intl>>,
    /// See [`Question::lagged_accepted`].
    pub(crate) lagged_accepted: bool,
}

/// Whether `response` answers `request`, and its record is proven as well as the record itself demands.
pub(crate) fn check<R: CallRequest, W: Response>(
    request: &R,
    response: W,
    trusted: Trusted<'_>,
) -> Result<Answered<W::Value>, CallFailed> {
    let malformed = |error: &dyn std::fmt::Display| CallFailed::Malformed(error.to_string());
    let asked = product_call(request).map_err(|error| malformed(&error))?;
    let parts = response.parts()?;
    let loads = parts
        .loads
        .iter()
        .map(load_from_pb)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(&error))?;
    if loads.is_empty() {
        return Err(malformed(&"no load"));
    }
    let receipt = parts.receipt.ok_or_else(|| malformed(&"no receipt"))?;
    let (receipt, level) = receipt_from_pb(&receipt).map_err(|error| malformed(&error))?;
    let opening_key: [u8; 32] = parts
        .opening_key
        .try_into()
        .map_err(|_| malformed(&"opening key"))?;

    let proven = prove(&receipt, level, trusted)?;
    let draft = &proven.record.draft;
    let fields = [
        (Tag::Request, asked.canonical.as_slice()),
        (Tag::Answer, parts.committed.as_slice()),
    ];
    let oldest = loads.iter().map(|load| load.as_of).min();
    let expected = [
        (
            "kind",
            draft.kind == Kind::Call && draft.flags & (flag::REFUSED | flag::ERROR) == 0,
        ),
        (
            "call id",
            draft.call == asked.id && parts.call_id == asked.id.0,
        ),
        (
            "request or answer",
            draft.body_root == body_root::<Intl>(&opening_key, &fields),
        ),
        (
            "outcome",
            draft.clear.get_text(Field::Outcome) == Some("ANSWERED"),
        ),
        (
            "action",
            draft.clear.get_text(Field::Action) == Some(R::ACTION),
        ),
        ("what was stated", states(&draft.clear, &asked.asked)),
        ("load", is_from(&draft.clear, &loads)),
        (
            "date of the data",
            asked.as_of_min.is_none_or(|bound| oldest >= Some(bound)),
        ),
    ];
    if let Some((what, _)) = expected.iter().find(|(_, holds)| !holds) {
        return Err(CallFailed::OtherCall(what));
    }
    Ok(Answered {
        value: parts.value,
        loads,
        receipt,
        proven,
        opening_key,
    })
}

/// What the three kinds of answer have in common on the wire.
pub(crate) struct Parts<T> {
    value: T,
    /// The bytes of the answer that the record commits to.
    committed: Vec<u8>,
    call_id: Vec<u8>,
    loads: Vec<pb::LoadRef>,
    receipt: Option<pb::Receipt>,
    opening_key: Vec<u8>,
}

/// An answer as it came over the wire.
pub(crate) trait Response: Clone {
    /// What it says.
    type Value;

    /// Takes it apart.
    fn parts(self) -> Result<Parts<Self::Value>, CallFailed>;
}

impl Response for pb::VerifyResponse {
    type Value = Verdict;

    fn parts(self) -> Result<Parts<Verdict>, CallFailed> {
        let verdict = verdict_from_pb(self.verdict)
            .map_err(|error| CallFailed::Malformed(error.to_string()))?;
        Ok(Parts {
            value: verdict,
            committed: vec![verdict.answer_byte()],
            call_id: self.call_id,
            loads: self.load.into_iter().collect(),
            receipt: self.receipt,
            opening_key: self.opening_key,
        })
    }
}

impl Response for pb::ScoreResponse {
    type Value = Score;

    fn parts(self) -> Result<Parts<Score>, CallFailed> {
        let score = score_from_pb(self.result.unwrap_or_default())
            .map_err(|error| CallFailed::Malformed(error.to_string()))?;
        Ok(Parts {
            committed: score.answer_bytes(),
            value: score,
            call_id: self.call_id,
            loads: self.load.into_iter().collect(),
            receipt: self.receipt,
            opening_key: self.opening_key,
        })
    }
}

impl Response for pb::ExplainResponse {
    type Value = Table;

    fn parts(self) -> Result<Parts<Table>, CallFailed> {
        Ok(Parts {
            committed: self.table.clone(),
            value: Table(self.table),
            call_id: self.call_id,
            loads: self.loads,
            receipt: self.receipt,
            opening_key: self.opening_key,
        })
    }
}

impl Response for pb::QueryResponse {
    type Value = Table;

    fn parts(self) -> Result<Parts<Table>, CallFailed> {
        Ok(Parts {
            committed: self.table.clone(),
            value: Table(self.table),
            call_id: self.call_id,
            loads: self.loads,
            receipt: self.receipt,
            opening_key: self.opening_key,
        })
    }
}

/// What the receipt proves, if that is as much as the record itself demands and as the answer claims.
fn prove(receipt: &Receipt, claimed: Level, trusted: Trusted<'_>) -> Result<Proven, CallFailed> {
    let Trusted {
        streams: trust,
        heads,
        lagged_accepted,
    } = trusted;
    let proven = match receipt.verify(trust) {
        Err(ReceiptRefused::QuorumMissing(_)) if lagged_accepted => {
            receipt.verify(&trust.without_quorum())?
        }
        Err(ReceiptRefused::QuorumMissing(_)) => return Err(CallFailed::Level),
        verified => verified?,
    };
    // The record, which the node's log signs, says what its unit's terms are.
    if proven.record.draft.flags & flag::WITNESSED != 0 {
        let heads = heads.ok_or(CallFailed::WitnessesUnknown)?;
        return Ok(receipt.verify_witnessed(trust, heads)?);
    }
    // It also says whether its terms allow less than the mirror.
    let lagged = lagged_accepted && proven.record.draft.flags & flag::LAGGED != 0;
    if proven.level < claimed || (!lagged && proven.level < Level::Mirrored) {
        return Err(CallFailed::Level);
    }
    Ok(proven)
}

/// Whether the record says of the call what the caller said. A regulator reads these fields, not the commitment: they
/// would otherwise be the node's word against the caller's.
fn states(record: &Clear, asked: &Asked) -> bool {
    let is = |field, stated: &str| record.get_text(field).unwrap_or_default() == stated;
    let version = asked.version.map(u64::from);
    is(Field::Product, asked.product.as_str())
        && is(Field::Purpose, &asked.purpose)
        && is(Field::Scenario, &asked.scenario)
        && is(Field::EndUser, &asked.end_user)
        && is(Field::Environment, asked.environment.as_str())
        && asked
            .grant
            .as_ref()
            .is_none_or(|grant| is(Field::Grant, grant.as_str()))
        && version.is_none_or(|version| record.get_number(Field::ProductVersion) == Some(version))
}

/// Whether the record names the loads that came with the answer, and the oldest date among them.
fn is_from(record: &Clear, loads: &[Load]) -> bool {
    let oldest = loads.iter().map(|load| load.as_of.0).min();
    record.get_text(Field::Load) == Some(&Load::ids(loads))
        && record.get_text(Field::Resource) == Some(&Load::resource_names(loads))
        && record.get_number(Field::AsOf) == oldest.and_then(|oldest| u64::try_from(oldest).ok())
}

#[cfg(test)]
mod tests;
