//! One call, from the moment its bytes are parsed to the moment its answer may leave. Start reading here.
//!
//! ```text
//! 2 who            admission/caller.rs       4 allowed?      admission/admit.rs → core::decide
//! 3 a retry?       admission/retries.rs      5 fits, fresh?  evaluate.rs: bind
//! 6 charge         journal: reserve, debit   7 evaluate      evaluate.rs: run
//! 9 record         journal: record (R1)      10 release      journal: release (R1 or R2, as the unit signed)
//! ```
//!
//! An explanation (what would be answered, under which rules, at what cost) goes the same way up to 6, and is recorded
//! with no charge instead of 7.
//!
//! Every way out is a [`Released`], which only the journal makes once the call or its refusal is on record; or an
//! "unrecorded" refusal, which has nothing in it. [`Served`] adds what in the request is to blame.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;

use lingqu_core::body::Body;
use lingqu_core::call::{Call, Denial, Header, Permitted};
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::product::Load;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::{CallId, ErrorCode, Fault};
use lingqu_journal::{Charge, Outcome, Recorded, Released, Seen, Unrecorded};
use lingqu_proto::{CallInvalid, ProductCall};
use lingqu_tlog::Intl;
use ring::rand::{SecureRandom, SystemRandom};

use crate::Node;
use crate::admission::admit::admit;
use crate::admission::caller::Caller;
use crate::admission::holdings::Holdings;
use crate::admission::retries::{Entered, RetryKey};
use crate::bodies::Keeping;
use crate::evaluate::dp::{self, Paid};
use crate::evaluate::{AnswerValue, Misfit, Placed};
use crate::observe::{Phase, Probe};

/// What a caller gets.
#[derive(Clone)]
pub struct Answer {
    /// The caller's id of the call.
    pub call: CallId,
    /// What the product says.
    pub value: Arc<AnswerValue>,
    /// What it was made from; the product's own resource first.
    pub loads: Vec<Load>,
    /// Opens the record's commitments; only the caller gets it.
    pub opening_key: [u8; 32],
    /// Where it was made.
    pub environment: Environment,
}

/// What becomes of a call: what leaves, and what in the request is to blame if it is a refusal.
pub struct Served {
    released: Released<Answer>,
    /// The code that it explains.
    fault: Option<(ErrorCode, Fault)>,
}

/// An answer with the proof of its record.
pub struct Given {
    /// The answer.
    pub answer: Answer,
    /// The proof.
    pub receipt: Receipt,
    /// How far the record is secured.
    pub level: Level,
}

/// Why there is no answer, in words that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: ErrorCode,
    /// What in the request is to blame, if that is why.
    pub fault: Option<Fault>,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Refused {
        Refused { code, fault: None }
    }
}

impl From<Released<Answer>> for Served {
    fn from(released: Released<Answer>) -> Served {
        Served {
            released,
            fault: None,
        }
    }
}

impl Served {
    fn because(mut self, code: ErrorCode, fault: Option<Fault>) -> Served {
        self.fault = fault.map(|fault| (code, fault));
        self
    }

    /// The one place where a released outcome becomes an answer or a refusal.
    ///
    /// # Errors
    /// [`Refused`] with the code that was recorded for the caller to be told.
    pub fn into_answer(self) -> Result<Given, Refused> {
        match self.released.into_outcome() {
            Outcome::Answered {
                result,
                receipt,
                level,
            } => Ok(Given {
                answer: result,
                receipt,
                level,
            }),
            Outcome::Failed { code, .. } | Outcome::Unrecorded(code) => Err(code.into()),
            // A refusal that could not be recorded has another code, and says nothing more.
            Outcome::Denied(code) => Err(Refused {
                code,
                fault: self
                    .fault
                    .and_then(|(why, fault)| (why == code).then_some(fault)),
            }),
        }
    }
}

/// Serves one call, of whatever kind and whichever way it came in.
pub async fn serve(
    node: &Node,
    caller: &Caller,
    asked: Result<ProductCall, CallInvalid>,
) -> Served {
    let mut probe = node.observe.call();
    let served = answer(node, caller, asked, &mut probe).await;
    probe.end(&served.released);
    served
}

async fn answer(
    node: &Node,
    caller: &Caller,
    asked: Result<ProductCall, CallInvalid>,
    probe: &mut Probe,
) -> Served {
    probe.phase(Phase::Decide);
    // A journal that is not yet known to be the newest one must not be written, not even with a refusal.
    if !node.ready() {
        return Released::unrecorded(Unrecorded::NodeNotReady).into();
    }
    let monotonic = node.clock.monotonic();
    let Ok(_place) = node.throttle.enter(&caller.party, monotonic) else {
        return Released::unrecorded(Unrecorded::RateLimited).into();
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(invalid) => {
            let denial = Denial::unread(caller.party.clone(), caller.certificate, invalid.code);
            let refused = refuse(node, denial, probe).await;
            return refused.because(invalid.code, Some(invalid.fault()));
        }
    };
    let header = Header {
        id: asked.id,
        caller: caller.party.clone(),
        certificate: caller.certificate,
        asked: asked.asked.clone(),
        request_tag: node.request_tag(&caller.party, asked.id, &asked.canonical),
    };
    probe.identified(&header, asked.kind);

    // From here on the call is decided by one consistent view of what the node holds.
    let facts = node.facts();
    let call = match admit(Call::received(header), facts.as_node_facts(node)) {
        Ok(call) => call,
        Err(denial) => return refuse(node, denial, probe).await,
    };
    probe.permitted(&call);

    let retry = RetryKey {
        party: caller.party.clone(),
        grant: call.permit().grant().clone(),
        call: asked.id,
    };
    let mut slot = match node
        .retries
        .enter(&retry, call.header().request_tag, monotonic)
        .await
    {
        Entered::New(slot) => slot,
        Entered::Again(recorded) if still_allows(call.permit(), recorded.permit()) => {
            probe.phase(Phase::Release);
            return node.journal.release(&recorded).await.into();
        }
        Entered::Again(_) => return refuse(node, call.deny(ErrorCode::CallIdSpent), probe).await,
        Entered::Other => return refuse(node, call.deny(ErrorCode::CallIdReused), probe).await,
        Entered::Full => return Released::unrecorded(Unrecorded::Overloaded).into(),
    };
    match seen(node, &call, facts.holdings()) {
        Seen::New => {}
        Seen::Same => return refuse(node, call.deny(ErrorCode::CallIdSpent), probe).await,
        Seen::Other => return refuse(node, call.deny(ErrorCode::CallIdReused), probe).await,
    }

    match evaluate_and_record(node, call, &asked, probe).await {
        Ok((recorded, kept_bytes)) => {
            // At this point the record is durable. A crash now loses the answer, never the record: the caller's retry
            // is told CALL_ID_SPENT.
            let recorded = Arc::new(recorded);
            *slot = Some(Arc::clone(&recorded));
            node.retries.weigh(&retry, kept_bytes);
            drop(slot);
            probe.charged(u64::from(!asked.explains));
            probe.phase(Phase::Release);
            node.journal.release(&recorded).await.into()
        }
        Err(Unserved::Denied(denial, fault)) => {
            let code = denial.told();
            refuse(node, denial, probe).await.because(code, fault)
        }
        Err(Unserved::Unrecorded(reason)) => Released::unrecorded(reason).into(),
    }
}

/// Whether what was recorded under `then` may leave under today's permit: the unit may have asked for stricter records
/// since, or the grant's newer version may tell less.
fn still_allows(today: &Permit, then: &Permit) -> bool {
    today.audit() == then.audit()
        && today.reveals_not_found() == then.reveals_not_found()
        && today.reveals_indeterminate() == then.reveals_indeterminate()
}

/// What is known of the call's id. A call that names no grant is looked for under each one of its caller's: the grant
/// that it ran under at first may be the one that no longer allows it.
fn seen(node: &Node, call: &Call<Permitted>, holdings: &Holdings) -> Seen {
    let header = call.header();
    let known = node.journal.seen(header, call.permit().grant());
    if known != Seen::New || header.asked.grant.is_some() {
        return known;
    }
    holdings
        .grants_of(&header.caller)
        .map(|grant| node.journal.seen(header, &grant.id))
        .find(|known| *known != Seen::New)
        .unwrap_or(Seen::New)
}

/// Why a permitted call was not evaluated, or not recorded.
enum Unserved {
    /// Refused before any data was touched, perhaps for something that can be named.
    Denied(Denial, Option<Fault>),
    /// The journal could not take it; nothing leaves.
    Unrecorded(Unrecorded),
}

async fn evaluate_and_record(
    node: &Node,
    call: Call<Permitted>,
    asked: &ProductCall,
    probe: &mut Probe,
) -> Result<(Recorded<Answer>, usize), Unserved> {
    probe.phase(Phase::Plan);
    let bound = match plan(node, &call, asked) {
        Ok(bound) => bound,
        Err(Misfit {
            code: ErrorCode::Overloaded,
            ..
        }) => return Err(Unserved::Unrecorded(Unrecorded::Overloaded)),
        Err(Misfit { code, fault }) => return Err(Unserved::Denied(call.deny(code), fault)),
    };
    // Nothing is charged while an answer could not leave anyway.
    if node.journal.audit_ready(call.permit().audit()).is_err() {
        return Err(Unserved::Unrecorded(Unrecorded::AuditUnavailable));
    }
    // Nor when its body must be kept and cannot be. An explanation answers nothing that could be kept.
    let keeping = match asked.explains {
        true => Ok(None),
        false => node.bodies.keeping(call.permit()).await,
    };
    let Ok(keeping) = keeping else {
        return Err(Unserved::Unrecorded(Unrecorded::AuditUnavailable));
    };
    let reserved = match asked.explains {
        true => node.journal.reserve_explanation(call.permit()),
        false => reserve(node, call.permit(), &bound).await,
    };
    let mut charge = match reserved {
        Ok(charge) => charge,
        Err(ErrorCode::Overloaded) => return Err(Unserved::Unrecorded(Unrecorded::Overloaded)),
        Err(code) => return Err(Unserved::Denied(call.deny(code), None)),
    };
    let mut opening_key = [0; 32];
    if SystemRandom::new().fill(&mut opening_key).is_err() {
        return Err(Unserved::Denied(call.deny(ErrorCode::Internal), None));
    }

    let loads = bound.loads().to_vec();
    if asked.explains {
        let explained = Explained {
            value: bound.explain(call.permit()),
            loads,
            opening_key,
        };
        return record_explanation(node, call, asked, charge, explained, probe).await;
    }

    let paid = match pay(node, call.permit(), &bound, &mut charge).await {
        Ok(paid) => paid,
        Err(ErrorCode::AuditUnavailable) => {
            return Err(Unserved::Unrecorded(Unrecorded::AuditUnavailable));
        }
        Err(code) => return Err(Unserved::Denied(call.deny(code), None)),
    };
    // From here on data is touched: whatever happens is charged and recorded, a failure too.
    charge.touch();
    probe.phase(Phase::Evaluate);
    let running = AssertUnwindSafe(bound.run(call.permit(), paid)).catch_unwind();
    // One code for every way to fail: which one it was may depend on data.
    let result = running.await.unwrap_or(Err(ErrorCode::EvaluationFailed));
    probe.phase(Phase::Record);
    let (result, body, is_kept) = keep(keeping, asked, opening_key, result).await;
    let root = body.root::<Intl>();
    let kept_bytes = result.as_ref().map_or(0, AnswerValue::kept_bytes);
    let result = result.map(|value| Answer {
        call: asked.id,
        value: Arc::new(value),
        loads: loads.clone(),
        opening_key,
        environment: call.permit().environment(),
    });
    let mut call = call.evaluated(result, root, loads);
    if is_kept {
        call = call.with_body_kept();
    }
    node.journal
        .record(call, charge)
        .await
        .map(|recorded| (recorded, kept_bytes))
        .map_err(|_| Unserved::Unrecorded(Unrecorded::AuditUnavailable))
}

/// Pays for what an answer with noise tells, of the budget of the space and of the grant: on record before anything is
/// looked at, and never given back. Nothing for all other answers.
async fn pay(
    node: &Node,
    permit: &Permit,
    bound: &Placed,
    charge: &mut Charge,
) -> Result<Option<Paid>, ErrorCode> {
    match bound.question(permit) {
        Some(question) => {
            let paid = dp::pay(&node.noisy, &node.journal, charge, question).await?;
            Ok(Some(paid))
        }
        None => Ok(None),
    }
}

/// What the record commits to, kept where it must be; and whether it is. An answer whose body is lost does not leave: the
/// record then says that the call failed, and that none is kept.
async fn keep(
    keeping: Option<Keeping>,
    asked: &ProductCall,
    opening_key: [u8; 32],
    result: Result<AnswerValue, ErrorCode>,
) -> (Result<AnswerValue, ErrorCode>, Body, bool) {
    let body_of = |result: &Result<AnswerValue, ErrorCode>| Body {
        opening_key,
        request: asked.canonical.clone(),
        answer: result
            .as_ref()
            .map_or_else(|_| vec![0], AnswerValue::committed_bytes),
    };
    let body = body_of(&result);
    let Some(keeping) = keeping else {
        return (result, body, false);
    };
    match keeping.keep(asked.id, &body).await {
        // At this point the body is durable. A crash now leaves a body without a record, which opens nothing.
        Ok(()) => (result, body, true),
        Err(code) => {
            let failed = Err(code);
            let body = body_of(&failed);
            (failed, body, false)
        }
    }
}

/// What a call would answer and cost, and what that is recorded with.
struct Explained {
    value: Result<AnswerValue, ErrorCode>,
    loads: Vec<Load>,
    opening_key: [u8; 32],
}

/// Records an explanation. No data was touched and the reserved unit is given back: the record says 0 units. What is on
/// record and costs nothing counts with the party's refusals, so that nobody can fill the log with it.
async fn record_explanation(
    node: &Node,
    call: Call<Permitted>,
    asked: &ProductCall,
    charge: Charge,
    explained: Explained,
    probe: &mut Probe,
) -> Result<(Recorded<Answer>, usize), Unserved> {
    let Explained {
        value,
        loads,
        opening_key,
    } = explained;
    let value = match value {
        Ok(value) => value,
        Err(code) => return Err(Unserved::Denied(call.deny(code), None)),
    };
    probe.phase(Phase::Record);
    node.throttle
        .denied(&call.header().caller, node.clock.monotonic());
    let body = Body {
        opening_key,
        request: asked.canonical.clone(),
        answer: value.committed_bytes(),
    };
    let root = body.root::<Intl>();
    let kept_bytes = value.kept_bytes();
    let answer = Answer {
        call: asked.id,
        value: Arc::new(value),
        loads: loads.clone(),
        opening_key,
        environment: call.permit().environment(),
    };
    node.journal
        .record(call.explained(answer, root, loads), charge)
        .await
        .map(|recorded| (recorded, kept_bytes))
        .map_err(|_| Unserved::Unrecorded(Unrecorded::AuditUnavailable))
}

/// Reserves a unit, and a call about whomever it is about, where the unit limits that.
async fn reserve(node: &Node, permit: &Permit, placed: &Placed) -> Result<Charge, ErrorCode> {
    let subject = match (placed.subject(), placed.loads().first()) {
        (Some(subject), Some(load)) => {
            let counted = node.subjects.tag(permit, &load.resource, subject);
            counted.await?
        }
        _ => None,
    };
    node.journal.reserve_about(permit, subject)
}

/// Binds the call to its product over the current loads of its environment, and takes its place where it will run; no
/// data is looked at.
fn plan(node: &Node, call: &Call<Permitted>, asked: &ProductCall) -> Result<Placed, Misfit> {
    let permit = call.permit();
    let prepared = node.products.get(permit)?;
    Ok(prepared.bind(asked, permit)?.enter()?)
}

/// A refusal leaves once it is on record, and counts against its party.
async fn refuse(node: &Node, denial: Denial, probe: &mut Probe) -> Served {
    probe.phase(Phase::Record);
    probe.denied(denial.code());
    node.throttle
        .denied(denial.caller(), node.clock.monotonic());
    node.journal.deny(denial).await.into()
}
