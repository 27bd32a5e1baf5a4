//! Spans on their way to a receiver: a bounded queue, and a task that empties it over OTLP/gRPC.
//!
//! Whoever submits never waits: what does not fit is dropped and counted, a trace as a whole. The exporter holds one
//! batch at a time and tries it a few times while the queue takes what comes, so that a receiver that restarts misses
//! little and one that stays away costs a fixed amount of memory. What it answers is counted and never read further.
//!
//! The spans are built and sent with the official messages and client. The SDK's tracer and batch processor are not
//! used: trace ids are given to us, drops and partial refusals must be counted, and no environment variable may
//! redirect what a node tells of its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::settings::Settings;
use crate::trace::{Attribute, Trace, key_value};

/// How long a batch waits for more, so that single calls do not each make an export.
const GATHERING: Duration = Duration::from_millis(200);
/// Pauses before a batch is tried again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];
/// Bytes of an answer: a receiver has next to nothing to say.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where finished work is handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spans {
    queue: Option<mpsc::Sender<Span>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    overflow: AtomicU64,
    refused: AtomicU64,
    unreachable: AtomicU64,
}

/// What became of spans since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken by the receiver.
    pub exported: u64,
    /// Dropped because the queue was full.
    pub overflow: u64,
    /// Refused by the receiver.
    pub refused: u64,
    /// Dropped because the receiver could not be reached, or not in time.
    pub unreachable: u64,
}

/// Empties the queue. Run it once, beside everything else.
pub struct Exporter {
    endpoint: Endpoint,
    resource: Resource,
    scope: InstrumentationScope,
    batch_max: usize,
    timeout: Duration,
    queue: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
}

impl Spans {
    /// Makes queue and exporter; without an endpoint nothing is queued and there is no exporter. `service` and `version`
    /// say what emits, `resource` which one.
    ///
    /// The settings must have passed [`Settings::check`]; an endpoint that is no URL switches traces off.
    pub fn new(
        settings: &Settings,
        service: &'static str,
        version: &'static str,
        resource: Vec<Attribute>,
    ) -> (Spans, Option<Exporter>) {
        let counts = Arc::new(Counts::default());
        let endpoint = settings.otlp.clone().map(Endpoint::from_shared);
        let Some(Ok(endpoint)) = endpoint else {
            let spans = Spans {
                queue: None,
                counts,
            };
            return (spans, None);
        };
        let (sender, queue) = mpsc::channel(settings.spans_queued_max);
        let word = |key, value: &str| (key, crate::trace::Value::Word(value.to_owned()));
        let mut attributes = vec![
            word("service.name", service),
            word("service.version", version),
        ];
        attributes.extend(resource);
        let exporter = Exporter {
            endpoint: endpoint
                .timeout(settings.export_timeout())
                .connect_timeout(settings.export_timeout()),
            resource: Resource {
                attributes: attributes.into_iter().map(key_value).collect(),
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: service.to_owned(),
                version: version.to_owned(),
                ..InstrumentationScope::default()
            },
            batch_max: settings.spans_batch_max,
            timeout: settings.export_timeout(),
            queue,
            counts: Arc::clone(&counts),
        };
        let spans = Spans {
            queue: Some(sender),
            counts,
        };
        (spans, Some(exporter))
    }

    /// Whether anybody wants traces: making them can be saved otherwise.
    pub fn wanted(&self) -> bool {
        self.queue.is_some()
    }

    /// Hands a trace in, as a whole or not at all. Never waits.
    pub fn submit(&self, trace: Trace) {
        let Some(queue) = &self.queue else {
            return;
        };
        let spans = trace.into_spans();
        match queue.try_reserve_many(spans.len()) {
            Ok(places) => places.zip(spans).for_each(|(place, span)| place.send(span)),
            Err(_) => add(&self.counts.overflow, spans.len()),
        }
    }

    /// What became of spans so far.
    pub fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            exported: read(&self.counts.exported),
            overflow: read(&self.counts.overflow),
            refused: read(&self.counts.refused),
            unreachable: read(&self.counts.unreachable),
        }
    }
}

impl Exporter {
    /// Exports until `ending`; then sends once what is left, for at most the time of one export, and drops the rest.
    pub async fn run(mut self, ending: CancellationToken) {
        let channel = self.endpoint.connect_lazy();
        let client = TraceServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let mut away = Away(false);
        while let Some(batch) = self.next(&ending).await {
            let tried = self.deliver(&client, batch, &ending).await;
            away.is_now(tried.is_err());
        }
        self.queue.close();
        let timeout = self.timeout;
        // What is cut off here was taken out of the queue and not delivered: it is counted by `in_hand`.
        let _ = tokio::time::timeout(timeout, self.empty(&client)).await;
        let mut left = 0;
        while self.queue.try_recv().is_ok() {
            left += 1;
        }
        add(&self.counts.unreachable, left);
    }

    /// The next batch; none when it is time to end.
    async fn next(&mut self, ending: &CancellationToken) -> Option<Vec<Span>> {
        let mut batch = Vec::new();
        let first = ending.run_until_cancelled(self.queue.recv()).await??;
        batch.push(first);
        // A batch that is gathered when the end comes is still sent, by the loop that asked.
        let _ = ending
            .run_until_cancelled(tokio::time::sleep(GATHERING))
            .await;
        self.gather(&mut batch);
        Some(batch)
    }

    fn gather(&mut self, batch: &mut Vec<Span>) {
        while batch.len() < self.batch_max
            && let Ok(span) = self.queue.try_recv()
        {
            batch.push(span);
        }
    }

    async fn empty(&mut self, client: &TraceServiceClient<Channel>) {
        loop {
            let mut batch = Vec::new();
            self.gather(&mut batch);
            if batch.is_empty() {
                return;
            }
            let mut in_hand = InHand {
                spans: batch.len(),
                counts: Arc::clone(&self.counts),
            };
            let tried = self.export(client, &batch).await;
            in_hand.spans = 0;
            self.count(batch.len(), &tried);
            if tried.is_err() {
                return;
            }
        }
    }

    /// Tries a batch, again after a pause where that may help, and counts what became of it.
    async fn deliver(
        &self,
        client: &TraceServiceClient<Channel>,
        batch: Vec<Span>,
        ending: &CancellationToken,
    ) -> Result<u64, Failed> {
        let mut pauses = PAUSES.iter();
        let tried = loop {
            let tried = self.export(client, &batch).await;
            let pause = match &tried {
                Err(Failed::Away) if !ending.is_cancelled() => pauses.next(),
                _ => None,
            };
            let Some(pause) = pause else { break tried };
            let pause = tokio::time::sleep(*pause);
            let _ = ending.run_until_cancelled(pause).await;
        };
        self.count(batch.len(), &tried);
        tried
    }

    fn count(&self, spans: usize, tried: &Result<u64, Failed>) {
        match tried {
            Ok(refused) => {
                let refused = usize::try_from(*refused).unwrap_or(usize::MAX).min(spans);
                add(&self.counts.refused, refused);
                add(&self.counts.exported, spans - refused);
            }
            Err(Failed::Away) => add(&self.counts.unreachable, spans),
            Err(Failed::Refused) => add(&self.counts.refused, spans),
        }
    }

    /// One export: how many spans the receiver did not take.
    async fn export(
        &self,
        client: &TraceServiceClient<Channel>,
        batch: &[Span],
    ) -> Result<u64, Failed> {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(self.scope.clone()),
                    spans: batch.to_vec(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let mut client = client.clone();
        let exported = tokio::time::timeout(self.timeout, client.export(request)).await;
        let answer = match exported {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(Failed::from(&status)),
            Err(_) => return Err(Failed::Away),
        };
        let rejected = answer.partial_success.map_or(0, |part| part.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// Trying again may help.
    Away,
    /// It would be refused again.
    Refused,
}

impl From<&tonic::Status> for Failed {
    /// The codes that OTLP calls retryable; and the unknown one, which stands for a broken connection.
    fn from(status: &tonic::Status) -> Failed {
        use tonic::Code;
        match status.code() {
            Code::Aborted
            | Code::Cancelled
            | Code::DataLoss
            | Code::DeadlineExceeded
            | Code::OutOfRange
            | Code::ResourceExhausted
            | Code::Unavailable
            | Code::Unknown => Failed::Away,
            Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Internal
            | Code::InvalidArgument
            | Code::NotFound
            | Code::Ok
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => Failed::Refused,
        }
    }
}

/// Spans out of the queue whose export may be cut off.
struct InHand {
    spans: usize,
    counts: Arc<Counts>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        add(&self.counts.unreachable, self.spans);
    }
}

/// Says it once when the receiver goes away, and once when it is back.
struct Away(bool);

impl Away {
    fn is_now(&mut self, away: bool) {
        if away && !self.0 {
            tracing::warn!("the receiver of traces does not take them");
        } else if !away && self.0 {
            tracing::info!("the receiver of traces takes them again");
        }
        self.0 = away;
    }
}

fn add(count: &AtomicU64, spans: usize) {
    count.fetch_add(spans as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
