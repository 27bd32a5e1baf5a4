//! One call, from the moment its bytes are parsed to the moment its answer may leave. Start reading here.
//!
//! ```text
//! 2 who            admission/caller.rs       4 allowed?      admission/admit.rs → core::decide
//! 3 a retry?       admission/retries.rs      5 fits, fresh?  evaluate.rs: bind
//! 6 charge         journal: reserve          7 evaluate      evaluate.rs: run
//! 9 record         journal: record (R1)      10 release      journal: release (R1 or R2, as the unit signed)
//! ```
//!
//! Every way out is a [`Released`], which only the journal makes once the call or its refusal is on record; or an
//! "unrecorded" refusal, which has nothing in it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;

use lingqu_core::body::Body;
use lingqu_core::call::{Call, Denial, Header, Permitted};
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::product::Load;
use lingqu_core::{CallId, ErrorCode};
use lingqu_journal::{Recorded, Released, Seen, Unrecorded};
use lingqu_proto::{CallInvalid, ProductCall};
use lingqu_tlog::Intl;
use ring::rand::{SecureRandom, SystemRandom};

use crate::Node;
use crate::admission::admit::admit;
use crate::admission::caller::Caller;
use crate::admission::holdings::Holdings;
use crate::admission::retries::{Entered, RetryKey};
use crate::bodies::Keeping;
use crate::evaluate::{AnswerValue, Placed};
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

/// Serves one call, of whatever kind and whichever way it came in.
pub async fn serve(
    node: &Node,
    caller: &Caller,
    asked: Result<ProductCall, CallInvalid>,
) -> Released<Answer> {
    let mut probe = node.observe.call();
    let released = answer(node, caller, asked, &mut probe).await;
    probe.end(&released);
    released
}

async fn answer(
    node: &Node,
    caller: &Caller,
    asked: Result<ProductCall, CallInvalid>,
    probe: &mut Probe,
) -> Released<Answer> {
    probe.phase(Phase::Decide);
    // A journal that is not yet known to be the newest one must not be written, not even with a refusal.
    if !node.ready() {
        return Released::unrecorded(Unrecorded::NodeNotReady);
    }
    let monotonic = node.clock.monotonic();
    let Ok(_place) = node.throttle.enter(&caller.party, monotonic) else {
        return Released::unrecorded(Unrecorded::RateLimited);
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(invalid) => {
            let denial = Denial::unread(caller.party.clone(), caller.certificate, invalid.code);
            return refuse(node, denial, probe).await;
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
            return node.journal.release(&recorded).await;
        }
        Entered::Again(_) => return refuse(node, call.deny(ErrorCode::CallIdSpent), probe).await,
        Entered::Other => return refuse(node, call.deny(ErrorCode::CallIdReused), probe).await,
        Entered::Full => return Released::unrecorded(Unrecorded::Overloaded),
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
            probe.charged(1);
            probe.phase(Phase::Release);
            node.journal.release(&recorded).await
        }
        Err(Unserved::Denied(denial)) => refuse(node, denial, probe).await,
        Err(Unserved::Unrecorded(reason)) => Released::unrecorded(reason),
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
    /// Refused before any data was touched.
    Denied(Denial),
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
        Err(ErrorCode::Overloaded) => return Err(Unserved::Unrecorded(Unrecorded::Overloaded)),
        Err(code) => return Err(Unserved::Denied(call.deny(code))),
    };
    // Nothing is charged while an answer could not leave anyway.
    if node.journal.audit_ready(call.permit().audit()).is_err() {
        return Err(Unserved::Unrecorded(Unrecorded::AuditUnavailable));
    }
    // Nor when its body must be kept and cannot be.
    let keeping = match node.bodies.keeping(call.permit()).await {
        Ok(keeping) => keeping,
        Err(_) => return Err(Unserved::Unrecorded(Unrecorded::AuditUnavailable)),
    };
    let mut charge = match node.journal.reserve(call.permit()) {
        Ok(charge) => charge,
        Err(ErrorCode::Overloaded) => return Err(Unserved::Unrecorded(Unrecorded::Overloaded)),
        Err(code) => return Err(Unserved::Denied(call.deny(code))),
    };
    let mut opening_key = [0; 32];
    if SystemRandom::new().fill(&mut opening_key).is_err() {
        return Err(Unserved::Denied(call.deny(ErrorCode::Internal)));
    }

    let loads = bound.loads().to_vec();

    // From here on data is touched: whatever happens is charged and recorded, a failure too.
    charge.touch();
    probe.phase(Phase::Evaluate);
    let running = AssertUnwindSafe(bound.run(call.permit())).catch_unwind();
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

/// Binds the call to its product over the current loads of its environment, and takes its place where it will run; no
/// data is looked at.
fn plan(node: &Node, call: &Call<Permitted>, asked: &ProductCall) -> Result<Placed, ErrorCode> {
    let permit = call.permit();
    let prepared = node.products.get(permit)?;
    prepared.bind(asked, permit)?.enter()
}

/// A refusal leaves once it is on record, and counts against its party.
async fn refuse(node: &Node, denial: Denial, probe: &mut Probe) -> Released<Answer> {
    probe.phase(Phase::Record);
    node.throttle
        .denied(denial.caller(), node.clock.monotonic());
    node.journal.deny(denial).await
}
