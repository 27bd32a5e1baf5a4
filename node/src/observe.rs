//! The node as it is seen from outside: what it counts, what it traces, and what its state is when somebody looks.
//!
//! [`Probe`](probe::Probe) is all that a call carries of it; `state.rs` reads the rest off the node at each scrape.
//! Labels and attributes are closed lists: kinds, phases, codes, and names of signed objects. Never a subject, a
//! parameter, an end user or an answer, and nothing that a caller wrote and nobody has signed.

mod probe;
mod state;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lingqu_core::product::ProductKind;
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_telemetry::export::Exporter;
use lingqu_telemetry::trace::Value;
use lingqu_telemetry::{Settings, Spans};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

pub(crate) use probe::{Phase, Probe};

use crate::config::NodeConfig;
use probe::{Ending, UNKNOWN};

/// Upper bounds of latencies, in seconds: from a lookup in memory to the longest wait that a policy may sign.
const SECONDS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    15.0, 60.0,
];

/// What the node keeps for those who watch it.
pub(crate) struct Observe {
    meters: Arc<Meters>,
    /// Taken by whoever serves.
    exporter: Mutex<Option<Exporter>>,
    series_max: usize,
    started: Timestamp,
    address: OnceLock<SocketAddr>,
    /// Set when the node has begun to end: nobody should send it more.
    ending: AtomicBool,
}

/// Everything that is counted as it happens.
pub(crate) struct Meters {
    clock: Arc<dyn Clock>,
    registry: Registry,
    calls: IntCounterVec,
    denials: IntCounterVec,
    unrecorded: IntCounterVec,
    call_seconds: HistogramVec,
    phase_seconds: HistogramVec,
    in_flight: IntGauge,
    spans: Spans,
}

impl Observe {
    pub(crate) fn new(config: &NodeConfig, clock: &Arc<dyn Clock>) -> Observe {
        let settings: &Settings = &config.observe;
        let word = |key, value: &str| (key, Value::Word(value.to_owned()));
        let resource = vec![
            word("service.namespace", "lingqu"),
            word("service.instance.id", config.id.as_str()),
        ];
        let version = env!("CARGO_PKG_VERSION");
        let (spans, exporter) = Spans::new(settings, "lingqu-node", version, resource);
        Observe {
            meters: Arc::new(Meters::new(Arc::clone(clock), spans)),
            exporter: Mutex::new(exporter),
            series_max: settings.series_max,
            started: clock.now(),
            address: OnceLock::new(),
            ending: AtomicBool::new(false),
        }
    }

    /// Begins to watch a call.
    pub(crate) fn call(&self) -> Probe {
        Probe::begin(Arc::clone(&self.meters))
    }

    /// What empties the queue of spans, once.
    pub(crate) fn take_exporter(&self) -> Option<Exporter> {
        let mut exporter = self.exporter.lock().unwrap_or_else(PoisonError::into_inner);
        exporter.take()
    }

    pub(crate) fn serves_at(&self, address: SocketAddr) {
        // A node serves once; if it were served again, the first address would hold.
        let _ = self.address.set(address);
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    pub(crate) fn begin_ending(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }
}

impl Meters {
    fn new(clock: Arc<dyn Clock>, spans: Spans) -> Meters {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels);
            registered(&registry, counter)
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            registered(&registry, HistogramVec::new(options, labels))
        };
        let meters = Meters {
            calls: counter(
                "lingqu_node_calls_total",
                "Calls that have ended, by kind of product and by what became of them.",
                &["kind", "outcome"],
            ),
            denials: counter(
                "lingqu_node_denials_total",
                "Calls that were refused on record, by error code.",
                &["code"],
            ),
            unrecorded: counter(
                "lingqu_node_unrecorded_total",
                "Calls that were turned away without a record, by error code; AUDIT_UNAVAILABLE is among them.",
                &["code"],
            ),
            call_seconds: histogram(
                "lingqu_node_call_duration_seconds",
                "Time from the arrival of a call to its release, by kind of product.",
                &["kind"],
            ),
            phase_seconds: histogram(
                "lingqu_node_call_phase_duration_seconds",
                "Time that calls spent in each phase, by kind of product.",
                &["kind", "phase"],
            ),
            in_flight: registered(
                &registry,
                IntGauge::new(
                    "lingqu_node_calls_in_flight",
                    "Calls that have arrived and not ended.",
                ),
            ),
            clock,
            registry,
            spans,
        };
        meters.begin_at_zero();
        meters
    }

    /// Closed lists begin at zero, so that the first event of a kind is seen as an increase.
    fn begin_at_zero(&self) {
        let kinds = ProductKind::ALL.map(ProductKind::as_str);
        for kind in kinds.into_iter().chain([UNKNOWN]) {
            for ending in Ending::ALL {
                let labels = [kind, ending.as_str()];
                self.calls.with_label_values(&labels).reset();
            }
        }
        for code in ErrorCode::ALL {
            self.denials.with_label_values(&[code.as_str()]).reset();
        }
        for code in [
            ErrorCode::AuditUnavailable,
            ErrorCode::NodeNotReady,
            ErrorCode::Overloaded,
            ErrorCode::RateLimited,
        ] {
            self.unrecorded.with_label_values(&[code.as_str()]).reset();
        }
    }
}

fn registered<C>(registry: &Registry, made: prometheus::Result<C>) -> C
where
    C: prometheus::core::Collector + Clone + 'static,
{
    let metric = made.expect("names and labels are constants that the tests read back");
    registry
        .register(Box::new(metric.clone()))
        .expect("each name is registered once");
    metric
}

#[cfg(test)]
mod tests;
