//! What one call carries to be counted and traced: a few marks on its way, and its end.
//!
//! Nothing here can fail or wait. What is kept of a call before it is permitted is its id and its environment: the rest
//! is what the caller wrote, and that is not passed on. From the permit on, product, grant and purpose are words that
//! the unit has signed.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::call::{Call, Header, Permitted};
use lingqu_core::code::Class;
use lingqu_core::grant::Environment;
use lingqu_core::product::ProductKind;
use lingqu_core::receipt::Level;
use lingqu_core::{CallId, ErrorCode, Timestamp};
use lingqu_journal::{Released, Summary};
use lingqu_policy::AuditTerms;
use lingqu_telemetry::trace::Value;
use lingqu_telemetry::{Attribute, Step, Trace};

use super::Meters;

/// Most steps of one trace; a call has five.
const STEPS_MAX: usize = 16;

/// The label of a call whose kind is not known: its request could not be read, or was not even looked at.
pub(super) const UNKNOWN: &str = "unknown";

/// The phases of a call, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Reading the request, the decision, and whether it is a retry.
    Decide,
    /// Binding the request to the product, and reserving the charge.
    Plan,
    /// Data is touched.
    Evaluate,
    /// Until the record of the call, or of its refusal, is durable.
    Record,
    /// Until the unit's terms let the answer go.
    Release,
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Phase::Decide => "decide",
            Phase::Plan => "plan",
            Phase::Evaluate => "evaluate",
            Phase::Record => "record",
            Phase::Release => "release",
        }
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Abandoned,
    Answered,
    Denied,
    Failed,
    Unrecorded,
}

impl Ending {
    pub(crate) const ALL: [Ending; 5] = [
        Ending::Abandoned,
        Ending::Answered,
        Ending::Denied,
        Ending::Failed,
        Ending::Unrecorded,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Ending::Abandoned => "abandoned",
            Ending::Answered => "answered",
            Ending::Denied => "denied",
            Ending::Failed => "failed",
            Ending::Unrecorded => "unrecorded",
        }
    }
}

/// See the module. Dropping it unended counts the call as abandoned: a panic in the bookkeeping is seen.
pub(crate) struct Probe {
    meters: Arc<Meters>,
    kind: Option<ProductKind>,
    arrived: Timestamp,
    began: Duration,
    phase: Option<(Phase, Duration)>,
    steps: Vec<(Phase, Duration, Duration)>,
    call: CallId,
    attributes: Vec<Attribute>,
    /// The reason of a refusal as it is recorded, which may say more than what is told.
    denied: Option<ErrorCode>,
    has_ended: bool,
}

impl Probe {
    pub(super) fn begin(meters: Arc<Meters>) -> Probe {
        meters.in_flight.inc();
        Probe {
            kind: None,
            arrived: meters.clock.now(),
            began: meters.clock.monotonic(),
            phase: None,
            steps: Vec::new(),
            call: CallId::NONE,
            attributes: Vec::new(),
            denied: None,
            has_ended: false,
            meters,
        }
    }

    /// A phase begins; the one before it ends.
    pub(crate) fn phase(&mut self, phase: Phase) {
        let now = self.meters.clock.monotonic();
        self.end_phase(now);
        self.phase = Some((phase, now));
    }

    /// The request could be read. Its trace is found by its id.
    pub(crate) fn identified(&mut self, header: &Header, kind: Option<ProductKind>) {
        self.call = header.id;
        self.kind = kind;
        let environment: Environment = header.asked.environment;
        self.word("lingqu.environment", environment.as_str());
    }

    /// The call was permitted: what it names is now what the unit has signed.
    pub(crate) fn permitted(&mut self, call: &Call<Permitted>) {
        let permit = call.permit();
        self.kind = Some(permit.kind());
        let audit = match permit.audit() {
            AuditTerms::Lagged { .. } => "lagged",
            AuditTerms::Mirrored { .. } => "mirrored",
            AuditTerms::Witnessed { .. } => "witnessed",
        };
        self.word("lingqu.product", permit.product().id.as_str());
        self.number("lingqu.product_version", permit.product().version.into());
        self.word("lingqu.grant", permit.grant().as_str());
        // The decision has found it among the grant's purposes.
        self.word("lingqu.purpose", &call.header().asked.purpose);
        self.word("lingqu.audit", audit);
    }

    /// Units were charged, durably.
    pub(crate) fn charged(&mut self, units: u64) {
        self.number("lingqu.units", i64::try_from(units).unwrap_or(i64::MAX));
    }

    /// The call is refused, for this reason.
    pub(crate) fn denied(&mut self, code: ErrorCode) {
        self.denied = Some(code);
    }

    /// The call has ended.
    pub(crate) fn end<T>(mut self, released: &Released<T>) {
        let summary = released.summary();
        let (ending, code, level) = match summary {
            Summary::Answered(level) => (Ending::Answered, None, Some(level)),
            Summary::Denied(told) => {
                let recorded = self.denied.filter(|code| code.told() == told);
                (Ending::Denied, Some(recorded.unwrap_or(told)), None)
            }
            Summary::Failed(code, level) => (Ending::Failed, Some(code), Some(level)),
            Summary::Unrecorded(code) => (Ending::Unrecorded, Some(code), None),
        };
        match (ending, code) {
            (Ending::Denied, Some(code)) => count(&self.meters.denials, code),
            (Ending::Unrecorded, Some(code)) => count(&self.meters.unrecorded, code),
            _ => {}
        }
        if let Some(level) = level {
            let level = match level {
                Level::Local => "local",
                Level::Mirrored => "mirrored",
                Level::Witnessed => "witnessed",
            };
            self.word("lingqu.level", level);
        }
        self.word("lingqu.outcome", code.map_or("ANSWERED", ErrorCode::as_str));
        self.finish(
            ending,
            code.filter(|code| is_ours(*code)).map(ErrorCode::as_str),
        );
    }

    fn finish(&mut self, ending: Ending, fault: Option<&'static str>) {
        self.has_ended = true;
        let now = self.meters.clock.monotonic();
        self.end_phase(now);
        let meters = Arc::clone(&self.meters);
        let kind = self.kind.map_or(UNKNOWN, ProductKind::as_str);
        meters.in_flight.dec();
        meters
            .calls
            .with_label_values(&[kind, ending.as_str()])
            .inc();
        let seconds = now.saturating_sub(self.began).as_secs_f64();
        meters
            .call_seconds
            .with_label_values(&[kind])
            .observe(seconds);
        for (phase, from, to) in &self.steps {
            let seconds = to.saturating_sub(*from).as_secs_f64();
            let labels = [kind, phase.as_str()];
            meters
                .phase_seconds
                .with_label_values(&labels)
                .observe(seconds);
        }
        // What has no id has no trace: a request that could not be read, or was not even looked at.
        if meters.spans.wanted() && self.call != CallId::NONE {
            meters.spans.submit(self.trace(now, fault));
        }
    }

    fn trace(&mut self, now: Duration, fault: Option<&'static str>) -> Trace {
        // Wall-clock time is read once, so that steps add up whatever happens to the clock meanwhile.
        let arrived_ns = u64::try_from(self.arrived.0)
            .unwrap_or(0)
            .saturating_mul(1_000);
        let at = |monotonic: Duration| {
            let since = monotonic.saturating_sub(self.began).as_nanos();
            arrived_ns.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
        };
        let step = |name, from, to| Step {
            name,
            start_ns: at(from),
            end_ns: at(to),
        };
        let steps = self
            .steps
            .iter()
            .map(|(phase, from, to)| step(phase.as_str(), *from, *to));
        Trace {
            id: self.call.0,
            whole: step(
                self.kind.map_or(UNKNOWN, ProductKind::as_str),
                self.began,
                now,
            ),
            steps: steps.collect(),
            attributes: std::mem::take(&mut self.attributes),
            fault,
        }
    }

    fn end_phase(&mut self, now: Duration) {
        if let Some((phase, from)) = self.phase.take()
            && self.steps.len() < STEPS_MAX
        {
            self.steps.push((phase, from, now));
        }
    }

    fn word(&mut self, key: &'static str, word: &str) {
        self.attributes.push((key, Value::Word(word.to_owned())));
    }

    fn number(&mut self, key: &'static str, number: i64) {
        self.attributes.push((key, Value::Number(number)));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.has_ended {
            self.finish(Ending::Abandoned, Some(ErrorCode::Internal.as_str()));
        }
    }
}

fn count(counter: &prometheus::IntCounterVec, code: ErrorCode) {
    counter.with_label_values(&[code.as_str()]).inc();
}

/// Whether an operator of this node has something to mend. A refusal is the node doing its work.
fn is_ours(code: ErrorCode) -> bool {
    match code.class() {
        Class::Internal | Class::Unavailable => true,
        Class::AlreadyExists
        | Class::FailedPrecondition
        | Class::InvalidArgument
        | Class::Local
        | Class::NotFound
        | Class::PermissionDenied
        | Class::ResourceExhausted
        | Class::Unauthenticated
        | Class::Unimplemented => false,
    }
}
